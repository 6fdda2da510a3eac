"""Redaction: replaces what may not go on, the same way each time, and nothing else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.errors import InputError
from phitrail.events.codes import GuardDecision, IdentifierClass
from phitrail.guard.decide import Judged
from phitrail.guard.found import Found, Relation
from phitrail.guard.left_over import Redacted
from phitrail.guard.placeholders import outside_placeholders, placeholders_in
from phitrail.guard.policy import RedactionStyle
from phitrail.guard.redact import Redactor

NAME = IdentifierClass.NAME
PHONE = IdentifierClass.PHONE
STYLES: tuple[RedactionStyle, ...] = ("placeholder", "surrogate", "mask")


def _judged(
    start: int,
    end: int,
    kind: IdentifierClass = NAME,
    action: GuardDecision = GuardDecision.REDACT,
) -> Judged:
    return Judged(start, end, kind, 0.9, "rule", Relation.UNEXPECTED, action)


@st.composite
def _texts_with_spans(draw: st.DrawFn) -> tuple[str, list[Judged]]:
    text = draw(st.text(max_size=60))
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    pairs = zip(cuts[::2], cuts[1::2], strict=False)
    kinds = st.sampled_from(IdentifierClass)
    actions = st.sampled_from(GuardDecision)
    return text, [_judged(a, b, draw(kinds), draw(actions)) for a, b in pairs]


@given(_texts_with_spans(), st.sampled_from(STYLES), st.binary(max_size=4))
def test_what_is_outside_the_spans_stays_in_its_order(
    case: tuple[str, list[Judged]], style: RedactionStyle, seed: bytes
) -> None:
    """A redaction that shifts by one character shows what it should hide."""
    text, spans = case
    redactor = Redactor(style, seed)
    expected, done = "", 0
    replacing = Redactor(style, seed)
    for span in spans:
        value = text[span.start : span.end]
        is_replaced = span.action in {GuardDecision.REDACT, GuardDecision.BLOCK}
        kind = span.identifier_class
        new = replacing.replacement(value, kind) if is_replaced else value
        expected += text[done : span.start] + new
        done = span.end

    assert expected + text[done:] == Redacted.of(text, spans, redactor).text


@given(_texts_with_spans())
def test_a_mask_keeps_offsets_and_shows_no_letter(
    case: tuple[str, list[Judged]],
) -> None:
    """Whoever masks does so to keep the layout of a table."""
    text, spans = case
    masked = Redacted.of(text, spans, Redactor("mask", b"")).text

    assert len(text) == len(masked)
    for span in spans:
        if span.action == GuardDecision.REDACT:
            assert not any(c.isalnum() for c in masked[span.start : span.end])


@given(_texts_with_spans())
def test_placeholders_are_found_again_and_hold_nothing_else(
    case: tuple[str, list[Judged]],
) -> None:
    """The next scan must know its own marks, or redaction would never end."""
    text, spans = case
    text = text.replace("[", "(")
    replaced = [span for span in spans if span.action == GuardDecision.REDACT]
    safe = Redacted.of(text, replaced, Redactor("placeholder", b"")).text
    places = placeholders_in(safe)
    whole = [Found(0, len(safe), NAME, 1.0, "rule")] if safe else []
    left = outside_placeholders(safe, whole)

    assert len(places) == len(replaced)
    for start, end in places:
        assert all(each.end <= start or end <= each.start for each in left)


def test_one_person_has_one_number_however_the_name_is_written() -> None:
    """A reader must be able to tell who did what to whom."""
    redactor = Redactor("placeholder", b"")
    names = [
        ("Zelda Quist", 1),
        ("Ms. Quist", 1),
        ("QUIST, Zelda B.", 1),
        ("Zelda's", 1),
        ("Tom Quist", 2),
        ("Quist", 2),
        ("ZQ", 1),
        ("T.Q.", 2),
        ("Tom Anders Quist", 2),
        ("Anders", 2),
        ("XY", 3),
        ("X.Y.", 3),
        ("BO", 4),
        ("Bo", 4),
    ]

    for name, number in names:
        assert redactor.replacement(name, NAME) == f"[NAME-{number}]", name


def test_one_number_has_one_placeholder_in_every_rendering_and_by_its_last_four() -> (
    None
):
    """Two placeholders for one phone would make two phones of it."""
    redactor = Redactor("placeholder", b"")
    first = redactor.replacement("(212) 555-0147", PHONE)

    assert first == redactor.replacement("212.555.0147", PHONE) == "[PHONE-1]"
    assert first == redactor.replacement("0147", PHONE)
    assert redactor.replacement("212-555-0199", PHONE) == "[PHONE-2]"


def test_an_age_over_89_is_called_an_age() -> None:
    """A reader who takes an age for a date reads the sentence wrongly."""
    date = IdentifierClass.DATE

    assert Redactor("placeholder", b"").replacement("93", date) == "[AGE-1]"
    assert Redactor("surrogate", b"").replacement("93", date) == "90+"
    for worded in ("ninety-three", "late nineties", "nonagenarian", "one hundred two"):
        assert Redactor("placeholder", b"").replacement(worded, date) == "[AGE-1]"
    for no_age in ("march third nineteen ninety two", "1929", "the nineteenth"):
        assert Redactor("placeholder", b"").replacement(no_age, date) == "[DATE-1]"


def test_what_has_no_safe_surrogate_gets_a_placeholder() -> None:
    """A holiday cannot be moved by a month; it must not stay for that."""
    redactor = Redactor("surrogate", b"seed")

    assert redactor.replacement("Midsummer", IdentifierClass.DATE) == "[DATE-1]"


def test_a_number_past_999_is_left_out() -> None:
    """Digits in a placeholder could otherwise tell something."""
    redactor = Redactor("placeholder", b"")
    last = [
        redactor.replacement(f"{n}@example.org", IdentifierClass.EMAIL)
        for n in range(1001)
    ]

    assert last[998:] == ["[EMAIL-999]", "[EMAIL]", "[EMAIL]"]
    assert all(placeholders_in(each) for each in last)


@pytest.mark.parametrize("text", ["[NAME-1234]", "[NAME-0]", "[SMITH-1]", "[NAME 1]"])
def test_what_only_looks_like_a_placeholder_is_scanned(text: str) -> None:
    """Whoever writes brackets around a number must not hide it so."""
    assert not placeholders_in(text)


def test_a_finding_is_cut_at_placeholders_and_the_rest_is_kept() -> None:
    """A name that stands against a placeholder must not hide behind it."""
    text = "Ames [NAME-1], Bell[NAME-2] - [DATE-1] and Cobb"
    whole = Found(0, len(text) - 9, NAME, 0.7, "rule")
    text += " [NAME-3]"
    after = Found(len(text) - 13, len(text) - 9, NAME, 0.7, "rule")
    left = outside_placeholders(text, [whole, after])

    assert [text[each.start : each.end] for each in left] == ["Ames", "Bell", "Cobb"]
    assert left[0].score == 0.7


@pytest.mark.parametrize(
    "spans",
    [
        [_judged(0, 3), _judged(2, 4)],
        [_judged(4, 5), _judged(0, 1)],
        [_judged(3, 9)],
        [_judged(2, 2)],
        [_judged(-2, 2)],
    ],
)
def test_spans_that_overlap_or_leave_the_text_are_refused(spans: list[Judged]) -> None:
    """A wrong offset must withhold the answer, not show a part of it."""
    with pytest.raises(InputError) as caught:
        Redacted.of("abcde", spans, Redactor("placeholder", b""))

    assert not re.search("abcde", str(caught.value))


@pytest.mark.parametrize("style", STYLES)
def test_a_redactor_shows_nothing_of_what_it_knows(style: RedactionStyle) -> None:
    """It holds names; a log line that prints it must not."""
    redactor = Redactor(style, b"")
    redactor.replacement("Zelda Quist", NAME)

    assert "uist" not in repr(redactor).lower()


def test_many_people_take_time_in_proportion() -> None:
    """A text of one surname ten thousand times must not take hours."""
    redactor = Redactor("placeholder", b"")
    last = ""
    for number in range(10_000):
        first = "".join(chr(97 + number // 26**place % 26) for place in range(4))
        last = redactor.replacement(f"X{first} Quist", NAME)

    assert last == "[NAME]"
