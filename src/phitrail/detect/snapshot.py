"""The state of a tail and its alerts as bytes, and back.

1. What a correlation remembers stands under its rule's id and the digest of what it means: a
   rule that means something else, or is gone, is not taken over. Its alerts are given back, so
   that somebody ends them.
2. The form is versioned. Another version, or bytes that are damaged, are refused: whoever reads
   them begins anew from the log.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from phitrail.detect.digest import digest_of
from phitrail.detect.tail import Episode, Tail
from phitrail.detect.tail_state import (
    MissingState,
    SourceState,
    TailState,
    Told,
    unpack_groups,
)
from phitrail.detect.typed import Correlation, Rule
from phitrail.errors import IntegrityError

FORM = "phitrail/tail/v3"


class _Snapshot(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    form: str
    tail: TailState
    sources: tuple[SourceState, ...]
    whole_from: int
    missing: tuple[MissingState, ...]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Snapshot)


@dataclass(frozen=True, slots=True)
class Restored:
    """What came out of a snapshot.

    Attributes:
        episodes: those that go on.
        orphans: what the log was told of episodes whose rule is another one now.
        fresh: the correlations of which it knows nothing.
        sources: how far behind each source was (`source_clock`).
        missing: from when on all is here that says that something is missing, and that.
    """

    episodes: tuple[Episode, ...]
    orphans: tuple[Told, ...]
    fresh: tuple[Correlation, ...]
    sources: tuple[SourceState, ...]
    missing: tuple[int, tuple[MissingState, ...]]


def name_of(rule: Rule) -> str:
    """Name a rule by its id and what it means."""
    return f"{rule.head.rule_id}|{digest_of(rule)}"


def dump_tail(
    tail: Tail,
    sources: tuple[SourceState, ...] = (),
    missing: tuple[int, tuple[MissingState, ...]] = (0, ()),
) -> bytes:
    """Write the state of a tail, how far behind each source was, and what was missing."""
    return _ENCODER.encode(_Snapshot(FORM, tail.dump(name_of), sources, *missing))


def load_tail(
    tail: Tail, data: bytes, name: Callable[[Rule], str] = name_of
) -> Restored:
    """Load the state of a tail into one that is new.

    Raises:
        IntegrityError: it is of another version, or damaged.
    """
    restored = None
    try:
        snapshot = _DECODER.decode(data)
        if snapshot.form == FORM:
            restored = _restored(tail, snapshot, name)
    except (msgspec.MsgspecError, ValueError):
        restored = None
    if restored is None:
        raise IntegrityError(
            "the state of detection is of another version, or damaged; remove "
            "state/detect.db, and it begins anew from the log"
        )
    return restored


def _restored(tail: Tail, snapshot: _Snapshot, name: Callable[[Rule], str]) -> Restored:
    episodes = tail.load(snapshot.tail, name)
    known = {name(rule) for rule in tail.rules()}
    orphans = tuple(
        one.told
        for place, judge in snapshot.tail.judges.items()
        if place not in known
        for group in unpack_groups(judge.groups)
        for one in group.episodes
        if one.told is not None
    )
    fresh = tuple(
        rule for rule in tail.rules() if name(rule) not in snapshot.tail.judges
    )
    missing = (snapshot.whole_from, snapshot.missing)
    return Restored(tuple(episodes), orphans, fresh, snapshot.sources, missing)
