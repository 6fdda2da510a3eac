"""What the pieces of an answer pass on their way out: one gate for one stream.

A gate takes each piece and gives what may go out now, or nothing; at the end it gives the
rest. What was found by then is its verdict, for the closing of the access.

1. `OpenGate`: there is no guard; every piece goes on as it came.
2. `GatheringGate`: the whole is scanned at once. Where the guard only watches, every piece
   goes on and the scan comes last; where it enforces (`stream: buffered`), nothing goes on
   before all of it was scanned.

A stream that ends early is cut: what went out without a scan is scanned then. The text that
passed is held for one stream only.
"""

from typing import TypeAlias

from phitrail.capture.guarding import Asked, Guarding
from phitrail.capture.verdict import Verdict


class OpenGate:
    """Lets everything through."""

    verdict: None = None

    def feed(self, piece: str) -> str | None:
        """Take a piece; give what may go out."""
        return piece

    def end(self) -> str | None:
        """Give the rest, once no piece comes any more."""
        return None

    def cut(self) -> None:
        """End early."""

    async def feed_async(self, piece: str) -> str | None:
        """Do as `feed`."""
        return piece

    async def end_async(self) -> str | None:
        """Do as `end`."""
        return None

    async def cut_async(self) -> None:
        """Do as `cut`."""


class GatheringGate:
    """Scans the whole answer at once: before any of it goes on, or beside it."""

    def __init__(self, guarding: Guarding, asked: Asked) -> None:
        self._guarding = guarding
        self._asked = asked
        self._pieces: list[str] = []
        self.verdict: Verdict | None = None

    def feed(self, piece: str) -> str | None:
        """Take a piece; give what may go out."""
        self._pieces.append(piece)
        return piece if self._guarding.is_watching else None

    def end(self) -> str | None:
        """Give the rest, once no piece comes any more."""
        self.verdict = self._guarding.scan(self._whole(), self._asked)
        return self._rest(self.verdict)

    def cut(self) -> None:
        """End early: scan what went out."""
        if self._guarding.is_watching and self._pieces:
            self.verdict = self._guarding.scan(self._whole(), self._asked)

    async def feed_async(self, piece: str) -> str | None:
        """Do as `feed`."""
        return self.feed(piece)

    async def end_async(self) -> str | None:
        """Do as `end`."""
        self.verdict = await self._guarding.scan_async(self._whole(), self._asked)
        return self._rest(self.verdict)

    async def cut_async(self) -> None:
        """Do as `cut`."""
        if self._guarding.is_watching and self._pieces:
            self.verdict = await self._guarding.scan_async(self._whole(), self._asked)

    def _whole(self) -> str:
        whole = "".join(self._pieces)
        self._pieces.clear()
        return whole

    def _rest(self, verdict: Verdict) -> str | None:
        if self._guarding.is_watching or verdict.is_refused:
            return None
        return verdict.safe_text or None


Gate: TypeAlias = OpenGate | GatheringGate


def gate_of(guarding: Guarding | None, asked: Asked) -> Gate:
    """Choose the gate of one stream."""
    return OpenGate() if guarding is None else GatheringGate(guarding, asked)
