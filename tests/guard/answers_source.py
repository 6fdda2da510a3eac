"""Makes the labelled answers out of the text that a person writes and reads.

`python -m tests.guard.answers_source` writes `answers.jsonl` and `records.jsonl` beside
`answers.txt`; tests/data/guard/README.md says what the labels mean.

1. A line `=== id genre` begins a document. What follows is its text, to the next such line
   or to a line `--- record`, behind which the record stands as one JSON value.
2. `[[value|LABEL]]` is an identifier, `[[value|LABEL|rec]]` one that the record explains,
   `[[value|LABEL|neutral]]` neither hit nor miss. The value stands in the text, the rest not.
3. A title before a name and a credential behind it are neutral; they need no label.
4. Whatever does not fit is refused: a label that was mistyped must not become text.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from phitrail.guard.labelled import LabelledSpan, LabelledText

HERE = Path(__file__).parents[1] / "data" / "guard"
SOURCE = HERE / "answers.txt"
ANSWERS = HERE / "answers.jsonl"
RECORDS = HERE / "records.jsonl"
LABELS = frozenset(
    "NAME LOCATION DATE AGE PHONE FAX EMAIL SSN MRN HEALTH_PLAN ACCOUNT LICENSE VEHICLE "
    "DEVICE URL IP BIOMETRIC PHOTO ID TITLE".split()
)

_HEAD = re.compile(r"^=== (\w+) (\w+)\n", re.MULTILINE)
_RECORD = "\n--- record\n"
_LABEL = re.compile(r"\[\[([^|\[\]\n]+)\|([A-Z_]+)(?:\|(rec|neutral))?\]\]")
_STRAY = re.compile(r"\[\[|\]\]|\|(?:rec|neutral)\b|^(?:===|---) ", re.MULTILINE)
_TITLE = re.compile(
    r"\b(dr|mr|mrs|ms|mx|prof|doctor|mister|nurse|officer|bro|fr|sr|papa|sheikh)\.? $",
    re.IGNORECASE,
)
_CREDENTIAL = re.compile(r",? (MD|DO|RN|NP|PA-C|PharmD|LCSW|MSW|MT|MA)\b")


@dataclass(frozen=True, slots=True)
class Answer:
    """One document: its text and, where there is one, the records of its access."""

    text: LabelledText
    records: tuple[dict[str, object], ...]
    explained: tuple[int, ...]
    """Places in `text.spans` that the records explain."""


def read_source(source: str) -> Iterator[Answer]:
    """Read the documents of `answers.txt`.

    Raises:
        ValueError: a document does not have the form; names it, quotes nothing.
    """
    parts = _HEAD.split(source)
    if parts[0].strip():
        message = "text stands before the first document"
        raise ValueError(message)
    for name, genre, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        yield _answer(name, genre, body)


def _answer(name: str, genre: str, body: str) -> Answer:
    written, _, record = body.partition(_RECORD)
    text, spans, explained = _without_labels(written.strip("\n"))
    if _STRAY.search(text):
        message = f"{name}: a label is not of the form"
        raise ValueError(message)
    if not {span.label for span in spans} <= LABELS:
        message = f"{name}: a label is not one of ours"
        raise ValueError(message)
    spans += _titles(text, spans)
    spans.sort(key=lambda span: span.start)
    records = json.loads(record) if record else []
    if bool(records) != bool(explained):
        message = f"{name}: a record and what it explains go together"
        raise ValueError(message)
    return Answer(
        text=LabelledText(id=name, text=text, spans=tuple(spans), genre=genre),
        records=tuple(records if isinstance(records, list) else [records]),
        explained=tuple(at for at, span in enumerate(spans) if span in explained),
    )


def _without_labels(
    written: str,
) -> tuple[str, list[LabelledSpan], list[LabelledSpan]]:
    pieces: list[str] = []
    spans: list[LabelledSpan] = []
    explained: list[LabelledSpan] = []
    length = end = 0
    for match in _LABEL.finditer(written):
        before, value = written[end : match.start()], match[1]
        start = length + len(before)
        length, end = start + len(value), match.end()
        pieces += [before, value]
        spans.append(
            LabelledSpan(
                start=start, end=length, label=match[2], phi=match[3] != "neutral"
            )
        )
        if match[3] == "rec":
            explained.append(spans[-1])
    return "".join([*pieces, written[end:]]), spans, explained


def _titles(text: str, spans: list[LabelledSpan]) -> list[LabelledSpan]:
    """Find titles and credentials beside names."""
    found = []
    for span in spans:
        if span.label != "NAME":
            continue
        title = _TITLE.search(text, 0, span.start)
        credential = _CREDENTIAL.match(text, span.end)
        for match in (title, credential):
            if match:
                start, end = match.span(1)
                found.append(
                    LabelledSpan(start=start, end=end, label="TITLE", phi=False)
                )
    return found


def answers_lines(answers: list[Answer]) -> str:
    """Write the labelled texts as JSON lines."""
    return "".join(
        _line(
            {
                "id": one.text.id,
                "genre": one.text.genre,
                "text": one.text.text,
                "spans": [
                    {
                        "start": span.start,
                        "end": span.end,
                        "label": span.label,
                        "phi": span.phi,
                    }
                    for span in one.text.spans
                ],
            }
        )
        for one in answers
    )


def records_lines(answers: list[Answer]) -> str:
    """Write the records, and what they explain, as JSON lines."""
    return "".join(
        _line(
            {"id": one.text.id, "records": one.records, "explains": one.explained},
        )
        for one in answers
        if one.records
    )


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def main() -> None:
    """Write both files anew."""
    answers = list(read_source(SOURCE.read_text(encoding="utf-8")))
    ANSWERS.write_text(answers_lines(answers), encoding="utf-8")
    RECORDS.write_text(records_lines(answers), encoding="utf-8")


if __name__ == "__main__":
    main()
