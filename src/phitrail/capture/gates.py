"""What the pieces of an answer pass on their way out: one gate for one stream.

A gate takes each piece and gives what may go out now, or nothing; at the end it gives the
rest. What was found by then is its verdict, for the closing of the access.

1. `OpenGate`: there is no guard; every piece goes on as it came.
2. `GatheringGate`: the whole is scanned at once. Where the guard only watches, every piece
   goes on and the scan comes last; where it enforces (`stream: buffered`), nothing goes on
   before all of it was scanned.
3. `HoldingGate`: the streaming guard lets go what can no longer become a finding, and holds
   the rest back (`stream: hold`). What it blocks ends the stream, and so does a step that
   fails: each runs under the time limit.

A stream that ends early is cut: what went out without a scan is scanned then. The text that
passed is held for one stream only.
"""

from typing import Final, TypeAlias

from phitrail.capture.guarding import Asked, Findings, Guarding, Held
from phitrail.capture.time_limit import Failed
from phitrail.capture.verdict import Verdict

GATHERED_CHARS: Final = 32
"""How much of a stream is handed to the guard at once; it holds back far more."""


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


class HoldingGate:
    """Scans as the answer goes, and holds a bounded part of it back."""

    def __init__(self, guarding: Guarding, asked: Asked) -> None:
        self._guarding = guarding
        self._asked = asked
        self._began_us = guarding.monotonic_us()
        self._stream: Held | None = None
        self._is_over = False
        self._waiting = ""
        self.verdict: Verdict | None = None

    def feed(self, piece: str) -> str | None:
        """Take a piece; give what may go out."""
        gathered = self._gathered(piece)
        if not gathered:
            return None
        return self._gave(self._guarding.limit.run(lambda: self._step(gathered)))

    def end(self) -> str | None:
        """Give the rest, once no piece comes any more."""
        return self._gave(self._guarding.limit.run(self._last))

    def cut(self) -> None:
        """End early: what went out was scanned."""
        if self._stream is not None and not self._is_over:
            self._conclude(self._guarding.limit.run(self._found))

    async def feed_async(self, piece: str) -> str | None:
        """Do as `feed`."""
        gathered = self._gathered(piece)
        if not gathered:
            return None
        came = await self._guarding.limit.run_async(lambda: self._step(gathered))
        return self._gave(came)

    async def end_async(self) -> str | None:
        """Do as `end`."""
        return self._gave(await self._guarding.limit.run_async(self._last))

    async def cut_async(self) -> None:
        """Do as `cut`."""
        if self._stream is not None and not self._is_over:
            self._conclude(await self._guarding.limit.run_async(self._found))

    def _gathered(self, piece: str) -> str:
        """Put small pieces together: handing each over would cost more than its scan."""
        self._waiting += piece
        if len(self._waiting) < GATHERED_CHARS:
            return ""
        gathered, self._waiting = self._waiting, ""
        return gathered

    def _step(self, piece: str) -> tuple[str, Findings | None]:
        stream = self._begun()
        safe = stream.feed(piece)
        return safe, self._found() if stream.is_stopped else None

    def _last(self) -> tuple[str, Findings | None]:
        stream = self._begun()
        safe = stream.feed(self._waiting)
        return safe + stream.finish(), self._found()

    def _begun(self) -> Held:
        if self._stream is None:
            self._stream = self._guarding.hold(self._guarding, self._asked)
        return self._stream

    def _found(self) -> Findings:
        stream = self._begun()
        return stream.result(), stream.value_hashes()

    def _gave(self, came: tuple[str, Findings | None] | Failed) -> str | None:
        """Take what a step gave; what it found ends the stream, and so does a failure."""
        if isinstance(came, Failed):
            self._conclude(came)
            return None
        safe, found = came
        if found is not None:
            self._conclude(found)
        return safe or None

    def _conclude(self, found: Findings | Failed) -> None:
        self._is_over = True
        latency_us = self._guarding.monotonic_us() - self._began_us
        self.verdict = self._guarding.verdict_of(found, self._asked, latency_us)


Gate: TypeAlias = OpenGate | GatheringGate | HoldingGate


def gate_of(guarding: Guarding | None, asked: Asked) -> Gate:
    """Choose the gate of one stream."""
    if guarding is None:
        return OpenGate()
    if guarding.is_watching or guarding.policy.stream == "buffered":
        return GatheringGate(guarding, asked)
    return HoldingGate(guarding, asked)
