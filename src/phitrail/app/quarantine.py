"""What tables show of entries under a compromised key is in quarantine as well.

The tables hold in clear what bundles hold sealed, so a query would go around the glass. Of
each row that is to be shown it is looked up under which version of the log's bundle key its
entry stands; the header of an envelope says it, without opening it.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing

from phitrail.app.wiring import Trail
from phitrail.errors import StorageError
from phitrail.events.codes import Log
from phitrail.keys.names import KeyId, bundle_key
from phitrail.keys.sealing import HEADER_BYTES, read_header
from phitrail.tlog.layout import sealed_bundle
from phitrail.tlog.tile import TILE_WIDTH


def check_rows(trail: Trail, log: Log, indexes: Iterable[int]) -> None:
    """Check that none of these entries of a log is in quarantine.

    Raises:
        RefusedError: one is, and the glass is not broken; names the key.
        IntegrityError: what holds an entry is no envelope.
        StorageError: a file cannot be read.
    """
    if not trail.keys.quarantined(bundle_key(log)):
        return
    wanted = set(indexes)
    for bundle in sorted({index // TILE_WIDTH for index in wanted}):
        key_id = _of_bundle(trail, log, bundle)
        if key_id is not None:
            trail.keys.check_may_open(key_id)
            first = bundle * TILE_WIDTH
            wanted -= set(range(first, first + TILE_WIDTH))
    for key_id in _of_journal(trail, log, wanted):
        trail.keys.check_may_open(key_id)


def check_all_rows(trail: Trail) -> None:
    """Check that no entry of any log is in quarantine: for rows that name no entry.

    Raises:
        RefusedError: one is, and the glass is not broken; names the key.
        IntegrityError: what holds an entry is no envelope.
        StorageError: a file cannot be read.
    """
    with closing(trail.journal()) as journal:
        sizes = {log: journal.head(log.value).size for log in Log}
    for log, size in sizes.items():
        check_rows(trail, log, range(size))


def _of_bundle(trail: Trail, log: Log, bundle: int) -> KeyId | None:
    """Name the key of a full bundle; none where its entries stand in the journal."""
    place = trail.directory / sealed_bundle(log.value, bundle)
    try:
        with place.open("rb") as file:
            return KeyId(*read_header(file.read(HEADER_BYTES)))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"cannot read {place}: {error.strerror}") from error


def _of_journal(trail: Trail, log: Log, wanted: set[int]) -> Iterator[KeyId]:
    """Name the key of each entry that stands in the journal."""
    if not wanted:
        return
    with closing(trail.journal()) as journal:
        for one in journal.segments(log.value, min(wanted), max(wanted) + 1):
            if not wanted.isdisjoint(range(one.first, one.first + one.count)):
                yield KeyId(*read_header(one.sealed))
