"""Recovery: a trail goes on when the vault of its keys is gone, with the recovery key.

In this order, which a crash may cut anywhere; run again, it goes on from what it finds:
1. The recovery key is held against genesis, the register against its signature. Every
   secret is opened from escrow (one whose escrow is damaged: by the vault) and held against
   its fingerprint. One that does not come back ends it here, and nothing was changed.
2. The vault is opened: that of policy.yaml, or the one that is given in its place. A local
   keyring without its wrapping key gets a new one.
3. Secrets that this vault does not give back are wrapped under it. Key files and, last,
   policy.yaml are durable. They change nothing that was recorded, so no event goes before:
   without the vault none could be signed.
4. A log whose signing keys this vault does not have gets new ones, the audit log first, since
   it tells of the others. Where the old vault still signs, it is a rotation; else a loss
   (ADR 0007). What the old keys signed stays good in both.
5. The register names the new vault and its key; the change is recorded with a sealed
   document.
6. Proof: some of everything is opened with the keys as they are now.

Whoever has the vault of before may still have unwrapped secrets in it: where it was stolen
and not lost, rotate what it held (`phitrail key compromise`).
"""

from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phitrail.app import wiring
from phitrail.app.config import POLICY_FILE, read_policy
from phitrail.app.escrow_opening import (
    BroughtBack,
    open_every_escrow,
    read_key_file_of,
    read_recovery_of,
)
from phitrail.app.key_change import Done, KeyChange, changing_keys, make_change
from phitrail.app.key_handover import holding_keys
from phitrail.app.key_wiring import (
    KEYS,
    current_register,
    make_vault,
    open_vault,
    wrapping_directory,
)
from phitrail.app.pins import read_lines
from phitrail.app.recovery_proof import Proof, prove_that_it_opens
from phitrail.app.succession import Asked, check_user, succeed
from phitrail.app.vault_choice import policy_with_vault
from phitrail.app.wiring import Trail
from phitrail.durable.files import DurableFiles
from phitrail.errors import ConfigError, VaultError
from phitrail.events.codes import EventType, Log, SuccessionReason
from phitrail.events.ids import format_time
from phitrail.events.protected import Protected
from phitrail.events.succession import Succession
from phitrail.keys.key_file import KeyFile
from phitrail.keys.local_vault import LocalVault
from phitrail.keys.names import WRAPPING, KeyId, KeyKind, checkpoint_key, promise_key
from phitrail.keys.register import (
    KeyRegister,
    Transition,
    add_version,
    move,
    replace_entry,
)
from phitrail.keys.restoring import Lost, still_signs, unwrap_held, wrap_anew
from phitrail.keys.ring import wrapping_entry
from phitrail.keys.settings import LocalVaultSettings, VaultSettings
from phitrail.keys.spelling import base64url
from phitrail.keys.states import KeyState
from phitrail.keys.vault import Vault
from phitrail.tlog.key_line import KeyLine
from phitrail.tlog.note import Signer, VerifierKey


@dataclass(frozen=True, slots=True)
class Recovered:
    """A recovery that was done.

    Attributes:
        vault: the kind of vault that holds the keys now.
        brought_back: how many secrets are here, each as the register knows it.
        wrapped_anew: how many of them the vault did not give back before.
        successions: the logs that have new signing keys, in the order that they got them.
        proof: what the keys open now.
        done: the change, as it was recorded.
    """

    vault: str
    brought_back: int
    wrapped_anew: int
    successions: tuple[Succession, ...]
    proof: Proof
    done: Done


@dataclass(frozen=True, slots=True)
class _Prepared:
    """Keys in their places, and the logs whose keys must give way, with who signs that."""

    brought_back: int
    wrapped_anew: int
    silent: Mapping[Log, Signer | None]


def recover_keys(
    directory: Path,
    recovery: Protected[str],
    *,
    by: str,
    reason: str,
    now: datetime,
    vault: VaultSettings | None = None,
    files: DurableFiles | None = None,
) -> Recovered:
    """Bring every key of a trail back.

    Args:
        directory: the trail.
        recovery: the recovery line, or shares of it.
        by: who does it, as the audit log will name them.
        reason: what happened, in words; kept sealed.
        now: the time.
        vault: the vault that takes the place of the one in policy.yaml.
        files: the trail's files; the fault tests pass their own.

    Raises:
        InputError: the recovery key is another one, or too few shares of it.
        ConfigError: a secret does not come back, each named; nothing was changed. Or the
            vault is not set up.
        IntegrityError: the register is not signed by this trail's keys, or a log is not
            what its promise says.
        VaultError: the vault does not answer; nothing was changed.
        StorageError: run it again.
    """
    check_user(by)
    files = files or DurableFiles(directory)
    private = read_recovery_of(directory, recovery)
    wiring.put_successors_in_place(directory)
    with holding_keys(directory):
        recovering = _Recovering(directory, files, private, format_time(now), vault)
        with closing(recovering.vault):
            prepared = recovering.prepare()
    successions = tuple(
        succeed(
            directory,
            Asked(log, SuccessionReason.ROTATION if old else SuccessionReason.LOST, by),
            recovery,
            now,
            old=old,
            is_published=False,
            files=files,
        )
        for log, old in prepared.silent.items()
    )
    trail = wiring.open_trail(directory, is_for_key_changes=True)
    try:
        done = _record(trail, prepared, successions, by, reason, now, files)
        _publish(trail)
        proof = prove_that_it_opens(directory, trail.keys.behind_glass())
    finally:
        trail.close()
    return Recovered(
        trail.keys.vault.kind,
        prepared.brought_back,
        prepared.wrapped_anew,
        successions,
        proof,
        done,
    )


class _Recovering:
    """The keys of a trail on their way into a vault; the lock of the keys is held."""

    def __init__(
        self,
        directory: Path,
        files: DurableFiles,
        recovery: Ed25519PrivateKey,
        at: str,
        chosen: VaultSettings | None,
    ) -> None:
        self._directory = directory
        self._files = files
        self._recovery = recovery
        self._at = at
        self._register = current_register(directory)
        self._named = read_policy(directory).keys.vault
        self._chosen = chosen if chosen != self._named else None
        self.vault = self._open()

    def prepare(self) -> _Prepared:
        """Put keys in their places; say which logs cannot sign.

        Raises:
            ConfigError: a secret does not come back.
            VaultError: the vault does not answer, or refuses.
        """
        back = open_every_escrow(self._directory, self._register, self._recovery)
        held = self._held(back)
        secrets = {**held, **back.secrets}
        lost = [one for one in back.lost if one.key_id not in held]
        if lost:
            raise ConfigError(
                "these keys do not come back, and nothing was changed: "
                + "; ".join(map(str, lost))
            )
        if not held:
            self._count_beyond_the_register()
        anew = wrap_anew(
            self.vault,
            back.files,
            {
                one: secret
                for one, secret in secrets.items()
                if one not in held or one not in back.secrets
            },
            self._register.escrow_key,
        )
        silent, placed = self._silent_logs()
        placed |= {f"{KEYS}/{file.file_name}": file.encode() for file in anew}
        if self._chosen is not None:
            policy = self._files.read(POLICY_FILE)
            placed[POLICY_FILE] = policy_with_vault(policy, self._chosen)
        self._files.put_many(placed)  # policy.yaml last
        return _Prepared(len(secrets), len(anew), silent)

    def _open(self) -> Vault:
        """Open the vault; one that has no wrapping key gets a new one."""
        settings = self._chosen or self._named
        if isinstance(settings, LocalVaultSettings):
            place = wrapping_directory(self._directory, settings)
            if not any(place.glob(f"{WRAPPING}.v*.json")):
                place.mkdir(mode=0o700, parents=True, exist_ok=True)
                return LocalVault.create(
                    place, created_at=self._at, version=self._newest_wrapping() + 1
                )
            return LocalVault.load(place)
        return make_vault(self._directory, settings, self._at)

    def _newest_wrapping(self) -> int:
        known = self._register.versions(WRAPPING)
        return known[-1].version if known else 0

    def _count_beyond_the_register(self) -> None:
        """Have another vault count on from where the one before was."""
        while self.vault.newest_wrapping_version() <= self._newest_wrapping():
            self.vault.rotate_wrapping_key(self._at)

    def _held(self, back: BroughtBack) -> dict[KeyId, Protected[bytes]]:
        """Say which secrets the vault gives back as it is."""
        try:
            found = {
                key_id: unwrap_held(self.vault, file, self._register.entry(key_id))
                for key_id, file in back.files.items()
            }
        except VaultError as error:
            raise VaultError(
                f"{error}; where that vault is lost, name another one with --vault"
            ) from error
        return {key_id: secret for key_id, secret in found.items() if secret}

    def _silent_logs(self) -> tuple[dict[Log, Signer | None], dict[str, bytes]]:
        """Say which logs this vault does not sign for, and who signs their handover."""
        silent: dict[Log, Signer | None] = {}
        placed: dict[str, bytes] = {}
        lines = read_lines(self._directory)
        old = self._open_old()
        for log in (Log.AUDIT, *(one for one in Log if one is not Log.AUDIT)):
            pair = self._signing_files(log, lines[log], placed)
            if all(still_signs(self.vault, file) for file in pair):
                continue
            silent[log] = _signer(old, pair[0], lines[log])
        return silent, placed

    def _open_old(self) -> Vault | None:
        """Open the vault of before, where another one takes its place and it still is."""
        if self._chosen is None:
            return None
        with suppress(ConfigError, VaultError):
            return open_vault(self._directory, self._named)
        return None

    def _signing_files(
        self, log: Log, line: KeyLine, placed: dict[str, bytes]
    ) -> tuple[KeyFile, KeyFile]:
        """Read a log's two key files; one that is gone is made of its public half."""
        version, pair = len(line.tenures), []
        for name, key in (
            (checkpoint_key(log), line.current.log_key),
            (promise_key(log), line.current.promise_key),
        ):
            file = read_key_file_of(self._directory, KeyId(name, version))
            if isinstance(file, Lost):
                if file.is_seen:
                    raise ConfigError(f"nothing was changed: {file.why}")
                file = self._public_half(KeyId(name, version), key)
                placed[f"{KEYS}/{file.file_name}"] = file.encode()
            pair.append(file)
        return pair[0], pair[1]

    def _public_half(self, key_id: KeyId, key: VerifierKey) -> KeyFile:
        """Make a key file that names a key and signs nothing, until it is succeeded."""
        return KeyFile(
            name=key_id.name,
            kind=KeyKind.SIGN,
            version=key_id.version,
            created_at=self._at,
            vault=self._register.entry(key_id).vault,
            held="",
            public_key=base64url(key.public_key),
        )


def _signer(old: Vault | None, file: KeyFile, line: KeyLine) -> Signer | None:
    """Return what signs a handover for the old key, where its vault still does."""
    if old is None:
        return None
    with suppress(VaultError):
        if still_signs(old, file):
            wrapped = file.wrapped
            return Signer(
                line.origin, file.public(), lambda data: old.sign(wrapped, data)
            )
    return None


def _record(
    trail: Trail,
    prepared: _Prepared,
    successions: tuple[Succession, ...],
    by: str,
    reason: str,
    now: datetime,
    files: DurableFiles,
) -> Done:
    """Write the vault of today into the register, and record what was done."""
    with changing_keys(trail) as found:
        register, transitions = _with_vault(found, trail.keys.vault, format_time(now))
        newest = KeyId(WRAPPING, trail.keys.vault.newest_wrapping_version())
        facts: dict[str, object] = {
            "vault": trail.keys.vault.kind,
            "brought_back": prepared.brought_back,
            "wrapped_anew": prepared.wrapped_anew,
            "successions": [f"{one.log}:{one.head_size}" for one in successions],
        }
        change = KeyChange(
            register,
            transitions,
            summary=(EventType.KEY_RECOVERED, newest),
            facts=facts,
        )
        return make_change(trail, change, by=by, reason=reason, now=now, files=files)


def _publish(trail: Trail) -> None:
    """Publish, unless another process does."""
    with closing(trail.lease()) as lease:
        if lease.try_acquire():
            with closing(trail.publisher()) as publisher:
                publisher.publish()


def _with_vault(
    register: KeyRegister, vault: Vault, at: str
) -> tuple[KeyRegister, tuple[Transition, ...]]:
    """Say in the register which vault holds the secrets, and under which key of it."""
    for entry in register.keys:
        if entry.kind not in {KeyKind.SIGN, KeyKind.WRAP} and entry.vault != vault.kind:
            register = replace_entry(
                register,
                entry.key_id,
                lambda one: msgspec.structs.replace(one, vault=vault.kind),
            )
    made = msgspec.structs.replace(
        wrapping_entry(vault, at), state=KeyState.PRE_ACTIVATION, activated_at=None
    )
    if made.key_id in register.states():
        return register, ()
    before = register.active(WRAPPING)
    register, added = add_version(register, made)
    register, activated = move(register, made.key_id, KeyState.ACTIVE, at)
    if before is None:
        return register, (added, activated)
    register, ended = move(register, before.key_id, KeyState.DEACTIVATED, at)
    return register, (added, activated, ended)
