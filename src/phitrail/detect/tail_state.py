"""What a tail remembers, as plain data: how it is carried over to another process.

A judge's state stands under its rule's id and the digest of what it means: a rule that means
something else begins anew. Times are microseconds since 1970, in the byte order of this host.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from phitrail.events.alert import Alert


class _State(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """Plain data that stands in a snapshot."""


class Told(_State):
    """What the log was told of an episode: the newest move, and how many there were."""

    alert: Alert
    moves: int


class WindowState(_State):
    """The events of one window; which fields are used depends on its kind."""

    times: tuple[bytes, ...]
    values: tuple[str, ...] = ()
    sums: bytes = b""


class EpisodeState(_State):
    """One episode."""

    first_us: int
    last_us: int
    peak: int
    instants: int
    told: Told | None = None


class GroupState(_State):
    """One group of a correlation."""

    group: tuple[str, ...]
    newest: int
    window: WindowState
    waiting: tuple[int, ...] = ()
    qualified: tuple[tuple[int, int], ...] = ()
    episodes: tuple[EpisodeState, ...] = ()
    seen: bytes = b""


PACKED = 1_000
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(tuple[GroupState, ...])


def pack_groups(groups: Iterable[GroupState]) -> tuple[bytes, ...]:
    """Write groups as they are made: a million of them are never there at once."""
    packs, left = [], iter(groups)
    while pack := tuple(islice(left, PACKED)):
        packs.append(_ENCODER.encode(pack))
    return tuple(packs)


def unpack_groups(packs: Iterable[bytes]) -> Iterator[GroupState]:
    """Read groups one pack after the other.

    Raises:
        msgspec.MsgspecError: a pack is damaged.
    """
    for pack in packs:
        yield from _DECODER.decode(pack)


class JudgeState(_State):
    """One correlation at work."""

    edge: int | None
    windows: int
    groups: tuple[bytes, ...]
    """Its groups, `PACKED` in each of these (`pack_groups`)."""
    counted_id: str = ""
    counted: tuple[tuple[tuple[str, ...], str | int], ...] = ()


class SourceState(_State):
    """One source, as it was when its newest row came (`source_clock`)."""

    source: str
    epoch: int
    newest: int
    heard: int
    behind: int
    is_replaying: bool = False


class MissingState(_State):
    """One event that says that something is missing, and which entry it is."""

    at: int
    ref: int
    kind: str
    of: str
    reason: str
    count: int


class TailState(_State):
    """Rules at work; judges by rule id and digest."""

    watermark: int | None
    newest: int
    older_until: int
    newer_ids: tuple[str, ...]
    older_ids: tuple[str, ...]
    judges: dict[str, JudgeState]
