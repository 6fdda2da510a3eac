"""Trails whose vault is lost, what their officers do, and what stands in the map."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.trails import NOW, TENANT, phi_read, record_events

from phitrail.app.clock import monotonic_us
from phitrail.app.founding import found_trail
from phitrail.app.key_recovery import Recovered, recover_keys
from phitrail.app.key_rehearsal import Rehearsed, rehearse_recovery
from phitrail.app.wiring import IDENTITY, open_trail
from phitrail.durable.files import DurableFiles
from phitrail.errors import ConflictError
from phitrail.events.protected import Protected
from phitrail.keys.recovery import Split
from phitrail.keys.settings import VaultSettings

BY = "officer-1"
WHY = "the disk of the vault burnt"
PATIENTS = 7


@dataclass(frozen=True, slots=True)
class Shared:
    """A trail, and the shares that people keep."""

    directory: Path
    shares: tuple[Protected[str], ...]

    @property
    def two(self) -> Protected[str]:
        """What two of the three people bring."""
        return brought(*self.shares[1:])

    def grow(self, first: int, end: int) -> None:
        """Record and publish some events."""
        record_events(self.directory, range(first, end))

    def lose_the_vault(self) -> None:
        """Remove the wrapping key of the local keyring."""
        for place in (self.directory / "keys").glob("wrapping.*"):
            place.unlink()

    def recover(
        self, *, vault: VaultSettings | None = None, files: DurableFiles | None = None
    ) -> Recovered:
        """Bring the keys back."""
        return recover_keys(
            self.directory,
            self.two,
            by=BY,
            reason=WHY,
            now=NOW,
            vault=vault,
            files=files,
        )

    def rehearse(self) -> Rehearsed:
        """Try that out."""
        return rehearse_recovery(
            self.directory, self.two, by=BY, now=NOW, elapsed_us=monotonic_us
        )

    def key_files(self) -> dict[str, bytes]:
        """Read what stands in keys/, and policy.yaml."""
        places = [*(self.directory / "keys").iterdir(), self.directory / "policy.yaml"]
        return {place.name: place.read_bytes() for place in places if place.is_file()}


def brought(*shares: Protected[str]) -> Protected[str]:
    """Put on one page what people bring."""
    return Protected("\n".join(share._value for share in shares))


def found_shared(directory: Path, vault: VaultSettings | None = None) -> Shared:
    """Found a trail whose recovery key is in three shares."""
    founded = found_trail(directory, TENANT, NOW, split=Split(2, 3), vault=vault)
    return Shared(directory, founded.recovery)


def surrogates(directory: Path) -> Mapping[int, str]:
    """Ask the map for every patient of `phi_read`, as the next access does."""
    with closing(open_trail(directory)) as trail:
        found = {
            patient: trail.identity.find(("mrn", f"mrn-{patient}"))
            for patient in range(PATIENTS)
        }
    return {patient: one for patient, one in found.items() if one is not None}


def count_rows(directory: Path) -> int:
    """Count the rows of the identity map."""
    with closing(sqlite3.connect(directory / IDENTITY)) as database:
        (count,) = database.execute("SELECT count(*) FROM subject").fetchone()
    return int(count)


def record_unpublished(directory: Path, number: int) -> None:
    """Record an event, then another one under its id: the security log tells of that.

    Nothing is published.
    """
    with closing(open_trail(directory)) as trail:
        trail.recorder.record(phi_read(number), NOW)
        with pytest.raises(ConflictError):
            trail.recorder.record(phi_read(number, patients=5), NOW)
