"""Rule files: Sigma YAML (specification 2.1) and its `x_` extensions, into the typed form.

1. Every document is a detection, a correlation, or a filter. Keys that the specification does
   not have are refused, but those that begin with `x_` and are known here.
2. `logsource` must be product `phitrail` and a log as service.
3. A correlation names its rules by id or name, in this set of files; circles are refused.
4. A filter's selections are added to the rules that it names: what it selects is left out.
5. `x_control` paragraphs of law, `x_response` what to do, `x_containment` which subjects of an
   alert to contain, `x_suppress` for how long further notifications of an alert are held back
   (records never are), `x_window` which must be `sliding`, `x_tests` examples
   (`detect.rule_tests`).
6. Ids are UUIDs and stand once in the set.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from phitrail.detect.alerts import SUBJECTS, subjects_of
from phitrail.detect.condition import read_condition
from phitrail.detect.parts import (
    check_names,
    needed,
    optional_text,
    read_citations,
    read_code,
    read_listed,
    read_span,
    read_texts,
    read_truth,
    read_uuid,
)
from phitrail.detect.schema import MAY_BE_NEGATIVE, PRODUCT, FieldType, fields_of
from phitrail.detect.selection import Terms, read_selection
from phitrail.detect.source import Node, Place, read_documents
from phitrail.detect.typed import (
    COUNTING,
    All,
    Bound,
    Compare,
    Correlation,
    Detection,
    Head,
    Kind,
    Not,
    Rule,
    Selection,
    Source,
)
from phitrail.events.codes import Log, Severity

_HEAD_KEYS = frozenset(
    """title id related name taxonomy status description license author references date
    modified tags scope fields falsepositives level""".split()
)
_EXTENSIONS = frozenset(
    {"x_window", "x_suppress", "x_control", "x_response", "x_containment", "x_tests"}
)
MOST_RULES = 1_000
MOST_CHAIN = 4
MOST_SOURCES = 16
_TOO_LONG = f"is over more than {MOST_CHAIN} rules in a chain"
_STATUS = frozenset({"stable", "test", "experimental", "deprecated", "unsupported"})


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules that were read together, in the order of their files."""

    rules: tuple[Rule, ...]
    tests: Mapping[str, Node]

    def judged(self) -> tuple[Rule, ...]:
        """List the rules that make alerts.

        A rule that a correlation is over makes none of its own, unless one of them says
        `generate: true` (Sigma: convert the rules that it refers to as well).
        """
        over = [rule for rule in self.rules if isinstance(rule, Correlation)]
        fed = {one.rule.head.rule_id for rule in over for one in rule.sources}
        kept = {
            one.rule.head.rule_id
            for rule in over
            for one in rule.sources
            if rule.head.judges_sources
        }
        return tuple(
            rule
            for rule in self.rules
            if rule.head.rule_id not in fed or rule.head.rule_id in kept
        )


def read_rules(
    files: Iterable[tuple[str, bytes]],
    placeholders: Mapping[str, Sequence[str]] | None = None,
) -> RuleSet:
    """Read rule files as one set.

    Args:
        files: name and bytes of each.
        placeholders: lists for `expand`, by name.

    Raises:
        InputError: names file, line, column and the rule that is broken.
    """
    documents = [
        (document, document.mapping("a rule"))
        for name, data in files
        for document in read_documents(name, data)
    ]
    if len(documents) > MOST_RULES:
        raise documents[MOST_RULES][0].place.refuse(f"more than {MOST_RULES} rules")
    return _Reading(documents, placeholders or {}).read()


class _Reading:
    """Reads a set: detections first, filters into them, then correlations over them."""

    def __init__(
        self,
        documents: Sequence[tuple[Node, dict[str, Node]]],
        placeholders: Mapping[str, Sequence[str]],
    ) -> None:
        self._documents = documents
        self._placeholders = placeholders
        self._rules: dict[str, Rule] = {}
        self._by_name: dict[str, str] = {}
        self._correlations: dict[str, tuple[Node, dict[str, Node]]] = {}
        self._order: list[str] = []
        self._tests: dict[str, Node] = {}

    def read(self) -> RuleSet:
        filters = []
        for node, keys in self._documents:
            if "filter" in keys:
                filters.append((node, keys))
                continue
            kind = "correlation" if "correlation" in keys else "detection"
            _check_keys(keys, kind)
            head = _head(node, keys)
            self._note(head, keys)
            if kind == "correlation":
                self._correlations[head.rule_id] = (node, keys)
            else:
                self._rules[head.rule_id] = self._detection(head, node, keys)
        for node, keys in filters:
            self._filter(node, keys)
        for rule_id in self._correlations:
            self._correlation(rule_id, ())
        rules = tuple(self._rules[rule_id] for rule_id in self._order)
        return RuleSet(rules, self._tests)

    def _note(self, head: Head, keys: dict[str, Node]) -> None:
        for name in (head.rule_id, head.name):
            if name is None:
                continue
            if name in self._by_name:
                raise head.place.refuse("has the id or name of another rule")
            self._by_name[name] = head.rule_id
        self._order.append(head.rule_id)
        if "x_tests" in keys:
            self._tests[head.rule_id] = keys["x_tests"]

    def _terms(self, log: Log) -> Terms:
        return Terms(fields_of(log), self._placeholders)

    def _detection(self, head: Head, node: Node, keys: dict[str, Node]) -> Detection:
        log = _log(node, keys)
        detection = needed(node.place, keys, "detection")
        parts = dict(detection.mapping("detection"))
        condition = parts.pop("condition", None)
        if condition is None:
            raise detection.place.refuse("lacks its condition")
        terms = self._terms(log)
        selections = {name: read_selection(one, terms) for name, one in parts.items()}
        predicate = read_condition(
            condition.text("condition"), condition.place, selections
        )
        return Detection(head, Selection(log, predicate))

    # --- filters ---

    def _filter(self, node: Node, keys: dict[str, Node]) -> None:
        _check_keys(keys, "filter")
        parts = dict(keys["filter"].mapping("filter"))
        named, condition = parts.pop("rules", None), parts.pop("condition", None)
        if named is None or condition is None:
            raise keys["filter"].place.refuse("must have rules and a condition")
        log = _log(node, keys)
        terms = self._terms(log)
        selections = {name: read_selection(one, terms) for name, one in parts.items()}
        left_out = read_condition(
            condition.text("condition"), condition.place, selections
        )
        for one in named.items("rules"):
            rule = self._rules.get(self._by_name.get(one.text("a rule"), ""))
            if not isinstance(rule, Detection) or rule.selection.log is not log:
                raise one.place.refuse("is no detection of this log in this set")
            narrowed = All((rule.selection.predicate, Not(left_out)))
            self._rules[rule.head.rule_id] = replace(
                rule, selection=Selection(log, narrowed)
            )

    # --- correlations ---

    def _correlation(self, rule_id: str, above: tuple[str, ...]) -> Rule:
        known = self._rules.get(rule_id)
        if known is not None:
            return known
        node, keys = self._correlations[rule_id]
        if rule_id in above:
            raise node.place.refuse("refers to itself")
        if len(above) > MOST_CHAIN:
            raise node.place.refuse(_TOO_LONG)
        body = keys["correlation"].mapping("correlation")
        place = keys["correlation"].place
        check_names(body, _CORRELATION_KEYS)
        kind = read_code(needed(place, body, "type"), Kind)
        sources = self._sources(place, body, (*above, rule_id))
        group_by = read_texts(body.get("group-by"))
        for name in group_by:
            _check_group_field(body["group-by"].place, name, sources)
        rule = Correlation(
            head=_head(node, keys),
            kind=kind,
            sources=sources,
            group_by=group_by,
            span_us=read_span(needed(place, body, "timespan")),
            bounds=_bounds(place, body, kind),
            field=_measured(place, body, kind, sources),
        )
        if _depth(rule) > MOST_CHAIN:
            raise node.place.refuse(_TOO_LONG)
        if not subjects_of(rule).issuperset(rule.head.containment):
            raise keys["x_containment"].place.refuse("is no field that it groups by")
        self._rules[rule_id] = rule
        return rule

    def _sources(
        self, place: Place, body: dict[str, Node], above: tuple[str, ...]
    ) -> tuple[Source, ...]:
        listed = needed(place, body, "rules").items("rules")
        if not 1 <= len(listed) <= MOST_SOURCES:
            raise place.refuse(f"must be over 1 to {MOST_SOURCES} rules")
        names = [one.text("a rule") for one in listed]
        aliases = _aliases(body.get("aliases"), names)
        found = []
        for one, name in zip(listed, names, strict=True):
            rule_id = self._by_name.get(name)
            if rule_id is None:
                raise one.place.refuse("is no rule of this set")
            rule = self._rules.get(rule_id) or self._correlation(rule_id, above)
            meant = tuple(
                (alias, of[name]) for alias, of in aliases.items() if name in of
            )
            found.append(Source(name, rule, meant))
        return tuple(found)


def _depth(rule: Rule) -> int:
    if not isinstance(rule, Correlation):
        return 0
    return 1 + max(_depth(source.rule) for source in rule.sources)


_CORRELATION_KEYS = frozenset(
    {"type", "rules", "group-by", "timespan", "condition", "aliases", "generate"}
)


def _check_keys(keys: dict[str, Node], kind: str) -> None:
    own = {"detection": {"logsource", "detection"}, "filter": {"logsource", "filter"}}
    known = _HEAD_KEYS | _EXTENSIONS | own.get(kind, {kind, "generate"})
    check_names(keys, frozenset(known))


def _head(node: Node, keys: dict[str, Node]) -> Head:
    title = needed(node.place, keys, "title").text("title")
    if len(title) > 256:  # noqa: PLR2004 - Sigma rules schema, title
        raise keys["title"].place.refuse("must have at most 256 characters")
    status = keys["status"].text("status") if "status" in keys else "test"
    if status not in _STATUS:
        raise keys["status"].place.refuse(
            f"must be one of {', '.join(sorted(_STATUS))}"
        )
    if "x_window" in keys and keys["x_window"].value != "sliding":
        raise keys["x_window"].place.refuse("must be sliding")
    level = keys.get("level")
    generate = keys.get("generate")
    if "correlation" in keys and generate is None:
        body = keys["correlation"].value
        generate = body.get("generate") if isinstance(body, dict) else None
    return Head(
        rule_id=read_uuid(needed(node.place, keys, "id")),
        title=title,
        severity=Severity.MEDIUM if level is None else read_code(level, Severity),
        place=node.place,
        name=keys["name"].text("name") if "name" in keys else None,
        status=status,
        description=optional_text(keys, "description"),
        falsepositives=read_texts(keys.get("falsepositives")),
        references=read_texts(keys.get("references")),
        tags=read_texts(keys.get("tags")),
        controls=read_citations(keys.get("x_control")),
        response=optional_text(keys, "x_response"),
        containment=read_listed(keys.get("x_containment"), SUBJECTS),
        suppress_us=read_span(keys["x_suppress"]) if "x_suppress" in keys else 0,
        judges_sources=read_truth(generate),
    )


def _log(node: Node, keys: dict[str, Node]) -> Log:
    source = needed(node.place, keys, "logsource")
    parts = source.mapping("logsource")
    check_names(parts, frozenset({"product", "service", "definition"}))
    if needed(source.place, parts, "product").value != PRODUCT:
        raise parts["product"].place.refuse(f"must be {PRODUCT}")
    return read_code(needed(source.place, parts, "service"), Log)


def _bounds(place: Place, body: dict[str, Node], kind: Kind) -> tuple[Bound, ...]:
    node = body.get("condition")
    if node is None:
        if kind in COUNTING:
            raise place.refuse("lacks its condition")
        return ()
    if kind not in COUNTING:
        raise node.place.refuse(
            f"{kind} takes no condition: each of its rules must match"
        )
    found = []
    for name, one in node.mapping("condition").items():
        if name == "field":
            continue
        compare = next((c for c in Compare if c.value == name), None)
        if compare is None:
            raise one.place.refuse("is none of gt, gte, lt, lte, eq, neq, field")
        number = one.value
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise one.place.refuse("must be a whole number")
        found.append(Bound(compare, number))
    if not found:
        raise node.place.refuse("compares with nothing")
    return tuple(found)


def _measured(
    place: Place, body: dict[str, Node], kind: Kind, sources: Sequence[Source]
) -> str | None:
    condition = body.get("condition")
    parts = {} if condition is None else condition.mapping("condition")
    node = parts.get("field")
    needs = kind in {Kind.VALUE_COUNT, Kind.VALUE_SUM}
    if node is None:
        if needs:
            raise place.refuse(
                f"{kind} needs the field that it is over, in its condition"
            )
        return None
    if not needs:
        raise node.place.refuse(f"{kind} is over no field")
    name = node.text("field")
    for source in sources:
        type_ = _field_type(source, name)
        if type_ is None or (kind is Kind.VALUE_SUM and type_ is not FieldType.WHOLE):
            raise node.place.refuse("is no such field of every rule that it is over")
        if kind is Kind.VALUE_SUM and source.field(name) in MAY_BE_NEGATIVE:
            raise node.place.refuse("may be negative, so its sum could shrink again")
    return name


def _field_type(source: Source, name: str) -> FieldType | None:
    if isinstance(source.rule, Correlation):
        inner = source.field(name)
        if inner not in source.rule.group_by:
            return None
        return _field_type(source.rule.sources[0], inner)
    return fields_of(source.rule.selection.log).get(source.field(name))


def _check_group_field(place: Place, name: str, sources: Sequence[Source]) -> None:
    for source in sources:
        type_ = _field_type(source, name)
        if type_ is None:
            raise place.refuse("names a field that one of its rules does not have")
        if type_ is FieldType.TEXTS:
            raise place.refuse("groups by a list; count its values instead")


def _aliases(node: Node | None, named: Sequence[str]) -> dict[str, dict[str, str]]:
    aliases = {} if node is None else node.mapping("aliases")
    found: dict[str, dict[str, str]] = {alias: {} for alias in aliases}
    for alias, one in aliases.items():
        for rule, field in one.mapping("an alias").items():
            if rule not in named:
                raise field.place.refuse("is of a rule that `rules` does not name so")
            found[alias][rule] = field.text("a field")
    return found
