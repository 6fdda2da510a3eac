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
   it tells of the others. Where the old vault still signs, it is a rotation, and that vault
   is told to destroy them; else a loss (ADR 0007). What they signed stays good in both.
5. The register names the new vault and its key; the change is recorded with a sealed
   document.
6. Proof: some of everything is opened with the keys as they are now.

Whoever has the vault of before may still have unwrapped secrets in it: where it was stolen
and not lost, rotate what it held (`phitrail key compromise`).
"""

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from phitrail.app import wiring
from phitrail.app.bringing_back import BringingBack, Prepared
from phitrail.app.escrow_opening import read_recovery_of
from phitrail.app.key_change import Done, KeyChange, changing_keys, make_change
from phitrail.app.key_handover import holding_keys
from phitrail.app.recovery_proof import Proof, prove_that_it_opens
from phitrail.app.succession import (
    Asked,
    check_user,
    publishing_alone,
    succeed,
)
from phitrail.app.wiring import Trail
from phitrail.durable.files import DurableFiles
from phitrail.errors import VaultError
from phitrail.events.codes import EventType, SuccessionReason
from phitrail.events.ids import format_time
from phitrail.events.protected import Protected
from phitrail.events.succession import Succession
from phitrail.keys.names import WRAPPING, KeyId, KeyKind
from phitrail.keys.register import (
    KeyRegister,
    Transition,
    add_version,
    move,
    replace_entry,
)
from phitrail.keys.ring import wrapping_entry
from phitrail.keys.settings import VaultSettings
from phitrail.keys.states import KeyState
from phitrail.keys.vault import Vault


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
        StorageError: another process publishes: stop it; else run it again.
    """
    check_user(by)
    files = files or DurableFiles(directory)
    private = read_recovery_of(directory, recovery)
    wiring.put_successors_in_place(directory)
    try:
        with publishing_alone(directory), holding_keys(directory):
            back = BringingBack(directory, files, private, format_time(now), vault)
            with closing(back.vault):
                prepared = back.prepare()
    except VaultError as error:
        raise VaultError(
            f"{error}. Where that vault is lost, name another one with --vault",
            is_refusal=error.is_refusal,
        ) from error
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
    prepared.destroy_given_up()
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


def _record(
    trail: Trail,
    prepared: Prepared,
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
