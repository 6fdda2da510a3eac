"""Lines that came before, under other versions of the keys: found again, in their own bytes.

An id that is derived from a line, and a hash in place of a text, are taken under the key
versions in use. Once these were rotated, the same file would give other ids and other bytes.
So where there is more than one version:

1. The id of a line is derived under every version that is here. The log is asked which of
   them it holds; the line then is what it was under that version.
2. Texts are hashed under every version until the bytes are those whose keyed hash the log
   holds. Where none is, the line says something else by now: the door refuses it.
3. What no version finds is new, and comes under the versions in use.
4. A version of the ids that is gone can find nothing. Then a line without an id of its own
   is refused: it might stand in the log already.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from phitrail.capture.text_hash import TextHasher
from phitrail.errors import ConfigError, InputError
from phitrail.events.canonical import CallerRecord

Keyed: TypeAlias = Callable[[bytes], bytes]
"""A keyed hash of 32 bytes under one version."""


@dataclass(frozen=True, slots=True)
class ImportKeys:
    """Under which versions of its keys a file may have come before.

    Attributes:
        ids: version of the key that ids are derived with -> what hashes under it; the one
            in use goes first.
        texts: version of the key of texts -> what hashes them; the one in use goes first.
        gone: versions of the first key that are not here any more.
    """

    ids: Mapping[int, Keyed]
    texts: Mapping[int, TextHasher]
    gone: Sequence[int] = ()

    @property
    def in_use(self) -> tuple[int, int]:
        """The versions that a new line comes under."""
        return next(iter(self.ids)), next(iter(self.texts))

    @property
    def is_single(self) -> bool:
        """Whether nothing could have come under other versions."""
        return len(self.ids) == len(self.texts) == 1

    def check_none_is_gone(self) -> None:
        """Check that every version of the ids is here.

        Raises:
            InputError: one is not; it says what a line needs then.
        """
        if self.gone:
            raise InputError.for_field(
                "event_id",
                f"must be present: version {self.gone[0]} of the key idempotency is gone, "
                "so nobody can say whether a line without one stands in the log",
            )


@dataclass(frozen=True, slots=True)
class KeyedLine:
    """A line that is made of somebody else's entry.

    Attributes:
        line: as it is under the versions in use.
        under: as it is under a version for ids and one for texts.
    """

    line: bytes
    under: Callable[[int, int], bytes | InputError]


@dataclass(frozen=True, slots=True)
class KnownLine:
    """A record whose id was derived, and what it is under other versions."""

    record: CallerRecord
    under: Callable[[int, int], CallerRecord | InputError]


def find_known(
    lines: Sequence[KnownLine],
    keys: ImportKeys,
    stored: Callable[[Sequence[str]], Mapping[str, bytes]],
    is_same: Callable[[CallerRecord, bytes], bool],
) -> list[CallerRecord]:
    """Give each line's record as it stands in the log, or as it is now if it does not.

    Args:
        lines: what was read.
        keys: under which versions they may have come before.
        stored: gives the keyed hash of what the log holds under an id, of those it holds.
        is_same: says whether that is the keyed hash of a record.

    Raises:
        StorageError: the log cannot be asked.
    """
    _, text = keys.in_use
    earlier = [
        {
            record.event_id or "": (version, record)
            for version, record in _under_each_id(line, keys, text)
        }
        for line in lines
    ]
    held = stored(list(dict.fromkeys(one for ids in earlier for one in ids)))
    found: list[CallerRecord] = []
    for line, ids in zip(lines, earlier, strict=True):
        known = next((one for one in ids if one in held), None)
        if known is None:
            found.append(line.record)
            continue
        version, record = ids[known]
        others = _under_each_text(line, record, version, keys)
        with suppress(ConfigError):  # the door says that this version is gone
            record = next((one for one in others if is_same(one, held[known])), record)
        found.append(record)
    return found


def _under_each_id(
    line: KnownLine, keys: ImportKeys, text: int
) -> Iterator[tuple[int, CallerRecord]]:
    for version in keys.ids:
        record = line.record
        if version != keys.in_use[0]:
            other = line.under(version, text)
            if isinstance(other, InputError):
                continue
            record = other
        yield version, record


def _under_each_text(
    line: KnownLine, record: CallerRecord, version: int, keys: ImportKeys
) -> Iterator[CallerRecord]:
    yield record
    for text in list(keys.texts)[1:]:
        other = line.under(version, text)
        if not isinstance(other, InputError):
            yield other
