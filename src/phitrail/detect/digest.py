"""What a rule means, as one SHA-256: equal while nothing changes that alerts depend on.

1. In it are selections, group-by, time span, kind, bounds, the measured field, and the rules
   that it is over. Title, description, severity, controls, response, ids and names are not:
   a rule that is told in other words keeps its state and its alerts.
2. Order does not matter where it means nothing: in `and` and `or`, among bounds, among the
   rules of a correlation that is not ordered. It does among group-by fields, whose values
   an alert lists.
3. The form is versioned: another reading of the same rule is another digest.
"""

import hashlib
from typing import TypeAlias

from phitrail.detect.typed import (
    All,
    Detection,
    Kind,
    Not,
    Predicate,
    Rule,
    Source,
    Test,
)
from phitrail.events.canonical import encode_canonical

FORM = "phitrail/rule-meaning/v1"
_Plain: TypeAlias = "str | int | float | bool | list[_Plain] | None"


def digest_of(rule: Rule) -> str:
    """Return the SHA-256 of what a rule means, as hex."""
    return hashlib.sha256(encode_canonical([FORM, _rule(rule)])).hexdigest()


def _rule(rule: Rule) -> _Plain:
    if isinstance(rule, Detection):
        selection = rule.selection
        return ["detection", selection.log.value, _predicate(selection.predicate)]
    sources = [_source(source, rule.group_by, rule.field) for source in rule.sources]
    if rule.kind is not Kind.TEMPORAL_ORDERED:
        sources = _sorted(sources)
    bounds: list[_Plain] = [
        [bound.compare.value, bound.number] for bound in rule.bounds
    ]
    return [
        "correlation",
        rule.kind.value,
        sources,
        list(rule.group_by),
        rule.span_us,
        _sorted(bounds),
        rule.field,
    ]


def _source(source: Source, group_by: tuple[str, ...], field: str | None) -> _Plain:
    """Write a source with the fields of its own that are meant."""
    meant: list[_Plain] = [source.field(name) for name in group_by]
    return [_rule(source.rule), meant, None if field is None else source.field(field)]


def _predicate(predicate: Predicate) -> _Plain:
    if isinstance(predicate, Test):
        value = predicate.value
        written: _Plain = list(value) if isinstance(value, tuple) else value
        return [predicate.field, predicate.op.value, written, predicate.is_cased]
    if isinstance(predicate, Not):
        return ["not", _predicate(predicate.of)]
    word = "all" if isinstance(predicate, All) else "any"
    return [word, _sorted([_predicate(one) for one in predicate.of])]


def _sorted(parts: list[_Plain]) -> list[_Plain]:
    return sorted(parts, key=encode_canonical)
