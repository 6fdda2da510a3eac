"""The segments of a trail's logs, with the log's own key as their seal."""

from pathlib import Path

from phitrail.durable.files import DurableFiles
from phitrail.events.codes import Log
from phitrail.projection.segments import ManifestSeal, SegmentStore
from phitrail.tlog.log_keys import LogKeys


def open_store(directory: Path, log: Log, keys: LogKeys) -> SegmentStore:
    """Open the segments of one log."""
    context = f"phitrail/tables/v1|{keys.origin}".encode()
    return SegmentStore(
        log, DurableFiles(directory), ManifestSeal(keys.seal, keys.open, context)
    )
