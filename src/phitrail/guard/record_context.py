"""What the records of one access say, as keys to look words of an answer up in.

The caller hands over the records that were just retrieved; `RecordContext.from_records`
makes canonical keys of them once, and `phitrail.guard.record_match` looks the pieces of a
text up in them: the work grows with the text, not with the record. docs/guard-record-
context.md lists the keys that are read and the renderings that are found.

Rules:
1. Names: every part of every name, its short forms, initials and one typing error.
2. Ids and phones: digits and letters alone, leading zeros off; the last four beside a cue.
3. Dates by value; a partial date fits where the parts that are given agree. Days of a stay
   count as dates of the record. Holidays and feasts are named through their date.
4. Streets, towns and institutions as canonical pieces (`record_words`), in order.

The keys are plain text, not HMACs: a keyed hash of each of about 460 pieces would take
longer than all the rest of matching (about 0.7 us each against 0.3 ms in all). So a context
must not outlive the access that it was made for: hold it in no cache, log or message. Its
`repr` shows counts alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Self

from phitrail.guard.record_facts import DatedYear, Facts, PartialDate
from phitrail.guard.record_holidays import holidays_of
from phitrail.guard.record_name_keys import NameKeys
from phitrail.guard.record_numbers import NumberKeys
from phitrail.guard.record_phrases import PhraseKeys
from phitrail.guard.record_reading import read_records

OVER_89 = 90
OLDEST = 120
_LONGEST_STAY_DAYS = 62
_LAST_BIRTH_YEAR_OVER_89 = 1936
"""Who was born by then is over 89 whenever this code runs (it was written in 2026)."""


@dataclass(frozen=True, slots=True)
class RecordContext:
    """The keys of the records of one access. Made by `from_records`."""

    names: NameKeys = field(repr=False)
    numbers: NumberKeys = field(repr=False)
    phrases: PhraseKeys = field(repr=False)
    dates: frozenset[PartialDate] = field(repr=False)
    months: frozenset[tuple[int, int]] = field(repr=False)
    birth_years: frozenset[int] = field(repr=False)
    ages: frozenset[int] = field(repr=False)
    emails: frozenset[str] = field(repr=False)
    mailboxes: frozenset[str] = field(repr=False)
    urls: frozenset[str] = field(repr=False)
    first_pieces: frozenset[str] = field(repr=False)
    people_count: int
    key_count: int

    @classmethod
    def from_records(
        cls, records: Sequence[Mapping[str, object]], *, now: datetime | None = None
    ) -> Self:
        """Build the keys of plain dicts and FHIR R4 resources.

        Args:
            records: what was retrieved; docs/guard-record-context.md lists the keys.
            now: for ages over 89; without it only births by 1936 give one.

        Raises:
            InputError: a record does not have the form that its key asks for; the message
                names the place and the rule, never a value.
        """
        return cls._of(read_records(records), now)

    @classmethod
    def _of(cls, facts: Facts, now: datetime | None) -> Self:
        names = NameKeys.of(facts.people)
        numbers = NumberKeys.of(facts.numbers, facts.phones, facts.zips, facts.births)
        days = [*facts.dates, *_days_of_stays(facts.stays)]
        phrases = PhraseKeys.of(facts.phrases, holidays_of(facts.dates))
        ages, years = _over_89(facts.births, now)
        first = names.first_pieces | numbers.first_pieces | phrases.first_pieces
        return cls(
            names=names,
            numbers=numbers,
            phrases=phrases,
            dates=frozenset(part for each in days for part in _partial(each)),
            months=frozenset(
                (y, m) for y, m, d in facts.dates if y and m and d is None
            ),
            birth_years=frozenset(years),
            ages=frozenset(ages),
            emails=frozenset(each.strip().lower() for each in facts.emails),
            mailboxes=frozenset(_mailbox(each) for each in facts.emails) - _ROLE_BOXES,
            urls=frozenset(_bare_url(each) for each in facts.urls),
            first_pieces=frozenset(first),
            people_count=len(facts.people),
            key_count=len(first) + len(days),
        )

    def has_date(self, value: PartialDate) -> bool:
        """Say whether a date of the record agrees with the parts that are given."""
        year, month, day = value
        if month is None and day is None:
            return year is not None and year in self.birth_years
        return value in self.dates or (year, month) in self.months

    @property
    def is_over_89(self) -> bool:
        """Whether somebody in the record is over 89."""
        return bool(self.ages)


def _partial(each: PartialDate) -> tuple[PartialDate, ...]:
    year, month, day = each
    if month is None:
        return ()
    if day is None:
        return (each, (None, month, None))
    return (
        each,
        (None, month, day),
        (year, month, None),
        (None, month, None),
        (None, None, day),
    )


def _days_of_stays(
    stays: Sequence[tuple[PartialDate, PartialDate]],
) -> list[PartialDate]:
    days: list[PartialDate] = []
    for start, end in stays:
        first, last = _as_date(start), _as_date(end)
        if first is None or last is None:
            continue
        length = (last - first).days
        if 0 <= length <= _LONGEST_STAY_DAYS:
            inside = (first + timedelta(days=n) for n in range(1, length))
            days += [(day.year, day.month, day.day) for day in inside]
    return days


def _as_date(each: PartialDate) -> date | None:
    year, month, day = each
    if year is None or month is None or day is None:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _over_89(
    births: Sequence[DatedYear], now: datetime | None
) -> tuple[set[int], set[int]]:
    ages: set[int] = set()
    years: set[int] = set()
    for year, month, day in births:
        oldest = OLDEST if year <= _LAST_BIRTH_YEAR_OVER_89 else 0
        if now is not None:
            had_birthday = (now.month, now.day) >= (month or 1, day or 1)
            oldest = now.year - year - (not had_birthday)
        if oldest >= OVER_89:
            years.add(year)
            ages.update(range(OVER_89, min(oldest, OLDEST) + 1))
    return ages, years


def _mailbox(email: str) -> str:
    return email.strip().lower().partition("@")[0]


_ROLE_BOXES = frozenset(
    "info office admin contact support help desk mail frontdesk reception billing".split()
)
"""Boxes that every house has: they name nobody at another host."""


def _bare_url(url: str) -> str:
    return url.strip().lower().partition("://")[2].rstrip("/") or url.strip().lower()
