"""The labelled documents that the tagger is trained on, endless and the same for one seed.

A document is one of our texts, lines of several of them, or one of those between neutral
clinical sentences; filled, and then sometimes written small, in capitals, without accents or
punctuation, on one line, or with slips of the pen. A few come from general text (Wikigold,
WNUT17, Presidio's synthetic sentences), where organisations and the like are left out.
"""

import json
import lzma
import random
import re
import unicodedata
from functools import cache

from training.guard.fill import LABELS, SLOT, Filler, Labelled, documents
from training.guard.people import DATA, lines

LINED = (
    "json_answer",
    "fhir_snippet",
    "trap_json",
    "hard_json",
    "dump",
)  # their lines make no sense alone
GENERAL = ("wikigold", "wnut17", "presidio_synth_v2")
Spans = list[tuple[int, int, str]]


@cache
def general() -> tuple[Labelled, ...]:
    """Read the general text; what our policy does not label alike is marked `?`."""
    found = []
    for name in GENERAL:
        with lzma.open(DATA / f"{name}.jsonl.xz", "rt", encoding="utf-8") as file:
            for line in file:
                one = json.loads(line)
                spans = tuple(
                    (
                        s["start"],
                        s["end"],
                        s["label"] if s["phi"] and s["label"] in LABELS else "?",
                    )
                    for s in one["spans"]
                )
                found.append(
                    Labelled(
                        one["text"][:1500], tuple(s for s in spans if s[1] <= 1500)
                    )
                )
    return tuple(found)


class Corpus:
    """Draws documents."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        found = documents()
        self._documents = [
            (genre, text) for genre, texts in found.items() for text in texts
        ]
        self._questions = [
            one for one in self._documents if one[0] == "clinician_query"
        ]
        self._lines = {
            genre: [
                line for text in texts for line in text.splitlines() if line.strip()
            ]
            for genre, texts in found.items()
        }
        self._prose = [genre for genre in self._lines if genre not in LINED]

    def next(self) -> Labelled:
        """Draw one document."""
        draw = self._draw
        if draw.random() < 0.05:
            return self._noisy(draw.choice(general()))
        genre, document = draw.choice(self._documents)
        if draw.random() < 0.11:
            genre, document = draw.choice(self._questions)
            if draw.random() < 0.55:
                document = re.sub(r"<<(p\d)\.full>>", r"<<\1.fi>>", document)
        chance = draw.random()
        if chance < 0.3:
            genre = draw.choice(self._prose)
            picked = [
                draw.choice(self._lines[genre]) for _ in range(draw.randint(1, 8))
            ]
            document = draw.choice(("\n", "\n", " ", "\n\n")).join(picked)
        elif chance < 0.42:
            picked = [
                draw.choice(self._lines[draw.choice(self._prose)])
                for _ in range(draw.randint(2, 6))
            ]
            document = draw.choice(("\n", " ")).join(picked)
        if genre not in LINED and draw.random() < 0.3:
            document = self._between(document)
        filled = Filler(draw).fill(document)
        if draw.random() < 0.92:  # these are written in one case; their slots are not
            bare = SLOT.sub("", document)
            if bare.isupper() or "caps" in genre:
                filled = Labelled(_each(filled.text, str.upper), filled.spans)
            elif bare.islower():
                filled = Labelled(_each(filled.text, str.lower), filled.spans)
        return self._noisy(filled)

    def _between(self, document: str) -> str:
        """Put neutral clinical sentences between the lines."""
        draw = self._draw
        parts = document.split("\n")
        for _ in range(draw.randint(1, 4)):
            parts.insert(
                draw.randint(0, len(parts)),
                " ".join(
                    draw.choice(lines("carriers")) for _ in range(draw.randint(1, 4))
                ),
            )
        return "\n".join(parts)

    def _noisy(self, one: Labelled) -> Labelled:
        draw = self._draw
        text, spans = one.text, list(one.spans)
        if draw.random() < 0.08:
            text, spans = _redacted(text, spans, draw)
        chance = draw.random()
        if chance < 0.13:
            text = _each(text, str.lower)
        elif chance < 0.3:
            text = _each(text, str.upper)
        elif chance < 0.24:
            text = _names_small(text, spans)
        if draw.random() < 0.08:
            text = _each(text, lambda c: unicodedata.normalize("NFD", c)[0])
        if draw.random() < 0.08:
            text = text.replace("\n", " ")
        if draw.random() < 0.06:
            text = re.sub(r"[,;:](?= )", " ", text)
        if draw.random() < 0.1:
            text, spans = _slips(text, spans, draw)
        return Labelled(text, tuple(spans))


def _redacted(text: str, spans: Spans, draw: random.Random) -> tuple[str, Spans]:
    """Put placeholders for what is labelled, all of it or most: they are neutral."""
    share = draw.choice((1.0, 1.0, 0.7))
    pieces: list[str] = []
    kept: Spans = []
    at = length = 0
    for start, end, label in sorted(spans):
        pieces.append(text[at:start])
        length += start - at
        value = text[start:end]
        if draw.random() < share:
            mark = {"HEALTH_PLAN": "PLAN", "?": "ID"}.get(label, label)
            value = f"[{mark}-{draw.randint(1, 9)}]"
        else:
            kept.append((length, length + end - start, label))
        pieces.append(value)
        length += len(value)
        at = end
    return "".join([*pieces, text[at:]]), kept


def _each(text: str, change: "object") -> str:
    return "".join(new if len(new := change(c)) == 1 else c for c in text)  # type: ignore[operator]


def _names_small(text: str, spans: Spans) -> str:
    """Write names and places small within ordinary text."""
    letters = list(text)
    for start, end, label in spans:
        if label in ("NAME", "LOCATION"):
            letters[start:end] = _each(text[start:end], str.lower)
    return "".join(letters)


def _slips(text: str, spans: Spans, draw: random.Random) -> tuple[str, Spans]:
    """Lose, double or swap a few letters anywhere."""
    for _ in range(draw.randint(1, 4)):
        if len(text) < 20:
            break
        at = draw.randint(1, len(text) - 2)
        if not text[at].isalpha():
            continue
        kind = draw.random()
        if kind < 0.4:
            text, moved = text[:at] + text[at + 1 :], -1
        elif kind < 0.7:
            text, moved = text[:at] + text[at] + text[at:], 1
        else:
            text, moved = text[:at] + text[at + 1] + text[at] + text[at + 2 :], 0
        if moved:
            spans = [
                (s + moved if s > at else s, e + moved if e > at else e, label)
                for s, e, label in spans
                if e - s > 1
            ]
    return text, spans
