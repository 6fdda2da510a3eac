"""What a succession does to the register: new pairs in use, the halves before them gone.

Pure. The key that gave way is deactivated or, where somebody else may have it, compromised.
Its public half is kept to verify; the half that signs is destroyed, and with it any that an
exception had kept before, unless the exception is still in force (`retain-private`).
"""

from collections.abc import Sequence

import msgspec

from phitrail.events.codes import SuccessionReason
from phitrail.keys.register import (
    KeyEntry,
    KeyRegister,
    add_version,
    move,
    replace_entry,
)
from phitrail.keys.states import IS_GONE, KeyState


def succeed_signers(
    register: KeyRegister,
    made: Sequence[KeyEntry],
    reason: SuccessionReason,
    at: str,
    *,
    is_retaining: bool,
) -> KeyRegister:
    """Put new signing keys into the place of those in use.

    Args:
        register: as it is.
        made: the new versions, in pre-activation.
        reason: why the ones before give way.
        at: when, as written.
        is_retaining: whether the halves that signed are kept.
    """
    ended = KeyState.DEACTIVATED
    if reason is SuccessionReason.COMPROMISE:
        ended = KeyState.COMPROMISED
    for entry in made:
        old = register.in_use(entry.name) or register.versions(entry.name)[-1]
        register, _ = move(register, old.key_id, ended, at)
        if not is_retaining:
            register = _without_private(register, entry.name, at)
        register, _ = add_version(register, entry)
        register, _ = move(register, entry.key_id, KeyState.ACTIVE, at)
    return msgspec.structs.replace(register, number=register.number + 1, written_at=at)


def _without_private(register: KeyRegister, name: str, at: str) -> KeyRegister:
    """Say of every version of a signing key that the half that signs is gone."""
    for one in register.versions(name):
        if one.private_destroyed_at is None and one.state not in IS_GONE:
            register = replace_entry(
                register,
                one.key_id,
                lambda entry: msgspec.structs.replace(entry, private_destroyed_at=at),
            )
    return register
