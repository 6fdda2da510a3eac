"""What the records of an access say is found in every rendering that the docs list."""

import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.events.codes import IdentifierClass
from phitrail.guard.dates import find_dates
from phitrail.guard.found import Found, PersonRole
from phitrail.guard.record_context import RecordContext
from phitrail.guard.record_match import match_record

PAGE = (
    Path(__file__)
    .parents[2]
    .joinpath("docs", "guard-record-context.md")
    .read_text("utf-8")
)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def _record() -> dict[str, object]:
    block = PAGE.split("```json")[1].split("```")[0]
    record: dict[str, object] = json.loads(block)
    return record


CONTEXT = RecordContext.from_records([_record()], now=NOW)


def _match(text: str, context: RecordContext = CONTEXT) -> list[Found]:
    return match_record(context, text, find_dates(text))


def _left(text: str, inside: str, context: RecordContext = CONTEXT) -> list[str]:
    """Return the words of `inside` that no finding covers."""
    start = text.index(inside)
    covered = {n for one in _match(text, context) for n in range(one.start, one.end)}
    return [
        word[0]
        for word in re.finditer(r"\w+", inside)
        if not covered.issuperset(range(start + word.start(), start + word.end()))
    ]


def _rows(columns: int) -> Iterator[list[str]]:
    for line in PAGE.split("## What is found")[1].splitlines():
        cells = line.strip("|").split(" | ")
        if line.startswith("|") and len(cells) == columns and "`" in line:
            yield cells


RENDERINGS = [
    (cells[0].strip(), rendering)
    for cells in _rows(3)
    if cells[1].count("`") == 0
    for rendering in re.findall(r"`([^`]+)`", cells[2])
]
COUNTING = [
    (counts, rendering)
    for cells in _rows(3)
    if cells[1].count("`")
    for counts, cell in ((True, cells[1]), (False, cells[2]))
    for rendering in re.findall(r"`([^`]+)`", cell)
]
_BEHIND_A_CUE = {
    "SSN ending in 4320": "4320",
    "last four digits of her social are 4320": "4320",
    "Pt KB": "KB",
    "Ms. B.": "B",
    "AS, MD": "AS",
    "Merrow County": "Merrow",
}
ABSENT = re.findall(r"\(`([^`]+)`\)", PAGE.split("## What is not found")[1])


@pytest.mark.parametrize("at", range(len(RENDERINGS)))
@pytest.mark.parametrize("frame", ["Noted for %s today.", "%s", "chart: %s\nBP 120/80"])
def test_every_documented_rendering_is_found_whole(at: int, frame: str) -> None:
    """A rendering that the page promises and the code misses would be redacted."""
    what, rendering = RENDERINGS[at]
    inside = "94" if what == "age" else _BEHIND_A_CUE.get(rendering, rendering)
    left = _left(frame % rendering, inside)

    assert left == []


@pytest.mark.parametrize("at", range(len(COUNTING)))
def test_ordinary_words_count_only_as_documented(at: int) -> None:
    """Taking every `will` for a name would release words as a patient's name."""
    counts, rendering = COUNTING[at]
    found = _match(f"Noted today. {rendering}.")

    assert bool(found) == counts


@pytest.mark.parametrize("at", range(len(ABSENT)))
def test_what_the_page_says_is_not_found_is_not(at: int) -> None:
    """The page must not promise less, or more, than the code does."""
    found = _match(f"Noted today, {ABSENT[at]} and so on.")

    assert found == []


def test_the_page_has_examples() -> None:
    """A page whose tables no longer parse would make the tests above empty."""
    assert (len(RENDERINGS) > 80, len(COUNTING) > 10, len(ABSENT) > 6) == (
        True,
        True,
        True,
    )


def test_findings_carry_class_role_and_score() -> None:
    """Policy decides by class and role; a wrong one releases what it should not."""
    text = "Katherine Brannigan, son Will Öhlsen, Dr. Sørby, MRN 48213977."
    found = _match(text)
    told = [
        (text[one.start : one.end], one.identifier_class, one.role) for one in found
    ]

    assert told == [
        ("Katherine Brannigan", IdentifierClass.NAME, PersonRole.PATIENT),
        ("Will Öhlsen", IdentifierClass.NAME, PersonRole.RELATIVE),
        ("Sørby", IdentifierClass.NAME, PersonRole.PROVIDER),
        ("48213977", IdentifierClass.MRN, None),
    ]
    assert {(one.score, one.is_in_record) for one in found} == {(1.0, True)}


def test_findings_are_in_order_and_do_not_overlap() -> None:
    """What merges findings counts on it."""
    text = " ".join(rendering for _, rendering in RENDERINGS)
    found = _match(text)
    ends = [one.end for one in found[:-1]]
    starts = [one.start for one in found[1:]]

    assert all(end <= start for end, start in zip(ends, starts, strict=True))


def test_the_same_text_gives_the_same_findings() -> None:
    """Evidence must be repeatable."""
    text = "; ".join(rendering for _, rendering in RENDERINGS)

    assert _match(text) == _match(text)


@pytest.mark.parametrize(
    "text",
    [
        "HR 94, SpO2 94%, BP 94/50.",
        "Brannigan's sign was negative and the Brannigan test normal.",
        "He took 19601 mg? No: 400 mg in 12 doses over 418 days.",
        "Temp 38.4, WBC 4.2, glucose 418, INR 2.0, pain 6/10.",
        "Olaf stayed home; the saint's day was quiet.",
        "Regional medical center guidelines; memorial fund.",
    ],
)
def test_numbers_and_words_of_the_chart_are_left_alone(text: str) -> None:
    """A matcher that takes lab values for ids would release or redact at random."""
    assert _match(text) == []


def test_a_short_id_wants_a_cue() -> None:
    """A number of four digits is mostly a dose, a year or a count."""
    context = RecordContext.from_records([{"mrn": "3307"}])
    told = ["MRN 3307", "MRN: 3307", "chart no. 3307", "#3307"]
    untold = ["3307 mL", "gave 3307 today", "3307.5", "$3307"]

    assert [bool(_match(text, context)) for text in told] == [True] * 4
    assert [bool(_match(text, context)) for text in untold] == [False] * 4


def test_a_name_without_capitals_is_found_in_hurried_text() -> None:
    """Dictation and chat come in lower case."""
    text = "saw katherine today w her son bill, bp ok. dr sorby agrees. lives in reading pa"
    found = [text[one.start : one.end] for one in _match(text)]

    assert found == ["katherine", "bill", "sorby", "reading"]


def test_initials_behind_a_cue_are_found() -> None:
    """`pt KB` names the patient as well as a name does."""
    text = "Pt KB is stable. KB panel sent."
    found = [(one.start, one.end) for one in _match(text)]

    assert found == [(3, 5)]


def test_an_age_needs_somebody_over_89() -> None:
    """Ages up to 89 are neutral; 94 is nobody's age in a record of a child."""
    child = RecordContext.from_records([{"birth_date": "2015-02-03"}], now=NOW)

    assert _match("94-year-old", child) == []
    assert [one.rule for one in _match("a nonagenarian, born in 1931")] == [
        "record.age",
        "record.birth_year",
    ]


def test_a_phone_from_abroad_is_found_as_dialled_at_home() -> None:
    """Trunk zeros and country codes differ between record and answer."""
    context = RecordContext.from_records([{"phone": "+44 7700 900123"}])

    assert _left("call 07700 900 123 now", "07700 900 123", context) == []
    assert _left("call +44 7700 900123 now", "44 7700 900123", context) == []


def test_a_text_of_signs_only_gives_nothing() -> None:
    """Empty and odd texts must not raise: the guard would withhold them."""
    odd = [
        "",
        "   ",
        "@",
        "a@",
        "@b",
        "://",
        "\ud800",
        "\u0301\u0301",
        "⑦⑧",
        "x" * 5000,
    ]

    assert [_match(text) for text in odd] == [[]] * len(odd)


def test_places_are_of_the_text_that_was_given() -> None:
    """Letters that grow when lowered, or fold into two, must not shift places."""
    text = "\u0130\u0130 ß æ — Katherine Brannigan, e\u0301te\u0301, MRN 48213977"
    found = [text[one.start : one.end] for one in _match(text)]

    assert found == ["Katherine Brannigan", "48213977"]


@given(
    st.lists(
        st.one_of(
            st.text(max_size=6),
            st.sampled_from([rendering for _, rendering in RENDERINGS]),
            st.sampled_from([" ", "\n", ", ", "-", "/", "@", "\u200b", "\u0661", "."]),
        ),
        max_size=12,
    )
)
def test_any_text_gives_ordered_places_inside_it(parts: list[str]) -> None:
    """One odd sign that raises would withhold a whole answer."""
    text = "".join(parts)
    found = _match(text)
    ends = [0, *(one.end for one in found)]

    assert all(
        end <= one.start < one.end for end, one in zip(ends, found, strict=False)
    )
    assert ends[-1] <= len(text)


def test_a_long_text_is_matched_in_parts_at_the_same_places() -> None:
    """An answer of many pages must not need memory in proportion, nor shift places."""
    line = (
        "Katherine Brannigan, MRN 48213977, seen 26 May 2025. Nothing else to report.\n"
    )
    text = line * 2000
    found = _match(text)
    told = {text[one.start : one.end] for one in found}

    assert told == {"Katherine Brannigan", "48213977", "26 May 2025"}
    assert len(found) == 6000


@pytest.mark.parametrize("joint", [" ", ""])
def test_a_text_without_lines_is_matched_in_parts_too(joint: str) -> None:
    """One endless line must not defeat the bound on memory."""
    text = joint.join(["x" * 999] * 150) + " MRN 48213977"
    found = [text[one.start : one.end] for one in _match(text)]

    assert found == ["48213977"]


@pytest.mark.parametrize(
    "unit",
    ["0 ", "zero ", "will ", "4 ", "@a", "x@", "K.", "12/3 ", "http://a ", "of "],
)
def test_repeated_pieces_take_linear_time(unit: str) -> None:
    """A text that repeats one piece must not stop the guard: work is counted, not time."""
    walked = [0, 0]
    for n, times in enumerate((2000, 4000)):
        text = unit * times
        walked[n] = _calls(text)

    assert walked[1] <= 2.5 * walked[0] + 1000


def _calls(text: str) -> int:
    """Count the calls that matching makes, into Python and into C."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        match_record(CONTEXT, text, [])
    finally:
        sys.setprofile(before)
    return calls
