"""How each anchor stands with each log: what it holds, since when it is behind, and why.

Below `state/anchors/<name>/<log>/`:
- `<size, 20 digits>.<suffix>`: the evidence that it gave, which was checked before it came
  here. The newest is kept, and of those before it the last of each hour. Beside a time
  stamp lies the note that it is of.
- `standing.json`: what it held last, and what went wrong since. It is a memory, not
  evidence: when it is lost or damaged the anchor is asked anew.
- `other-history.note`: the newest signed checkpoint that contradicts this log.

What a witness cosigned is also put into `state/outside/`, where the signer must respect it
(`tlog.outside`): it is our own signed note, brought back by somebody else. It gets there by
one rename, since whoever reads that directory takes every file in it for a checkpoint.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from phitrail.anchor.held import Held
from phitrail.anchor.settings import AnchorSettings
from phitrail.app.config import Policy
from phitrail.app.wiring import OUTSIDE
from phitrail.durable.files import DurableFiles
from phitrail.errors import OutcomeUnknownError, StorageError
from phitrail.events.codes import Log
from phitrail.events.ids import parse_time

ANCHORS = "state/anchors"
STANDING = "standing.json"
OTHER_HISTORY = "other-history.note"
SIZE_DIGITS = 20

_STAGED = "outside.staged"
_TO_THE_HOUR = len("2026-11-22T08")


class Standing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One anchor and one log.

    Attributes:
        held_size: the size that it held last; 0 for none.
        held_at: when it took that.
        held_file: the file with its evidence.
        behind_since: when a checkpoint was first seen that it does not hold yet.
        trouble: what the last attempt ended with; empty after a success.
        is_other_history: it holds another history, or its evidence does not verify.
        is_late_told: an event says that it is late, or holds another history.
    """

    held_size: int = 0
    held_at: str = ""
    held_file: str = ""
    behind_since: str = ""
    trouble: str = ""
    is_other_history: bool = False
    is_late_told: bool = False

    @property
    def held_time(self) -> datetime | None:
        """When it took the size that it held last."""
        return parse_time(self.held_at) if self.held_at else None

    def is_late(self, now: datetime, within: timedelta) -> bool:
        """Say whether it should hold by now what it does not."""
        return bool(self.behind_since) and now - parse_time(self.behind_since) > within


@dataclass(frozen=True, slots=True)
class Shelf:
    """The files of one anchor and one log."""

    trail: Path
    name: str
    log: Log

    @property
    def directory(self) -> str:
        """Where they are, below the trail."""
        return f"{ANCHORS}/{self.name}/{self.log}"

    @property
    def outside(self) -> str:
        """Where the signer finds what a witness cosigned, below the trail."""
        return f"{OUTSIDE}/{outside_name(self.name, self.log)}"

    def read(self) -> Standing:
        """Read how it stands; anew where nothing is known.

        Raises:
            StorageError: the file is there and cannot be read.
        """
        try:
            data = DurableFiles(self.trail).read(f"{self.directory}/{STANDING}")
        except FileNotFoundError:
            return Standing()
        with suppress(msgspec.MsgspecError, ValueError):
            return msgspec.json.decode(data, type=Standing)
        return Standing()

    def read_evidence(self, standing: Standing) -> bytes | None:
        """Read the newest evidence; None where there is none.

        Raises:
            StorageError: it is there and cannot be read.
        """
        if not standing.held_file:
            return None
        try:
            return DurableFiles(self.trail).read(
                f"{self.directory}/{standing.held_file}"
            )
        except FileNotFoundError:
            return None

    def write(self, standing: Standing) -> None:
        """Write how it stands; durable on return.

        Raises:
            StorageError: the old one stands, or nobody knows.
        """
        self._put({STANDING: msgspec.json.encode(standing)})

    def write_held(
        self, before: Standing, after: Standing, held: Held, *, is_cosigned: bool
    ) -> None:
        """Keep evidence and how the anchor stands now; durable on return.

        Raises:
            StorageError: the anchor will be asked again, which it can bear.
        """
        files = {
            after.held_file: held.evidence,
            STANDING: msgspec.json.encode(after),
        }
        if held.stamped:
            files[_note_beside(after.held_file)] = held.stamped
        if is_cosigned:
            files[_STAGED] = held.evidence
        self._put(files)
        if is_cosigned:
            self._rename(_STAGED, self.outside)
        if (
            before.held_file not in {"", after.held_file}
            and before.held_at[:_TO_THE_HOUR] == after.held_at[:_TO_THE_HOUR]
        ):
            for name in {before.held_file, _note_beside(before.held_file)}:
                DurableFiles(self.trail).remove(f"{self.directory}/{name}")

    def write_other_history(self, standing: Standing, evidence: bytes) -> None:
        """Keep what contradicts the log, and let the signer see it; durable on return.

        Raises:
            StorageError: try again at the next look.
        """
        files = {STANDING: msgspec.json.encode(standing)}
        if evidence:
            files |= {OTHER_HISTORY: evidence, _STAGED: evidence}
        self._put(files)
        if evidence:
            self._rename(_STAGED, f"{self.outside}.other")

    def _put(self, files: dict[str, bytes]) -> None:
        DurableFiles(self.trail).put_many(
            {f"{self.directory}/{name}": data for name, data in files.items()}
        )

    def _rename(self, name: str, target: str) -> None:
        files = DurableFiles(self.trail)
        try:
            files.rename(f"{self.directory}/{name}", target)
            files.sync([self.trail / target])
        except OSError as error:
            raise OutcomeUnknownError(
                f"cannot put {target} in its place: {error.strerror}; it is tried again"
            ) from error


def held_file(held: Held) -> str:
    """Name the file of a piece of evidence."""
    return f"{held.size:0{SIZE_DIGITS}}.{held.suffix}"


def _note_beside(name: str) -> str:
    """Name the file of the note that a piece of evidence is about."""
    return f"{name.partition('.')[0]}.note"


def outside_name(name: str, log: Log) -> str:
    """Name the file in `state/outside/` with what a witness cosigned last."""
    return f"witness.{name}.{log}.note"


def time_within(anchor: AnchorSettings, policy: Policy) -> timedelta:
    """Say within what time an anchor must hold a new checkpoint."""
    if anchor.within_s is not None:
        return timedelta(seconds=anchor.within_s)
    return timedelta(seconds=max(policy.anchor_within_s, 2 * anchor.every_s))


def lock_path(trail: Path, name: str) -> Path:
    """Name the lock of an anchor, with the directory above it.

    Raises:
        StorageError: the directory cannot be made.
    """
    directory = trail / ANCHORS / name
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make {directory}: {error.strerror}") from error
    return directory / "lock"
