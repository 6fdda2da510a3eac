"""What a directory can say of itself while its log takes nothing.

Texts are hashed and records are checked before they are spooled, under the trail's own keys
and terms. They stand in the directory: where it cannot be read at all when a program starts
(its disk is not mounted), nothing can be spooled either, and `connect` says so. Once read,
they stay in memory, and the directory may go.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from phitrail.app.config import read_policy, read_sources, read_tenant
from phitrail.app.key_wiring import open_ring
from phitrail.app.pins import JOURNAL, read_pins
from phitrail.app.sources import begin_epoch, read_credential
from phitrail.capture.exchange import Systems
from phitrail.capture.rehearsal import Rehearsal
from phitrail.capture.spool import Limits
from phitrail.capture.text_hash import TextHasher
from phitrail.events.canonical import CallerRecord
from phitrail.events.codes import Log
from phitrail.keys import names
from phitrail.keys.mac import Mac
from phitrail.sdk.directory import load_guarding
from phitrail.tlog.genesis import origin_of


class Offline:
    """The terms and keys of one directory, read once.

    Raises:
        ConfigError: there is no trail, or a file or key of it is missing or wrong.
        IntegrityError: a genesis is not one of this trail.
    """

    def __init__(self, path: Path, source: Path | None, now: datetime) -> None:
        tenant, policy = read_tenant(path), read_policy(path)
        keys = open_ring(path, policy)
        self._journal = path / JOURNAL
        self._rater = TextHasher(Mac(keys, names.RATER).written)
        self.hasher = TextHasher(Mac(keys, names.TEXT_HASH).written)
        self.guarding = load_guarding(tenant, policy, keys)
        self.place = str(path.resolve())
        self.trail_id = read_pins(path)[Log.AUDIT].genesis.trail_id
        self.origins = {log.value: origin_of(tenant.tenant, log) for log in Log}
        self.limits = Limits(policy.spool_age_s, policy.spool_events)
        systems = tenant.identity
        epoch = None
        if source is not None:
            epoch = begin_epoch(path, read_credential(source), now)
        self._rehearsal = Rehearsal(
            vocabulary=tenant.terms(),
            systems=Systems(systems.patient, systems.record, systems.user),
            actions=tenant.actions,
            source=epoch,
            registered=[one.source for one in read_sources(path)],
        )

    def rater_hash(self, rater: str) -> str:
        """Return the keyed hash that stands for a rater.

        Raises:
            InputError: it is no text that has bytes.
        """
        return self._rater.hash(rater, "rater").exact

    def rehearse(self, records: Sequence[CallerRecord], now: datetime) -> None:
        """Refuse what the log would refuse.

        Raises:
            InputError: names the field and the rule.
        """
        self._rehearsal.check(records, now)

    def standing(self) -> tuple[int, int] | None:
        """Say which file the journal is at present; None where none can be seen."""
        try:
            found = self._journal.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino
