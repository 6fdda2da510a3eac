"""A rule as SQL over history: the meaning of `typed`, in what DuckDB and Spark SQL share.

The events of a log are a relation `<log>_events` with the columns `at_us` (whole microseconds),
`event_id` (text) and the fields of `detect.schema`. Every query gives episodes: the group-by
fields as text `g0`, `g1`, ..., then `first_us`, `last_us`, `peak`, `instants`.

1. Values never stand in the text: they are parameters, in order.
2. Only window sums, maxima and lags: no recursion, no join of events with events, so that the
   cost is that of sorting. Counts are sums over a sweep: an event adds at its time and takes
   away `span` later; of equal values only the newest counts.
3. A test of an absent field is false, not unknown.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field

from phitrail.detect.schema import FieldType, fields_of
from phitrail.detect.typed import (
    All,
    Bound,
    Compare,
    Correlation,
    Detection,
    Kind,
    Not,
    Op,
    Predicate,
    Rule,
    Selection,
    Source,
    Test,
)
from phitrail.events.codes import Log

_ORDERS = {Op.LT: "<", Op.LTE: "<=", Op.GT: ">", Op.GTE: ">="}
_COMPARES = {
    Compare.GT: ">",
    Compare.GTE: ">=",
    Compare.LT: "<",
    Compare.LTE: "<=",
    Compare.EQ: "=",
    Compare.NEQ: "<>",
}
_ESCAPE = "!"


@dataclass(frozen=True, slots=True)
class Query:
    """SQL with `?` where its parameters go."""

    sql: str
    parameters: tuple[object, ...]


@dataclass(slots=True)
class _Text:
    """SQL in the making; parameters are noted as their places are written."""

    parameters: list[object] = field(default_factory=list)

    def bind(self, value: object) -> str:
        self.parameters.append(value)
        return "?"


def episodes_query(rule: Rule) -> Query:
    """Write the query of a rule's episodes over everything that its relations hold."""
    text = _Text()
    if isinstance(rule, Detection):
        sql = (
            "SELECT event_id AS g0, MIN(at_us) AS first_us, MIN(at_us) AS last_us, "
            f"1 AS peak, 1 AS instants FROM ({_matches(text, rule.selection)}) AS m "
            "GROUP BY event_id"
        )
        return Query(sql, tuple(text.parameters))
    groups = [f"g{number}" for number in range(len(rule.group_by))]
    qualifying = _qualifying(text, rule)
    by = _partition(groups)
    listed = "".join(f"{one}, " for one in groups)
    sql = (
        f"SELECT {listed}MIN(at_us) AS first_us, MAX(at_us) AS last_us, "
        "MAX(measure) AS peak, COUNT(*) AS instants FROM ("
        f"SELECT *, SUM(is_first) OVER ({by}ORDER BY at_us) AS episode FROM ("
        "SELECT *, CASE WHEN at_us - LAG(at_us) OVER "
        f"({by}ORDER BY at_us) < {rule.span_us} THEN 0 ELSE 1 END AS is_first "
        f"FROM ({qualifying}) AS q) AS f) AS e GROUP BY {listed}episode"
    )
    return Query(sql, tuple(text.parameters))


# --- correlations ---


def _qualifying(text: _Text, rule: Correlation) -> str:
    """Write the instants of each group that qualify: `g...`, `at_us`, `measure`."""
    if rule.kind in {Kind.TEMPORAL, Kind.TEMPORAL_ORDERED}:
        return _all_in_window(text, rule)
    groups = [f"g{number}" for number in range(len(rule.group_by))]
    listed = "".join(f"{one}, " for one in groups)
    events = _distinct_events(text, rule)
    if rule.kind is Kind.VALUE_COUNT:
        points = _value_points(events, rule.span_us, groups)
    else:
        points = _count_points(events, rule.span_us, listed)
    by = _partition(groups)
    conditions = " AND ".join(_bound(one) for one in rule.bounds)
    return (
        f"SELECT {listed}at_us, measure FROM ("
        f"SELECT {listed}at_us, is_event, SUM(change) OVER ({by}ORDER BY at_us) AS measure "
        f"FROM (SELECT {listed}at_us, SUM(change) AS change, MAX(is_event) AS is_event "
        f"FROM ({points}) AS p GROUP BY {listed}at_us) AS s) AS r "
        f"WHERE is_event = 1 AND {conditions}"
    )


def _distinct_events(text: _Text, rule: Correlation) -> str:
    """Write the events of all sources, once each: `g...`, `at_us`, `event_id`, `value`."""
    parts = [_source_events(text, rule, source) for source in rule.sources]
    return (
        " UNION ".join(parts)
        if len(parts) > 1
        else f"SELECT DISTINCT * FROM ({parts[0]}) AS d"
    )


def _source_events(
    text: _Text, rule: Correlation, source: Source, number: int | None = None
) -> str:
    listed = "".join(
        f"CAST({source.field(name)} AS VARCHAR) AS g{place}, "
        for place, name in enumerate(rule.group_by)
    )
    value, relation = "1", _source_relation(text, source)
    if number is not None:
        value = str(number)
    elif rule.field is not None:
        value = source.field(rule.field)
        if _is_list(source, value):
            relation = f"SELECT *, UNNEST({value}) AS one_value FROM ({relation}) AS u"
            value = "one_value"
        elif rule.kind is Kind.VALUE_COUNT:
            value = f"CAST({value} AS VARCHAR)"
    present = [f"{source.field(name)} IS NOT NULL" for name in rule.group_by]
    if rule.field is not None and number is None:
        present.append(f"{value} IS NOT NULL")
    where = f" WHERE {' AND '.join(present)}" if present else ""
    return f"SELECT {listed}at_us, event_id, {value} AS value FROM ({relation}) AS m{where}"


def _source_relation(text: _Text, source: Source) -> str:
    rule = source.rule
    if isinstance(rule, Detection):
        return _matches(text, rule.selection)
    named = "".join(f"g{n} AS {name}, " for n, name in enumerate(rule.group_by))
    told = " || ".join(
        [f"'{rule.head.rule_id}'"]
        + [f"'|' || g{number}" for number in range(len(rule.group_by))]
        + ["'|' || CAST(at_us AS VARCHAR)"]
    )
    inner = _qualifying(text, rule)
    return f"SELECT {named}at_us, {told} AS event_id FROM ({inner}) AS c"


def _is_list(source: Source, name: str) -> bool:
    rule = source.rule
    if isinstance(rule, Correlation):
        return False
    return fields_of(rule.selection.log)[name] is FieldType.TEXTS


def _count_points(events: str, span_us: int, listed: str) -> str:
    return (
        f"SELECT {listed}at_us + {span_us} * step AS at_us, "
        "CASE WHEN step = 0 THEN value ELSE -value END AS change, "
        f"1 - step AS is_event FROM ({events}) AS v "
        "CROSS JOIN (SELECT 0 AS step UNION ALL SELECT 1 AS step) AS steps"
    )


def _value_points(events: str, span_us: int, groups: Sequence[str]) -> str:
    listed = "".join(f"{one}, " for one in groups)
    by = "PARTITION BY " + ", ".join([*groups, "value"]) + " "
    ends = (
        f"SELECT {listed}at_us, LEAST(at_us + {span_us}, COALESCE(LEAD(at_us) OVER "
        f"({by}ORDER BY at_us), at_us + {span_us})) AS end_us FROM "
        f"(SELECT DISTINCT {listed}at_us, value FROM ({events}) AS v) AS w"
    )
    return (
        f"SELECT {listed}CASE WHEN step = 0 THEN at_us ELSE end_us END AS at_us, "
        f"1 - 2 * step AS change, 1 - step AS is_event FROM ({ends}) AS x "
        "CROSS JOIN (SELECT 0 AS step UNION ALL SELECT 1 AS step) AS steps"
    )


def _all_in_window(text: _Text, rule: Correlation) -> str:
    groups = [f"g{number}" for number in range(len(rule.group_by))]
    listed = "".join(f"{one}, " for one in groups)
    by = _partition(groups)
    over = f"({by}ORDER BY at_us RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
    events = " UNION ".join(
        _source_events(text, rule, source, number)
        for number, source in enumerate(rule.sources)
    )
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
    holds = " AND ".join(f"l{number} > at_us - {rule.span_us}" for number in wanted)
    return (
        f"SELECT DISTINCT {listed}at_us, {last + 1} AS measure FROM ({sql}) AS o "
        f"WHERE {holds}"
    )


def _bound(bound: Bound) -> str:
    return f"measure {_COMPARES[bound.compare]} {bound.number}"


def _partition(groups: Sequence[str]) -> str:
    return f"PARTITION BY {', '.join(groups)} " if groups else ""


# --- predicates ---


def _matches(text: _Text, selection: Selection) -> str:
    where = _predicate(text, selection.predicate, selection.log)
    return f"SELECT * FROM {selection.log}_events WHERE {where}"


def _predicate(text: _Text, predicate: Predicate, log: Log) -> str:
    if isinstance(predicate, Test):
        return _test(text, predicate, log)
    if isinstance(predicate, Not):
        return f"NOT ({_predicate(text, predicate.of, log)})"
    word = " AND " if isinstance(predicate, All) else " OR "
    return "(" + word.join(_predicate(text, one, log) for one in predicate.of) + ")"


def _test(text: _Text, test: Test, log: Log) -> str:
    name = test.field
    if test.op is Op.EXISTS:
        return f"({name} IS {'NOT ' if test.value else ''}NULL)"
    if test.op is Op.FIELDREF:
        return f"COALESCE({name} = {test.value}, FALSE)"
    if fields_of(log)[name] is FieldType.TEXTS:
        inner = _fits(text, test, "x")
        return f"COALESCE(LEN(LIST_FILTER({name}, lambda x: {inner})) > 0, FALSE)"
    return f"COALESCE({_fits(text, test, name)}, FALSE)"


def _fits(text: _Text, test: Test, name: str) -> str:
    if test.op in _ORDERS:
        return f"{name} {_ORDERS[test.op]} {text.bind(test.value)}"
    if test.op is Op.RE:
        return f"REGEXP_MATCHES({name}, {text.bind(test.value)})"
    if test.op is Op.CIDR:
        return _cidr(text, str(test.value), name)
    if not isinstance(test.value, str | tuple) or test.is_cased:
        left = name
    else:
        left = f"LOWER({name})"
    if isinstance(test.value, tuple):
        return f"{left} LIKE {text.bind(_pattern(test.value))} ESCAPE '{_ESCAPE}'"
    return f"{left} = {text.bind(test.value)}"


def _pattern(pieces: Sequence[str | int | None]) -> str:
    written = []
    for piece in pieces:
        if piece is None:
            written.append("%")
        elif isinstance(piece, int):
            written.append("_" * piece)
        else:
            literal = piece
            for char in (_ESCAPE, "%", "_"):
                literal = literal.replace(char, _ESCAPE + char)
            written.append(literal)
    return "".join(written)


def _cidr(text: _Text, written: str, name: str) -> str:
    network = ipaddress.IPv4Network(written)
    parts = [
        f"TRY_CAST(SPLIT_PART({name}, '.', {place}) AS BIGINT) * {256 ** (4 - place)}"
        for place in range(1, 5)
    ]
    low = text.bind(int(network.network_address))
    high = text.bind(int(network.broadcast_address))
    return f"({' + '.join(parts)}) BETWEEN {low} AND {high}"
