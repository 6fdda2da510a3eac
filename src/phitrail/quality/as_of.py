"""What was known at a time, and of every request for as long: views that can be had again.

1. An entry counts when the log had received it (`received_at`) by `as_of`. What comes later
   does not change an answer that was given, so a report of today can be made again.
2. With a `maturity`, requests count that are at least so old at `as_of`, and of each the
   ratings that came within `maturity` of it. So two versions are compared at equal age: a
   new one has not had fewer days to be complained about.
3. Without one, requests count up to `as_of`, with whatever ratings there are by then. That
   is for looking at the present, and not for comparing.
4. Of ratings that supersede each other, the last one within these bounds counts; so does
   the last one of a rater who rates one request again. Last is what stands last in the log.
   A superseding rating that came too late leaves the older one standing.
5. A rating belongs to the first request of its id. One whose request is not known, or not
   yet, is in no metric; `unmatched` counts it.

What is written here is SQL over the views `model_requests`, `feedback` and `rollouts`, in
the dialect of DuckDB, and of it what other engines have too (`quality.sql`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from phitrail.errors import InputError
from phitrail.events.quality import QualityEntry
from phitrail.projection.rows import INDEX, LEFT_OUT

REQUEST_COLUMNS: Final = (
    INDEX,
    *(name for name in QualityEntry.__struct_fields__ if name not in LEFT_OUT),
)
"""The columns of one request."""


@dataclass(frozen=True, slots=True)
class AsOf:
    """One state of knowledge; `as_of` is aware."""

    as_of: datetime
    maturity: timedelta | None = None

    def __post_init__(self) -> None:
        """Refuse what is no time or no age.

        Raises:
            InputError: names the field and the rule.
        """
        if self.as_of.tzinfo is None:
            raise InputError.for_field("as_of", "a time with its zone")
        if self.maturity is not None and self.maturity < timedelta(0):
            raise InputError.for_field("maturity", "zero or more")

    @property
    def until(self) -> datetime:
        """The time of the newest request that can count."""
        return self.as_of - (self.maturity or timedelta(0))

    def requests(self, since: datetime | None = None) -> str:
        """Write the requests that count: after `since`, up to `until`."""
        after = "" if since is None else f" AND timestamp_utc > {moment(since)}"
        return (
            f"SELECT {', '.join(REQUEST_COLUMNS)} FROM model_requests "
            f"WHERE received_at <= {moment(self.as_of)} "
            f"AND timestamp_utc <= {moment(self.until)}{after}"
        )

    def ratings(self, requests: str, keep: Sequence[str]) -> str:
        """Write the ratings that count.

        Args:
            requests: a table or query with `idx`, `request_id`, `timestamp_utc`.
            keep: further columns of it. The answer has them and `idx` of the request,
                `rating_idx`, `value`, `flag_reason`.
        """
        kept = "".join(f"r.{name}, " for name in ("idx", *keep))
        # Of two inputs of unknown size an engine may hash the greater one: the few
        # requests with a rating are found first.
        in_time = ""
        if self.maturity is not None:
            in_time = (
                f" AND f.received_at <= r.timestamp_utc + {interval(self.maturity)}"
            )
        known = (
            f"SELECT {kept}f.idx AS rating_idx, f.value, f.flag_reason "
            f"FROM (SELECT * FROM {requests} WHERE request_id IN (SELECT request_id "
            f"FROM feedback WHERE received_at <= {moment(self.as_of)})) AS r "
            "JOIN feedback AS f ON f.request_id = r.request_id "
            f"WHERE f.received_at <= {moment(self.as_of)}{in_time}"
        )
        return (
            f"WITH known AS ({known}), "
            # Rule 5
            "twice AS (SELECT rating_idx, min(idx) AS first_idx FROM known "
            "GROUP BY rating_idx HAVING count(*) > 1), "
            "once AS (SELECT k.* FROM known AS k "
            "LEFT JOIN twice AS t ON t.rating_idx = k.rating_idx "
            "WHERE t.first_idx IS NULL OR t.first_idx = k.idx), "
            # Rule 4 can bear on these few alone; ids and raters are read of them only.
            "contested AS (SELECT idx FROM once GROUP BY idx HAVING count(*) > 1), "
            "detailed AS (SELECT o.idx, o.rating_idx, f.event_id, f.rater, f.supersedes "
            "FROM once AS o JOIN contested AS c ON c.idx = o.idx "
            "JOIN feedback AS f ON f.idx = o.rating_idx), "
            "standing AS (SELECT d.* FROM detailed AS d LEFT JOIN (SELECT DISTINCT idx, "
            "supersedes FROM detailed WHERE supersedes <> event_id) AS s "
            "ON s.supersedes = d.event_id AND s.idx = d.idx "
            "WHERE s.supersedes IS NULL), "
            "newest AS (SELECT max(rating_idx) AS rating_idx FROM standing "
            "GROUP BY idx, coalesce(rater, CAST(event_id AS VARCHAR))) "
            "SELECT o.* FROM once AS o LEFT JOIN contested AS c ON c.idx = o.idx "
            "LEFT JOIN newest AS n ON n.rating_idx = o.rating_idx "
            "WHERE c.idx IS NULL OR n.rating_idx IS NOT NULL"
        )

    def unmatched(self, since: datetime | None = None) -> str:
        """Write how many ratings came, after `since`, of requests that were not known."""
        after = "" if since is None else f" AND f.received_at > {moment(since)}"
        return (
            "SELECT count(*) AS n FROM feedback AS f "
            f"WHERE f.received_at <= {moment(self.as_of)}{after} AND NOT EXISTS ("
            "SELECT 1 FROM (SELECT request_id FROM model_requests "
            f"WHERE received_at <= {moment(self.as_of)} AND request_id IN "
            "(SELECT request_id FROM feedback)) AS r "
            "WHERE r.request_id = f.request_id)"
        )


def moment(time: datetime) -> str:
    """Write a time for the tables, which hold UTC without a zone."""
    plain = time.astimezone(UTC).replace(tzinfo=None)
    return f"TIMESTAMP '{plain.isoformat(' ', 'microseconds')}'"


def interval(length: timedelta) -> str:
    """Write a length of time; whole seconds, as every engine reads them."""
    return f"INTERVAL '{int(length.total_seconds())}' SECOND"
