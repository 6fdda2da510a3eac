"""What is left: places in a redacted text lead back to the places in its source."""

from hypothesis import given
from hypothesis import strategies as st

from phitrail.events.codes import GuardDecision, IdentifierClass
from phitrail.guard.decide import Judged
from phitrail.guard.found import Found, Relation
from phitrail.guard.left_over import Redacted, apart_from
from phitrail.guard.redact import Redactor

NAME = IdentifierClass.NAME


def judged(start: int, end: int) -> Judged:
    """Make a span that is to be redacted."""
    return Judged(start, end, NAME, 0.9, "x", Relation.UNEXPECTED, GuardDecision.REDACT)


def redacted(text: str, spans: list[tuple[int, int]]) -> Redacted:
    """Redact places of a text."""
    return Redacted.of(
        text, [judged(*span) for span in spans], Redactor("placeholder", b"")
    )


@st.composite
def cut_texts(draw: st.DrawFn) -> tuple[str, list[tuple[int, int]]]:
    """Draw a text and disjoint places in it, in order."""
    text = draw(st.text("ab c1", min_size=4, max_size=40))
    edges = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    return text, list(zip(edges[::2], edges[1::2], strict=False))


@given(cut_texts())
def test_what_was_kept_is_found_where_it_stood(
    cut: tuple[str, list[tuple[int, int]]],
) -> None:
    """A finding that is led to a wrong place redacts the wrong letters."""
    text, spans = cut
    result = redacted(text, spans)
    for place, source, length in result.kept:
        assert result.text[place : place + length] == text[source : source + length]
    whole = Found(0, len(result.text), NAME, 0.9, "x")
    covered = {
        place
        for one in result.in_source([whole])
        for place in range(one.start, one.end)
    }
    replaced = {place for start, end in spans for place in range(start, end)}

    assert covered == set(range(len(text))) - replaced


def test_a_part_of_a_word_is_told() -> None:
    """What is left of a number may be a number: its shape is to be looked at again."""
    assert redacted("MRN 44712209", [(4, 8)]).is_glued
    assert not redacted("MRN 4471 2209", [(4, 8)]).is_glued


def test_only_what_touches_nothing_known_is_new() -> None:
    """A finding that reaches into a known one would be redacted twice."""
    new, touching = Found(0, 3, NAME, 0.9, "x"), Found(8, 12, NAME, 0.9, "x")

    assert apart_from([new, touching], [judged(4, 9)]) == [new]
