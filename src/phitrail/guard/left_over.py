"""What shows only once its neighbours have been replaced.

The tagger judges a word by the words near it, so a redacted text is another text to it: a
surname may stand out beside `[NAME-1]` that it passed over beside a name. So that a redacted
text is clean when it is scanned again, it is tagged again before it goes out, and what is
found is redacted too. `Redacted` knows which part of the source stands where.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from phitrail.errors import InputError
from phitrail.guard.decide import Judged
from phitrail.guard.found import Found
from phitrail.guard.redact import REPLACED, Redactor


@dataclass(frozen=True, slots=True)
class Redacted:
    """A redacted text; `kept` holds (place in it, place in the source, length), in order.

    `is_glued` says that what was replaced stood right beside a letter or digit: then what
    is left of that word may have a shape of its own.
    """

    text: str = field(repr=False)
    kept: tuple[tuple[int, int, int], ...]
    is_glued: bool = False

    @classmethod
    def of(cls, text: str, spans: Sequence[Judged], redactor: Redactor) -> "Redacted":
        """Redact a text, front to back.

        Raises:
            InputError: spans are not in order, overlap, or reach outside the text.
        """
        _check(text, spans)
        out: list[str] = []
        kept: list[tuple[int, int, int]] = []
        done = length = 0
        is_glued = False
        for span in [span for span in spans if span.action in REPLACED]:
            beside = (
                text[max(span.start - 1, 0) : span.start]
                + text[span.end : span.end + 1]
            )
            is_glued |= any(sign.isalnum() for sign in beside)
            kept.append((length, done, span.start - done))
            value = redactor.replacement(
                text[span.start : span.end], span.identifier_class
            )
            out += [text[done : span.start], value]
            length += span.start - done + len(value)
            done = span.end
        kept.append((length, done, len(text) - done))
        out.append(text[done:])
        return cls("".join(out), tuple(kept), is_glued)

    def in_source(self, found: Sequence[Found]) -> list[Found]:
        """Give findings of the redacted text as findings of its source, kept parts alone."""
        moved: list[Found] = []
        starts = [start for start, _, _ in self.kept]
        for one in found:
            first = max(bisect_right(starts, one.start) - 1, 0)
            for start, source, length in self.kept[first:]:
                if start >= one.end:
                    break
                low, high = max(one.start, start), min(one.end, start + length)
                if low < high:
                    shift = source - start
                    moved.append(replace(one, start=low + shift, end=high + shift))
        return moved


def _check(text: str, spans: Sequence[Judged]) -> None:
    """Refuse places that would let a part of a span go out."""
    done = 0
    for span in spans:
        if not done <= span.start < span.end <= len(text):
            raise InputError.for_field(
                "spans", "must lie inside the text, in order and disjoint"
            )
        done = span.end


def apart_from(found: Sequence[Found], others: Sequence[Judged]) -> list[Found]:
    """Return the findings that touch none of the others, which are in order."""
    starts = [other.start for other in others]
    kept = []
    for one in found:
        place = bisect_right(starts, one.start)
        before = others[place - 1].end if place else 0
        after = starts[place] if place < len(starts) else one.end
        if before <= one.start and one.end <= after:
            kept.append(one)
    return kept
