"""Rotating the vault's own key: every secret is wrapped anew, none of them changes.

1. The vault makes the next version of its key. Where an earlier try did and came no further,
   that version is taken.
2. Every key file is wrapped anew, in batches, and held against the register before anything
   is written: a vault that gave something else would lose the key. Signing keys that live in
   the vault are not wrapped and stay as they are.
3. Files and register change together (`app.key_change`): a crash leaves the files of before
   or those of after, and both versions unwrap.
4. Nothing is retired unless asked: copies of key files from before open under the version
   before. Retiring ends them; what is sealed to the recovery key still brings the keys back.
   The vault goes first, the record after: the log never says gone of what is there.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phitrail.app.key_change import Done, KeyChange, changing_keys, make_change
from phitrail.app.wiring import Trail
from phitrail.durable.files import DurableFiles
from phitrail.errors import IntegrityError, StorageError
from phitrail.events.codes import EventType
from phitrail.events.ids import format_time
from phitrail.events.protected import Protected
from phitrail.keys.key_file import KeyFile, fingerprint_of_public, fingerprint_of_secret
from phitrail.keys.names import WRAPPING, KeyId, KeyKind
from phitrail.keys.register import KeyRegister, Transition, add_version, move
from phitrail.keys.ring import wrapping_entry
from phitrail.keys.states import IS_GONE, KeyState
from phitrail.keys.vault import Vault

BATCH: Final = 256
Progress = Callable[[int, int], None]
"""(key files done, key files in all)"""


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """The vault's key was rotated: from which version to which, and how many files."""

    before: KeyId | None
    after: KeyId
    files: int
    done: Done


def rotate_wrapping_key(
    trail: Trail,
    *,
    by: str,
    reason: str,
    now: datetime,
    progress: Progress | None = None,
    files: DurableFiles | None = None,
) -> Rewrapped:
    """Give the vault's key its next version, and wrap every key file under it.

    Raises:
        VaultError: the vault does not answer, or refuses; the files are as they were.
        IntegrityError: the vault gave back another secret; the files are as they were.
        StorageError: nothing was changed; or it was, and the next who opens the trail
            finishes it.
    """
    vault, at = trail.keys.vault, format_time(now)
    with changing_keys(trail) as found:
        register = found
        before = register.active(WRAPPING)
        newest = max(one.version for one in register.versions(WRAPPING))
        if vault.newest_wrapping_version() <= newest:
            vault.rotate_wrapping_key(at)
        register, moved = _succeed(register, vault, at)
        held = [one for one in trail.keys.files().values() if _is_wrapped(vault, one)]
        made: list[KeyFile] = []
        for batch in _batches(held):
            made += _rewrap(vault, register, batch)
            if progress is not None:
                progress(len(made), len(held))
        after = moved[0].key_id
        change = KeyChange(
            register,
            moved,
            tuple(made),
            summary=(EventType.KEY_ROTATED, after),
            facts={"files_rewrapped": len(made)},
        )
        done = make_change(trail, change, by=by, reason=reason, now=now, files=files)
    return Rewrapped(None if before is None else before.key_id, after, len(made), done)


def retire_wrapping_key(
    trail: Trail,
    *,
    by: str,
    reason: str,
    now: datetime,
    files: DurableFiles | None = None,
) -> tuple[KeyId, ...]:
    """Destroy every version of the vault's key but the one in use; return which.

    Raises:
        VaultError: the vault does not answer, refuses, or cannot do that.
        StorageError: a key file is wrapped under an earlier version still; or nothing
            was recorded, and asking again records it.
    """
    vault = trail.keys.vault
    with changing_keys(trail) as found:
        register = found
        current = register.active(WRAPPING)
        ended = [
            one.key_id
            for one in register.versions(WRAPPING)
            if one is not current and one.state not in IS_GONE
        ]
        if current is None or not ended:
            return ()
        for file in trail.keys.files().values():
            if (
                _is_wrapped(vault, file)
                and vault.wrapping_version(file.held) < current.version
            ):
                raise StorageError(
                    f"key {file.key_id} is wrapped under an earlier version still; run "
                    f"`phitrail key rotate {WRAPPING}` first"
                )
        vault.retire_wrapping_versions(current.version)
        transitions: list[Transition] = []
        for key_id in ended:
            gone = KeyState.DESTROYED
            if register.entry(key_id).state is KeyState.COMPROMISED:
                gone = KeyState.DESTROYED_COMPROMISED
            register, moved = move(register, key_id, gone, format_time(now))
            transitions.append(moved)
        change = KeyChange(register, tuple(transitions))
        make_change(trail, change, by=by, reason=reason, now=now, files=files)
    return tuple(ended)


def _succeed(
    register: KeyRegister, vault: Vault, at: str
) -> tuple[KeyRegister, tuple[Transition, ...]]:
    """Take the vault's newest version into the register, and the one before out of use."""
    before = register.active(WRAPPING)
    entry = msgspec.structs.replace(
        wrapping_entry(vault, at), state=KeyState.PRE_ACTIVATION, activated_at=None
    )
    register, added = add_version(register, entry)
    register, activated = move(register, entry.key_id, KeyState.ACTIVE, at)
    if before is None:
        return register, (added, activated)
    register, ended = move(register, before.key_id, KeyState.DEACTIVATED, at)
    return register, (added, activated, ended)


def _is_wrapped(vault: Vault, file: KeyFile) -> bool:
    """Say whether a file holds a secret; a signing key may be the vault's alone."""
    if file.kind is not KeyKind.SIGN:
        return True
    try:
        vault.wrapping_version(file.held)
    except IntegrityError:
        return False
    return True


def _batches(held: Sequence[KeyFile]) -> Iterator[Sequence[KeyFile]]:
    for start in range(0, len(held), BATCH):
        yield held[start : start + BATCH]


def _rewrap(
    vault: Vault, register: KeyRegister, batch: Sequence[KeyFile]
) -> list[KeyFile]:
    """Wrap a batch anew, and open it once before anybody relies on it."""
    texts = vault.rewrap([file.wrapped for file in batch])
    made = [
        msgspec.structs.replace(file, held=text)
        for file, text in zip(batch, texts, strict=True)
    ]
    secrets = vault.unwrap([file.wrapped for file in made])
    for file, plain in zip(made, secrets, strict=True):
        if register.entry(file.key_id).fingerprint != _fingerprint(file, plain):
            raise IntegrityError(
                f"the vault wrapped another secret in the place of key {file.key_id}; "
                "nothing was changed: find out who has access to the vault"
            )
    return made


def _fingerprint(file: KeyFile, secret: bytes) -> str:
    if file.kind is KeyKind.SIGN:
        private = Ed25519PrivateKey.from_private_bytes(secret)
        public = private.public_key().public_bytes_raw()
        return fingerprint_of_public(file.key_id, public)
    return fingerprint_of_secret(file.key_id, Protected(secret))
