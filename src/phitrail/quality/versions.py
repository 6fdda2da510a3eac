"""Which version is compared with which: the newest of a use case with the one before it.

1. A version begins in a use case where a rollout of it says so (`Rollout.starts_at`; without
   a use case it speaks of all), and otherwise with its first request.
2. The candidate is the version that began last, the baseline the one that began before it.
   Older ones are history; `quality compare` takes any two by name.
3. What a request does not say (model, version, use case) is compared with nothing.

It is decided from what was known at `as_of`, so it can be had again.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from phitrail.projection.tables import Tables
from phitrail.quality.as_of import AsOf, moment

_NAMED: Final = (
    "model_id IS NOT NULL AND model_version IS NOT NULL AND use_case IS NOT NULL"
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two versions of a model in a use case; `since` is when the candidate began."""

    model_id: str
    use_case: str
    candidate: str
    baseline: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Served:
    """One version of a model in one use case: from when, until when, how many requests."""

    model_id: str
    use_case: str
    version: str
    begins: datetime
    newest: datetime
    requests: int


def list_versions(
    tables: Tables, view: AsOf, since: datetime | None = None
) -> tuple[Served, ...]:
    """List versions by model, use case and begin.

    Raises:
        StorageError: a file cannot be read.
        InputError: the tables took too long.
    """
    rows = tables.ask(
        f"WITH requests AS ({view.requests(since)}), starts AS ("
        "SELECT model_id, model_version, use_case, "
        "min(coalesce(starts_at, timestamp_utc)) AS begins FROM rollouts "
        f"WHERE received_at <= {moment(view.as_of)} GROUP BY 1, 2, 3), "
        "served AS (SELECT model_id, use_case, model_version, "
        "min(timestamp_utc) AS first_at, max(timestamp_utc) AS newest, "
        f"count(*) AS requests FROM requests WHERE {_NAMED} GROUP BY 1, 2, 3) "
        "SELECT s.model_id, s.use_case, s.model_version, "
        "coalesce(min(r.begins), min(s.first_at)) AS begins, min(s.newest) AS newest, "
        "min(s.requests) AS requests FROM served AS s LEFT JOIN starts AS r "
        "ON r.model_id = s.model_id AND r.model_version = s.model_version "
        "AND (r.use_case = s.use_case OR r.use_case IS NULL) "
        "GROUP BY 1, 2, 3 ORDER BY 1, 2, 4, 3"
    )
    return tuple(
        Served(
            row["model_id"],
            row["use_case"],
            row["model_version"],
            row["begins"].replace(tzinfo=UTC),
            row["newest"].replace(tzinfo=UTC),
            row["requests"],
        )
        for row in rows.to_pylist()
    )


def find_pairs(
    tables: Tables, view: AsOf, since: datetime | None = None
) -> tuple[Pair, ...]:
    """Find what is to be compared, by model and use case.

    Raises:
        StorageError: a file cannot be read.
        InputError: the tables took too long.
    """
    served = list_versions(tables, view, since)
    pairs = []
    for (model_id, use_case), ones in groupby(
        served, key=lambda one: (one.model_id, one.use_case)
    ):
        versions = tuple(ones)
        if len(versions) > 1:
            old, new = versions[-2:]
            pairs.append(Pair(model_id, use_case, new.version, old.version, new.begins))
    return tuple(pairs)
