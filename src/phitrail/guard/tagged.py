"""From the tagger's words to findings.

A finding begins with a word that is likely an identifier, and takes in the words beside it
that are less likely but belong to it: a surname after a given name, the rest of a street.
Between two words of one finding stands white space at most, or a sign that the tagger
itself took in. Its score is that of its likeliest word.
"""

import numpy as np

from phitrail.guard.found import Found
from phitrail.guard.tagger import CLASSES, Tagger
from phitrail.guard.tokens import tokenize

BEGIN = 0.5
GO_ON = 0.25


def gaps_before(text: str, starts: list[int], ends: list[int]) -> list[int]:
    """Say what stands before each token (`features.GAPS`)."""
    told: list[int] = []
    last = 0
    for start, end in zip(starts, ends, strict=True):
        if start == last:
            told.append(0)
        elif start == last + 1 and text[last] != "\n":
            told.append(1)
        else:
            breaks = text.count("\n", last, start)
            told.append(min(1 + breaks, 3))
        last = end
    if told:
        told[0] = 3
    return told


def find_tagged(tagger: Tagger, text: str) -> list[Found]:
    """Find what the words around it give away."""
    words, starts, ends = tokenize(text)
    if not words:
        return []
    tags = tagger.tag(words, gaps_before(text, starts, ends))
    likely = np.flatnonzero(tags.score >= GO_ON).tolist()
    found: list[Found] = []
    run: list[int] = []
    for place in likely:
        if run and (
            place != run[-1] + 1 or "\n" in text[ends[run[-1]] : starts[place]]
        ):
            found += _finding(tags.best, tags.score, run, words, starts, ends)
            run = []
        run.append(place)
    found += _finding(tags.best, tags.score, run, words, starts, ends)
    return found


def _finding(
    best: "np.ndarray[tuple[int], np.dtype[np.intp]]",
    score: "np.ndarray[tuple[int], np.dtype[np.float32]]",
    run: list[int],
    words: list[str],
    starts: list[int],
    ends: list[int],
) -> list[Found]:
    """Make findings of a run of likely words: one for each stretch of one class."""
    found: list[Found] = []
    first = 0
    for at in range(1, len(run) + 1):
        if at < len(run) and best[run[at]] == best[run[first]]:
            continue
        part = run[first:at]
        while (
            part and not words[part[-1]][-1].isalnum() and words[part[-1]] not in ".)"
        ):
            part.pop()
        top = max((float(score[place]) for place in part), default=0.0)
        kind = CLASSES[best[run[first]]]
        if part and top >= BEGIN and kind is not None:
            found.append(
                Found(starts[part[0]], ends[part[-1]], kind, top, f"tagger.{kind}")
            )
        first = at
    return found
