"""What is signed of the register is short, and covers all of it."""

from pathlib import Path

import msgspec
import pytest
from tests.tlog.trees import make_signer

from phitrail.app.key_register import (
    REGISTER,
    open_register,
    print_register,
    read_register,
)
from phitrail.app.pins import read_lines, read_pins
from phitrail.errors import IntegrityError
from phitrail.events.canonical import encode_canonical
from phitrail.events.codes import Log
from phitrail.tlog.note import Signer

SMALLEST_LIMIT = 4_096
"""Bytes that AWS KMS signs at once: the least of the vaults that may hold the key."""


def test_a_register_of_many_keys_is_signed_by_few_bytes(trail_dir: Path) -> None:
    """A vault signs little at once; six years of keys must still be signed."""
    register = read_register(trail_dir, read_pins(trail_dir), read_lines(trail_dir))
    many = msgspec.structs.replace(register, keys=register.keys * 100)
    signer, signed = make_signer("clinic.example/audit", bytes(range(32))), []

    def sign(data: bytes) -> bytes:
        signed.append(len(data))
        return signer.sign(data)

    data = print_register(many, Signer(signer.name, signer.public_key, sign))

    assert len(data) > 100 * SMALLEST_LIMIT // 2
    assert max(signed) < SMALLEST_LIMIT // 4


def test_a_register_with_another_state_is_refused(trail_dir: Path) -> None:
    """The signature is over a digest: whoever edits a state must not keep it."""
    pins, lines = read_pins(trail_dir), read_lines(trail_dir)
    register = read_register(trail_dir, pins, lines)
    first, *rest = register.keys
    edited = msgspec.structs.replace(
        register, keys=(msgspec.structs.replace(first, vault="elsewhere"), *rest)
    )
    (trail_dir / REGISTER).write_bytes(encode_canonical(edited) + b"\n")

    with pytest.raises(IntegrityError, match="not signed by the keys of this trail"):
        read_register(trail_dir, pins, lines)
    for change in ({"number": register.number + 1}, {"keys": register.keys[1:]}):
        data = encode_canonical(msgspec.structs.replace(register, **change)) + b"\n"
        with pytest.raises(IntegrityError, match="not signed"):
            open_register(data, pins[Log.AUDIT], lines[Log.AUDIT])
