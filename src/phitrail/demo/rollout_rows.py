"""The rows of a rollout as records, and as a table without a log.

`records_of` gives what a program would record, each with the time at which the log is to
receive it: a request when it is answered, a rating when it is given, a rollout when it begins.
`table_of` gives the same rows as the tables would hold them, so that statistics can be tried
on many seeds without a log of each (`tests.quality.test_silence`); a test holds the two
together.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa

from phitrail.demo.clinic import FACILITIES, MODELS, PROVIDERS, REASON_CODES, ROLLOUTS
from phitrail.demo.rollout_plan import (
    FINISHED,
    FLAGGED,
    GUARDED,
    HOUR_US,
    NEW,
    NONE,
    USES,
    VERSIONS,
    Served,
    Whole,
)
from phitrail.events.codes import FeedbackValue, FinishReason, Log
from phitrail.events.ids import format_time, new_uuid7
from phitrail.events.quality import Feedback, QualityEntry, Rollout
from phitrail.keys.spelling import base64url
from phitrail.projection.rows import INDEX, SCHEMA, columns_of

QualityRecord: TypeAlias = QualityEntry | Feedback | Rollout
RaterHash: TypeAlias = Callable[[str], str]

_RATING_IDS: Final = 1 << 40
_ROLLOUT_IDS: Final = 2 << 40
_FURTHER_SCORES: Final = (100, 83, 61)
"""Of the best score, in hundredths: the scores of what was retrieved."""


def made_up_hash(rater: str) -> str:
    """Give a hash of the form that a key would give, under no key."""
    return "hmac-sha256:1:" + base64url(sha256(rater.encode()).digest())


def rater_name(number: int) -> str:
    """Name a rater as the staff of the clinic is named."""
    return f"dr-{number + 1:04d}"


def records_of(
    served: Served, start: datetime, rater_hash: RaterHash = made_up_hash
) -> Iterator[tuple[datetime, QualityRecord]]:
    """Give records in the order in which they come, each with when it does."""
    make: tuple[Callable[[int], QualityRecord], ...] = (
        lambda row: _rollout(served, start, row),
        lambda row: _request(served, start, row),
        lambda row: _rating(served, start, row, rater_hash),
    )
    at_us, kind, row = _sequence(served)
    for moment, which, place in zip(
        at_us.tolist(), kind.tolist(), row.tolist(), strict=True
    ):
        yield start + timedelta(microseconds=moment), make[which](place)


def table_of(
    served: Served, start: datetime, rater_hash: RaterHash = made_up_hash
) -> pa.Table:
    """Give the rows as the table of the quality log holds them."""
    columns: dict[str, Any] = {}
    parts = [_rollout_cells(served, start), *_cells(served, start, rater_hash)]
    merged = pa.concat_tables(parts, promote_options="default")
    at_us, kind, row = _sequence(served)
    begins = np.array([0, len(parts[0]), len(parts[0]) + len(parts[1])])
    merged = merged.take(pa.array(begins[kind] + row))
    received = pa.array(at_us + _epoch_us(start), pa.int64()).cast(pa.timestamp("us"))
    for column in columns_of(Log.QUALITY):
        if column.name == INDEX:
            columns[INDEX] = pa.array(np.arange(1, len(merged) + 1))
        elif column.name in ("received_at", "timestamp_utc"):
            columns[column.name] = received
        elif column.name in merged.column_names:
            columns[column.name] = merged[column.name]
        else:
            columns[column.name] = pa.nulls(len(merged), pa.string())
    return pa.table(columns)


def rollouts_of(served: Served) -> int:
    """Count the rollouts that are recorded: the new version in every use case."""
    return len(USES) if served.plan.rollout_hour < served.plan.days * 24 else 0


def _sequence(served: Served) -> tuple[Whole, Whole, Whole]:
    """Say when each record comes, of which kind it is, and in which row it stands."""
    sizes = (rollouts_of(served), len(served.requests), len(served.ratings))
    begin = np.full(sizes[0], served.plan.rollout_hour * HOUR_US)
    at_us = np.concatenate([begin, served.requests.at_us, served.ratings.at_us])
    kind = np.repeat(np.arange(3), sizes)
    row = np.concatenate([np.arange(size) for size in sizes])
    order = np.argsort(at_us, kind="stable")
    return at_us[order], kind[order], row[order]


def _id(served: Served, start: datetime, at_us: int, number: int) -> str:
    entropy = (served.seed << 48 | number) & (1 << 80) - 1
    moment = start + timedelta(microseconds=at_us)
    return new_uuid7(moment, entropy.to_bytes(10, "big"))


def _request_id(served: Served, row: int) -> str:
    return f"w{served.seed}-{row:07d}"


# --- records -----------------------------------------------------------------------


def _request(served: Served, start: datetime, row: int) -> QualityEntry:
    of = served.requests
    at_us, use = int(of.at_us[row]), USES[of.use[row]]
    score, finished = int(of.top_score_e6[row]), FINISHED[of.finished[row]]
    scores = () if score == NONE else tuple(score * p // 100 for p in _FURTHER_SCORES)
    return QualityEntry(
        request_id=_request_id(served, row),
        event_id=_id(served, start, at_us, row),
        timestamp_utc=format_time(start + timedelta(microseconds=at_us)),
        model_id=MODELS[1],
        model_version=VERSIONS[of.version[row]],
        provider=PROVIDERS[0],
        rollout=ROLLOUTS[0] if of.version[row] == NEW else None,
        use_case=use.name,
        facility_id=FACILITIES[of.facility[row]],
        input_tokens=int(of.input_tokens[row]),
        output_tokens=int(of.output_tokens[row]),
        cache_read_tokens=int(of.cache_read_tokens[row]),
        latency_us=int(of.latency_us[row]),
        time_to_first_token_us=int(of.first_token_us[row]),
        retrieved_count=int(of.retrieved[row]),
        retrieval_scores_e6=scores[: int(of.retrieved[row])],
        top_retrieval_score_e6=None if score == NONE else score,
        cache_hit=bool(of.cache_hit[row]),
        finish_reason=finished,
        content_filtered=finished is FinishReason.CONTENT_FILTER,
        disclaimer_present=bool(of.disclaimer[row]),
        refused=bool(of.refused[row]),
        citation_count=int(of.citations[row]),
        guard_decision=GUARDED[of.guarded[row]],
        error_code=REASON_CODES[1] if finished is FinishReason.ERROR else None,
    )


def _rating(
    served: Served, start: datetime, row: int, rater_hash: RaterHash
) -> Feedback:
    of = served.ratings
    at_us, flag, before = (
        int(column[row]) for column in (of.at_us, of.flag, of.supersedes)
    )
    return Feedback(
        request_id=_request_id(served, int(of.request[row])),
        event_id=_id(served, start, at_us, _RATING_IDS + row),
        timestamp_utc=format_time(start + timedelta(microseconds=at_us)),
        rater=rater_hash(rater_name(int(of.rater[row]))),
        value=FeedbackValue.POSITIVE if of.is_positive[row] else FeedbackValue.NEGATIVE,
        flag_reason=None if flag == NONE else FLAGGED[flag],
        supersedes=None
        if before == NONE
        else _id(served, start, int(of.at_us[before]), _RATING_IDS + before),
    )


def _rollout(served: Served, start: datetime, row: int) -> Rollout:
    at_us = served.plan.rollout_hour * HOUR_US
    begins = format_time(start + timedelta(microseconds=at_us))
    return Rollout(
        model_id=MODELS[1],
        model_version=VERSIONS[NEW],
        event_id=_id(served, start, at_us, _ROLLOUT_IDS + row),
        timestamp_utc=begins,
        rollout=ROLLOUTS[0],
        use_case=USES[row].name,
        starts_at=begins,
        share_e6=500_000,
    )


# --- the table ---------------------------------------------------------------------


def _epoch_us(start: datetime) -> int:
    return round(start.timestamp() * 1_000) * 1_000


def _named(names: list[Any], codes: Whole) -> pa.Array:
    """Give the name of each code; none for -1."""
    texts = np.array(
        [None if n is None else str(n) for n in (*names, None)], dtype=object
    )
    return pa.array(texts[codes], pa.string())


def _ids(served: Served, start: datetime, at_us: Whole, first: int) -> pa.Array:
    times = at_us.tolist()
    made = [_id(served, start, at, first + row) for row, at in enumerate(times)]
    return pa.array(made, pa.string())


def _cells(
    served: Served, start: datetime, rater_hash: RaterHash
) -> tuple[pa.Table, pa.Table]:
    requests = np.array([_request_id(served, n) for n in range(len(served.requests))])
    raters = [rater_hash(rater_name(n)) for n in range(served.plan.raters)]
    of, rated = served.requests, served.ratings
    score = pa.array(of.top_score_e6, mask=of.top_score_e6 == NONE)
    is_filtered = of.finished == FINISHED.index(FinishReason.CONTENT_FILTER)
    is_error = of.finished == FINISHED.index(FinishReason.ERROR)
    entries = {
        SCHEMA: _tag(QualityEntry, len(of)),
        "request_id": pa.array(requests),
        "event_id": _ids(served, start, of.at_us, 0),
        "model_id": _named([MODELS[1]], np.zeros(len(of), dtype=np.int64)),
        "model_version": _named([*VERSIONS], of.version),
        "provider": _named([PROVIDERS[0]], np.zeros(len(of), dtype=np.int64)),
        "rollout": _named([None, ROLLOUTS[0]], of.version),
        "use_case": _named([one.name for one in USES], of.use),
        "facility_id": _named([*FACILITIES], of.facility),
        "input_tokens": pa.array(of.input_tokens),
        "output_tokens": pa.array(of.output_tokens),
        "cache_read_tokens": pa.array(of.cache_read_tokens),
        "latency_us": pa.array(of.latency_us),
        "time_to_first_token_us": pa.array(of.first_token_us),
        "retrieved_count": pa.array(of.retrieved),
        "top_retrieval_score_e6": score,
        "cache_hit": pa.array(of.cache_hit),
        "finish_reason": _named([*FINISHED], of.finished),
        "content_filtered": pa.array(is_filtered),
        "disclaimer_present": pa.array(of.disclaimer),
        "refused": pa.array(of.refused),
        "citation_count": pa.array(of.citations),
        "guard_decision": _named([*GUARDED], of.guarded),
        "error_code": _named([REASON_CODES[1]], np.where(is_error, 0, NONE)),
    }
    ids = _ids(served, start, rated.at_us, _RATING_IDS)
    feedback = {
        SCHEMA: _tag(Feedback, len(rated)),
        "request_id": pa.array(requests[rated.request]),
        "event_id": ids,
        "rater": _named(raters, rated.rater),
        "value": _named(["negative", "positive"], rated.is_positive.astype(np.int64)),
        "flag_reason": _named([*FLAGGED], rated.flag),
        "supersedes": _named(ids.to_pylist(), rated.supersedes),
    }
    return pa.table(entries), pa.table(feedback)


def _rollout_cells(served: Served, start: datetime) -> pa.Table:
    made = [_rollout(served, start, row) for row in range(rollouts_of(served))]
    begin = _epoch_us(start) + served.plan.rollout_hour * HOUR_US
    starts = pa.array([begin] * len(made), pa.int64()).cast(pa.timestamp("us"))
    names = ("event_id", "model_id", "model_version", "rollout", "use_case")
    texts = {
        name: pa.array([getattr(one, name) for one in made], pa.string())
        for name in names
    }
    shares = pa.array([one.share_e6 for one in made], pa.int64())
    schema = {SCHEMA: _tag(Rollout, len(made))}
    return pa.table({**schema, **texts, "starts_at": starts, "share_e6": shares})


def _tag(kind: type[QualityRecord], count: int) -> pa.Array:
    return pa.array([str(kind.__struct_config__.tag)] * count, pa.string())
