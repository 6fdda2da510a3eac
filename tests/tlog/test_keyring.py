"""A keyring is what the recovery key signed, and says what the successions say."""

from typing import Any

import msgspec
import pytest
from tests.tlog.successions import (
    COMPROMISED,
    MOMENT,
    PINNED,
    RECOVERY,
    checkpoint_key,
    draft,
    sign,
)

from phitrail.errors import IntegrityError
from phitrail.events.canonical import encode_canonical, encode_leaf
from phitrail.events.codes import Log, SigningRole, SuccessionReason
from phitrail.tlog.keyring import open_keyring, read_line, sign_keyring
from phitrail.tlog.note import Signer
from phitrail.tlog.succession import sign_record, walk

SUCCESSIONS = (sign(draft(2, 10)), sign(draft(3, 20, **COMPROMISED)))
WHOLE = sign_keyring({Log.AUDIT: PINNED}, SUCCESSIONS, RECOVERY, MOMENT)


def changed(by: Signer = RECOVERY, **changes: Any) -> bytes:
    """Change a keyring and sign it again."""
    keyring = msgspec.structs.replace(open_keyring(WHOLE, PINNED), **changes)
    signature = sign_record(keyring, by)
    return (
        encode_canonical(msgspec.structs.replace(keyring, recovery_signature=signature))
        + b"\n"
    )


def test_a_keyring_gives_the_line_of_its_successions() -> None:
    """What stands outside the log must lead to the same keys as what stands in it."""
    leaves = [encode_leaf(one) for one in SUCCESSIONS]

    assert read_line(WHOLE, PINNED) == walk(PINNED, leaves)
    assert read_line(None, PINNED) == walk(PINNED, [])


def test_a_keyring_tells_role_time_and_end_of_every_key() -> None:
    """A person must be able to read off it who could sign what, and why no longer."""
    listed = open_keyring(WHOLE, PINNED).keys
    second = next(
        key
        for key in listed
        if (key.role, key.key_version) == (SigningRole.CHECKPOINT, 2)
    )

    assert len(listed) == 7
    assert second.vkey == str(checkpoint_key(2).vkey)
    assert (second.from_size, second.to_size, second.trusted_size) == (11, 20, 5)
    assert second.ended is SuccessionReason.COMPROMISE
    assert listed[-1].role is SigningRole.SUCCESSION


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "one form"),
        (WHOLE[:-1], "one form"),
        (WHOLE.replace(b'"number":2', b'"number": 2'), "one form"),
        (changed(tenant="other.example"), "another trail's"),
        (changed(trail_id="019a7000-0000-7000-8000-000000000009"), "another trail's"),
        (changed(by=checkpoint_key(1)), "has not signed"),
        (WHOLE.replace(b'"number":2', b'"number":3'), "has not signed"),
        (changed(number=3), "as many successions"),
        (changed(successions=SUCCESSIONS[1:], number=1), "one before it is missing"),
        (changed(keys=()), "table of keys"),
    ],
)
def test_a_keyring_that_does_not_hold_together_is_refused(
    data: bytes, told: str
) -> None:
    """Nothing of it may be believed, above all not a key."""
    with pytest.raises(IntegrityError, match=told):
        read_line(data, PINNED)
