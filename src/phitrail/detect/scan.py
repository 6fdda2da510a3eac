"""One pass over a log for all rules that read it.

A scan keeps, of the events that some detection selects, the time, the id, the index, the fields
that correlations group by or measure, and in whole numbers which detections select it: a bit
each. What rules only test is not kept. The rules then ask the scan instead of the log.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from phitrail.detect.predicate_sql import Text, predicate_sql
from phitrail.detect.relation import Needed, needed
from phitrail.detect.sql import Query
from phitrail.detect.typed import Correlation, Detection, Op, Predicate, Rule, Test
from phitrail.events.codes import Log
from phitrail.projection.rows import INDEX

BITS = 62
"""How many detections share one whole number."""


@dataclass(frozen=True)
class Scan:
    """What is read of one log for some rules; `table` is where it is kept."""

    log: Log
    detections: tuple[Detection, ...]
    kept: tuple[str, ...]

    @property
    def table(self) -> str:
        """Name the table that keeps it."""
        return f"{self.log}_scan"

    def needed(self) -> Needed:
        """Say what it needs of the log's tables."""
        tested = {
            name
            for one in self.detections
            for name in fields_tested(one.selection.predicate)
        }
        return needed(self.log, self.kept, tested)

    def query(self, relation: str) -> Query:
        """Write the pass over a relation of the log's events."""
        text = Text()
        kept = "".join(f"{name}, " for name in self.kept)
        masks = ", ".join(
            self._mask(text, number, first)
            for number, first in enumerate(range(0, len(self.detections), BITS))
        )
        some = " OR ".join(
            f"bits{number} <> 0" for number in range(-(-len(self.detections) // BITS))
        )
        sql = (
            f"SELECT * FROM (SELECT {INDEX}, at_us, event_id, {kept}{masks} "
            f"FROM ({relation}) AS events) AS marked WHERE {some}"
        )
        return Query(sql, tuple(text.parameters))

    def _mask(self, text: Text, number: int, first: int) -> str:
        bits = [
            f"CASE WHEN {predicate_sql(text, one.selection.predicate, self.log)} "
            f"THEN {1 << bit} ELSE 0 END"
            for bit, one in enumerate(self.detections[first : first + BITS])
        ]
        return f"CAST({' + '.join(bits)} AS BIGINT) AS bits{number}"

    def selected(self, rule: Detection) -> str:
        """Write the relation of the events that one of its detections selects."""
        ids = [one.head.rule_id for one in self.detections]
        number, bit = divmod(ids.index(rule.head.rule_id), BITS)
        return f"SELECT * FROM {self.table} WHERE bits{number} & {1 << bit} <> 0"


@dataclass(frozen=True)
class Scans:
    """The scans of all logs that some rules read."""

    of: Mapping[Log, Scan]

    def matches(self, _text: Text, rule: Detection) -> str:
        """Write what a detection selects, out of its log's scan (`sql.Matches`)."""
        return self.of[rule.selection.log].selected(rule)


def scans_for(rules: Sequence[Rule]) -> Scans:
    """Say what is to be read of each log for rules."""
    detections: dict[Log, dict[str, Detection]] = {}
    kept: dict[Log, set[str]] = {}
    for rule in rules:
        for detection, names in _read_by(rule):
            log = detection.selection.log
            detections.setdefault(log, {})[detection.head.rule_id] = detection
            kept.setdefault(log, set()).update(names)
    return Scans(
        {
            log: Scan(log, tuple(found.values()), tuple(sorted(kept[log])))
            for log, found in detections.items()
        }
    )


def logs_of(rule: Rule) -> frozenset[Log]:
    """Name the logs that a rule reads."""
    return frozenset(detection.selection.log for detection, _ in _read_by(rule))


def _read_by(
    rule: Rule, wanted: frozenset[str] = frozenset()
) -> Iterator[tuple[Detection, frozenset[str]]]:
    """Give the detections that a rule reads, and the fields of theirs that it keeps."""
    if isinstance(rule, Detection):
        yield rule, wanted
        return
    names = _own_names(rule) | (wanted & frozenset(rule.group_by))
    for source in rule.sources:
        yield from _read_by(
            source.rule, frozenset(source.field(name) for name in names)
        )


def _own_names(rule: Correlation) -> frozenset[str]:
    field = () if rule.field is None else (rule.field,)
    return frozenset((*rule.group_by, *field))


def fields_tested(predicate: Predicate) -> Iterator[str]:
    """Name the fields that a predicate tests."""
    if isinstance(predicate, Test):
        yield predicate.field
        if predicate.op is Op.FIELDREF:
            yield str(predicate.value)
        return
    parts = predicate.of if isinstance(predicate.of, tuple) else (predicate.of,)
    for part in parts:
        yield from fields_tested(part)
