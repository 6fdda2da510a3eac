"""The figures are those of the definitions, on cases small enough to count by hand."""

import json
from pathlib import Path

import pytest

from phitrail.guard.evaluate import (
    Evaluation,
    Failure,
    Figure,
    evaluate,
    score,
    wilson,
)
from phitrail.guard.labelled import LabelledSpan, LabelledText, read_labelled

SETS = Path(__file__).parents[3] / "shared" / "data" / "phi"
PUBLISHED = {
    "comprehend_t0.0": (0.971, 0.977, 0.107, 0.012, 6.3),
    "comprehend_t0.5": (0.941, 0.982, 0.146, 0.048, 4.8),
    "comprehend_t0.8": (0.886, 0.985, 0.193, 0.120, 3.9),
    "presidio_2.2.360_lg+2": (0.684, 0.905, 0.286, 0.221, 18.0),
}
"""Recall, precision, leak, miss and false words over all 1,051 texts of ASQ-PHI, as taken by
another program; the set here holds 250 of them."""


def span(
    start: int, end: int, label: str = "NAME", *, phi: bool = True
) -> LabelledSpan:
    """Make a span."""
    return LabelledSpan(start=start, end=end, label=label, phi=phi)


def text(
    written: str, *spans: LabelledSpan, name: str = "a", genre: str | None = None
) -> LabelledText:
    """Make a labelled text."""
    return LabelledText(id=name, text=written, spans=spans, genre=genre)


def values(found: Evaluation) -> list[float | None]:
    """Return the six figures over all texts."""
    all_ = found.overall
    figures = (
        all_.recall,
        all_.precision,
        all_.leak,
        all_.miss,
        all_.false_words,
        all_.dirty,
    )
    return [figure.value for figure in figures]


def test_all_six_figures_of_a_text_counted_by_hand() -> None:
    """One figure that counts something else makes every table of ours wrong."""
    #           0123456789012345678901234567890
    written = "Ana Roe, 44, saw Dr. Lee at Rye"
    spans = (span(0, 7), span(9, 11, "AGE", phi=False), span(21, 24), span(28, 31))
    # Covered: "Ana", the neutral 44, "saw", the "Le" of Lee.
    marked = [(0, 3), (9, 11), (13, 16), (21, 23)]

    found = score([text(written, *spans)], [marked])

    assert [
        pytest.approx(5 / 12),  # Ana and Le of AnaRoe, Lee, Rye
        pytest.approx(5 / 8),  # ... of Ana, saw, Le
        pytest.approx(3 / 3),  # Roe, Lee and Rye can be read
        pytest.approx(1 / 3),  # nothing of Rye is covered
        pytest.approx(1000 * 1 / 8),  # saw, of eight words
        1.0,
    ] == values(found)
    assert found.failures == (
        Failure("a", "leak", "NAME", 0, 7),
        Failure("a", "leak", "NAME", 21, 24),
        Failure("a", "leak", "NAME", 28, 31),
        Failure("a", "false word", "", 13, 16),
    )


def test_signs_between_words_need_no_cover() -> None:
    """A redactor that leaves a hyphen or a space gives nothing away."""
    found = score([text("12-34 56", span(0, 8, "ID"))], [[(0, 2), (3, 5), (6, 8)]])

    assert values(found) == [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]


def test_neutral_text_is_neither_hit_nor_miss() -> None:
    """Whether an age of 44 goes is the redactor's choice."""
    written = "aged 44"
    neutral = text(written, span(5, 7, "AGE", phi=False))

    for marked in ([], [(5, 7)]):
        found = score([neutral], [marked])

        assert values(found) == [None, None, None, None, 0.0, 0.0]


def test_what_is_both_phi_and_neutral_is_phi() -> None:
    """Sets label a title inside a name; the name must not get lost under it."""
    both = text("Dr Roe", span(0, 6), span(0, 2, "TITLE", phi=False))

    assert score([both], [[]]).overall.recall.n == 5


def test_figures_stand_by_label_and_by_genre() -> None:
    """A good total hides the class that leaks."""
    texts = [
        text("Ana 12", span(0, 3), span(4, 6, "ID"), genre="letter"),
        text("Roe", span(0, 3), name="b", genre="note"),
        text("plain", name="c"),
    ]

    found = score(texts, [[(0, 3)], [(0, 3)], []])

    assert {each.name: (each.spans, each.leak.value) for each in found.by_label} == {
        "ID": (1, 1.0),
        "NAME": (2, 0.0),
    }
    assert {each.name: (each.texts, each.recall.value) for each in found.by_genre} == {
        "letter": (1, 0.6),
        "note": (1, 1.0),
    }


def test_an_interval_is_repeatable_and_holds_its_value() -> None:
    """Two runs over one file must print one table."""
    texts = [text("Ana Roe", span(0, 7), name=str(n)) for n in range(40)]
    marked = [[(0, 3 if n % 4 else 7)] for n in range(40)]

    leak = score(texts, marked).overall.leak

    assert leak == score(texts, marked).overall.leak
    assert (leak.value, leak.n, leak.method) == (0.75, 40, "bootstrap")
    assert leak.low is not None
    assert leak.high is not None
    low, high = wilson(30, 40)
    assert leak.low == pytest.approx(low, abs=0.03)
    assert leak.high == pytest.approx(high, abs=0.03)


def test_no_failure_at_all_still_has_an_interval() -> None:
    """Nothing leaked in 40 texts does not show that nothing leaks."""
    texts = [text("Ana Roe", span(0, 7), name=str(n)) for n in range(40)]

    found = score(texts, [[(0, 7)]] * 40).overall

    assert found.leak == Figure(0.0, 0.0, wilson(0, 40)[1], 40, "wilson")
    assert found.recall.low == pytest.approx(wilson(40, 40)[0])
    assert found.false_words.high == pytest.approx(500 * wilson(0, 40)[1])


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0)],
)
def test_wilson_agrees_with_worked_values(
    hits: int, n: int, low: float, high: float
) -> None:
    """Solved by hand from the quadratic of Wilson's paper, z = 1.96."""
    assert list(wilson(hits, n)) == pytest.approx([low, high], abs=1e-4)


def test_words_that_run_into_each_other_across_a_span_are_seen() -> None:
    """A finder may mark places that overlap, or that reach past the end."""
    found = score([text("Ana Roe", span(0, 7))], [[(0, 5), (3, 99), (-4, 1)]])

    assert found.overall.leak.value == 0.0


def test_a_finder_is_asked_once_for_each_text_and_progress_is_told() -> None:
    """An evaluation of an hour must show how far it is."""
    told: list[tuple[int, int]] = []
    texts = [text("Ana", span(0, 3), name=str(n)) for n in range(3)]

    found = evaluate(texts, lambda _: [(0, 3)], progress=lambda *at: told.append(at))

    assert found.overall.recall.value == 1.0
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_figure_prints_its_interval_or_a_dash() -> None:
    """A figure without its interval is quoted without it."""
    assert Figure(0.5, 0.25, 0.75, 8, "wilson").show() == "0.500 (0.250-0.750)"
    assert Figure(None, None, None, 0, "wilson").show() == "-"


@pytest.mark.skipif(
    not (SETS / "asq_dev_competitors.jsonl").exists(),
    reason="the development sets (../shared/data/phi) are not here",
)
@pytest.mark.parametrize("system", sorted(PUBLISHED))
def test_figures_published_for_other_systems_come_out(system: str) -> None:
    """Taken by another program over all of the set: they must lie in our intervals."""
    with (SETS / "asq_dev.jsonl").open("rb") as file:
        texts = read_labelled(file, "asq_dev")
    with (SETS / "asq_dev_competitors.jsonl").open("rb") as file:
        told = {each["id"]: each["preds"] for each in map(json.loads, file)}
    texts = [each for each in texts if told[each.id]]
    marked = [[(s, e) for s, e, _ in told[each.id][system]] for each in texts]

    found = score(texts, marked).overall

    figures = (
        found.recall,
        found.precision,
        found.leak,
        found.miss,
        found.false_words,
    )
    rounding = (0.0005, 0.0005, 0.0005, 0.0005, 0.05)
    for figure, published, half in zip(
        figures, PUBLISHED[system], rounding, strict=True
    ):
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low - half <= published <= figure.high + half
