"""Where DuckDB puts what does not fit in memory, and that a crash leaves nothing there.

1. Rows of tables are PHI in law, and so is what spills of them: it lies below the tables'
   own directory (ADR 0005) and is gone when its connection closes.
2. A process that is killed removes nothing. So everyone who may spill shares a lock, and
   who comes while nobody else holds it removes what was left before.
3. The kernel frees the lock of a process that died, however it died.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from duckdb import DuckDBPyConnection

from phitrail.durable.files import DurableFiles
from phitrail.durable.lock import FileLock
from phitrail.projection.fold import connect
from phitrail.projection.segments import TABLES

SPILL = f"{TABLES}/spill"
SPILL_LOCK = "state/spill.lock"


@contextmanager
def spilling(
    directory: Path, *, threads: int, memory_mb: int
) -> Iterator[DuckDBPyConnection]:
    """Open a DuckDB that spills beside the tables of a trail.

    Args:
        directory: the trail.
        threads: how many DuckDB may use.
        memory_mb: how much memory it may use before it spills.

    Raises:
        StorageError: the lock cannot be opened, or a leftover cannot be removed.
    """
    lock = FileLock(directory / SPILL_LOCK)
    try:
        if lock.try_acquire():
            DurableFiles(directory).remove(SPILL)
        lock.share()
        connection = connect(
            threads=threads, memory_mb=memory_mb, spill=directory / SPILL
        )
        try:
            yield connection
        finally:
            connection.close()
    finally:
        lock.close()
