"""Listing the accesses that never closed: a read of the audit log.

It is recorded before anything is shown. What counts as unclosed is `projection.unclosed`.
"""

from datetime import datetime, timedelta
from typing import Final

from phitrail.app.quarantine import check_rows
from phitrail.app.reading import record_read
from phitrail.app.tables import open_tables
from phitrail.app.wiring import Trail
from phitrail.events.codes import Action, Log
from phitrail.projection.unclosed import UnclosedRead, read_unclosed

REASON_CODE: Final = "log_unclosed"


def list_unclosed(trail: Trail, *, by: str, now: datetime) -> UnclosedRead:
    """List the accesses that are not closed, and record that somebody asked.

    Raises:
        InputError: `by` is no user id.
        RefusedError: an opening is in quarantine: its key is compromised.
        IntegrityError: tables or log are damaged; the message says what to run.
        StorageError: it could not be answered or recorded; nothing is shown.
    """
    after = timedelta(seconds=trail.policy.access_unclosed_after_s)
    with open_tables(trail, now) as tables:
        accesses = read_unclosed(tables, now, after)
        as_of = dict(tables.as_of)
    check_rows(trail, Log.AUDIT, [one.first_idx for one in accesses])
    record_read(
        trail,
        Log.AUDIT,
        by=by,
        reason_code=REASON_CODE,
        result_count=len(accesses),
        action=Action.QUERY,
        now=now,
    )
    return UnclosedRead(accesses, after, as_of)
