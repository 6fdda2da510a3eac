"""What of a text the records of this access explain.

The text is cut into pieces once; only pieces that a key may begin with are looked at further,
so the work grows with the text and with what is found in it, never with the number of keys.
Every finding has score 1 and `is_in_record`; findings do not
overlap (one covers both, of the kind of the longer).

Left to others: finding dates (`phitrail.guard.dates` hands them in, here their values are
compared), normalising (each view of a text is matched by itself), and what to do with what
was found.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from phitrail.events.codes import IdentifierClass
from phitrail.guard.common_words import COMMON_WORDS
from phitrail.guard.date_values import DateFound
from phitrail.guard.found import Found
from phitrail.guard.record_ages import match_ages
from phitrail.guard.record_context import RecordContext
from phitrail.guard.record_dates import match_dates
from phitrail.guard.record_names import match_dotted, match_names, match_short_marks
from phitrail.guard.record_numbers import match_numbers
from phitrail.guard.record_phrases import match_phrases
from phitrail.guard.record_spoken import SPOKEN, match_spoken
from phitrail.guard.record_text import PlacedText

_LOCAL = re.compile(r"[\w.+%-]+$")
_LONGEST_LOCAL = 64
_HOST = re.compile(r"[\w.-]{1,255}")
_MOST_UNTOLD = 2
_LONGEST_PART = 1 << 16
_URL = re.compile(r"(?:https?://|www\.)[^\s<>\"')\]]{1,2000}")


def match_record(
    context: RecordContext, text: str, dates: Sequence[DateFound]
) -> list[Found]:
    """Find everything in a text that the records explain, in order, without overlaps.

    Args:
        context: the records of the access.
        text: the text, of any length: a long one is looked at in parts that end at a
            line or a blank, so that memory stays bounded.
        dates: what `phitrail.guard.dates` found in it, in order.
    """
    if len(text) <= _LONGEST_PART:
        return _match_part(context, text, dates)
    found: list[Found] = []
    starts = [each.start for each in dates]
    begin = 0
    while begin < len(text):
        end = _part_end(text, begin)
        inside = dates[bisect_left(starts, begin) : bisect_left(starts, end)]
        moved = [
            replace(each, start=each.start - begin, end=each.end - begin)
            for each in inside
            if each.end <= end
        ]
        found += [
            replace(each, start=each.start + begin, end=each.end + begin)
            for each in _match_part(context, text[begin:end], moved)
        ]
        begin = end
    return found


def _part_end(text: str, begin: int) -> int:
    """Return where a part of a long text ends: behind a line, a blank, or anywhere."""
    limit = begin + _LONGEST_PART
    if limit >= len(text):
        return len(text)
    for sign in "\n ":
        at = text.rfind(sign, begin + _LONGEST_PART // 2, limit)
        if at >= 0:
            return at + 1
    return limit


def _match_part(
    context: RecordContext, text: str, dates: Sequence[DateFound]
) -> list[Found]:
    placed = PlacedText.of(text)
    told = _sort(context, placed.words)
    found = match_dates(context.has_date, text, dates)
    found += match_numbers(context.numbers, placed, told.numbers)
    found += match_phrases(context.phrases, placed, told.phrases)
    found += match_names(context.names, placed, told.names)
    found += match_short_marks(context.names, placed, told.marks)
    if told.letters:
        found += match_dotted(context.names, placed, told.letters)
    if len(told.spoken) > _MOST_UNTOLD:
        found += match_spoken(context.numbers, placed, told.spoken)
    if "@" in text:
        found += _emails(context, text)
    if "://" in text or "www." in text:
        found += _urls(context, text, found)
    if context.is_over_89:
        found += match_ages(context.ages, context.birth_years, placed, found)
    return _without_overlaps(found)


@dataclass(slots=True)
class _Told:
    """Pieces of a text by what they may begin, each list in order."""

    names: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    phrases: list[int] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    letters: list[int] = field(default_factory=list)
    spoken: list[int] = field(default_factory=list)


def _sort(context: RecordContext, words: Sequence[str]) -> _Told:
    """Sort the pieces that tell something: one look a word, whatever the keys are."""
    names, numbers, phrases = context.names, context.numbers, context.phrases
    heads, tails = names.heads, names.tails
    vocabulary = set(words)
    rare = vocabulary - COMMON_WORDS
    typos = {
        word
        for word in rare
        if (word[:2] in heads or word[-3:] in tails)
        and word not in names.parts
        and names.is_typo(word)
    }
    zeros = {word for word in rare if word < "1"}
    telling = (vocabulary & context.first_pieces) | typos | zeros
    spoken = vocabulary & SPOKEN
    if len(spoken) > 1:
        telling |= spoken
    told = _Told()
    for at, word in enumerate(words):
        if word not in telling:
            continue
        if word in names.parts or word in typos:
            told.names.append(at)
        if word in numbers.beginnings or word in numbers.lasts or word in zeros:
            told.numbers.append(at)
        if word in phrases.rows or word in phrases.acronyms:
            told.phrases.append(at)
        if word in names.short_marks:
            told.marks.append(at)
        if word in names.initials:
            told.letters.append(at)
        if word in SPOKEN:
            told.spoken.append(at)
    return told


def _emails(context: RecordContext, text: str) -> list[Found]:
    """Find e-mail addresses of the record, whole or by their part before the @."""
    found = []
    at = text.find("@")
    while at >= 0:
        before = _LOCAL.search(text, max(0, at - _LONGEST_LOCAL), at)
        behind = _HOST.match(text, at + 1)
        if before and behind:
            start, end = before.start(), at + 1 + len(behind[0].rstrip("."))
            whole = text[start:end].lower()
            if whole in context.emails or before[0].lower() in context.mailboxes:
                of = IdentifierClass.EMAIL
                found.append(Found(start, end, of, 1.0, "record.email", True))
        at = text.find("@", at + 1)
    return found


def _urls(context: RecordContext, text: str, found: Sequence[Found]) -> list[Found]:
    """Find URLs of the record, and URLs with an id or a name of the record in them.

    A number in such a URL, or a value in its query, that no record explains may be somebody
    else's: then the URL is not the record's.
    """
    ids = sorted(
        (each.start, each.end)
        for each in found
        if each.identifier_class in _TELLING_IN_URLS
    )
    told = sorted((each.start, each.end) for each in found)
    urls = []
    for match in _URL.finditer(text):
        start, end = match.start(), match.start() + len(match[0].rstrip(".,;:"))
        bare = text[start:end].lower().partition("://")[2].rstrip("/")
        is_told = bare in context.urls or text[start:end].lower() in context.urls
        if is_told or (
            _has_inside(ids, start, end)
            and not _tells_more(text, told, range(start, end))
        ):
            urls.append(Found(start, end, IdentifierClass.URL, 1.0, "record.url", True))
    return urls


def _has_inside(ids: Sequence[tuple[int, int]], start: int, end: int) -> bool:
    at = bisect_left(ids, (start, start))
    return at < len(ids) and ids[at][1] <= end


def _tells_more(text: str, told: Sequence[tuple[int, int]], of: range) -> bool:
    """Say whether a URL holds a number, value or address that no record explains."""
    explained = {
        place
        for low, high in told[bisect_left(told, (of.start, 0)) :][: len(of)]
        if low < of.stop
        for place in range(low, high)
    }
    return any(
        not explained.issuperset(range(*number.span()))
        for number in _TELLING.finditer(text, of.start, of.stop)
    )


_TELLING = re.compile(r"(?<==)[^&#=\s]{3,}|[0-9]{4,}|@")
_TELLING_IN_URLS = frozenset(IdentifierClass) - {
    IdentifierClass.GEOGRAPHIC,
    IdentifierClass.DATE,
    IdentifierClass.EMAIL,
    IdentifierClass.URL,
}


def _without_overlaps(found: list[Found]) -> list[Found]:
    kept: list[Found] = []
    for each in sorted(found, key=lambda one: (one.start, -one.end)):
        if kept and each.start < kept[-1].end:
            before = kept[-1]
            end = max(before.end, each.end)
            is_longer = each.end - each.start > before.end - before.start
            kind = each if is_longer else before
            kept[-1] = replace(kind, start=before.start, end=end)
            continue
        kept.append(each)
    return kept
