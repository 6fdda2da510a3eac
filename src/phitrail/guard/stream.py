"""The guard of an answer that comes in pieces: safe pieces out, a bounded part held back.

1. Text is decided in steps. A step looks at `HELD` characters that are not decided yet, and
   at up to `BEFORE` decided ones before them, which give its words their surroundings. It
   is taken as soon as that many are there, and at the end; never on what a piece happens
   to bring. So what is found is a function of the text alone: it is the same however the
   text was cut into pieces, and the same as for the text in one piece.
2. A step ends at a cut, at least `AFTER` characters before the last one it saw: the last end
   of a line or sentence, else between words; never inside something found, nor between
   parts of what may be one value (single characters, numbers, number words). What reaches
   up to the last character is held from its beginning.
3. Where no such place is left, the cut is forced: behind what was found, or inside a word
   of more than `HELD` characters. What then lies on both sides of a cut stays covered: the
   rest of its word is taken to belong to it.
4. Each finding is judged once, in order. Blocked, the stream stops before it: nothing of it
   and nothing behind it goes out. Buffered, nothing goes out before the end, and nothing at
   all of a blocked answer.
5. Names found in what was decided are looked for in all that follows; nothing that was
   released can be called back. That is what a stream loses against a scan of the whole.
6. It fails closed: when a scan or judgement raises, nothing goes out any more.

The text, and the names, stay in this object, in no representation, and go with it. Finding,
judging and replacing are callables: `phitrail.guard` has them, for policy and context.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from phitrail.errors import InputError, RefusedError
from phitrail.events.codes import GuardDecision, IdentifierClass
from phitrail.guard.decide import Judged
from phitrail.guard.found import Found
from phitrail.guard.redact import REPLACED
from phitrail.guard.stream_cut import choose_cut

HELD = 256
BEFORE = 128
AFTER = 64
MOST_NAMES = 1000
"""Names that are looked for at the most; of more the first ones are let go."""

Find = Callable[[str, Sequence[str]], Sequence[Found]]
"""Find in a stretch of text, with the words of names that are known: merged, in order."""

Learn = Callable[[str, Sequence[Found]], Iterable[str]]
"""Give the words of the names among the findings of a stretch of text."""

Judge = Callable[[str, Found], Judged | None]
"""Judge one finding, given the text of it; None passes over it."""

Replace = Callable[[str, IdentifierClass], str]
"""Give what stands in the place of a text of a class."""

_STOPPING = frozenset({GuardDecision.BLOCK, GuardDecision.WITHHELD})
_SPACE = re.compile(r"\s")


class GuardStream:
    """One answer on its way out."""

    def __init__(
        self,
        find: Find,
        learn: Learn,
        judge: Judge,
        replacement: Replace,
        *,
        is_buffered: bool = False,
    ) -> None:
        """Begin an answer.

        Args:
            find: finds what identifies people in a stretch of text.
            learn: gives the names in it, to be looked for in what follows.
            judge: says what is done to a finding; its offsets are those of the answer.
            replacement: gives what stands in its place where it may not go out.
            is_buffered: nothing goes out before the end.
        """
        self._find = find
        self._learn = learn
        self._judge = judge
        self._replacement = replacement
        self._is_buffered = is_buffered
        self._before = ""
        self._pending: list[str] = []
        self._pending_length = 0
        self._decided = 0
        self._names: dict[str, None] = {}
        self._open: Found | None = None  # what a forced cut went through
        self._spans: list[Judged] = []
        self._released_length = 0
        self._original_length = 0
        self._is_stopped = False
        self._is_finished = False
        self._is_broken = False

    @property
    def spans(self) -> tuple[Judged, ...]:
        """What was found and judged so far; offsets are code points of the answer."""
        return tuple(self._spans)

    @property
    def original_length(self) -> int:
        """How many characters of the answer came in."""
        return self._original_length

    @property
    def released_length(self) -> int:
        """How many characters went out, placeholders among them."""
        return self._released_length

    @property
    def is_stopped(self) -> bool:
        """Whether something was blocked: nothing goes out any more."""
        return self._is_stopped

    def feed(self, delta: str) -> str:
        """Take a piece; give what may go out now.

        Raises:
            RefusedError: an earlier piece could not be scanned.
            InputError: the answer was finished before.
        """
        self._check_open()
        self._original_length += len(delta)
        if self._is_stopped:
            return ""
        self._pending.append(delta)
        self._pending_length += len(delta)
        if self._is_buffered or self._pending_length < HELD:
            return ""
        return self._decide(is_end=False)

    def finish(self) -> str:
        """Give the rest, once no piece comes any more.

        Raises:
            RefusedError: an earlier piece could not be scanned.
            InputError: the answer was finished before.
        """
        self._check_open()
        self._is_finished = True
        return "" if self._is_stopped else self._decide(is_end=True)

    def _check_open(self) -> None:
        if self._is_broken:
            raise RefusedError(
                "the output guard failed on an earlier piece of this answer, so nothing "
                "more of it is released; begin a new one"
            )
        if self._is_finished:
            raise InputError.for_field("stream", "is finished; begin a new one")

    def _decide(self, *, is_end: bool) -> str:
        """Decide what is due; broken until that is done, so that an error closes it."""
        self._is_broken = True
        pending = "".join(self._pending)
        self._pending.clear()
        out: list[str] = []
        at = 0
        while len(pending) - at >= HELD and not (self._is_buffered or self._is_stopped):
            at += self._step(pending[at : at + HELD], out, is_end=False)
        if is_end and at < len(pending) and not self._is_stopped:
            at += self._step(pending[at:], out, is_end=True)
        if not self._is_stopped:
            self._pending.append(pending[at:])
            self._pending_length = len(pending) - at
        released = "" if self._is_buffered and self._is_stopped else "".join(out)
        self._released_length += len(released)
        self._is_broken = False
        return released

    def _step(self, pending: str, out: list[str], *, is_end: bool) -> int:
        """Decide the beginning of some text, and say how much of it."""
        found = self._found_in(pending)
        cut = len(pending) if is_end else choose_cut(pending, found, AFTER)
        is_forced = not is_end and cut == len(pending)
        self._open = found[-1] if is_forced and found else None
        decided = [one for one in found if one.start < cut]
        self._release(pending[:cut], decided, out)
        for name in self._learn(pending, decided):
            self._names.pop(name, None)
            self._names[name] = None
        while len(self._names) > MOST_NAMES:
            del self._names[next(iter(self._names))]
        self._before = (self._before + pending[:cut])[-BEFORE:]
        self._decided += cut
        return cut

    def _found_in(self, pending: str) -> list[Found]:
        """Find in what is not decided; offsets are those of `pending`."""
        left = _from_word(self._before)
        found = [
            replace(one, start=max(one.start - len(left), 0), end=one.end - len(left))
            for one in self._find(left + pending, tuple(self._names))
            if one.end > len(left)
        ]
        if self._open is None:
            return found
        space = _SPACE.search(pending)
        end = len(pending) if space is None else space.start()
        while found and found[0].start <= end:
            end = max(end, found.pop(0).end)
        return [replace(self._open, start=0, end=end), *found] if end else found

    def _release(self, text: str, found: Sequence[Found], out: list[str]) -> None:
        kept = 0
        for one in found:
            value = text[one.start : one.end]
            span = self._judge(
                value,
                replace(
                    one, start=one.start + self._decided, end=one.end + self._decided
                ),
            )
            if span is None:
                continue
            self._spans.append(span)
            if span.action in _STOPPING:
                out.append(text[kept : one.start])
                self._is_stopped = True
                return
            if span.action in REPLACED:
                out += (
                    text[kept : one.start],
                    self._replacement(value, one.identifier_class),
                )
                kept = one.end
        out.append(text[kept:])


def _from_word(before: str) -> str:
    """Begin with a whole word: half of one would be read as another."""
    if len(before) < BEFORE:
        return before
    space = _SPACE.search(before)
    return "" if space is None else before[space.end() :]
