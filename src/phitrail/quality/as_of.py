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
                `rating_id`, `rating_idx`, `rater`, `value`, `flag_reason`.
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
            f"SELECT {kept}f.event_id AS rating_id, f.idx AS rating_idx, "
            "f.rater, f.value, f.flag_reason, f.supersedes "
            f"FROM (SELECT * FROM {requests} WHERE request_id IN (SELECT request_id "
            f"FROM feedback WHERE received_at <= {moment(self.as_of)})) AS r "
            "JOIN feedback AS f ON f.request_id = r.request_id "
            f"WHERE f.received_at <= {moment(self.as_of)}{in_time}"
        )
        return (
            f"WITH known AS ({known}), "
            # Rule 5; what follows is rare, so it is looked for by number, then left out.
            "once AS (SELECT k.* FROM known AS k LEFT JOIN (SELECT rating_idx, "
            "min(idx) AS first_idx FROM known GROUP BY rating_idx HAVING count(*) > 1) "
            "AS d ON d.rating_idx = k.rating_idx "
            "WHERE d.first_idx IS NULL OR d.first_idx = k.idx), "
            # Rule 4, by name
            "standing AS (SELECT k.* FROM once AS k LEFT JOIN (SELECT DISTINCT idx, "
            "supersedes FROM once WHERE supersedes IS NOT NULL) AS s "
            "ON s.supersedes = k.rating_id AND s.idx = k.idx "
            "WHERE s.supersedes IS NULL) "
            # Rule 4, by rater
            "SELECT k.* FROM standing AS k LEFT JOIN (SELECT idx, rater, "
            "max(rating_idx) AS newest FROM standing WHERE rater IS NOT NULL "
            "GROUP BY idx, rater HAVING count(*) > 1) AS n "
            "ON n.idx = k.idx AND n.rater = k.rater "
            "WHERE n.newest IS NULL OR n.newest = k.rating_idx"
        )

    def unmatched(self, since: datetime | None = None) -> str:
        """Write how many ratings came, after `since`, of requests that were not known."""
        after = "" if since is None else f" AND f.received_at > {moment(since)}"
        return (
            "SELECT count(*) AS n FROM feedback AS f "
            f"WHERE f.received_at <= {moment(self.as_of)}{after} AND NOT EXISTS ("
            "SELECT 1 FROM model_requests AS r WHERE r.request_id = f.request_id "
            f"AND r.received_at <= {moment(self.as_of)})"
        )


def moment(time: datetime) -> str:
    """Write a time for the tables, which hold UTC without a zone."""
    plain = time.astimezone(UTC).replace(tzinfo=None)
    return f"TIMESTAMP '{plain.isoformat(' ', 'microseconds')}'"


def interval(length: timedelta) -> str:
    """Write a length of time; whole seconds, as every engine reads them."""
    return f"INTERVAL '{int(length.total_seconds())}' SECOND"
