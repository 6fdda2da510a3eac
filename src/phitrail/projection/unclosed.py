"""Accesses that were opened and never closed, with their age.

Nobody knows what became of an access without a closing. Once it has been open for longer
than policy gives it, it counts as *outcome unknown, treated as released*; younger ones
count as open. The age is by this host's clock, since the opening was received. Imported
history is left out: the systems that it comes from close nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from phitrail.projection.completeness import Asked

_SELECT: Final = (
    "SELECT CAST(access_id AS VARCHAR) AS access_id, opened_at, received_at, user_id, "
    "use_case, ai_model_id, source_id, assurance, opening_count, patient_count, "
    "record_count, first_idx FROM unclosed_accesses"
)


@dataclass(frozen=True, slots=True)
class Unclosed:
    """One access without a closing.

    Attributes:
        access_id: which access.
        opened_at: the time of its first opening, by the caller's clock.
        age: how long ago that was received.
        is_treated_as_released: it is older than policy admits.
        user_id: who acted.
        use_case: for what.
        ai_model_id: which model.
        source_id: which source recorded it.
        assurance: how its openings came to be.
        opening_count: how many openings it has.
        patient_count: how many patients they name.
        record_count: how many records they name.
        first_idx: the index of the first opening in the audit log.
    """

    access_id: str
    opened_at: datetime
    age: timedelta
    is_treated_as_released: bool
    user_id: str | None
    use_case: str | None
    ai_model_id: str | None
    source_id: str | None
    assurance: str | None
    opening_count: int
    patient_count: int
    record_count: int
    first_idx: int


@dataclass(frozen=True, slots=True)
class UnclosedRead:
    """Every unclosed access, the oldest first, and what the answer rests on."""

    accesses: tuple[Unclosed, ...]
    after: timedelta
    as_of: Mapping[str, int]

    @property
    def released_count(self) -> int:
        """How many are treated as released."""
        return sum(one.is_treated_as_released for one in self.accesses)


def read_unclosed(
    tables: Asked,
    now: datetime,
    after: timedelta,
    *,
    where: str = "true",
    values: Sequence[object] = (),
) -> tuple[Unclosed, ...]:
    """Read the accesses that are not closed, the oldest first; records nothing.

    Args:
        tables: where the logs stand as tables.
        now: up to when their age is counted (aware).
        after: from which age on they are treated as released.
        where: what must hold of a row of `unclosed_accesses`.
        values: its parameters.

    Raises:
        InputError: it took too long.
        StorageError: a file cannot be read.
    """
    rows = tables.ask(
        f"{_SELECT} WHERE {where} ORDER BY received_at, first_idx", values
    )
    return tuple(_unclosed(row, now, after) for row in rows.to_pylist())


def _unclosed(row: dict[str, Any], now: datetime, after: timedelta) -> Unclosed:
    age = now - row.pop("received_at").replace(tzinfo=UTC)
    opened_at = row.pop("opened_at").replace(tzinfo=UTC)
    return Unclosed(
        opened_at=opened_at, age=age, is_treated_as_released=age > after, **row
    )
