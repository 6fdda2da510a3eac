"""What is handed to an anchor: the newest published checkpoint, and proofs of growth."""

from collections.abc import Callable, Sequence
from contextlib import closing

from phitrail.anchor.held import Submission
from phitrail.app.wiring import Trail
from phitrail.durable.files import DurableFiles
from phitrail.errors import IntegrityError, StorageError
from phitrail.events.codes import Log
from phitrail.tlog import layout
from phitrail.tlog.hashing import HASH_BYTES, Hash
from phitrail.tlog.proof import consistency_proof
from phitrail.tlog.tile import TILE_WIDTH, node_reader


def newest_submission(trail: Trail, log: Log, held_size: int) -> Submission | None:
    """Make a submission of a log's newest published checkpoint; None before the first.

    Raises:
        IntegrityError: the checkpoint does not verify.
        StorageError: the journal cannot be read.
    """
    keys = trail.log_keys[log.value]
    with closing(trail.journal()) as journal:
        newest = journal.newest_checkpoint(log.value)
    if newest is None:
        return None
    checkpoint = keys.line.open_own(newest[1])
    return Submission(
        log.value,
        keys.origin,
        newest[1],
        checkpoint.size,
        held_size,
        keys.line.at(checkpoint.size).log_key,
        _prover(DurableFiles(trail.directory), log.value, checkpoint.size),
    )


def _prover(
    files: DurableFiles, log: str, size: int
) -> Callable[[int], Sequence[Hash]]:
    """Prove growth up to `size` out of the public tiles."""

    def read_tile(level: int, index: int, width: int) -> bytes:
        for stored in (width, TILE_WIDTH):  # the unfinished one goes when it is full
            try:
                tile = files.read(layout.public_tile(log, level, index, stored))
            except FileNotFoundError:
                continue
            return tile[: width * HASH_BYTES]
        raise StorageError(
            f"{log}: tile {level}/{index} is missing, so growth cannot be proven; run "
            "`phitrail verify`"
        )

    def prove(old_size: int) -> Sequence[Hash]:
        try:
            return consistency_proof(old_size, size, node_reader(read_tile, size))
        except IntegrityError as error:
            raise StorageError(
                f"{log}: growth cannot be proven ({error}); run `phitrail verify`"
            ) from error

    return prove
