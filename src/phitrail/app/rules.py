"""Which rules a trail has: those that come with phitrail, and the files of its `rules/`.

1. All files are one set: a correlation of the house may be over a rule of ours, a filter of
   the house narrows one. The same set is read again only when a file changed.
2. `Alert` events feed a rule only where its logsource is `security` and it names their kind:
   `schema: phitrail/alert/v1`. Other rules of that log do not see them.
3. `lists` in tenant.yaml are the values that rules name by `expand`. They are part of what a
   rule means, so they stand among its files, and it is read again when they change.
4. An error names file, line, column and rule, never what stands there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import msgspec

from phitrail.app.config import TENANT_FILE, read_tenant
from phitrail.detect.packaged import packaged_rules
from phitrail.detect.rule import RuleSet, read_rules
from phitrail.detect.typed import (
    All,
    Correlation,
    Detection,
    Not,
    Op,
    Predicate,
    Rule,
    Selection,
    Test,
)
from phitrail.errors import StorageError
from phitrail.events.alert import Alert
from phitrail.events.canonical import encode_canonical
from phitrail.events.codes import Log

FOLDER = "rules"
ENDINGS = (".yml", ".yaml")
LISTS = "tenant.yaml"
"""Under which name the lists of tenant.yaml stand among rule files, as JSON."""
SCHEMA = "schema"
ALERT_SCHEMA = str(Alert.__struct_config__.tag)
RuleFiles: TypeAlias = tuple[tuple[str, bytes], ...]
Signature: TypeAlias = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class TrailRules:
    """The rules of a trail, and which of their files are the house's own."""

    set: RuleSet
    own_files: frozenset[str]

    def is_own(self, rule: Rule) -> bool:
        """Say whether a rule is the house's."""
        return rule.head.place.file in self.own_files


def signature_of(directory: Path) -> Signature:
    """Say what would have to be read again if it were another one: names, times, sizes."""
    found = []
    for place in (*_places(directory), directory / TENANT_FILE):
        try:
            state = place.stat()
        except OSError:
            continue  # gone meanwhile; the next look sees it
        found.append((place.name, state.st_mtime_ns, state.st_size))
    return tuple(found)


def own_files(directory: Path) -> RuleFiles:
    """Read the rule files of a trail, and its lists.

    Raises:
        ConfigError: tenant.yaml is wrong.
        StorageError: a file cannot be read.
    """
    files = list(lists_of(directory))
    for place in _places(directory):
        try:
            files.append((f"{FOLDER}/{place.name}", place.read_bytes()))
        except OSError as error:
            raise StorageError(f"cannot read {place}: {error.strerror}") from error
    return tuple(files)


def lists_of(directory: Path) -> RuleFiles:
    """Read the lists of a trail, as one of its rule files; nothing where it has none.

    Raises:
        ConfigError: tenant.yaml is wrong.
    """
    if not (directory / TENANT_FILE).exists():
        return ()
    lists = read_tenant(directory).lists
    return ((LISTS, encode_canonical(_plain(lists))),) if lists else ()


def _plain(lists: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    return {name: list(values) for name, values in lists.items()}


def rules_of(files: RuleFiles) -> TrailRules:
    """Read our rules and these files as one set.

    Raises:
        InputError: names file, line, column and the rule that is broken.
    """
    return _read(files)


@lru_cache(maxsize=4)
def _read(files: RuleFiles) -> TrailRules:
    packaged = tuple((f"phitrail/{name}", data) for name, data in packaged_rules())
    lists: dict[str, tuple[str, ...]] = {}
    for name, data in files:
        if name == LISTS:
            lists = msgspec.json.decode(data, type=dict[str, tuple[str, ...]])
    own = tuple((name, data) for name, data in files if name != LISTS)
    read = read_rules((*packaged, *own), lists)
    known: dict[str, Rule] = {}
    rules = tuple(_without_alerts(rule, known) for rule in read.rules)
    return TrailRules(replace(read, rules=rules), frozenset(name for name, _ in own))


def _places(directory: Path) -> list[Path]:
    folder = directory / FOLDER
    if not folder.is_dir():
        return []
    return sorted(one for one in folder.iterdir() if one.suffix in ENDINGS)


# --- alerts feed rules only by name ---


def reads_alerts(rule: Rule) -> bool:
    """Say whether alerts feed a rule."""
    if isinstance(rule, Correlation):
        return any(reads_alerts(source.rule) for source in rule.sources)
    return rule.selection.log is Log.SECURITY and _names_alerts(
        rule.selection.predicate
    )


def _without_alerts(rule: Rule, known: dict[str, Rule]) -> Rule:
    """Give the rule with alerts left out of every selection that does not name them."""
    done = known.get(rule.head.rule_id)
    if done is not None:
        return done
    made: Rule
    if isinstance(rule, Detection):
        made = rule
        if rule.selection.log is Log.SECURITY and not reads_alerts(rule):
            no_alert = Not(Test(SCHEMA, Op.EQ, ALERT_SCHEMA))
            narrowed = All((rule.selection.predicate, no_alert))
            made = replace(rule, selection=Selection(Log.SECURITY, narrowed))
    else:
        sources = tuple(
            replace(one, rule=_without_alerts(one.rule, known)) for one in rule.sources
        )
        made = replace(rule, sources=sources)
    known[rule.head.rule_id] = made
    return made


def _names_alerts(predicate: Predicate) -> bool:
    if isinstance(predicate, Test):
        is_it = predicate.field == SCHEMA and predicate.op is Op.EQ
        return is_it and predicate.value == ALERT_SCHEMA
    if isinstance(predicate, Not):
        return False
    parts = [_names_alerts(one) for one in predicate.of]
    return any(parts) if isinstance(predicate, All) else all(parts)


def heads_by_id(rules: RuleSet) -> Mapping[str, Rule]:
    """List the rules that make alerts by their ids."""
    return {rule.head.rule_id: rule for rule in rules.judged()}
