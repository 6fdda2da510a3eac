"""Up to when everything is expected to have come: a watermark for each source, and one of all.

1. The clock is the log's own: the newest time of receipt. Each source is as far behind it as
   its newest event was when that one came. The watermark stands `lateness` behind the source
   that is farthest behind, and `lateness` behind the clock where no source is.
2. A source moves its own watermark alone. What is dated ahead of its receipt counts as dated
   then, so it brings nobody forward; one that is more than `wait` behind holds nobody back:
   its events are late, and that is said elsewhere.
3. A silent source stalls nothing: how far it was behind is a distance, so its watermark goes
   on with the clock, and after `idle` it is waited for no more.
4. A source is its id; a newer epoch of it begins anew, an older one says nothing any more.
   Rows without a source are the log's own, received as they happen.
5. An event that is dated more than `ahead` after its receipt, or more than `behind` before it,
   is skewed. It is judged as it is dated. While a source brings in a spool, its events are as
   old as the spool is: that is no skew.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from phitrail.detect.tail_state import SourceState


class Skew(StrEnum):
    """On which side of its receipt an event is dated too far away."""

    AHEAD = "clock_ahead"
    BEHIND = "clock_behind"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited for events, and how far from their receipt they may be dated."""

    lateness_us: int
    wait_us: int
    idle_us: int
    ahead_us: int
    behind_us: int

    def skew(self, at_us: int, received_us: int) -> Skew | None:
        """Say whether an event is dated too far from its receipt."""
        if at_us > received_us + self.ahead_us:
            return Skew.AHEAD
        return Skew.BEHIND if at_us < received_us - self.behind_us else None


@dataclass(slots=True)
class _Source:
    """One source, as it was when its newest row came."""

    epoch: int
    newest_us: int
    heard_us: int
    behind_us: int = 0
    is_replaying: bool = False


class SourceClock:
    """The watermark of all sources; everything follows from the rows in their order."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._sources: dict[str, _Source] = {}

    def hear(self, source: str, epoch: int, at_us: int, received_us: int) -> None:
        """Take the times of one row of a source."""
        at_us = min(at_us, received_us)
        known = self._sources.get(source)
        if known is None or known.epoch < epoch:
            known = self._sources[source] = _Source(epoch, at_us, received_us)
        elif known.epoch > epoch:
            return
        known.newest_us = max(known.newest_us, at_us)
        known.heard_us = max(known.heard_us, received_us)
        known.behind_us = max(0, received_us - known.newest_us)

    def replay(self, source: str, *, begins: bool) -> None:
        """Take that a source begins, or ends, to bring in its spool."""
        known = self._sources.get(source)
        if known is not None:
            known.is_replaying = begins

    def is_replaying(self, source: str) -> bool:
        """Say whether a source is bringing in its spool."""
        known = self._sources.get(source)
        return known is not None and known.is_replaying

    def watermark(self, clock_us: int) -> int:
        """Say up to when everything is expected to have come, at a time of the log."""
        patience, behind_us = self._patience, 0
        for name, one in list(self._sources.items()):
            if clock_us - one.heard_us > patience.idle_us:
                del self._sources[name]
            elif one.behind_us <= patience.wait_us:
                behind_us = max(behind_us, one.behind_us)
        return clock_us - patience.lateness_us - behind_us

    def dump(self) -> tuple[SourceState, ...]:
        """Write what it knows of each source."""
        return tuple(
            SourceState(
                name,
                one.epoch,
                one.newest_us,
                one.heard_us,
                one.behind_us,
                one.is_replaying,
            )
            for name, one in self._sources.items()
        )

    def load(self, sources: Iterable[SourceState]) -> None:
        """Take over what another one knew."""
        self._sources = {
            one.source: _Source(
                one.epoch, one.newest, one.heard, one.behind, one.is_replaying
            )
            for one in sources
        }
