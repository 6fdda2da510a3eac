"""Trails whose recovery key the test holds, as their officer does, and what thieves do."""

from dataclasses import dataclass
from pathlib import Path

from tests.trails import NOW, TENANT, record_events

from phitrail.app.founding import found_trail
from phitrail.app.succession import Asked, succeed
from phitrail.app.verification import Verification, verify_trail
from phitrail.events.codes import Log, SuccessionReason
from phitrail.events.protected import Protected
from phitrail.events.succession import Succession
from phitrail.evidence.findings import Check

AUDIT = Log.AUDIT


@dataclass(frozen=True, slots=True)
class Kept:
    """A trail, and the recovery key in its safe."""

    directory: Path
    recovery: Protected[str]

    def checkpoint(self, log: Log = AUDIT) -> bytes:
        """Carry the newest checkpoint out."""
        return (self.directory / "public" / log / "checkpoint").read_bytes()

    def rotate(self, log: Log = AUDIT) -> Succession:
        """Rotate the signing keys of a log."""
        return self.succeed(SuccessionReason.ROTATION, log=log)

    def succeed(
        self,
        reason: SuccessionReason,
        *,
        log: Log = AUDIT,
        last_good: bytes | None = None,
    ) -> Succession:
        """Give a log new signing keys."""
        asked = Asked(log, reason, "officer-1", last_good)
        return succeed(self.directory, asked, self.recovery, NOW)

    def grow(self, first: int, end: int) -> None:
        """Record and publish some events."""
        record_events(self.directory, range(first, end))

    def verify(self, *outside: bytes, deep: bool = False) -> Verification:
        """Verify the audit log against what was carried out."""
        held = [(f"outside {at}", note) for at, note in enumerate(outside)]
        return verify_trail(self.directory, logs=(AUDIT,), outside=held, deep=deep)


def found_kept(directory: Path) -> Kept:
    """Found a trail and keep its recovery key."""
    founded = found_trail(directory, TENANT, NOW)
    return Kept(directory, founded.recovery[0])


def told(verification: Verification, check: Check) -> str:
    """Give what was found by one check."""
    return "\n".join(str(one) for one in verification.findings if one.check is check)
