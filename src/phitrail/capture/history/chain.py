"""The old system's own hashes: do its entries give them, and do they hang together?

1. An entry's hash is the SHA-256, in hex, of the entry without that field, written by
   Python's `json.dumps(..., sort_keys=True)`: the form that is commonly published. Which
   of the variants below a file follows is found from its first entry that fits one; a
   file that fits none cannot be checked, which is no word against it.
2. Where entries name the hash before theirs, they must name it rightly. The first may name
   64 zeros, nothing, or a word like `genesis`; a chain that begins with a hash of an entry
   that is not here is `chain_partial`.
3. The first entry that breaks a rule is named. An entry that was changed breaks its own
   hash; one that was deleted, inserted or moved breaks the link of the entry after it.
4. After a break the check goes on from the hash that the entry claims.

Whoever holds such a file can make all of it anew, and can cut its end unseen. The verdict
says whether the file agrees with itself, not that it is true.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

import msgspec

TRIED_ENTRIES = 1000
_HEX = frozenset("0123456789abcdef")
_HASH_CHARS = 64
_STARTS = frozenset({"", "0" * 64, "0", "genesis", "none", "null"})


class ChainVerdict(StrEnum):
    """What was found; each stands as `reason_code` in the record of the import."""

    INTACT = "chain_intact"
    PARTIAL = "chain_partial"
    BROKEN = "chain_broken"
    ENTRIES_INTACT = "entries_intact"
    NOT_CHECKABLE = "chain_not_checkable"
    ABSENT = "chain_absent"


class BreakKind(StrEnum):
    """What the first broken entry breaks."""

    HASH = "hash"
    LINK = "link"
    MISSING = "missing"
    UNREADABLE = "unreadable"


class ChainReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The verdict on a file's own chain.

    `rule` is the variant that its hashes follow; `broken_at` the number of the first
    entry that breaks it, `broken_by` how, `broken_entries` how many do.
    """

    verdict: ChainVerdict
    rule: str | None = None
    hashed_entries: int = 0
    first_hash: str | None = None
    last_hash: str | None = None
    broken_at: int | None = None
    broken_by: BreakKind | None = None
    broken_entries: int = 0


@dataclass(frozen=True, slots=True)
class ChainFields:
    """Which fields of an entry carry its hash and the hash before it."""

    hash: str = "log_hash"
    previous: str = "prev_hash"


_Rule: TypeAlias = Callable[[dict[str, Any], ChainFields], str]


def _whole(fields: dict[str, Any], _: ChainFields) -> str:
    return json.dumps(fields, sort_keys=True)


def _whole_compact(fields: dict[str, Any], _: ChainFields) -> str:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"))


def _without_previous(fields: dict[str, Any], names: ChainFields) -> str:
    rest = {name: fields[name] for name in fields if name != names.previous}
    return json.dumps(rest, sort_keys=True)


def _previous_first(fields: dict[str, Any], names: ChainFields) -> str:
    return f"{fields.get(names.previous)}{_without_previous(fields, names)}"


_RULES: Mapping[str, _Rule] = {
    "json-dumps-sorted": _whole,
    "json-dumps-sorted-compact": _whole_compact,
    "json-dumps-sorted-without-prev": _without_previous,
    "prev-then-json-dumps-sorted": _previous_first,
}


class ChainCheck:
    """Checks entries in the order in which they stand; keeps no entry."""

    def __init__(self, names: ChainFields, *, must_have: bool) -> None:
        """Check hashes under these names; `must_have`: an entry without one breaks it."""
        self._names = names
        self._must_have = must_have
        self._rule: str | None = None
        self._has_links = False
        self._hashed = 0
        self._untold = 0
        self._first: str | None = None
        self._last: str | None = None
        self._is_cut = False
        self._broken: tuple[int, BreakKind] | None = None
        self._broken_entries = 0

    def see(self, number: int, plain: Mapping[str, Any]) -> None:
        """Check one entry."""
        hashed = _as_hash(plain.get(self._names.hash))
        if hashed is None:
            if self._must_have or self._hashed:
                self._break(number, BreakKind.MISSING)
            self._last = None
            self._untold += 1
            return
        kind = self._own_hash(plain, hashed)
        if self._names.previous in plain:
            kind = self._link(plain[self._names.previous]) or kind
        elif self._has_links:
            kind = kind or BreakKind.LINK
        if kind is not None:
            self._break(number, kind)
        self._hashed += 1
        self._first = self._first or hashed
        self._last = hashed

    def cannot_see(self, number: int) -> None:
        """Take note of an entry that could not be read."""
        self._break(number, BreakKind.UNREADABLE)
        self._last = None
        self._untold += 1

    def report(self) -> ChainReport:
        """Say what was found."""
        if not self._hashed and not self._must_have:
            return ChainReport(verdict=ChainVerdict.ABSENT)
        if self._rule is None:
            return ChainReport(
                verdict=ChainVerdict.NOT_CHECKABLE,
                hashed_entries=self._hashed,
                first_hash=self._first,
                last_hash=self._last,
            )
        number, kind = self._broken or (None, None)
        return ChainReport(
            verdict=self._verdict(),
            rule=self._rule,
            hashed_entries=self._hashed,
            first_hash=self._first,
            last_hash=self._last,
            broken_at=number,
            broken_by=kind,
            broken_entries=self._broken_entries,
        )

    def _verdict(self) -> ChainVerdict:
        if self._broken is not None:
            return ChainVerdict.BROKEN
        if not self._has_links:
            return ChainVerdict.ENTRIES_INTACT
        return ChainVerdict.PARTIAL if self._is_cut else ChainVerdict.INTACT

    def _own_hash(self, plain: Mapping[str, Any], hashed: str) -> BreakKind | None:
        fields = {name: plain[name] for name in plain if name != self._names.hash}
        if self._rule is not None:
            fits = self._gives(self._rule, fields, hashed)
            return None if fits else BreakKind.HASH
        if self._hashed < TRIED_ENTRIES:
            for rule in _RULES:
                if self._gives(rule, fields, hashed):
                    self._rule = rule
                    return None
        return BreakKind.HASH

    def _gives(self, rule: str, fields: dict[str, Any], hashed: str) -> bool:
        try:
            text = _RULES[rule](fields, self._names).encode()
        except (ValueError, RecursionError):  # no Python wrote this
            return False
        return hashlib.sha256(text).hexdigest() == hashed

    def _link(self, previous: object) -> BreakKind | None:
        named = _as_hash(previous)
        if self._hashed == 0 and self._untold == 0:
            self._has_links = True
            is_start = previous is None or str(previous).casefold() in _STARTS
            self._is_cut = not is_start
            return None if is_start or named is not None else BreakKind.LINK
        self._has_links = True
        if self._last is None:  # after an entry without a hash: nothing to compare
            return None
        return None if named == self._last else BreakKind.LINK

    def _break(self, number: int, kind: BreakKind) -> None:
        self._broken = self._broken or (number, kind)
        self._broken_entries += 1


def _as_hash(value: object) -> str | None:
    """Read 64 hex characters, with `sha256:` before them or not."""
    if not isinstance(value, str):
        return None
    text = value.lower().removeprefix("sha256:")
    is_hash = len(text) == _HASH_CHARS and _HEX.issuperset(text)
    return text if is_hash and text != "0" * _HASH_CHARS else None
