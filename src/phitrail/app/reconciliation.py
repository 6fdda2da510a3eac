"""What is asked of a reconciliation, and what came of it: plain data, for people and files.

No row names anybody: theirs is a file, a number and a time, ours an index, an event and a
time. The report stands sealed beside the log under the digest that `source_reconciled`
names.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from phitrail.capture.history.compared import Comparison
from phitrail.capture.history.form import HistoryForm


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be compared.

    Attributes:
        path: their file, or a directory of them.
        form: of what form they are.
        map_path: the caller's map, beneath which the form's own applies.
        by: what must be equal.
        tolerance_s: how many seconds two accounts of one access may lie apart; policy
            says it where this is None.
        since: from when on; None for the beginning of what both tell of.
        until: before when; None for its end.
    """

    path: Path
    form: HistoryForm
    map_path: Path | None
    by: Comparison
    tolerance_s: float | None = None
    since: datetime | None = None
    until: datetime | None = None


class ForeignFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of theirs: its name, the SHA-256 of its bytes, what its numbers count."""

    name: str
    sha256: str
    unit: Literal["line", "entry"]


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """One entry that could not be compared, and why."""

    file: str
    number: int
    field: str
    rule: str


class OurRow(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of ours that theirs do not have."""

    index: int
    event_id: str
    time: str


class TheirRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row of theirs that we do not have."""

    file: str
    unit: str
    number: int
    time: str


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows, openings or entries of each kind; docs/completeness.md."""

    matched: int
    theirs_only: int
    ours_only: int
    their_entries: int
    passed_over: int
    refused: int
    outside: int
    ours_without_key: int
    ours_imported: int


class ReconciliationReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it, as it stands sealed under the digest in the log."""

    by: Comparison
    form: HistoryForm
    source: str
    map_sha256: str | None
    sha256: str
    files: tuple[ForeignFile, ...]
    since: str
    until: str
    tolerance_s: float | None
    as_of: int
    counts: Counts
    theirs_only: tuple[TheirRow, ...]
    ours_only: tuple[OurRow, ...]
    refused: tuple[Refused, ...]

    @property
    def is_agreed(self) -> bool:
        """Whether all that was compared matched, and all could be compared."""
        counts = self.counts
        return not (counts.theirs_only or counts.ours_only or counts.refused)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What came of it, and everything that only one side has.

    Attributes:
        report: what is on record of it; the first rows of each side are in it.
        event_id: of the `source_reconciled` that names the report.
        theirs_only: gives every row that only they have.
        ours_only: gives every row that only we have.
    """

    report: ReconciliationReport
    event_id: str
    theirs_only: Callable[[], Iterator[TheirRow]]
    ours_only: Callable[[], Iterator[OurRow]]
