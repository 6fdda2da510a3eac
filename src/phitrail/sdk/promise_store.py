"""Where an application keeps what it was promised: a small file for each trail.

1. It is the application's own memory and may stand on another disk than the trail, where
   whoever owns the log's host cannot change it: that is its point. It holds signed notes,
   event ids, indexes and leaf hashes; no content of any event.
2. One file for each trail, by its id, in `$XDG_STATE_HOME/phitrail/receipts`, or wherever
   the argument `receipts` or the variable `PHITRAIL_RECEIPTS` says; `none` keeps nothing.
3. It is replaced whole under a lock, synced before and after the rename: several processes
   share it, and a crash leaves the old file or the new one.
4. What it says is believed only where a signature in it verifies. A file that cannot be
   read is not passed over: an attacker would damage it first.

What is kept and checked stands in `sdk.promises`.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from phitrail.durable.lock import FileLock
from phitrail.errors import ConfigError, IntegrityError, StorageError

RECEIPTS_VARIABLE = "PHITRAIL_RECEIPTS"
STATE_VARIABLE = "XDG_STATE_HOME"
NO_RECEIPTS = "none"
SCHEMA = "phitrail/kept-promises/v1"


class KeptEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One acknowledged entry that no checked checkpoint covers yet."""

    event_id: str
    index: int
    leaf_hash: str


class KeptLog(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one log promised: its newest promise and checkpoint, and entries behind it."""

    origin: str
    promise: str = ""
    checkpoint: str = ""
    entries: tuple[KeptEntry, ...] = ()


class KeptTrail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one trail promised; `place` is where it stood then."""

    trail_id: str
    place: str
    logs: Mapping[str, KeptLog]
    schema: str = SCHEMA


def receipts_directory(
    given: str | Path | None, environment: Mapping[str, str]
) -> Path | None:
    """Say where receipts are kept; None for nowhere.

    Args:
        given: a directory; None for none; empty for what the environment says.
        environment: `PHITRAIL_RECEIPTS`, else `XDG_STATE_HOME`, else `~/.local/state`.

    Raises:
        ConfigError: there is no home directory either.
    """
    if given is None:
        return None
    place = str(given) or environment.get(RECEIPTS_VARIABLE, "")
    if place == NO_RECEIPTS:
        return None
    if place:
        return Path(place)
    state = environment.get(STATE_VARIABLE, "")
    if not state.startswith(
        "/"
    ):  # a relative one is to be ignored (XDG base directory)
        home = environment.get("HOME", "")
        if not home.startswith("/"):
            raise ConfigError(
                "there is no home directory to keep receipts in: give connect() "
                f"`receipts`, a directory or None, or set {RECEIPTS_VARIABLE}"
            )
        state = f"{home}/.local/state"
    return Path(state) / "phitrail" / "receipts"


class PromiseStore:
    """The file of one trail; `held` is entered before anything is read or written."""

    def __init__(self, directory: Path, trail_id: str) -> None:
        self.directory = directory
        self.path = directory / f"{trail_id}.json"
        self._trail_id = trail_id
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = FileLock(directory / f"{trail_id}.lock")
        except (OSError, StorageError) as error:
            raise ConfigError(
                f"receipts cannot be kept in {directory}: make it writable, or give "
                f"connect() `receipts`, a directory or None, or set {RECEIPTS_VARIABLE}"
            ) from error

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes out."""
        with self._lock:
            yield

    def read(self) -> KeptTrail | None:
        """Read what was kept; None where nothing was.

        Raises:
            IntegrityError: the file is damaged.
            StorageError: it cannot be read.
        """
        return _read(self.path)

    def read_earlier(self, place: str) -> tuple[Path, KeptTrail] | None:
        """Find what another trail promised that stood in the same place.

        Raises:
            StorageError: a file cannot be read.
        """
        for path in sorted(self.directory.glob("*.json")):
            if path == self.path or path.name.startswith("broken-promise-"):
                continue
            try:
                kept = _read(path)
            except IntegrityError:
                continue  # it is another trail's to complain of
            if kept is not None and kept.place == place:
                return path, kept
        return None

    def write(self, kept: KeptTrail) -> None:
        """Replace what was kept; durable on return.

        Raises:
            StorageError: the old file stands.
        """
        temporary = self.path.with_suffix(".tmp")
        try:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.encode(kept, order="sorted"))
                file.flush()
                os.fsync(handle)
            temporary.replace(self.path)
            sync_directory(self.directory)
        except OSError as error:
            raise StorageError(
                f"receipts were not kept: cannot write {self.path}: {error.strerror}"
            ) from error

    def close(self) -> None:
        """Close the lock file."""
        self._lock.close()


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable.

    Raises:
        OSError: the sync failed.
    """
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(path: Path) -> KeptTrail | None:
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=KeptTrail)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    except (msgspec.MsgspecError, ValueError):
        kept = None
    if kept is None or kept.schema != SCHEMA:
        raise IntegrityError(
            f"{path} is damaged, and with it the memory of what was promised: keep it as "
            "evidence, run `phitrail verify` with a checkpoint from outside, and move it "
            "away to begin anew"
        )
    return kept
