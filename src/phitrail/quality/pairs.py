"""Which blocks of a candidate stand against which of the baseline: fixed before looking.

A bettor is fair only if each difference, given all that came before, has the mean that the
hypothesis claims. Two answers of one bad hour, or ten ratings of one person on one day, are not
ten pieces of news. So rows become blocks, and blocks become pairs, by rules that see times,
strata and raters, and no value:

1. **Ratings** are paired within raters who rated both versions, in blocks of whole days: people
   differ more than versions do. Where no rater saw both, nothing is compared
   (`Hindrance.RATERS_DISJOINT`); ratings of nobody known are left out.
2. **What a machine measures** is paired within strata (hour of the week, facility), in blocks
   of whole hours: a slow hour is slow for both.
3. Versions that serve side by side are compared side by side: from the period on in which both
   serve, a block of a group closes with the first whole period by whose end it holds rows of
   both; until then it waits. So nothing is dropped for being rare, and what both had in common
   (load, a mood, a day) stands on both sides of the pair.
4. A version that took over from another is compared with what went before: its k-th block
   with the k-th newest one of the baseline in its group. That shows a shift after the rollout,
   and not what caused it: `Plan.is_concurrent` is false. Versions that overlap for less than a
   day count as this once the candidate went on alone for more than a day.
5. A period counts when it is over: rows that come later change no block that is there.

Every block counts as one, whether of two rows or two hundred.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from phitrail.quality.observations import NO_RATER, Observations

Integers = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US
_NO_BLOCK: Final = -1


class Hindrance(StrEnum):
    """Why two versions cannot be compared at all."""

    RATERS_DISJOINT = "raters_disjoint"
    RATERS_UNKNOWN = "raters_unknown"
    MATURITY_UNEQUAL = "maturity_unequal"
    NOT_COMPARABLE = "not_comparable"
    BASELINE_TOO_SMALL = "baseline_too_small"


@dataclass(frozen=True, slots=True)
class Rows:
    """What the rules above may see of the rows of one version: int64, shape (n,) each."""

    at_us: Integers
    group: Integers


@dataclass(frozen=True, slots=True)
class Plan:
    """Pairs of blocks, in the order in which they closed.

    Attributes:
        closed_us: when the later block of each pair was over; int64, shape (pairs,).
        began_us: the candidate's first row in each pair; int64, shape (pairs,).
        candidate: which pair each row belongs to, -1 for none; int64, shape (rows,).
        baseline: the same of the baseline's rows.
        is_concurrent: both served at the same time; otherwise the pairs show a shift only.
    """

    closed_us: Integers
    began_us: Integers
    candidate: Integers
    baseline: Integers
    is_concurrent: bool

    def __len__(self) -> int:
        """Count the pairs."""
        return len(self.closed_us)

    def means(self, candidate: Values, baseline: Values) -> tuple[Values, Values]:
        """Give the mean of each block, from the values of all rows; float64, (pairs,)."""
        return (
            _means(self.candidate, candidate, len(self)),
            _means(self.baseline, baseline, len(self)),
        )

    def used(self) -> tuple[int, int]:
        """Count the rows in pairs, of the candidate and of the baseline."""
        return (
            int(np.count_nonzero(self.candidate != _NO_BLOCK)),
            int(np.count_nonzero(self.baseline != _NO_BLOCK)),
        )


def _means(block: Integers, values: Values, count: int) -> Values:
    is_used = block != _NO_BLOCK
    sizes = np.bincount(block[is_used], minlength=count)
    sums = np.bincount(block[is_used], weights=values[is_used], minlength=count)
    return np.asarray(sums / sizes)


def plan_ratings(
    candidate: Observations, baseline: Observations, until_us: int | None = None
) -> Plan | Hindrance:
    """Pair ratings, by days within raters who rated both versions."""
    if len(candidate) and len(baseline):
        known, base_known = _raters(candidate), _raters(baseline)
        if not known or not base_known:
            return Hindrance.RATERS_UNKNOWN
        if known.isdisjoint(base_known):
            return Hindrance.RATERS_DISJOINT
    arms = [
        Rows(arm.at_us, arm.rater.astype(np.int64)) for arm in (candidate, baseline)
    ]
    return plan(arms[0], arms[1], DAY_US, until_us)


def _raters(arm: Observations) -> set[int]:
    return set(np.unique(arm.rater[arm.rater != NO_RATER]).tolist())


def plan_entries(
    candidate: Observations,
    baseline: Observations,
    until_us: int | None = None,
    since_us: int | None = None,
) -> Plan:
    """Pair what a machine measured, by hours within hour of the week and facility."""
    arms = [
        Rows(arm.at_us, arm.stratum.astype(np.int64)) for arm in (candidate, baseline)
    ]
    return plan(arms[0], arms[1], HOUR_US, until_us, since_us)


def plan(
    candidate: Rows,
    baseline: Rows,
    period_us: int,
    until_us: int | None = None,
    since_us: int | None = None,
) -> Plan:
    """Pair blocks of whole periods within groups; rows of a negative group are left out.

    Args:
        candidate: rows of the one version, in order of time.
        baseline: rows of the other.
        period_us: how long a period is.
        until_us: up to when rows are complete; up to the newest row when absent.
        since_us: side by side, pair rows from then on only: a line was drawn from those before.
    """
    span = [_span(arm) for arm in (candidate, baseline)]
    if span[0] is None or span[1] is None:
        none = [
            _Cells([], np.full(len(arm.at_us), _NO_BLOCK))
            for arm in (candidate, baseline)
        ]
        return _number([], (none[0], none[1]), candidate, period_us, concurrent=True)
    (first, last), (base_first, base_last) = span[0], span[1]
    newest = max(int(candidate.at_us[-1]), int(baseline.at_us[-1]))
    over = (newest if until_us is None else until_us) // period_us
    start, overlap_end = max(first, base_first), min(last, base_last)
    is_concurrent = overlap_end - start >= DAY_US or last - overlap_end <= DAY_US
    match = _side_by_side if is_concurrent else _one_after_other
    whole = max(start // period_us * period_us, since_us or 0)
    since, before = (whole, None) if is_concurrent else (None, first)
    cells = (
        _cells(candidate, period_us, since, None, over),
        _cells(baseline, period_us, since, before, over),
    )
    pairs = match(cells[0].keys, cells[1].keys)
    return _number(pairs, cells, candidate, period_us, concurrent=is_concurrent)


@dataclass(frozen=True, slots=True)
class _Cells:
    """Rows of one version by (group, period): sorted keys, and each row's key or -1."""

    keys: list[tuple[int, int]]
    of_row: Integers


@dataclass(frozen=True, slots=True)
class _Pair:
    """Cells of one pair, as places in the keys of each version; its last period, its group."""

    candidate: list[int]
    baseline: list[int]
    closed: int
    group: int


def _span(rows: Rows) -> tuple[int, int] | None:
    at_us = rows.at_us[rows.group >= 0]
    return (int(at_us[0]), int(at_us[-1])) if len(at_us) else None


def _cells(
    rows: Rows, period_us: int, since: int | None, before: int | None, over: int
) -> _Cells:
    period = rows.at_us // period_us
    is_in = (rows.group >= 0) & (period < over)
    if since is not None:
        is_in &= rows.at_us >= since
    if before is not None:
        is_in &= rows.at_us < before
    of_row = np.full(len(rows.at_us), _NO_BLOCK)
    groups, periods = rows.group[is_in], period[is_in]
    if not len(groups):
        return _Cells([], of_row)
    first, width = int(periods.min()), int(np.ptp(periods)) + 1
    keys, where = np.unique(groups * width + (periods - first), return_inverse=True)
    of_row[is_in] = where
    pairs = zip((keys // width).tolist(), (keys % width + first).tolist(), strict=True)
    return _Cells(list(pairs), of_row)


def _side_by_side(
    candidate: list[tuple[int, int]], baseline: list[tuple[int, int]]
) -> list[_Pair]:
    """Close a block with the first period by whose end it holds rows of both (rule 3)."""
    pairs: list[_Pair] = []
    waiting: tuple[list[int], list[int]] = ([], [])
    group, i, j = -1, 0, 0
    while i < len(candidate) or j < len(baseline):
        heads = candidate[i : i + 1] + baseline[j : j + 1]
        cell = min(heads)
        if cell[0] != group:
            group, waiting = cell[0], ([], [])
        if candidate[i : i + 1] == [cell]:
            waiting[0].append(i)
            i += 1
        if baseline[j : j + 1] == [cell]:
            waiting[1].append(j)
            j += 1
        if waiting[0] and waiting[1]:
            pairs.append(_Pair(*waiting, cell[1], group))
            waiting = ([], [])
    return pairs


def _one_after_other(
    candidate: list[tuple[int, int]], baseline: list[tuple[int, int]]
) -> list[_Pair]:
    """Set the k-th block against the k-th newest one of the baseline (rule 4)."""
    newest: dict[int, list[int]] = {}
    for place, (group, _) in enumerate(baseline):
        newest.setdefault(group, []).append(place)
    pairs = []
    for place, (group, period) in enumerate(candidate):
        if newest.get(group):
            before = newest[group].pop()
            pairs.append(_Pair([place], [before], period, group))
    return pairs


def _number(
    pairs: list[_Pair],
    cells: tuple[_Cells, _Cells],
    candidate: Rows,
    period_us: int,
    *,
    concurrent: bool,
) -> Plan:
    """Number pairs by when they closed, and say of each row in which pair it is."""
    pairs.sort(key=lambda pair: (pair.closed, pair.group))
    pair_of = [np.full(len(one.keys) + 1, _NO_BLOCK) for one in cells]
    for number, pair in enumerate(pairs):
        pair_of[0][pair.candidate] = number
        pair_of[1][pair.baseline] = number
    # A row without a cell has the place -1, the last one, and stays without a pair.
    of_row = [places[one.of_row] for places, one in zip(pair_of, cells, strict=True)]
    began_us = np.full(len(pairs) + 1, np.iinfo(np.int64).max)
    np.minimum.at(began_us, of_row[0], candidate.at_us)
    return Plan(
        np.array([(pair.closed + 1) * period_us for pair in pairs], dtype=np.int64),
        began_us[:-1],
        of_row[0],
        of_row[1],
        concurrent,
    )
