"""Exceptions: a rule of the keys that somebody set aside until a day, on record.

Two rules may be set aside: `local-keyring` (a local keyring under the production profile) and
`retain-private` (at a rotation the private half of a signing key is kept). An exception
stands in the signed register, with the digest of the sealed document that says why; its
event stands in the audit log. One that has ended counts for nothing, and is still listed.
It ends by itself, and can be prolonged by another.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from phitrail.app.documents import keep_document
from phitrail.app.key_change import Done, KeyChange, changing_keys, make_change
from phitrail.app.key_reason import check_reason
from phitrail.app.wiring import Trail
from phitrail.durable.files import DurableFiles
from phitrail.errors import InputError
from phitrail.events.canonical import encode_canonical
from phitrail.events.codes import EventType
from phitrail.events.ids import format_time
from phitrail.keys.due import LOCAL_KEYRING, RETAIN_PRIVATE
from phitrail.keys.register import KeyException

RULES: Final = (LOCAL_KEYRING, RETAIN_PRIVATE)
LONGEST: Final = timedelta(days=366)


def record_exception(
    trail: Trail,
    rule: str,
    *,
    until: datetime,
    by: str,
    reason: str,
    now: datetime,
    files: DurableFiles | None = None,
) -> tuple[KeyException, Done]:
    """Set a rule aside until a time; recorded before it counts.

    Raises:
        InputError: there is no such rule, or the time is past or too far away.
        StorageError: nothing was recorded.
    """
    if rule not in RULES:
        raise InputError.for_field("RULE", f"must be one of: {', '.join(RULES)}")
    if not now < until <= now + LONGEST:
        raise InputError.for_field(
            "--until",
            f"must lie ahead, by at most {LONGEST.days} days; then ask again",
        )
    check_reason(reason)
    told = {"rule": rule, "until": format_time(until)}
    document = {"schema": "phitrail/key-exception/v1", "reason": reason, **told}
    with changing_keys(trail) as register:
        exception = KeyException(
            rule=rule,
            until=format_time(until),
            by=by,
            recorded_at=format_time(now),
            reason_digest=keep_document(trail, encode_canonical(document)),
        )
        change = KeyChange(
            msgspec.structs.replace(
                register, exceptions=(*register.exceptions, exception)
            ),
            (),
            summary=(EventType.POLICY_CHANGED, f"keys.exception:{rule}"),
            facts={"exception": told},
        )
        done = make_change(trail, change, by=by, reason=reason, now=now, files=files)
    return exception, done
