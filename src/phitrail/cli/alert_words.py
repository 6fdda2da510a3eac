"""How alerts and their rules are told: titles, ages, and the argument that names one."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from phitrail.app.rules import own_files, rules_of
from phitrail.cli.times import parse_length, parse_moment
from phitrail.detect.typed import Rule
from phitrail.errors import InputError
from phitrail.quality.alert_words import title_of as quality_title

AlertId = Annotated[
    str,
    typer.Argument(
        metavar="ALERT",
        help="Its id, or the first characters of it.",
        show_default=False,
    ),
]


def rules_here(trail: Path) -> Mapping[str, Rule]:
    """Read the rules, to say what an alert is; where they are refused, ours."""
    try:
        rules = rules_of(own_files(trail))
    except InputError:
        rules = rules_of(())
    return {rule.head.rule_id: rule for rule in rules.set.rules}


def title_of(rules: Mapping[str, Rule], rule_id: str) -> str:
    """Say what a rule or a quality test is called, or its id where it is gone."""
    rule = rules.get(rule_id)
    return rule.head.title if rule else quality_title(rule_id) or rule_id


def told_age(age: timedelta) -> str:
    """Write a length of time in its greatest unit."""
    for unit, length in (
        ("d", timedelta(days=1)),
        ("h", timedelta(hours=1)),
        ("m", timedelta(minutes=1)),
    ):
        if age >= length:
            return f"{age // length}{unit}"
    return f"{max(0, int(age.total_seconds()))}s"


def parse_since(field: str, given: str, now: datetime) -> datetime:
    """Read since when: a day, a time, or how long ago.

    Raises:
        InputError: names the field and the rule.
    """
    with suppress(InputError):
        return now - parse_length(field, given)
    return parse_moment(field, given)
