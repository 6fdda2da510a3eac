"""What a verification found wrong: which log, which check, where, and in words.

A verification goes on after a finding, so that one altered byte does not hide another. One
cause may show at many places (a wrong key: at every bundle), so each check keeps its first
findings and counts the rest.
"""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

KEPT_OF_A_CHECK = 16


class Check(StrEnum):
    """What is checked, causes before what follows from them; findings come in this order."""

    GENESIS = "genesis"
    KEYRING = "keyring"
    BUNDLE = "bundle"
    TILE = "tile"
    CHECKPOINT = "checkpoint"
    OUTSIDE = "outside_checkpoint"
    FORK = "fork"
    KEPT = "kept_checkpoint"
    JOURNAL = "journal"
    HEAD = "head"
    PROMISE = "promise"
    ENTRY = "entry"
    EVENT = "event"
    IDENTITY = "identity"
    KEYS = "key_register"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not verify; the message holds no value out of an entry."""

    log: str
    check: Check
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.log} {self.where}: {self.message}"


class Findings:
    """The first findings of each check of one log, and how many there were."""

    def __init__(self, log: str) -> None:
        self._log = log
        self._kept: list[Finding] = []
        self._counts: Counter[Check] = Counter()

    def add(self, check: Check, where: str, message: str) -> None:
        """Note one thing that does not verify."""
        self._counts[check] += 1
        if self._counts[check] <= KEPT_OF_A_CHECK:
            self._kept.append(Finding(self._log, check, where, message))

    def extend(self, other: "Findings") -> None:
        """Take over what was found elsewhere in the same log."""
        room = {check: KEPT_OF_A_CHECK - self._counts[check] for check in Check}
        for finding in other.kept:
            if room[finding.check] > 0:
                room[finding.check] -= 1
                self._kept.append(finding)
        self._counts += other.counts

    @property
    def kept(self) -> tuple[Finding, ...]:
        """The findings that are told one by one, in the order of the checks."""
        order = list(Check)
        return tuple(sorted(self._kept, key=lambda found: order.index(found.check)))

    @property
    def counts(self) -> Counter[Check]:
        """How many findings there were of each check."""
        return self._counts
