"""Reports of a trail's models, and the sign-off of a rollout.

1. A report is of two versions of one model. It shows no entry and no person, and is not
   recorded as a read (as `app.quality_answers`).
2. A sign-off says that a named person accepted a version in a use case: a sealed document
   with the reason and the evidence as it was (every verdict, the digest of the data), and a
   `rollout_accepted` event in the audit log that holds its digest.
3. It is refused where a metric is worse, or is not shown to be *not* worse by the smallest
   effect that matters; who accepts nevertheless must say so, and the event says so too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec

from phitrail.app.documents import keep_document, open_document
from phitrail.app.key_reason import check_reason
from phitrail.app.quality_compare import (
    Wanted,
    check_asked,
    compare_versions,
    pairs_of,
)
from phitrail.app.tables import open_tables
from phitrail.app.wiring import Trail
from phitrail.errors import InputError, RefusedError
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.canonical import encode_canonical
from phitrail.events.codes import (
    ActorType,
    Assurance,
    AttributionBasis,
    EventType,
    QualityMetric,
)
from phitrail.events.ids import format_time, new_uuid7
from phitrail.projection.tables import Tables
from phitrail.quality.family import Asked, compare_family
from phitrail.quality.report import Report
from phitrail.quality.report_build import build_report
from phitrail.quality.verdict import Comparison, State, is_not_worse
from phitrail.quality.versions import Pair

SCHEMA: Final = "phitrail/rollout-acceptance/v1"
SHOWN, DESPITE = "not_worse_shown", "accepted_despite"
_ACCEPTED: Final = (
    "SELECT user_id, timestamp_utc, reason_code FROM audit "
    "WHERE event_type = 'rollout_accepted' AND ai_model_id = ? AND use_case = ? "
    "AND ai_model_version = ? AND object_id = ? AND timestamp_utc <= ? ORDER BY idx"
)
_ID_LENGTH: Final = 64


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What a person is about to sign: by which metrics it is shown, by which it is not."""

    pair: Pair
    shown: tuple[Comparison, ...]
    not_shown: tuple[Comparison, ...]


def make_report(
    trail: Trail,
    wanted: Wanted,
    asked: Asked,
    *,
    now: datetime,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Make the report of two versions.

    Raises:
        InputError: names the field and the rule; more than one model has both versions.
        RefusedError: entries of the quality log are in quarantine.
        ConfigError: the extra `quality` is not installed.
        IntegrityError: tables or log are damaged; the message says what to run.
        StorageError: a file cannot be read.
    """
    check_asked(trail, asked, now)
    with open_tables(trail, now) as tables:
        pairs = pairs_of(tables, wanted, asked)
        if not pairs:
            raise InputError.for_field(
                "version", "no use case has two versions; name two, or wait for one"
            )
        kinds = {(pair.model_id, pair.candidate, pair.baseline) for pair in pairs}
        if len(kinds) > 1:
            raise InputError.for_field(
                "model", "more than one pair of versions fits; name model and versions"
            )
        found = compare_family(tables, pairs, asked, progress)
        accepted = {pair: _accepted(tables, pair, asked) for pair in pairs}
        return build_report(tables, found, asked, accepted)


def weigh_acceptance(
    trail: Trail,
    wanted: Wanted,
    asked: Asked,
    metrics: tuple[QualityMetric, ...],
    *,
    now: datetime,
) -> Acceptance:
    """Say by which metrics a version is shown to be not worse, in one use case.

    Args:
        trail: the open trail.
        wanted: two versions, or none for the newest; and the use case.
        asked: as of when.
        metrics: which metrics the sign-off is over; all of them that could be compared.
        now: the time.

    Raises:
        InputError: names the field and the rule; not one use case of one model fits.
        RefusedError: entries of the quality log are in quarantine.
    """
    compared = compare_versions(trail, wanted, asked, now=now)
    pairs = dict.fromkeys(pair for pair, _ in compared.found)
    if len(pairs) != 1:
        raise InputError.for_field("use_case", "name one use case (and its model)")
    judged = [
        one
        for _, one in compared.found
        if one.metric in metrics or (not metrics and one.state is not State.WITHHELD)
    ]
    shown = tuple(one for one in judged if is_not_worse(one))
    rest = tuple(one for one in judged if not is_not_worse(one))
    return Acceptance(next(iter(pairs)), shown, rest)


def accept_rollout(
    trail: Trail,
    weighed: Acceptance,
    asked: Asked,
    *,
    by: str,
    reason: str,
    despite: bool,
    now: datetime,
) -> CallerEvent:
    """Record that a named person accepts a version.

    Raises:
        InputError: no reason was given, or `by` is no user id.
        RefusedError: a metric is not shown to be not worse, and `despite` is not said.
        StorageError: nothing was recorded.
    """
    check_reason(reason)
    if weighed.not_shown and not despite:
        names = ", ".join(one.metric for one in weighed.not_shown)
        raise RefusedError(
            f"not shown to be not worse: {names}; wait for more requests and ratings, "
            "name the metrics that matter with --metric, or say --despite and why"
        )
    pair = weighed.pair
    document = {
        "schema": SCHEMA,
        "at": format_time(now),
        "by": by,
        "reason": reason,
        "as_of": format_time(asked.as_of),
        "ripen_hours": str(asked.ripen / timedelta(hours=1)),
        "model_id": pair.model_id,
        "use_case": pair.use_case,
        "candidate": pair.candidate,
        "baseline": pair.baseline,
        "shown": [_told(one) for one in weighed.shown],
        "not_shown": [_told(one) for one in weighed.not_shown],
    }
    event: CallerEvent = AuditEvent(
        event_type=EventType.ROLLOUT_ACCEPTED,
        event_id=new_uuid7(now),
        timestamp_utc=format_time(now),
        user_id=by,
        actor_type=ActorType.HUMAN,
        attribution_basis=AttributionBasis.ASSERTED_BY_SERVICE,
        ai_model_id=pair.model_id,
        ai_model_version=pair.candidate,
        use_case=pair.use_case,
        object_id=pair.baseline[:_ID_LENGTH],
        object_digest=keep_document(trail, encode_canonical(document)),
        reason_code=DESPITE if weighed.not_shown else SHOWN,
        assurance=Assurance.ENFORCED,
    )
    trail.recorder.record(event, now)
    return event


def read_acceptance(trail: Trail, digest: str) -> Mapping[str, object] | None:
    """Open the document of a sign-off; None if it is not kept here.

    Raises:
        IntegrityError: it is not what its digest says.
    """
    document = open_document(trail, digest)
    if document is None:
        return None
    return msgspec.json.decode(document, type=dict[str, object])


def _told(one: Comparison) -> dict[str, str]:
    """Write a verdict in words, as canonical JSON takes it."""
    numbers = {
        "effect": one.effect,
        "low": one.low,
        "high": one.high,
        "log_e": one.log_e,
        "log_e_not_worse": one.log_e_not_worse,
    }
    return {
        "metric": one.metric,
        "state": one.state,
        "candidate_rows": str(one.n_candidate),
        "baseline_rows": str(one.n_baseline),
        **{name: repr(value) for name, value in numbers.items() if value is not None},
    }


def _accepted(tables: Tables, pair: Pair, asked: Asked) -> tuple[str, ...]:
    at = format_time(asked.as_of).removesuffix("Z")
    rows = tables.ask(
        _ACCEPTED,
        [pair.model_id, pair.use_case, pair.candidate, pair.baseline[:_ID_LENGTH], at],
    ).to_pylist()
    return tuple(
        f"Accepted by {row['user_id']} on {row['timestamp_utc']:%Y-%m-%d %H:%M} UTC"
        + (", although not every metric is shown." if _is_despite(row) else ".")
        for row in rows
    )


def _is_despite(row: Mapping[str, object]) -> bool:
    return row["reason_code"] == DESPITE
