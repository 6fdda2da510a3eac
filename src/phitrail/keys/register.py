"""The register: every version of every key of a trail, its state and its dates.

It holds no secret. `app.key_register` signs it, reads it and checks the signature; here is
what it says and how it changes, as pure functions. What was done stands in the audit log,
an event for each transition: the register is what comes of these events, and `key list
--check` holds one against the other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec

from phitrail.errors import ConfigError, InputError
from phitrail.events.shapes import Count, NoteSignature, TenantName, Timestamp, Uuid7
from phitrail.keys.names import KeyId, KeyKind
from phitrail.keys.states import (
    IS_GONE,
    PROTECTS,
    KeyState,
    check_transition,
)

Fingerprint = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
UNSIGNED = ""
_DATES = {
    KeyState.ACTIVE: "activated_at",
    KeyState.SUSPENDED: "suspended_at",
    KeyState.DEACTIVATED: "deactivated_at",
    KeyState.COMPROMISED: "compromised_at",
    KeyState.DESTROYED: "destroyed_at",
    KeyState.DESTROYED_COMPROMISED: "destroyed_at",
}


class KeyEntry(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """One version of one key.

    `fingerprint` tells the right secret from a wrong one and says nothing of it. `vault` is
    where the secret, or what unwraps it, is held. `compromised_since` is from when on
    somebody else may have had it. `private_destroyed_at` is of signing keys: when the half
    that signs went.
    """

    name: str
    version: int
    kind: KeyKind
    state: KeyState
    fingerprint: Fingerprint
    vault: str
    created_at: Timestamp
    activated_at: Timestamp | None = None
    suspended_at: Timestamp | None = None
    deactivated_at: Timestamp | None = None
    compromised_at: Timestamp | None = None
    compromised_since: Timestamp | None = None
    destroyed_at: Timestamp | None = None
    private_destroyed_at: Timestamp | None = None

    @property
    def key_id(self) -> KeyId:
        """Its name and version."""
        return KeyId(self.name, self.version)


class KeyException(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """A rule that somebody set aside until a day, recorded and reported.

    `rule` is `local-keyring` (the local keyring under the production profile) or
    `retain-private` (the private half of a signing key outlives its term). The reason is a
    sealed document; its SHA-256 stands here.
    """

    rule: str
    until: Timestamp
    by: str
    recorded_at: Timestamp
    reason_digest: str


class KeyRegister(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="schema",
    tag="phitrail/key-register/v1",
):
    """The keys of a trail; `number` grows by one with each change.

    `escrow_key` is the public key (X25519, base64url) that new secrets are sealed to, so
    that the recovery key can bring them back; the recovery key signed it at the founding.
    """

    tenant: TenantName
    trail_id: Uuid7
    number: Count
    written_at: Timestamp
    escrow_key: str
    escrow_signature: NoteSignature
    keys: tuple[KeyEntry, ...]
    exceptions: tuple[KeyException, ...] = ()
    signature: str = UNSIGNED

    def entry(self, key_id: KeyId) -> KeyEntry:
        """Return the entry of one version.

        Raises:
            InputError: there is no such version.
        """
        for one in self.keys:
            if one.key_id == key_id:
                return one
        raise InputError.for_field(
            str(key_id), "is no key of this trail; see `phitrail key list`"
        )

    def versions(self, name: str) -> tuple[KeyEntry, ...]:
        """List the versions of one key, the oldest first."""
        return tuple(one for one in self.keys if one.name == name)

    def active(self, name: str) -> KeyEntry | None:
        """Return the version that protects, if one does."""
        found = [one for one in self.versions(name) if one.state in PROTECTS]
        return found[-1] if found else None

    def in_use(self, name: str) -> KeyEntry | None:
        """Return the version that protects, or would if it were not suspended."""
        found = [
            one
            for one in self.versions(name)
            if one.state in PROTECTS or one.state is KeyState.SUSPENDED
        ]
        return found[-1] if found else None

    def states(self) -> dict[KeyId, KeyState]:
        """Return the state of every version."""
        return {one.key_id: one.state for one in self.keys}


@dataclass(frozen=True, slots=True)
class Transition:
    """One version goes from one state (none: it is made) to another."""

    key_id: KeyId
    before: KeyState | None
    after: KeyState


def check_fingerprints(
    register: KeyRegister, here: Mapping[KeyId, str], *, may_lack: Sequence[str] = ()
) -> None:
    """Check that the keys that are here are those of the register, no more and no fewer.

    Args:
        register: what should be here.
        here: the fingerprint of every version whose file is here.
        may_lack: names of keys that may be missing, since they are about to be replaced.

    Raises:
        ConfigError: names a key that is not the trail's own.
    """
    listed = {
        one.key_id: one.fingerprint
        for one in register.keys
        if one.state not in IS_GONE
        and one.private_destroyed_at is None
        and one.kind is not KeyKind.WRAP
    }
    gone = {one.key_id for one in register.keys if one.state in IS_GONE}
    for key_id in sorted(listed.keys() | here.keys()):
        if key_id in gone:
            raise ConfigError(
                f"key {key_id.name} version {key_id.version} was destroyed, and its file "
                "is here again; remove it"
            )
        if key_id.name in may_lack and key_id not in here:
            continue
        if listed.get(key_id) != here.get(key_id):
            raise ConfigError(
                f"key {key_id.name} version {key_id.version} is not the one that this "
                "trail was made with; put the right key file back"
            )


def add_version(
    register: KeyRegister, entry: KeyEntry
) -> tuple[KeyRegister, Transition]:
    """Add a version that was just made, in pre-activation.

    Raises:
        InputError: it is not the next one of its key.
    """
    known = register.versions(entry.name)
    newest = known[-1].version if known else 0
    is_next = entry.version == newest + 1
    if entry.kind is KeyKind.WRAP:  # a vault may count for others too
        is_next = entry.version > newest
    if not is_next or entry.state is not KeyState.PRE_ACTIVATION:
        raise InputError.for_field(str(entry.key_id), "is not the next version")
    keys = sorted((*register.keys, entry), key=lambda one: one.key_id)
    return (
        msgspec.structs.replace(register, keys=tuple(keys)),
        Transition(entry.key_id, None, KeyState.PRE_ACTIVATION),
    )


def move(
    register: KeyRegister,
    key_id: KeyId,
    after: KeyState,
    at: str,
    *,
    since: str | None = None,
) -> tuple[KeyRegister, Transition]:
    """Move one version to another state.

    Args:
        register: as it is.
        key_id: which version.
        after: where it is to go.
        at: when, as written.
        since: of a compromise: from when on somebody else may have had it.

    Raises:
        InputError: there is no such version, or it cannot go there.
    """
    entry = register.entry(key_id)
    check_transition(str(key_id), entry.state, after)
    changes: dict[str, object] = {"state": after, _DATES[after]: at}
    if after is KeyState.ACTIVE and entry.activated_at is not None:
        changes = {"state": after, "suspended_at": None}
    if after is KeyState.DESTROYED_COMPROMISED and entry.destroyed_at is not None:
        changes = {"state": after, "compromised_at": at}
    if since is not None:
        changes["compromised_since"] = since
    moved = msgspec.structs.replace(entry, **changes)
    return (
        replace_entry(register, key_id, lambda _: moved),
        Transition(key_id, entry.state, after),
    )


def replace_entry(
    register: KeyRegister, key_id: KeyId, change: Callable[[KeyEntry], KeyEntry]
) -> KeyRegister:
    """Replace the entry of one version by a changed one."""
    keys = tuple(change(one) if one.key_id == key_id else one for one in register.keys)
    return msgspec.structs.replace(register, keys=keys)
