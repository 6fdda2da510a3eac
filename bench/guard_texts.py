"""The texts that the guard is measured on: the development sets, and texts of one size.

The sets are no part of this repository (docs/guard-model-card.md says what they are); a
table whose set is absent is left out, and said to be.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any, Final

from phitrail.guard.labelled import LabelledText, read_labelled

SETS: Final = (
    "asq_dev",
    "clinai_dev",
    "clinical_dev",
    "adversarial_dev",
    "hardneg_dev",
)
RECORDS: Final = "clinai_dev_records"
KB: Final = 1024
_RECORD_KEYS: Final = ("patient", "related", "practitioners", "encounters")


def read_set(directory: Path, name: str) -> list[LabelledText] | None:
    """Read a set; None where it is absent. The attack of a text is taken for its genre."""
    place = directory / f"{name}.jsonl"
    if not place.exists():
        return None
    return read_labelled(map(_with_genre, place.read_bytes().splitlines()), name)


def _with_genre(line: bytes) -> bytes:
    plain = json.loads(line)
    if "attack" in plain:
        plain["genre"] = plain["attack"]
    return json.dumps(plain).encode()


def read_records(directory: Path) -> list[tuple[str, dict[str, Any], frozenset[int]]]:
    """Read record contexts: id of the text, record, spans that the record explains."""
    place = directory / f"{RECORDS}.jsonl"
    if not place.exists():
        return []
    plain = map(json.loads, place.read_bytes().splitlines())
    return [
        (
            each["doc_id"],
            {key: each[key] for key in _RECORD_KEYS if key in each},
            frozenset(each["explains"]),
        )
        for each in plain
    ]


def explained(text: LabelledText, places: frozenset[int]) -> LabelledText:
    """Return a text with the spans that a record explains; other PHI becomes neutral."""
    spans = tuple(
        span if at in places else _neutral(span) for at, span in enumerate(text.spans)
    )
    return LabelledText(id=text.id, text=text.text, spans=spans, genre=text.genre)


def _neutral(span: Any) -> Any:  # noqa: ANN401 - a struct of ours, changed in one field
    return type(span)(start=span.start, end=span.end, label=span.label, phi=False)


def marks_of_others(directory: Path) -> Mapping[str, Mapping[str, list[list[Any]]]]:
    """Return what other systems marked on asq_dev, as recorded: system, text id, places."""
    place = directory / "asq_dev_competitors.jsonl"
    systems: dict[str, dict[str, list[list[Any]]]] = {}
    if place.exists():
        for line in place.read_bytes().splitlines():
            plain = json.loads(line)
            for system, places in plain["preds"].items():
                systems.setdefault(system, {})[plain["id"]] = places
    return systems


def texts_of_size(texts: Sequence[str], size: int, number: int) -> list[str]:
    """Make different texts of one size in characters, out of whole answers and a cut."""
    endless = (text for at in count() for text in _turned(texts, at))
    return [_filled(endless, size) for _ in range(number)]


def _filled(endless: Iterator[str], size: int) -> str:
    parts: list[str] = []
    length = 0
    while length < size:
        parts.append(next(endless))
        length += len(parts[-1]) + 2
    return "\n\n".join(parts)[:size]


def _turned(texts: Sequence[str], at: int) -> Iterable[str]:
    """Begin elsewhere in each round, so that no two texts are the same."""
    first = at * 7 % len(texts)
    return [*islice(texts, first, None), *islice(texts, first)]
