"""`init`: a new trail, from nothing to its first checkpoint (ADR 0002).

1. Refuse a directory that holds anything.
2. Make keys, configuration, journal, identity map.
3. Append the genesis of each log as leaf 0, in one transaction, and put its clear copy
   where a verifier without keys finds it.
4. Publish, so that there is a checkpoint to take outside from the first minute.
5. Hand out the recovery key. It is not kept.
"""

import os
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phitrail.app import wiring
from phitrail.app.config import (
    STARTER_VOCABULARY,
    GuardSection,
    Policy,
    Tenant,
    write_config,
)
from phitrail.app.key_register import REGISTER, print_register, sign_escrow_key
from phitrail.app.key_wiring import KEYS, make_vault, open_ring
from phitrail.app.pins import JOURNAL
from phitrail.durable.files import DurableFiles
from phitrail.errors import ConfigError, InputError, StorageError
from phitrail.events.canonical import encode_leaf
from phitrail.events.codes import Log
from phitrail.events.genesis import Genesis
from phitrail.events.ids import format_time, new_uuid7, uuid_bytes
from phitrail.events.policy import rule_of
from phitrail.events.protected import Protected
from phitrail.events.shapes import TenantName
from phitrail.identity.map import create_identity_map
from phitrail.identity.surrogate import written_surrogate
from phitrail.keys.escrow import escrow_public_key
from phitrail.keys.recovery import Split, make_recovery_key, make_recovery_shares
from phitrail.keys.register import KeyEntry, KeyRegister
from phitrail.keys.ring import KeyRing
from phitrail.keys.settings import KeysSection, LocalVaultSettings, VaultSettings
from phitrail.keys.states import KeyState
from phitrail.tlog.entry import Entry
from phitrail.tlog.genesis import origin_of, recovery_name
from phitrail.tlog.hashing import hash_leaf
from phitrail.tlog.journal import MAC_BYTES, Journal
from phitrail.tlog.layout import public_genesis
from phitrail.tlog.note import Signer

FIRST_PART = b"\x00\x00"
NONCE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Founded:
    """What `init` made, and the recovery key to hand out once: one line, or its shares."""

    directory: Path
    origins: tuple[str, ...]
    recovery: tuple[Protected[str], ...]
    split: Split | None = None


def found_trail(
    directory: Path,
    tenant_name: str,
    now: datetime,
    *,
    vocabulary: dict[str, tuple[str, ...]] | None = None,
    split: Split | None = None,
    guard: GuardSection | None = None,
    vault: VaultSettings | None = None,
) -> Founded:
    """Make a trail in an empty or absent directory.

    Args:
        directory: where.
        tenant_name: whose logs these are.
        now: the time of the founding.
        vocabulary: terms of the tenant beside those to begin with.
        split: hand the recovery key out in that many shares; without it in one line.
        guard: the section `guard` of its policy.yaml; without it answers are not scanned.
        vault: what holds its keys; by default the local keyring in `keys/`.

    Raises:
        InputError: the tenant name is no name; nothing was made.
        ConfigError: the directory holds something already.
        StorageError: a file cannot be written.
    """
    _check_name(tenant_name)
    _make_directories(directory)
    terms = dict(STARTER_VOCABULARY)
    for name, more in (vocabulary or {}).items():
        terms[name] = tuple(dict.fromkeys((*terms.get(name, ()), *more)))
    tenant = Tenant(tenant=tenant_name, vocabulary=terms)
    settings = vault or LocalVaultSettings()
    policy = Policy(guard=guard, keys=KeysSection(vault=settings))
    write_config(directory, tenant, policy)
    private, handed_out = _make_recovery(tenant_name, split)
    recovery = Signer(
        recovery_name(tenant_name),
        private.public_key().public_bytes_raw(),
        private.sign,
    )
    escrow_key, moment = escrow_public_key(private), format_time(now)
    keys, entries = KeyRing.create(
        directory / KEYS,
        lambda: make_vault(directory, settings, moment),
        created_at=moment,
        escrow_key=escrow_key,
    )
    log_keys = wiring.wire_log_keys(tenant_name, keys)
    trail_id = new_uuid7(now)
    register = KeyRegister(
        tenant=tenant_name,
        trail_id=trail_id,
        number=0,
        written_at=moment,
        escrow_key=escrow_key,
        escrow_signature=sign_escrow_key(tenant_name, trail_id, escrow_key, recovery),
        keys=tuple(sorted(map(_activated, entries), key=lambda one: one.key_id)),
    )
    leaves: dict[Log, Genesis] = {
        log: Genesis(
            event_id=new_uuid7(now),
            created_at=format_time(now),
            tenant=tenant_name,
            log=log,
            origin=origin_of(tenant_name, log),
            trail_id=trail_id,
            log_vkey=str(log_keys[log.value].checkpoint.vkey),
            promise_vkey=str(log_keys[log.value].promise.vkey),
            recovery_vkey=str(recovery.vkey),
            nonce=written_surrogate(os.urandom(NONCE_BYTES)),
        )
        for log in Log
    }
    DurableFiles(directory).put_many(
        {public_genesis(log): encode_leaf(leaf) for log, leaf in leaves.items()}
        | {REGISTER: print_register(register, log_keys[Log.AUDIT.value].checkpoint)}
    )
    create_identity_map(directory / wiring.IDENTITY)
    journal = Journal.create(directory / JOURNAL)
    keys = open_ring(directory, policy)
    trail = wiring.assemble(directory, tenant, policy, keys, log_keys, journal)
    try:
        trail.appender.append(tuple(_entry(leaf) for leaf in leaves.values()))
        _publish(trail)
    finally:
        trail.close()
    origins = tuple(origin_of(tenant_name, log) for log in Log)
    return Founded(directory, origins, handed_out, split)


def _make_recovery(
    tenant_name: str, split: Split | None
) -> tuple[Ed25519PrivateKey, tuple[Protected[str], ...]]:
    if split is not None:
        return make_recovery_shares(split)
    private, line = make_recovery_key(tenant_name)
    return private, (line,)


def _activated(entry: KeyEntry) -> KeyEntry:
    """Take a key of the founding into use at once."""
    return msgspec.structs.replace(
        entry, state=KeyState.ACTIVE, activated_at=entry.created_at
    )


def _publish(trail: wiring.Trail) -> None:
    with (
        closing(trail.lease()) as lease,
        lease,
        closing(trail.publisher()) as publisher,
    ):
        publisher.publish()


def _check_name(tenant_name: str) -> None:
    with suppress(msgspec.ValidationError):
        msgspec.convert(tenant_name, TenantName)
        return
    raise InputError.for_field("tenant", rule_of(TenantName))


def _make_directories(directory: Path) -> None:
    """Make the trail's directories; nobody else may look into them."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise ConfigError(
                f"{directory} is not empty; `phitrail init` makes a trail in a new place"
            )
        directory.chmod(0o700)
        for name in ("public", "state", "state/bundles", wiring.OUTSIDE):
            (directory / name).mkdir(mode=0o700)
    except OSError as error:
        raise StorageError(f"cannot make {directory}: {error.strerror}") from error


def _entry(genesis: Genesis) -> Entry:
    leaf = encode_leaf(genesis)
    return Entry(
        genesis.log.value,
        uuid_bytes(genesis.event_id) + FIRST_PART,
        bytes(MAC_BYTES),
        leaf,
        hash_leaf(leaf),
    )
