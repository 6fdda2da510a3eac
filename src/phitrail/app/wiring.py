"""Which parts make a trail, and how they are put together.

Every choice of an implementation stands here and nowhere else: journal, files, keys. A
trail opened for writing holds: the recorder, readers, and the publisher with its lease.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phitrail.app.config import Policy, Tenant, read_policy, read_tenant
from phitrail.capture.exchange import Systems
from phitrail.capture.recorder import Recorder
from phitrail.capture.text_hash import TextHasher
from phitrail.durable.files import DurableFiles
from phitrail.durable.lock import FileLock
from phitrail.errors import ConfigError
from phitrail.events.codes import Log
from phitrail.identity.map import IdentityMap
from phitrail.keys import names
from phitrail.keys.fingerprints import check_fingerprints
from phitrail.keys.local import LocalKeys
from phitrail.keys.mac import Mac
from phitrail.keys.sealing import Sealer
from phitrail.tlog.appender import Appender, check_head
from phitrail.tlog.genesis import Pinned, origin_of, read_genesis
from phitrail.tlog.journal import Journal
from phitrail.tlog.layout import public_checkpoint, public_genesis
from phitrail.tlog.log_keys import LogKeys
from phitrail.tlog.note import Signer
from phitrail.tlog.outside import check_not_behind, read_outside, read_public
from phitrail.tlog.publisher import Publisher
from phitrail.tlog.reader import LogReader
from phitrail.tlog.receipt import promise_name

JOURNAL = "state/journal.db"
IDENTITY = "state/identity.db"
OUTSIDE = "state/outside"
APPEND_LOCK = "state/append.lock"
PUBLISH_LOCK = "state/publish.lock"
KEYS = "keys"
FINGERPRINTS = "state/key-fingerprints"


@dataclass(frozen=True, slots=True)
class Trail:
    """An open trail: its parts, wired."""

    directory: Path
    tenant: Tenant
    policy: Policy
    keys: LocalKeys
    log_keys: Mapping[str, LogKeys]
    recorder: Recorder
    hasher: TextHasher
    appender: Appender
    identity: IdentityMap

    def reader(self, log: Log) -> "LogReader":
        """Open a reader of one log with a connection of its own."""
        return LogReader(
            log.value,
            Journal.open(self.directory / JOURNAL, read_only=True),
            DurableFiles(self.directory),
            self.log_keys[log.value],
        )

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
        self.identity.close()


def open_trail(directory: Path) -> Trail:
    """Open a trail for writing and reading.

    Raises:
        ConfigError: there is no trail, or a file or key is missing or wrong.
        StorageError: a file cannot be opened.
        IntegrityError: the journal is behind a checkpoint that came back from outside, or
            its keys are not those that genesis pins.
    """
    tenant, policy = read_tenant(directory), read_policy(directory)
    keys = LocalKeys.load(directory / KEYS)
    log_keys = wire_log_keys(tenant.tenant, keys)
    check_pins(directory, log_keys)
    check_keys(directory, keys)
    journal = Journal.open(directory / JOURNAL)
    try:
        check_heads(journal, log_keys, directory)
    except BaseException:
        journal.close()
        raise
    return assemble(directory, tenant, policy, keys, log_keys, journal)


def assemble(
    directory: Path,
    tenant: Tenant,
    policy: Policy,
    keys: LocalKeys,
    log_keys: Mapping[str, LogKeys],
    journal: Journal,
) -> Trail:
    """Put the parts of a trail together; starts the writer threads.

    The journal is the trail's from here on: it is closed also when this fails.
    """
    systems, vocabulary = tenant.identity, tenant.terms()
    with ExitStack() as opened:
        opened.callback(journal.close)
        identity = IdentityMap(
            directory / IDENTITY,
            tenant=tenant.tenant,
            index=Mac(keys, names.IDENTITY_INDEX).digest,
            seal=Sealer(keys, names.IDENTITY_SEAL),
        )
        opened.callback(identity.close)
        appender = Appender(journal, directory / APPEND_LOCK, log_keys)
        opened.pop_all()
    return Trail(
        directory,
        tenant,
        policy,
        keys,
        log_keys,
        Recorder(
            appender=appender,
            identity=identity,
            vocabulary=vocabulary,
            systems=Systems(systems.patient, systems.record, systems.user),
            actions=tenant.actions,
            idempotency=Mac(keys, names.IDEMPOTENCY).digest,
        ),
        TextHasher(Mac(keys, names.TEXT_HASH).written),
        appender,
        identity,
    )


def wire_log_keys(tenant: str, keys: LocalKeys) -> dict[str, LogKeys]:
    """Hand each log its signers and sealing callables."""
    wired: dict[str, LogKeys] = {}
    for log in Log:
        origin = origin_of(tenant, log)
        sealer = Sealer(keys, names.bundle_key(log))
        wired[log.value] = LogKeys(
            origin=origin,
            checkpoint=_signer(origin, keys.signer(names.checkpoint_key(log))),
            promise=_signer(promise_name(origin), keys.signer(names.promise_key(log))),
            seal=sealer.seal,
            open=sealer.open,
        )
    return wired


def _signer(name: str, private: Ed25519PrivateKey) -> Signer:
    return Signer(name, private.public_key().public_bytes_raw(), private.sign)


def read_pins(directory: Path) -> dict[Log, Pinned]:
    """Read what each log's genesis pins, from its clear copy.

    Raises:
        ConfigError: there is no trail here.
        IntegrityError: a genesis is not one of this log.
    """
    pins: dict[Log, Pinned] = {}
    for log in Log:
        place = directory / public_genesis(log)
        try:
            pins[log] = read_genesis(place.read_bytes(), log)
        except OSError:
            raise ConfigError(
                f"there is no {place}; run `phitrail init`, or point --trail at a trail"
            ) from None
    return pins


def check_pins(directory: Path, log_keys: Mapping[str, LogKeys]) -> None:
    """Check that the keys here are those that genesis pins.

    Raises:
        ConfigError: a key is not the pinned one.
    """
    for log, pinned in read_pins(directory).items():
        keys = log_keys[log.value]
        if (keys.checkpoint.vkey, keys.promise.vkey) != (
            pinned.log_key,
            pinned.promise_key,
        ):
            raise ConfigError(
                f"the signing keys under {directory / KEYS} are not those that the "
                f"genesis of {log} pins; put the right key files back"
            )


def check_keys(directory: Path, keys: LocalKeys) -> None:
    """Check that every other key is the one that the trail was made with.

    Raises:
        ConfigError: a key is another one, or the list of fingerprints is missing.
    """
    place = directory / FINGERPRINTS
    try:
        check_fingerprints(keys, place.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"cannot read {place}: {error.strerror}; restore it from the archive"
        ) from error


def check_heads(
    journal: Journal, log_keys: Mapping[str, LogKeys], directory: Path
) -> None:
    """Check every head before anything is appended.

    Raises:
        IntegrityError: a head is altered, or behind the public checkpoint or one from
            outside.
    """
    for log, keys in log_keys.items():
        head = journal.head(log)
        check_head(head, keys)
        known = [keys.checkpoint.vkey, keys.promise.vkey]
        shown = read_public(directory / public_checkpoint(log), keys.checkpoint.vkey)
        if shown is not None:
            check_not_behind(shown, head.size, None)
        for seen in read_outside(directory / OUTSIDE, keys.origin, known):
            check_not_behind(seen, head.size, None)
