"""The door of the pattern rules: one text in, every identifier with a shape out.

Each family of rules is tried only where its cheap sign is in the text (a digit, an
at-sign, a quote), and hands over claims; `hits.settled` ends the overlaps. Dates come
from `phitrail.guard.dates`, and a caller that has them already passes them in. Free
standing names and places are the tagger's.
"""

from collections.abc import Sequence

from phitrail.events.codes import IdentifierClass as Class
from phitrail.guard.dates import DateFound, dates_of
from phitrail.guard.digit_runs import digit_runs
from phitrail.guard.found import Found
from phitrail.guard.lowered import lowered
from phitrail.guard.patterns import (
    ages,
    announced,
    keyed_values,
    networks,
    phones,
    places,
    register_codes,
    repeats,
    segments,
    shapes,
)
from phitrail.guard.patterns.hits import Hit, settled


def find_patterns(text: str, dates: Sequence[DateFound] | None = None) -> list[Found]:
    """Find identifiers that a rule can find.

    Args:
        text: the text, as the offsets shall count it.
        dates: what `find_dates` found in the same text, where the caller has it.

    Returns:
        places in order that do not overlap, each with its class, score and rule.
    """
    low = lowered(text)
    runs = digit_runs(text)
    found = dates_of(text, low, runs) if dates is None else dates
    hits = [
        Hit(date.start, date.end, Class.DATE, date.score, date.rule)
        for date in found
        if not date.is_neutral
    ]
    hits += announced.find_announced(text, low)
    hits += networks.find_addresses(text, low, runs)
    hits += ages.find_old_ages(text, low, runs, found)
    if "." in text:
        hits += shapes.find_pictures(low)
    if runs:
        hits += phones.find_uncued(text, low, runs)
        hits += shapes.find_shapes(text, low, runs)
        hits += register_codes.find_register_codes(text, low, runs)
        hits += places.find_places(text, low, runs)
    if "|" in text:
        hits += segments.find_segments(text)
    if '"' in text:
        hits += keyed_values.find_keyed(text)
    hits += repeats.find_repeats(text, hits)
    return settled(hits)
