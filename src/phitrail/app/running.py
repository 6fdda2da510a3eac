"""A trail at work in one process: its parts, and the pipeline that publishes beside them.

Leaving the block commits and publishes what waits. A refusal to sign is raised there: it
is never passed over because the command itself went well.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from phitrail.app import clock
from phitrail.app.pipeline import Pipeline
from phitrail.app.wiring import Trail, open_trail
from phitrail.errors import StorageError
from phitrail.events.codes import Log
from phitrail.tlog.checkpoint import Checkpoint
from phitrail.tlog.reader import LogReader

PUBLISH_WITHIN_S = 20.0
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class RunningTrail:
    """An open trail whose pipeline ticks."""

    parts: Trail
    pipeline: Pipeline

    def publish_up_to(
        self, reader: LogReader, size: int, *, within_s: float = PUBLISH_WITHIN_S
    ) -> tuple[Checkpoint, bytes]:
        """Publish until a checkpoint covers `size` entries; return it and its note.

        Raises:
            IntegrityError: the publisher refuses to sign; the message says why.
            StorageError: whoever holds the lease did not publish in time.
        """
        deadline_us = clock.monotonic_us() + int(within_s * 1_000_000)
        while True:
            published = reader.published()
            if published is not None and published[0].size >= size:
                return published
            if clock.monotonic_us() > deadline_us:
                raise StorageError(
                    f"{reader.log}: {size} entries are durable and were not published "
                    f"within {within_s:g} s; see `phitrail status`, then try again"
                )
            self.pipeline.publish_now(within_s)
            time.sleep(_POLL_S)

    def sizes(self) -> dict[str, int]:
        """Count the durable entries of each log."""
        journal = self.parts.journal()
        try:
            return {log.value: journal.head(log.value).size for log in Log}
        finally:
            journal.close()


@contextmanager
def run_trail(directory: Path) -> Iterator[RunningTrail]:
    """Open a trail for one command.

    Raises:
        ConfigError: there is no trail, or a file or key of it is missing or wrong.
        IntegrityError: the journal is behind a checkpoint from outside, or the publisher
            refuses to sign.
        StorageError: a file cannot be opened.
    """
    parts = open_trail(directory)
    pipeline = Pipeline(parts)
    pipeline.start()
    try:
        yield RunningTrail(parts, pipeline)
    finally:
        parts.stop_writing()
        pipeline.close()
        parts.close()
    if pipeline.failure is not None:
        raise pipeline.failure
