"""Which parts make a trail, and how they are put together.

Every choice of an implementation stands here and nowhere else: journal, files, keys. A
trail opened for writing holds: the recorder, readers, and the publisher with its lease.
"""

from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

from phitrail.app import clock, handover
from phitrail.app.config import (
    MRN_SYSTEM,
    Policy,
    Tenant,
    read_policy,
    read_sources,
    read_tenant,
)
from phitrail.app.facts import HouseFacts, load_event
from phitrail.app.key_handover import holding_keys
from phitrail.app.key_wiring import KEYS, open_ring
from phitrail.app.pins import JOURNAL, read_lines
from phitrail.capture.exchange import Systems
from phitrail.capture.recorder import Recorder
from phitrail.capture.source import Source
from phitrail.capture.text_hash import TextHasher
from phitrail.detect.enrich import Zones
from phitrail.durable.files import DurableFiles
from phitrail.durable.lock import FileLock
from phitrail.errors import ConfigError, IntegrityError
from phitrail.events.codes import Log
from phitrail.events.ids import parse_time
from phitrail.identity.aliases import Aliases
from phitrail.identity.fact_store import FactSeal, FactStore
from phitrail.identity.map import IdentityMap
from phitrail.identity.standing import MapKeys
from phitrail.keys import names
from phitrail.keys.mac import Mac
from phitrail.keys.ring import KeyRing, SigningKey
from phitrail.keys.sealing import Sealer
from phitrail.tlog.appender import Appender
from phitrail.tlog.genesis import origin_of
from phitrail.tlog.head import check_head
from phitrail.tlog.journal import Journal
from phitrail.tlog.key_line import KeyLine
from phitrail.tlog.layout import public_checkpoint
from phitrail.tlog.log_keys import LogKeys
from phitrail.tlog.note import Signer
from phitrail.tlog.outside import check_not_behind, read_outside, read_public
from phitrail.tlog.publisher import Publisher
from phitrail.tlog.reader import LogReader
from phitrail.tlog.receipt import promise_name

IDENTITY = "state/identity.db"
OUTSIDE = "state/outside"
APPEND_LOCK = "state/append.lock"
PUBLISH_LOCK = "state/publish.lock"


@dataclass(frozen=True, slots=True)
class Trail:
    """An open trail: its parts, wired.

    `log_keys` open under compromised keys too: the log must go on. What people are shown
    is opened by `shown_keys`, which do not, until the glass is broken.
    """

    directory: Path
    tenant: Tenant
    policy: Policy
    keys: KeyRing
    log_keys: Mapping[str, LogKeys]
    shown_keys: Mapping[str, LogKeys]
    recorder: Recorder
    hasher: TextHasher
    appender: Appender
    identity: IdentityMap
    facts: HouseFacts
    aliases: Aliases | None = None

    def reader(self, log: Log) -> "LogReader":
        """Open a reader of one log with a connection of its own.

        It refuses what is in quarantine; what the log itself must read goes through
        `behind_glass`.
        """
        return LogReader(
            log.value,
            Journal.open(self.directory / JOURNAL, read_only=True),
            DurableFiles(self.directory),
            self.shown_keys[log.value],
        )

    def behind_glass(self) -> "Trail":
        """Return the same trail with what it reads opened under compromised keys too."""
        return replace(self, keys=self.keys.behind_glass(), shown_keys=self.log_keys)

    def journal(self) -> Journal:
        """Open a read-only connection to the journal."""
        return Journal.open(self.directory / JOURNAL, read_only=True)

    def publisher(self) -> Publisher:
        """Make a publisher; only the holder of the lease may use it."""
        return Publisher(
            Journal.open(self.directory / JOURNAL),
            DurableFiles(self.directory),
            self.log_keys,
            self.directory / OUTSIDE,
        )

    def lease(self) -> FileLock:
        """Return the lease of the one who publishes."""
        return FileLock(self.directory / PUBLISH_LOCK)

    def stop_writing(self) -> None:
        """Commit what waits and refuse what comes later."""
        self.appender.close()

    def close(self) -> None:
        """Commit what waits and close every part."""
        self.appender.close()
        if self.aliases is not None:
            self.aliases.close()
        self.identity.close()
        self.keys.close()


def open_trail(
    directory: Path, *, source: Source | None = None, is_for_key_changes: bool = False
) -> Trail:
    """Open a trail for writing and reading, and finish what a succession left undone.

    Args:
        directory: where it stands.
        source: the epoch that this process numbers its events in, where it is a source.
        is_for_key_changes: whether it is opened to change keys and for nothing else:
            under a suspended key, or one that the profile refuses, that alone is recorded.

    Raises:
        ConfigError: there is no trail, or a file or key is missing or wrong, or the
            production profile refuses the local keyring.
        StorageError: a file cannot be opened.
        IntegrityError: the journal is behind a checkpoint that came back from outside, or
            the keyring does not continue what genesis pins.
    """
    tenant, policy = read_tenant(directory), read_policy(directory)
    begun = put_successors_in_place(directory)
    keys = open_ring(directory, policy, is_for_changes=is_for_key_changes)
    log_keys = wire_log_keys(tenant.tenant, keys, read_lines(directory))
    check_pins(directory, log_keys)
    journal = Journal.open(directory / JOURNAL)
    try:
        check_heads(journal, log_keys, directory)
    except BaseException:
        journal.close()
        raise
    trail = assemble(directory, tenant, policy, keys, log_keys, journal, source)
    try:
        if begun is not None:
            record_succession(trail, begun)
        if not is_for_key_changes:
            record_loaded_facts(trail)
    except BaseException:
        trail.close()
        raise
    return trail


def put_successors_in_place(directory: Path) -> handover.Handover | None:
    """Go on with a succession whose entry is durable; give it back, to be recorded.

    Raises:
        ConfigError: its file is damaged.
        StorageError: a file is not in its place yet.
    """
    begun = handover.read_handover(directory)
    if begun is None or not handover.is_recorded(directory / JOURNAL, begun):
        return None
    with (
        holding_keys(directory),
        closing(FileLock(directory / APPEND_LOCK)) as lock,
        lock,
    ):
        handover.put_in_place(DurableFiles(directory), begun)
    return begun


def record_succession(trail: Trail, done: handover.Handover) -> None:
    """Record that keys gave way, once however often this is run; then forget how.

    Raises:
        StorageError: not recorded; the next one who opens the trail does it.
    """
    record, now = handover.key_event(done)
    trail.recorder.record(record, now)
    handover.forget(DurableFiles(trail.directory))


def record_loaded_facts(trail: Trail) -> None:
    """Record a load of facts that a crash left out of the log.

    Facts that cannot be read are no reason not to open (`HouseFacts.failure`).

    Raises:
        StorageError: not recorded; the next one who opens the trail does it.
    """
    store = trail.facts.store
    if not store.is_pending():
        return
    with store.loading(is_waiting=True) as index:
        for file in index.files:
            if file.kind is index.pending:
                trail.recorder.record(load_event(file), parse_time(file.loaded_at))
                store.settle(index)


def assemble(
    directory: Path,
    tenant: Tenant,
    policy: Policy,
    keys: KeyRing,
    log_keys: Mapping[str, LogKeys],
    journal: Journal,
    source: Source | None = None,
) -> Trail:
    """Put the parts of a trail together; starts the writer threads.

    The journal is the trail's from here on: it is closed also when this fails.
    """
    systems, vocabulary = tenant.identity, tenant.terms()
    with ExitStack() as opened:
        opened.callback(journal.close)
        registered = [one.source for one in read_sources(directory)]
        map_keys = wire_map_keys(keys)
        identity = IdentityMap(
            directory / IDENTITY, tenant=tenant.tenant, keys=map_keys
        )
        opened.callback(identity.close)
        aliases = _open_aliases(directory, tenant, policy, map_keys, identity)
        if aliases is not None:
            opened.callback(aliases.close)
        appender = Appender(journal, directory / APPEND_LOCK, log_keys)
        opened.pop_all()
    facts = wire_facts(directory, tenant, log_keys)
    return Trail(
        directory,
        tenant,
        policy,
        keys,
        log_keys,
        _shown_keys(keys, log_keys),
        Recorder(
            appender=appender,
            identity=identity,
            vocabulary=vocabulary,
            systems=Systems(systems.patient, systems.record, systems.user),
            actions=tenant.actions,
            idempotency=Mac(keys, names.IDEMPOTENCY),
            source=source,
            registered=registered,
            facts=facts,
        ),
        TextHasher(Mac(keys, names.TEXT_HASH).written),
        appender,
        identity,
        facts,
        aliases,
    )


def wire_facts(
    directory: Path, tenant: Tenant, log_keys: Mapping[str, LogKeys]
) -> HouseFacts:
    """Hand the house's facts their files, sealed as documents are, and its zones."""
    keys = log_keys[Log.AUDIT.value]
    return HouseFacts(
        Zones(tenant.facility_zones, tenant.holidays),
        FactStore(directory, FactSeal(keys.seal, keys.open), clock.monotonic_us),
    )


def _open_aliases(
    directory: Path,
    tenant: Tenant,
    policy: Policy,
    keys: MapKeys,
    identity: IdentityMap,
) -> Aliases | None:
    """Open the aliases of patients, where a guard asks for them."""
    if not policy.has_guard:
        return None
    system = tenant.identity.patient
    return Aliases(
        directory / IDENTITY,
        tenant=tenant.tenant,
        identity=identity,
        keys=keys,
        mrn_system=system if system == MRN_SYSTEM else None,
    )


def _shown_keys(keys: KeyRing, log_keys: Mapping[str, LogKeys]) -> dict[str, LogKeys]:
    return {
        log.value: replace(
            log_keys[log.value], open=Sealer(keys, names.bundle_key(log)).open
        )
        for log in Log
    }


def wire_map_keys(keys: KeyRing) -> MapKeys:
    """Hand the identity map its keys, and how they are read anew."""
    return MapKeys(
        Mac(keys, names.IDENTITY_INDEX),
        Sealer(keys, names.IDENTITY_SEAL),
        keys.refresh,
    )


def wire_log_keys(
    tenant: str, keys: KeyRing, lines: Mapping[Log, KeyLine] | None = None
) -> dict[str, LogKeys]:
    """Hand each log its signers, the line that they end, and sealing callables.

    They open under compromised keys too: publishing and checking must go on.
    Without `lines`, the signers are taken for the first ones of their logs.
    """
    wired: dict[str, LogKeys] = {}
    for log in Log:
        origin = origin_of(tenant, log)
        sealer = Sealer(keys.behind_glass(), names.bundle_key(log))
        wired[log.value] = LogKeys(
            origin=origin,
            checkpoint=_signer(origin, keys.signing_key(names.checkpoint_key(log))),
            promise=_signer(
                promise_name(origin), keys.signing_key(names.promise_key(log))
            ),
            seal=sealer.seal,
            open=sealer.open,
            known_line=None if lines is None else lines[log],
        )
    return wired


def _signer(name: str, key: SigningKey) -> Signer:
    return Signer(name, key.public_key, key.sign)


def check_pins(directory: Path, log_keys: Mapping[str, LogKeys]) -> None:
    """Check that the keys here are those in force: pinned by genesis, or successors.

    Raises:
        ConfigError: a key is another one.
    """
    for log, keys in log_keys.items():
        current = keys.line.current
        if (keys.checkpoint.vkey, keys.promise.vkey) != (
            current.log_key,
            current.promise_key,
        ):
            raise ConfigError(
                f"the signing keys under {directory / KEYS} are not those that the "
                f"genesis of {log} pins, or the keyring after it; put the right key "
                "files back"
            )


def check_heads(
    journal: Journal, log_keys: Mapping[str, LogKeys], directory: Path
) -> None:
    """Check every head before anything is appended.

    Raises:
        IntegrityError: a head is altered, or behind the public checkpoint, one from
            outside, or the keyring.
    """
    for log, keys in log_keys.items():
        head = journal.head(log)
        check_head(head, keys)
        check_not_before(head.size, keys.line)
        shown = read_public(directory / public_checkpoint(log), keys.line)
        if shown is not None:
            check_not_behind(shown, head.size, None)
        for seen in read_outside(directory / OUTSIDE, keys.line):
            check_not_behind(seen, head.size, None)


def check_not_before(size: int, line: KeyLine) -> None:
    """Check that a log holds every succession that its keyring knows.

    Raises:
        IntegrityError: it is smaller.
    """
    if size < line.current.first:
        raise IntegrityError(
            f"the keyring knows a succession at entry {line.current.first - 1} of "
            f"{line.origin}, which has {size} entries here: it was cut or restored "
            "from a backup. Nothing is signed; bring back the missing entries"
        )
