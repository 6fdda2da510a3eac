"""A directory of logs on this host, opened for writing.

Opening starts the writer threads, a pipeline that publishes while it holds the lease, a
keeper that brings the tables up to the log, one that hands checkpoints to anchors, a
watcher that says what went wrong with the sources, one that says what is due of the keys,
one that says what did not happen in time, and a detector that judges the rules. A process
that holds the credential of a source opens an epoch first and closes it last.
"""

from collections.abc import Awaitable, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from phitrail.app import clock
from phitrail.app.anchor_keeping import AnchorKeeper
from phitrail.app.config import Policy, Tenant, read_anchors
from phitrail.app.detecting import Detector
from phitrail.app.keeping import TableKeeper
from phitrail.app.key_due import KeyDueWatcher
from phitrail.app.overdue_watch import OverdueWatcher
from phitrail.app.pins import read_pins
from phitrail.app.pipeline import Pipeline
from phitrail.app.quality_watch import QualityWatcher
from phitrail.app.source_keeping import SourceKeeper
from phitrail.app.source_watch import SourceWatcher
from phitrail.app.sources import begin_epoch, read_credential
from phitrail.app.wiring import Trail, open_trail
from phitrail.app.witnessed import witnessed_sizes
from phitrail.capture.guarding import Guarding
from phitrail.capture.text_hash import TextHasher
from phitrail.events.canonical import CallerRecord
from phitrail.events.codes import Log
from phitrail.identity.aliases import Alias
from phitrail.keys import names
from phitrail.keys.mac import Mac
from phitrail.keys.ring import KeyRing
from phitrail.sdk.backend import FindOthers
from phitrail.tlog.checkpoint import Checkpoint, parse_checkpoint
from phitrail.tlog.note import parse_note
from phitrail.tlog.promised import Shown
from phitrail.tlog.receipt import Receipt


class Directory:
    """One open directory; safe to share among threads, not across a fork."""

    def __init__(self, path: Path, *, source: Path | None = None) -> None:
        anchors = read_anchors(path)
        epoch = None
        if source is not None:
            epoch = begin_epoch(path, read_credential(source), clock.now())
        self.parts: Trail = open_trail(path, source=epoch)
        self.hasher = self.parts.hasher
        self.place = str(path.resolve())
        self.trail_id = read_pins(path)[Log.AUDIT].genesis.trail_id
        self.origins: Mapping[str, str] = {
            log: keys.origin for log, keys in self.parts.log_keys.items()
        }
        self._rater = Mac(self.parts.keys, names.RATER)
        self._pipeline = Pipeline(self.parts)
        self._anchors = AnchorKeeper(
            self.parts, anchors, is_publishing=lambda: self._pipeline.is_publishing
        )
        self._pipeline.start()
        self._anchors.start()
        self._keeper = TableKeeper(self.parts)
        self._keeper.start()
        self._watcher = SourceWatcher(
            self.parts, is_publishing=lambda: self._pipeline.is_publishing
        )
        self._watcher.start()
        self._keys_due = KeyDueWatcher(
            self.parts, is_publishing=lambda: self._pipeline.is_publishing
        )
        self._keys_due.start()
        self._overdue = OverdueWatcher(
            self.parts, is_publishing=lambda: self._pipeline.is_publishing
        )
        self._overdue.start()
        self._quality = QualityWatcher(
            self.parts, is_publishing=lambda: self._pipeline.is_publishing
        )
        self._quality.start()
        self._detector = Detector(
            self.parts,
            self.trail_id,
            is_publishing=lambda: self._pipeline.is_publishing,
        )
        self._detector.start()
        self._is_closed = False
        self._source = None if epoch is None else SourceKeeper(self.parts, epoch)
        if self._source is not None:
            try:
                self._source.start()
            except BaseException:
                self.close()
                raise

    def record_many(
        self,
        records: Sequence[CallerRecord],
        now: datetime,
        times: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[Receipt, ...]:
        """Record events as one; return once they are durable."""
        return self.parts.recorder.record_many(records, now, times)

    def record_many_async(
        self, records: Sequence[CallerRecord], now: datetime
    ) -> Awaitable[tuple[Receipt, ...]]:
        """Do as `record_many`, on the running event loop."""
        return self.parts.recorder.record_many_async(records, now)

    def rater_hash(self, rater: str) -> str:
        """Return the keyed hash that stands for a rater.

        Raises:
            InputError: it is no text that has bytes.
        """
        return TextHasher(self._rater.written).hash(rater, "rater").exact

    def open_guarding(self) -> Guarding | None:
        """Load the guard, where the policy asks for one.

        Raises:
            ConfigError: a part of it is missing.
        """
        return load_guarding(self.parts.tenant, self.parts.policy, self.parts.keys)

    def remember(self, aliases: Sequence[Alias]) -> None:
        """Keep aliases of patients; durable on return.

        Raises:
            InputError: an identifier of a patient is empty, too long or not printable.
            StorageError: they were not kept.
        """
        if self.parts.aliases is not None:
            self.parts.aliases.remember(aliases)

    async def remember_async(self, aliases: Sequence[Alias]) -> None:
        """Do as `remember`, on the running event loop.

        Raises:
            InputError: an identifier of a patient is empty, too long or not printable.
            StorageError: they were not kept.
        """
        if self.parts.aliases is not None:
            await self.parts.aliases.remember_async(aliases)

    def other_patients(self) -> FindOthers | None:
        """Give the look-up of other patients; None where there is no guard."""
        aliases = self.parts.aliases
        return None if aliases is None else aliases.is_other_patient

    def publish(self, timeout_s: float) -> None:
        """Publish what is durable now.

        Raises:
            IntegrityError: the publisher refuses to sign; the message says why.
            StorageError: it cannot write, or no round ended in time.
        """
        self._pipeline.publish_now(timeout_s)

    def is_published(self, receipt: Receipt) -> bool:
        """Say whether a checkpoint covers every entry of a receipt.

        Raises:
            IntegrityError: the publisher refuses to sign; the message says why.
        """
        if self._pipeline.failure is not None:
            raise self._pipeline.failure
        journal = self.parts.journal()
        try:
            sizes = {
                position.log: journal.newest_checkpoint(position.log)
                for position in receipt.positions
            }
        finally:
            journal.close()
        return all(
            newest is not None and newest[0] > position.index
            for position in receipt.positions
            for newest in (sizes[position.log],)
        )

    def open_note(self, log: str, note: bytes) -> Checkpoint | None:
        """Verify a checkpoint or promise of a log; None where it is disowned.

        Raises:
            IntegrityError: it does not verify under the key that was in force.
        """
        line = self.parts.log_keys[log].line
        if line.is_disowned(parse_checkpoint(parse_note(note).text).size):
            return None
        return line.open_note(note)

    def show_published(self, log: str) -> Shown | None:
        """Show a log up to its newest checkpoint; nothing before the first.

        Raises:
            IntegrityError: the checkpoint does not verify.
            StorageError: the journal cannot be read.
        """
        with closing(self.parts.behind_glass().reader(Log(log))) as reader:
            return reader.show_published()

    def show_durable(self, log: str) -> Shown:
        """Show a log up to its head, published or not.

        Raises:
            IntegrityError: the head or an entry is missing or altered.
            StorageError: the journal cannot be read.
        """
        with closing(self.parts.behind_glass().reader(Log(log))) as reader:
            return reader.show_durable()

    def witnessed_size(self, log: str) -> int | None:
        """Say up to which size a witness cosigned a log; None without a witness.

        Raises:
            ConfigError: `anchors.yaml` is wrong.
            IntegrityError: evidence that was kept does not verify.
            StorageError: a file cannot be read.
        """
        sizes = witnessed_sizes(self.parts.directory, Log(log))
        return max(sizes.values(), default=None)

    def quality_metrics(
        self, window: timedelta, now: datetime
    ) -> dict[str, float | int | None]:
        """Give the nine classic metrics of a window that ends now; empty without any.

        Raises:
            InputError: the window is empty or too long.
            RefusedError: entries of the quality log are in quarantine.
            IntegrityError: tables or log are damaged; the message says what to run.
            StorageError: a file cannot be read.
        """
        from phitrail.app.quality_answers import classic_metrics  # loads DuckDB

        return classic_metrics(self.parts, window, now=now)

    def ask_witnesses(self) -> None:
        """Ask the witnesses now, where this process publishes."""
        self._anchors.hurry()

    def close(self) -> None:
        """Commit and publish what waits, then close; a second call is harmless.

        Raises:
            IntegrityError: the publisher refused to sign, or the log does not verify;
                everything is closed.
        """
        if self._is_closed:
            return
        self._is_closed = True
        with (
            ExitStack() as rest
        ):  # from the last to the first, whatever one of them raises
            rest.callback(self.parts.close)
            rest.callback(self._pipeline.close)
            rest.callback(self.parts.stop_writing)
            rest.callback(self._anchors.close)
            rest.callback(self._keeper.close)
            rest.callback(self._watcher.close)
            rest.callback(self._keys_due.close)
            rest.callback(self._overdue.close)
            rest.callback(self._quality.close)
            rest.callback(self._detector.close)
            if self._source is not None:
                rest.callback(self._source.close)
        if self._pipeline.failure is not None:
            raise self._pipeline.failure
        if self._source is not None and self._source.failure is not None:
            raise self._source.failure


def load_guarding(tenant: Tenant, policy: Policy, keys: KeyRing) -> Guarding | None:
    """Load the guard of a directory where its policy asks for one, and else nothing of it.

    Raises:
        ConfigError: the guard's model is missing or damaged.
    """
    if not policy.has_guard:
        return None
    from phitrail.app.guarding import open_guarding

    return open_guarding(tenant, policy, keys)
