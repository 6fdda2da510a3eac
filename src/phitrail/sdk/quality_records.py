"""Feedback and rollouts, from the arguments that a program has.

1. Feedback names a request by its id, and may come days later or before its request is in
   the log: nothing here asks whether that request exists. As-of views count it where it
   belongs and say how many found no request.
2. Nothing is edited. A rater who thinks again gives a second rating that names the first by
   its event id (`supersedes`); the first one stays.
3. A rater stands as a keyed hash under a key of its own, so that somebody who reads the
   quality log, even with the key of texts, cannot try the names of the staff. There is no
   field for words: why an answer is flagged is a code.
4. A rollout says from when a version serves which share. It is what was meant; which requests
   a version served is what the entries say.

Shapes are held against the field policy at the door, terms against the tenant's lists.
"""

from datetime import datetime
from typing import Final

from phitrail.errors import InputError
from phitrail.events.codes import FeedbackValue, FlagReason
from phitrail.events.ids import format_time
from phitrail.events.quality import Feedback, Rollout

_MILLION: Final = 1_000_000
_SHARE_RULE: Final = "a number from 0 to 1"


def make_feedback(
    request_id: str,
    *,
    rater: str,
    value: str | None,
    flag_reason: str | None = None,
    supersedes: str | None = None,
    given_at: datetime | None = None,
) -> Feedback:
    """Make a rating of a request; `rater` is the keyed hash that stands for one.

    Raises:
        InputError: names the field and the rule.
    """
    if value is None and flag_reason is None:
        raise InputError.for_field("value", "give a value, a flag_reason, or both")
    return Feedback(
        request_id=request_id,
        timestamp_utc=_written("given_at", given_at),
        rater=rater,
        value=None if value is None else _value(value),
        flag_reason=None if flag_reason is None else _reason(flag_reason),
        supersedes=supersedes,
    )


def make_rollout(
    model_id: str,
    model_version: str,
    *,
    use_case: str | None = None,
    facility_id: str | None = None,
    rollout: str | None = None,
    share: float | None = None,
    starts_at: datetime | None = None,
) -> Rollout:
    """Make the record of a rollout.

    Raises:
        InputError: names the field and the rule.
    """
    return Rollout(
        model_id=model_id,
        model_version=model_version,
        use_case=use_case,
        facility_id=facility_id,
        rollout=rollout,
        share_e6=None if share is None else _millionths(share),
        starts_at=_written("starts_at", starts_at),
    )


def _value(value: str) -> FeedbackValue:
    if value not in tuple(FeedbackValue):
        raise InputError.for_field("value", f"one of: {', '.join(FeedbackValue)}")
    return FeedbackValue(value)


def _reason(reason: str) -> FlagReason:
    if reason not in tuple(FlagReason):
        raise InputError.for_field("flag_reason", f"one of: {', '.join(FlagReason)}")
    return FlagReason(reason)


def _millionths(share: object) -> int:
    if isinstance(share, bool) or not isinstance(share, int | float):
        raise InputError.for_field("share", _SHARE_RULE)
    if not 0 <= share <= 1:
        raise InputError.for_field("share", _SHARE_RULE)
    return round(share * _MILLION)


def _written(name: str, moment: object) -> str | None:
    if moment is None:
        return None
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise InputError.for_field(name, "must be a time with its zone")
    return format_time(moment)
