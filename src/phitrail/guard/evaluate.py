r"""How well a finder does on labelled texts: the figures that our documents carry.

A redactor is judged: it counts what is covered, not how it is called.

1. *Recall*: of the alphanumeric characters of PHI, the share that is covered.
2. *Precision*: of the alphanumeric characters that are covered, the share that is PHI.
   Neutral characters count neither way.
3. *Leak*: of the PHI spans, the share of which any word (`\w+`) is not wholly covered.
   *Miss*: the share of which no character is covered.
4. *False words*: covered words that touch neither PHI nor anything neutral, in 1,000 words
   of the text. *Dirty*: the share of texts with at least one.

Intervals are 95 %. Texts are the unit: words of one text stand and fall together, so spans
must not be taken for independent. Recall, precision, leak, miss and false words are drawn
anew 2,000 times over texts (bootstrap, percentiles, fixed seed: the same file gives the same
table). Where every text has the same outcome (no leak at all, say) drawing shows no width;
Wilson's interval over the texts that count stands there, and in `method`. Dirty is a share
of texts: Wilson.

What this does not say: how the finder does on texts of another kind. Labelled sets are small
and tidy; a hospital's own labelled file is the figure that counts.

Source: E. B. Wilson, JASA 22 (1927) 209-212; B. Efron, Ann. Statist. 7 (1979) 1-26.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from phitrail.guard.labelled import LabelledText

Place: TypeAlias = tuple[int, int]
Finder: TypeAlias = Callable[[LabelledText], Sequence[Place]]
Counts: TypeAlias = NDArray[np.int64]
Marks: TypeAlias = NDArray[np.uint8]

DRAWS: Final = 2000
SEED: Final = 20_261_121
Z95: Final = 1.959_963_984_540_054
PER_WORDS: Final = 1000

_WORD = re.compile(r"\w+")
_PHI, _NEUTRAL = 1, 2
(_CHARS, _CAUGHT, _MARKED, _RIGHT, _SPANS, _LEAKS, _MISSES, _WORDS, _FALSE) = range(9)
_COLUMNS = 9


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure with its interval; None where there is nothing to measure.

    `method` is `bootstrap` or `wilson`; `n` counts what the figure is a share of.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    method: str

    def show(self, form: str = ".3f") -> str:
        """Write the figure with its interval."""
        if self.value is None or self.low is None or self.high is None:
            return "-"
        return (
            f"{format(self.value, form)} "
            f"({format(self.low, form)}-{format(self.high, form)})"
        )


@dataclass(frozen=True, slots=True)
class Scores:
    """The figures of one group of texts, or of one label in all of them.

    Of a label there are only recall, leak and miss: what is covered has no label.
    """

    name: str
    texts: int
    spans: int
    words: int
    recall: Figure
    precision: Figure
    leak: Figure
    miss: Figure
    false_words: Figure
    dirty: Figure


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure, by place: a `leak` of a label, or a `false word`."""

    text_id: str
    kind: str
    label: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything that is told of a finder over one set."""

    overall: Scores
    by_label: tuple[Scores, ...]
    by_genre: tuple[Scores, ...]
    failures: tuple[Failure, ...]


def evaluate(
    texts: Sequence[LabelledText],
    find: Finder,
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Evaluation:
    """Run a finder over labelled texts and score what it covers."""
    marked = []
    for done, text in enumerate(texts, start=1):
        marked.append(find(text))
        progress(done, len(texts))
    return score(texts, marked)


def score(
    texts: Sequence[LabelledText], marked: Sequence[Sequence[Place]]
) -> Evaluation:
    """Score places that were marked in each text."""
    failures: list[Failure] = []
    labels = sorted({s.label for text in texts for s in text.spans if s.phi})
    number = {label: place for place, label in enumerate(labels, start=1)}
    # The first group is all texts, the others are one label each.
    groups = np.zeros((len(texts), len(labels) + 1, _COLUMNS), np.int64)
    for at, (text, places) in enumerate(zip(texts, marked, strict=True)):
        covered = _covered(text, places)
        _count_spans(text, covered, groups[at], number, failures)
        _count_text(text, covered, groups[at, 0], failures)
    drawn = _drawn(groups)
    by_label = [
        _scores(label, groups[:, n], drawn[:, n], int((groups[:, n, _SPANS] > 0).sum()))
        for label, n in number.items()
    ]
    return Evaluation(
        overall=_scores("all", groups[:, 0], drawn[:, 0], len(texts)),
        by_label=tuple(by_label),
        by_genre=tuple(_by_genre(texts, groups[:, :1])),
        failures=tuple(failures),
    )


def _by_genre(texts: Sequence[LabelledText], groups: Counts) -> Iterator[Scores]:
    for genre in sorted({text.genre for text in texts if text.genre is not None}):
        part = groups[[at for at, text in enumerate(texts) if text.genre == genre]]
        yield _scores(genre, part[:, 0], _drawn(part)[:, 0], len(part))


def _covered(text: LabelledText, places: Iterable[Place]) -> Marks:
    covered = np.zeros(len(text.text), np.uint8)
    for start, end in places:
        covered[max(start, 0) : max(end, 0)] = 1
    return covered


def _count_spans(
    text: LabelledText,
    covered: Marks,
    groups: Counts,
    number: dict[str, int],
    failures: list[Failure],
) -> None:
    """Count the PHI spans of a text, for all and for their labels."""
    for span in text.spans:
        if not span.phi:
            continue
        place = slice(span.start, span.end)
        alnum = np.fromiter(map(str.isalnum, text.text[place]), np.uint8)
        is_leaking = _is_leaking(text.text, span.start, span.end, covered)
        label = groups[number[span.label]]
        label[_CHARS] += int(alnum.sum())
        label[_CAUGHT] += int((alnum & covered[place]).sum())
        for counts in (label, groups[0]):
            counts[_SPANS] += 1
            counts[_LEAKS] += is_leaking
            counts[_MISSES] += not covered[place].any()
        if is_leaking:
            failures.append(Failure(text.id, "leak", span.label, span.start, span.end))


def _count_text(
    text: LabelledText, covered: Marks, counts: Counts, failures: list[Failure]
) -> None:
    """Count the characters and words of a text."""
    gold = np.zeros(len(text.text), np.uint8)
    for span in sorted(text.spans, key=lambda span: span.phi):
        gold[span.start : span.end] = _PHI if span.phi else _NEUTRAL
    alnum = np.fromiter(map(str.isalnum, text.text), np.uint8, len(text.text))
    is_phi = gold == _PHI
    counts[_CHARS] = int((alnum & is_phi).sum())
    counts[_CAUGHT] = counts[_RIGHT] = int((alnum & is_phi & covered).sum())
    counts[_MARKED] = int((alnum & covered & (gold != _NEUTRAL)).sum())
    for word in _WORD.finditer(text.text):
        counts[_WORDS] += 1
        place = slice(*word.span())
        if covered[place].any() and not gold[place].any():
            counts[_FALSE] += 1
            failures.append(Failure(text.id, "false word", "", *word.span()))


def _is_leaking(text: str, start: int, end: int, covered: Marks) -> bool:
    words = _WORD.finditer(text[start:end])
    return any(
        not covered[start + word.start() : start + word.end()].all() for word in words
    )


def _scores(name: str, rows: Counts, drawn: Counts, texts: int) -> Scores:
    return Scores(
        name=name,
        texts=texts,
        spans=int(rows[:, _SPANS].sum()),
        words=int(rows[:, _WORDS].sum()),
        recall=_ratio(rows, drawn, _CAUGHT, _CHARS),
        precision=_ratio(rows, drawn, _RIGHT, _MARKED),
        leak=_ratio(rows, drawn, _LEAKS, _SPANS),
        miss=_ratio(rows, drawn, _MISSES, _SPANS),
        false_words=_ratio(rows, drawn, _FALSE, _WORDS, PER_WORDS),
        dirty=_dirty(rows),
    )


def _drawn(groups: Counts) -> Counts:
    """Return the sums over texts that are drawn anew: draws by groups by columns."""
    draw = np.random.default_rng(SEED)
    count = len(groups)
    flat, shares = groups.reshape(count, -1), np.full(count, 1 / count)
    sums = [draw.multinomial(count, shares) @ flat for _ in range(DRAWS)]
    return np.stack(sums).reshape(DRAWS, *groups.shape[1:])


def _ratio(
    rows: Counts, drawn: Counts, part: int, whole: int, times: int = 1
) -> Figure:
    n = int(rows[:, whole].sum())
    if not n:
        return Figure(None, None, None, 0, "bootstrap")
    hits = int(rows[:, part].sum())
    value = times * hits / n
    if hits in (0, n):
        # Drawing shows no width here; a text counts once, however much stands in it. For
        # false words that is one in each dirty text.
        that_count = int((rows[:, whole] > 0).sum())
        low, high = wilson(that_count if hits else 0, that_count)
        scale = times if times == 1 else times * that_count / n
        return Figure(value, low * scale, high * scale, n, "wilson")
    sums = drawn[drawn[:, whole] > 0]
    low, high = np.percentile(times * sums[:, part] / sums[:, whole], (2.5, 97.5))
    return Figure(value, float(low), float(high), n, "bootstrap")


def _dirty(rows: Counts) -> Figure:
    n = int((rows[:, _WORDS] > 0).sum())
    if not n:
        return Figure(None, None, None, 0, "wilson")
    dirty = int((rows[:, _FALSE] > 0).sum())
    return Figure(dirty / n, *wilson(dirty, n), n, "wilson")


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share.

    Args:
        hits: how many of `n`.
        n: at least 1.
    """
    share, square = hits / n, Z95 * Z95
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = Z95 * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    half /= 1 + square / n
    return max(0.0, middle - half), min(1.0, middle + half)
