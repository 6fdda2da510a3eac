"""A stream gives out what a scan allows, whatever pieces the text comes in."""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phitrail.errors import InputError, RefusedError
from phitrail.events.codes import GuardDecision, IdentifierClass
from phitrail.guard.decide import Judged
from phitrail.guard.found import Found, Relation
from phitrail.guard.stream import HELD, MOST_NAMES, GuardStream

_NUMBER = re.compile(r"[0-9][0-9-]{5,}[0-9]|\S+@\S+|(?:\b[0-9] ){5,}[0-9]\b")
_NAME = re.compile(r"(?<=Mr )[A-Z][a-z]+(?: [A-Z][a-z]+)?")
_KINDS = {True: IdentifierClass.NAME, False: IdentifierClass.OTHER}

WORDS = (
    *("seen", "today.", "stable;", "Mr Abel Orr", "Orr", "Mr Quill", "Quill", "a", "I"),
    *(
        "555-010-4477",
        "4 5 5 0 1 9 2",
        "who@clinic.example",
        "five six",
        "12",
        "/",
        "x" * 90,
    ),
    *("x" * 300, "9" * 300, "\n", "\n\n", "病人已出院", "\u200b", "QWJlbCBPcnI="),
)
TEXTS = st.lists(st.sampled_from(WORDS), max_size=120).map(" ".join)


def find(text: str, names: Sequence[str]) -> list[Found]:
    """Find numbers, addresses, names behind a title and names that are known."""
    places = [(match.span(), False) for match in _NUMBER.finditer(text)]
    places += [(match.span(), True) for match in _NAME.finditer(text)]
    for name in names:
        places += [(m.span(), True) for m in re.finditer(rf"\b{name}\b", text)]
    found: list[Found] = []
    for (start, end), is_name in sorted(places):
        if not found or found[-1].end <= start:
            found.append(Found(start, end, _KINDS[is_name], 0.9, "test"))
    return found


def learn(text: str, found: Sequence[Found]) -> Iterable[str]:
    """Give the words of names."""
    for one in found:
        if one.identifier_class is IdentifierClass.NAME:
            yield from text[one.start : one.end].split()


def judge_as(action: GuardDecision, blocked: str = "\0") -> "Judging":
    """Make a judge of one mind, who blocks one value."""
    return Judging(action, blocked)


class Judging:
    """Judges all alike, and keeps what it was asked."""

    def __init__(self, action: GuardDecision, blocked: str) -> None:
        self._action = action
        self._blocked = blocked

    def __call__(self, value: str, one: Found) -> Judged | None:
        """Judge one finding."""
        action = GuardDecision.BLOCK if value == self._blocked else self._action
        return Judged(
            one.start,
            one.end,
            one.identifier_class,
            one.score,
            one.rule,
            Relation.UNEXPECTED,
            action,
        )


def mask(value: str, _kind: IdentifierClass) -> str:
    """Replace a value by a sign of the same length: places stay."""
    return "#" * len(value)


def stream_of(
    judge: Judging | None = None, *, is_buffered: bool = False
) -> GuardStream:
    """Begin a stream that masks."""
    judge = judge or judge_as(GuardDecision.REDACT)
    return GuardStream(find, learn, judge, mask, is_buffered=is_buffered)


def run(stream: GuardStream, deltas: Iterable[str]) -> list[str]:
    """Pass a text through, piece by piece."""
    return [*(stream.feed(delta) for delta in deltas), stream.finish()]


def cut_up(text: str, sizes: Sequence[int]) -> list[str]:
    """Cut a text into pieces of these sizes, again and again."""
    pieces = []
    place = turn = 0
    while place < len(text):
        size = sizes[turn % len(sizes)]
        pieces.append(text[place : place + size])
        place, turn = place + size, turn + 1
    return pieces


SIZES = st.lists(st.integers(1, 700), min_size=1, max_size=8)


@given(TEXTS, SIZES)
@settings(max_examples=200, deadline=None)
def test_pieces_do_not_change_what_is_found(text: str, sizes: list[int]) -> None:
    """If they did, whoever chooses the pieces would choose what goes out."""
    whole, parts = stream_of(), stream_of()
    expected = "".join(run(whole, [text]))
    given_out = "".join(run(parts, cut_up(text, sizes)))

    assert expected == given_out
    assert whole.spans == parts.spans
    assert whole.released_length == parts.released_length == len(expected)


@given(TEXTS, SIZES)
@settings(max_examples=100, deadline=None)
def test_what_goes_out_is_the_text_with_its_spans_replaced(
    text: str, sizes: list[int]
) -> None:
    """A character lost, doubled or out of place would change what a clinician reads."""
    stream = stream_of()
    out = "".join(run(stream, cut_up(text, sizes)))
    expected = list(text)
    for span in stream.spans:
        expected[span.start : span.end] = "#" * (span.end - span.start)

    assert "".join(expected) == out
    assert all(a.end <= b.start for a, b in pairwise(stream.spans))
    assert len(text) == stream.original_length


@given(TEXTS, SIZES)
@settings(max_examples=100, deadline=None)
def test_no_more_than_the_bound_is_held_back(text: str, sizes: list[int]) -> None:
    """A stream that waits longer stalls the reader and grows without bound."""
    stream = stream_of()
    taken = out = 0
    for delta in cut_up(text, sizes):
        taken += len(delta)
        out += len(stream.feed(delta))

        assert taken - out < HELD


@given(TEXTS, SIZES)
@settings(max_examples=100, deadline=None)
def test_what_a_scan_of_the_whole_finds_by_its_shape_does_not_get_out(
    text: str, sizes: list[int]
) -> None:
    """No cut may fall into a number or an address, however the pieces come."""
    out = "".join(run(stream_of(), cut_up(text, sizes)))

    for one in find(text, ()):
        if one.identifier_class is IdentifierClass.OTHER:
            assert "#" * (one.end - one.start) == out[one.start : one.end]


def test_a_name_is_found_again_in_what_follows() -> None:
    """The title stands once; the name stands all over."""
    text = "Mr Abel Orr is here. " + "Nothing new. " * 60 + "Then Orr left with Abel."
    out = "".join(run(stream_of(), cut_up(text, [7])))

    assert "Orr" not in out
    assert "Abel" not in out


def test_what_stood_before_is_seen() -> None:
    """A title at the end of one step must tell the name at the beginning of the next."""
    for lead in range(150, 300):
        text = (
            "y " * (lead // 2) + "z" * (lead % 2) + " Mr Abel stays on. " + "w " * 200
        )
        out = "".join(run(stream_of(), [text]))

        assert "Abel" not in out


def test_a_blocked_span_stops_the_stream_before_it() -> None:
    """Neither it nor anything behind it may go out, and all before it has gone."""
    stream = stream_of(judge_as(GuardDecision.RELEASE, blocked="555-010-4477"))
    text = (
        "One 44-55-66-77 here. "
        + "Fine so far. " * 40
        + "Call 555-010-4477 now. Bye. " * 30
    )
    out = "".join(run(stream, cut_up(text, [11])))

    assert text[: text.index("555-010-4477")] == out
    assert stream.is_stopped
    assert len(text) == stream.original_length
    assert len(out) == stream.released_length
    assert stream.spans[-1].action is GuardDecision.BLOCK


def test_a_buffered_stream_gives_nothing_before_the_end() -> None:
    """What is released cannot be called back: such a policy waits for the whole."""
    stream = stream_of(is_buffered=True)
    text = "Mr Abel Orr called. " * 100
    pieces = run(stream, cut_up(text, [100]))

    assert not any(pieces[:-1])
    assert text.replace("Abel Orr", "########") == pieces[-1]


def test_a_buffered_stream_gives_nothing_of_a_blocked_answer() -> None:
    """Its beginning is as much of an answer that may not go out as its end."""
    stream = stream_of(judge_as(GuardDecision.RELEASE, "44-55-66-77"), is_buffered=True)
    pieces = run(stream, ["Long before. " * 40, "Then 44-55-66-77."])

    assert not any(pieces)
    assert stream.released_length == 0


def test_a_finding_that_is_passed_over_goes_out() -> None:
    """Below its threshold a finding is none."""
    stream = GuardStream(find, learn, lambda _value, _one: None, mask)

    assert run(stream, ["Call 555-010-4477."]) == ["", "Call 555-010-4477."]
    assert stream.spans == ()


def test_after_an_error_nothing_goes_out() -> None:
    """A scanner that raises once has not looked: the stream must not go on without it."""

    def fail(text: str, _names: Sequence[str]) -> list[Found]:
        if "boom" in text:
            raise ValueError("no")
        return []

    stream = GuardStream(fail, learn, judge_as(GuardDecision.REDACT), mask)
    first = stream.feed("calm words " * 40)
    with pytest.raises(ValueError, match="no"):
        stream.feed("boom " * 100)

    assert first
    assert stream.released_length == len(first)
    with pytest.raises(RefusedError):
        stream.feed("more")
    with pytest.raises(RefusedError):
        stream.finish()


def test_names_are_kept_up_to_a_bound() -> None:
    """A text of nothing but names must not make each step slower than the last."""
    seen: list[int] = []

    def watch(_text: str, names: Sequence[str]) -> list[Found]:
        seen.append(len(names))
        return []

    def many(_text: str, _found: Sequence[Found]) -> list[str]:
        return [f"{len(seen)}-{number}" for number in range(MOST_NAMES - 1)]

    run(GuardStream(watch, many, judge_as(GuardDecision.REDACT), mask), ["so " * 400])

    assert max(seen) == MOST_NAMES


def test_a_finished_stream_takes_nothing() -> None:
    """What comes behind the closing belongs to no access."""
    stream = stream_of()
    stream.finish()

    with pytest.raises(InputError):
        stream.feed("more")
    with pytest.raises(InputError):
        stream.finish()


def test_no_representation_shows_the_text() -> None:
    """An error report that prints the stream must not print the answer."""
    stream = stream_of()
    stream.feed("Mr Abel Orr called.")

    assert "Orr" not in repr(stream)


def test_a_value_without_end_stays_covered() -> None:
    """A value longer than what is held is cut; what follows of it must not get out."""
    text = "Mail " + "q" * 700 + "@" + "r" * 700 + " and rest. " + "7" * 900 + " done"
    out = "".join(run(stream_of(), cut_up(text, [90])))

    assert "7" not in out
    assert "@" not in out
    assert out.endswith(" done")
    assert " and rest. " in out
    assert "r" * 3 not in out
