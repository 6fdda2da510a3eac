"""Labelled texts: JSON lines that say where identifiers stand, read strictly.

One object a line: `id`, `text`, `spans` of `start`, `end`, `label`, `phi`, and `genre` where
texts are of several kinds.

Rules:
1. Offsets count code points of `text`; `0 <= start < end <= len(text)`. Spans may overlap:
   some collections label a name within an address.
2. `phi: false` marks what is neutral (an age under 90, a title): neither hit nor miss.
3. Ids are unique within a file, since failures are told by id and place.
4. Keys beside these are passed over: collections carry notes of their own. A key that is
   needed and absent, or of the wrong kind, is refused.
5. An error names file, line and rule, and never quotes the line.

The form is that of the sets in docs/guard-model-card.md, so that a customer's own file gives
the same table as ours.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Annotated

import msgspec

from phitrail.errors import InputError

NonEmpty = Annotated[str, msgspec.Meta(min_length=1)]
Offset = Annotated[int, msgspec.Meta(ge=0)]


class LabelledSpan(msgspec.Struct, frozen=True, kw_only=True):
    """One labelled place of a text."""

    start: Offset
    end: Offset
    label: NonEmpty
    phi: bool


class LabelledText(msgspec.Struct, frozen=True, kw_only=True):
    """One text and everything that is labelled in it."""

    id: NonEmpty
    text: str
    spans: tuple[LabelledSpan, ...]
    genre: str | None = None

    def __repr__(self) -> str:
        """Leave out the text."""
        return f"LabelledText(id={self.id!r}, {len(self.spans)} spans)"


_DECODER = msgspec.json.Decoder(LabelledText)


def read_labelled(lines: Iterable[bytes], name: str) -> list[LabelledText]:
    """Read labelled texts.

    Args:
        lines: of the file; empty ones are passed over.
        name: of the file, for errors.

    Raises:
        InputError: names the line and the rule that it does not fit, never its text.
    """
    texts: list[LabelledText] = []
    seen: set[str] = set()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f"{name}, line {number}"
        text = _decoded(line, place)
        if text.id in seen:
            raise InputError.for_field(place, "its id stands on an earlier line too")
        seen.add(text.id)
        _check_spans(text, place)
        texts.append(text)
    if not texts:
        raise InputError.for_field(name, "holds no labelled text")
    return texts


def _decoded(line: bytes, place: str) -> LabelledText:
    # The decoder's own words may quote the line, so they are neither shown nor chained.
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _DECODER.decode(line)
    raise InputError.for_field(
        place,
        "must be one JSON object with id, text and spans; each span with start, end, "
        "label and phi",
    )


def _check_spans(text: LabelledText, place: str) -> None:
    for number, span in enumerate(text.spans, start=1):
        if not span.start < span.end <= len(text.text):
            raise InputError.for_field(
                place, f"span {number} must lie inside the text and not be empty"
            )
