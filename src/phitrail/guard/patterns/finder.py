"""The door of the pattern rules: one text in, every identifier with a shape out.

Each family of rules is tried only where its cheap sign is in the text (a digit, an
at-sign, a quote), and hands over claims; `hits.settled` ends the overlaps. Dates come
from `phitrail.guard.dates`, and a caller that has them already passes them in. Free
standing names and places are the tagger's.
"""

# ruff: noqa: E501, RUF001, ISC004, PERF401, PLR2004, RUF100, RUF021, SIM102, ARG001, FURB171, RUF200

import re
from collections.abc import Sequence

from phitrail.events.codes import IdentifierClass as Class
from phitrail.guard.dates import DateFound, find_dates
from phitrail.guard.found import Found
from phitrail.guard.lowered import lowered
from phitrail.guard.patterns import (
    ages,
    cued_values,
    keyed_values,
    networks,
    people,
    phones,
    places,
    shapes,
)
from phitrail.guard.patterns.hits import Hit, settled

_DIGIT = re.compile("[0-9]")


def find_patterns(text: str, dates: Sequence[DateFound] | None = None) -> list[Found]:
    """Find identifiers that a rule can find.

    Args:
        text: the text, as the offsets shall count it.
        dates: what `find_dates` found in the same text, where the caller has it.

    Returns:
        places in order that do not overlap, each with its class, score and rule.
    """
    low = lowered(text)
    found = find_dates(text) if dates is None else dates
    hits = [
        Hit(date.start, date.end, Class.DATE, date.score, date.rule)
        for date in found
        if not date.is_neutral
    ]
    hits += people.find_named(text, low)
    hits += networks.find_addresses(text, low)
    hits += ages.find_old_ages(text, low, found)
    if _DIGIT.search(text):
        hits += cued_values.find_cued(text, low)
        hits += phones.find_uncued(text, low)
        hits += shapes.find_shapes(text, low)
        hits += places.find_places(text, low)
    if '"' in text:
        hits += keyed_values.find_keyed(text)
    return settled(hits)
