"""A rule as SQL over history: the meaning of `typed`, in what DuckDB and Spark SQL share.

The events of a log are a relation `<log>_events` with the columns `at_us` (whole microseconds),
`event_id` and the fields of `detect.schema`; or what a scan kept of them (`detect.scan`).
Episodes have the columns `g0`, `g1`, ... (the group-by fields as text), `first_us`, `last_us`,
`peak`, `instants`.

1. Values of rules never stand in the text: they are parameters, in order (`predicate_sql`).
2. Only window sums, maxima and lags: no recursion, no join of events with events, so that the
   cost is that of sorting. Counts are sums over a sweep: an event adds at its time and takes
   away `span` later; of equal values only the newest counts.
3. Where a rule asks for many events, only those near a crowd of them are sorted (`near_sql`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from phitrail.detect.near_sql import Near, least_needed
from phitrail.detect.predicate_sql import Text, predicate_sql
from phitrail.detect.schema import FieldType, fields_of
from phitrail.detect.typed import (
    COUNTING,
    Bound,
    Compare,
    Correlation,
    Detection,
    Kind,
    Rule,
    Source,
)

_COMPARES = {
    Compare.GT: ">",
    Compare.GTE: ">=",
    Compare.LT: "<",
    Compare.LTE: "<=",
    Compare.EQ: "=",
    Compare.NEQ: "<>",
}
FEW = 5
"""Below so many, it is different values that are rare, not many events."""
Matches: TypeAlias = Callable[[Text, Detection], str]
"""Writes the relation of the events that a detection selects."""


@dataclass(frozen=True, slots=True)
class Query:
    """SQL with `?` where its parameters go."""

    sql: str
    parameters: tuple[object, ...]


def matches_in_events(text: Text, rule: Detection) -> str:
    """Write what a detection selects, out of the events of its log."""
    log = rule.selection.log
    where = predicate_sql(text, rule.selection.predicate, log)
    return f"SELECT * FROM {log}_events WHERE {where}"


def episodes_query(rule: Rule, matches: Matches = matches_in_events) -> Query:
    """Write the query of a rule's episodes over everything that its relations hold."""
    instants = instants_query(rule, matches)
    return Query(episodes_of(rule, instants.sql), instants.parameters)


def instants_query(
    rule: Rule, matches: Matches = matches_in_events, *, least: int | None = None
) -> Query:
    """Write the query of the instants that qualify: `g...`, `at_us`, `measure`.

    Args:
        rule: the rule.
        matches: where events are read from.
        least: take a counting rule's bounds as this number and its one comparison.
    """
    text = Text()
    if isinstance(rule, Detection):
        sql = (
            "SELECT CAST(event_id AS VARCHAR) AS g0, MIN(at_us) AS at_us, 1 AS measure "
            f"FROM ({matches(text, rule)}) AS m GROUP BY event_id"
        )
        return Query(sql, tuple(text.parameters))
    if least is not None:
        (bound,) = rule.bounds
        rule = replace(rule, bounds=(Bound(bound.compare, least),))
    sql = _Correlated(text, matches, rule).instants()
    return Query(sql, tuple(text.parameters))


def groups_of(rule: Rule) -> tuple[str, ...]:
    """Name the columns of a rule's groups; a detection's is the event itself."""
    count = 1 if isinstance(rule, Detection) else len(rule.group_by)
    return tuple(f"g{number}" for number in range(count))


def holds(rule: Rule) -> str:
    """Write what the measure of an instant must be for this rule."""
    bounds = () if isinstance(rule, Detection) else rule.bounds
    told = [f"measure {_COMPARES[one.compare]} {one.number}" for one in bounds]
    return " AND ".join(told) or "TRUE"


def episodes_of(rule: Rule, instants: str) -> str:
    """Write the query that makes episodes of instants, those of a SELECT."""
    groups = groups_of(rule)
    if isinstance(rule, Detection):
        return (
            "SELECT g0, at_us AS first_us, at_us AS last_us, 1 AS peak, 1 AS instants "
            f"FROM ({instants}) AS q"
        )
    by, listed = partition(groups), "".join(f"{one}, " for one in groups)
    return (
        f"SELECT {listed}MIN(at_us) AS first_us, MAX(at_us) AS last_us, "
        "MAX(measure) AS peak, COUNT(*) AS instants FROM ("
        f"SELECT *, SUM(is_first) OVER ({by}ORDER BY at_us) AS episode FROM ("
        f"SELECT *, {is_first(groups, rule.span_us)} AS is_first "
        f"FROM ({instants}) AS q) AS f) AS e GROUP BY {listed}episode"
    )


def is_first(groups: Sequence[str], span_us: int) -> str:
    """Write 1 for an instant that begins an episode of its group, 0 for the others."""
    return (
        f"CASE WHEN at_us - LAG(at_us) OVER ({partition(groups)}ORDER BY at_us) "
        f"< {span_us} THEN 0 ELSE 1 END"
    )


def partition(groups: Sequence[str]) -> str:
    """Write PARTITION BY, where there are groups."""
    return f"PARTITION BY {', '.join(groups)} " if groups else ""


def spans_of(rule: Rule) -> int:
    """Say how far before an instant events may lie that it depends on."""
    if isinstance(rule, Detection):
        return 0
    return rule.span_us + max(spans_of(source.rule) for source in rule.sources)


class _Correlated:
    """Writes the instants of one correlation."""

    def __init__(self, text: Text, matches: Matches, rule: Correlation) -> None:
        self._text = text
        self._matches = matches
        self._rule = rule
        self._groups = groups_of(rule)
        self._listed = "".join(f"{one}, " for one in self._groups)

    def instants(self) -> str:
        """Write the instants of each group that qualify: `g...`, `at_us`, `measure`."""
        rule = self._rule
        if rule.kind not in COUNTING:
            return self._all_in_window()
        if rule.kind is Kind.VALUE_COUNT:
            points = self._value_points(self._distinct_events())
        else:
            points = self._count_points(self._distinct_events())
        listed, by = self._listed, partition(self._groups)
        return (
            f"SELECT {listed}at_us, measure FROM ("
            f"SELECT {listed}at_us, is_event, CAST(SUM(change) OVER "
            f"({by}ORDER BY at_us) AS BIGINT) AS measure FROM (SELECT {listed}at_us, "
            "SUM(change) AS change, MAX(is_event) AS is_event "
            f"FROM ({points}) AS p GROUP BY {listed}at_us) "
            f"AS s) AS r WHERE is_event = 1 AND {holds(rule)}"
        )

    # --- events ---

    def _distinct_events(self) -> str:
        """Write the events of all sources, once each: `g...`, `at_us`, `event_id`, `value`."""
        events = self._near(self._events())
        return f"SELECT DISTINCT * FROM ({events}) AS d"

    def _near(self, events: str) -> str:
        """Keep the events that can matter, where that can be said of this rule."""
        rule = self._rule
        if any(isinstance(source.rule, Correlation) for source in rule.sources):
            return events  # few, and costly to write twice
        near = Near(self._groups, rule.span_us)
        if rule.kind not in COUNTING:
            # The events that are looked at stand first in the text, so their parameters do.
            return near.to_all(events, self._events, len(rule.sources))
        least = least_needed(rule)
        if least is None:
            return events
        if rule.kind is Kind.VALUE_COUNT and least < FEW:
            return near.to_different(events, self._events, least)
        weight = "GREATEST(value, 0)" if rule.kind is Kind.VALUE_SUM else "1"
        return near.to_many(events, self._events, weight, least)

    def _events(self) -> str:
        return " UNION ALL ".join(
            self._source_events(source, number)
            for number, source in enumerate(self._rule.sources)
        )

    def _source_events(self, source: Source, number: int) -> str:
        rule = self._rule
        value, relation = "1", self._source_relation(source)
        event_id = "event_id"
        if any(isinstance(one.rule, Correlation) for one in rule.sources):
            event_id = "CAST(event_id AS VARCHAR) AS event_id"
        if rule.kind not in COUNTING:
            value = str(number)
        elif rule.field is not None:
            value = source.field(rule.field)
            if _is_list(source, value):
                relation = (
                    f"SELECT *, UNNEST({value}) AS one_value FROM ({relation}) AS u"
                )
                value = "one_value"
            elif rule.kind is Kind.VALUE_COUNT and len(rule.sources) > 1:
                value = f"CAST({value} AS VARCHAR)"
        listed = "".join(
            f"CAST({source.field(name)} AS VARCHAR) AS g{place}, "
            for place, name in enumerate(rule.group_by)
        )
        present = [f"{source.field(name)} IS NOT NULL" for name in rule.group_by]
        if rule.kind in COUNTING and rule.field is not None:
            present.append(f"{value} IS NOT NULL")
        where = f" WHERE {' AND '.join(present)}" if present else ""
        return (
            f"SELECT {listed}at_us, {event_id}, {value} AS value "
            f"FROM ({relation}) AS m{where}"
        )

    def _source_relation(self, source: Source) -> str:
        rule = source.rule
        if isinstance(rule, Detection):
            return self._matches(self._text, rule)
        named = "".join(f"g{n} AS {name}, " for n, name in enumerate(rule.group_by))
        told = " || ".join(
            [f"'{rule.head.rule_id}'"]
            + [f"'|' || g{number}" for number in range(len(rule.group_by))]
            + ["'|' || CAST(at_us AS VARCHAR)"]
        )
        inner = _Correlated(self._text, self._matches, rule).instants()
        return f"SELECT {named}at_us, {told} AS event_id FROM ({inner}) AS c"

    # --- windows ---

    def _count_points(self, events: str) -> str:
        return (
            f"SELECT {self._listed}at_us + {self._rule.span_us} * step AS at_us, "
            "CASE WHEN step = 0 THEN value ELSE -value END AS change, "
            f"1 - step AS is_event FROM ({events}) AS v {_STEPS}"
        )

    def _value_points(self, events: str) -> str:
        listed, span_us = self._listed, self._rule.span_us
        by = partition([*self._groups, "value"])
        ends = (
            f"SELECT {listed}at_us, LEAST(at_us + {span_us}, COALESCE(LEAD(at_us) OVER "
            f"({by}ORDER BY at_us), at_us + {span_us})) AS end_us FROM "
            f"(SELECT DISTINCT {listed}at_us, value FROM ({events}) AS v) AS w"
        )
        return (
            f"SELECT {listed}CASE WHEN step = 0 THEN at_us ELSE end_us END AS at_us, "
            f"1 - 2 * step AS change, 1 - step AS is_event FROM ({ends}) AS x {_STEPS}"
        )

    def _all_in_window(self) -> str:
        rule, listed = self._rule, self._listed
        by = partition(self._groups)
        over = f"({by}ORDER BY at_us RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
        events = self._near(self._events())
        sql = f"SELECT DISTINCT {listed}at_us, value FROM ({events}) AS v"
        is_ordered = rule.kind is Kind.TEMPORAL_ORDERED
        for number in range(len(rule.sources)):
            begun = f"l{number - 1}" if is_ordered and number else "at_us"
            sql = (
                f"SELECT *, MAX(CASE WHEN value = {number} THEN {begun} END) OVER {over} "
                f"AS l{number} FROM ({sql}) AS t{number}"
            )
        last = len(rule.sources) - 1
        wanted = [last] if is_ordered else range(last + 1)
        in_window = " AND ".join(f"l{n} > at_us - {rule.span_us}" for n in wanted)
        return (
            f"SELECT DISTINCT {listed}at_us, {last + 1} AS measure FROM ({sql}) AS o "
            f"WHERE {in_window}"
        )


_STEPS = "CROSS JOIN (SELECT 0 AS step UNION ALL SELECT 1 AS step) AS steps"


def _is_list(source: Source, name: str) -> bool:
    rule = source.rule
    if isinstance(rule, Correlation):
        return False
    return fields_of(rule.selection.log)[name] is FieldType.TEXTS
