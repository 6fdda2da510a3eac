"""What is sealed opens under its own key, name and context, whole, and not otherwise."""

import base64
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phitrail.errors import IntegrityError
from phitrail.events.protected import Protected
from phitrail.keys.ring import KeyRing
from phitrail.keys.sealing import Sealer

KEYS = KeyRing.of(
    {
        "one-seal": {1: Protected(bytes(range(32))), 2: Protected(bytes(32))},
        "two-seal": {1: Protected(bytes(range(32))), 2: Protected(bytes(32))},
    }
)
ONE = Sealer(KEYS, "one-seal")


@settings(max_examples=50, deadline=None)
@given(plain=st.binary(max_size=200), context=st.binary(max_size=50))
def test_what_is_sealed_opens_again(plain: bytes, context: bytes) -> None:
    """A body that does not open is a lost entry."""
    assert plain == ONE.open(ONE.seal(plain, context), context)


def test_equal_bytes_never_seal_alike() -> None:
    """Equal envelopes would show that two entries are equal."""
    assert ONE.seal(b"same", b"c") != ONE.seal(b"same", b"c")


def test_every_flipped_byte_is_refused() -> None:
    """Altered bytes must never open, wherever they were altered."""
    envelope = ONE.seal(b"plain", b"context")
    for at in range(len(envelope)):
        for bit in (0x01, 0x80):
            altered = bytearray(envelope)
            altered[at] ^= bit
            with pytest.raises(IntegrityError):
                ONE.open(bytes(altered), b"context")


def test_every_cut_or_grown_envelope_is_refused() -> None:
    """A cut file must be an integrity error, not an index error."""
    envelope = ONE.seal(b"plain", b"context")
    for end in range(len(envelope)):
        with pytest.raises(IntegrityError):
            ONE.open(envelope[:end], b"context")
    with pytest.raises(IntegrityError):
        ONE.open(envelope + b"\0", b"context")


def test_an_envelope_moved_to_another_place_is_refused() -> None:
    """A bundle swapped for another's must not open in its place."""
    with pytest.raises(IntegrityError, match="moved"):
        ONE.open(ONE.seal(b"plain", b"bundle 1"), b"bundle 2")


def test_an_envelope_of_another_key_is_refused() -> None:
    """Even with equal secrets a log's key must not open another log's bytes."""
    with pytest.raises(IntegrityError, match="not under the key two-seal"):
        Sealer(KEYS, "two-seal").open(ONE.seal(b"plain", b"c"), b"c")


def test_a_wrong_secret_is_refused() -> None:
    """A restored wrong key file must be noticed at the first read."""
    wrong = KeyRing.of({"one-seal": {2: Protected(bytes(31) + b"\1")}})

    with pytest.raises(IntegrityError, match="wrong key file"):
        Sealer(wrong, "one-seal").open(ONE.seal(b"plain", b"c"), b"c")


def test_an_older_version_still_opens() -> None:
    """A rotation must not close what was sealed before it."""
    before = KeyRing.of({"one-seal": {1: Protected(bytes(range(32)))}})
    envelope = Sealer(before, "one-seal").seal(b"plain", b"c")

    assert ONE.open(envelope, b"c") == b"plain"


def test_a_version_that_is_not_here_says_what_to_do() -> None:
    """The key may be lost or the envelope altered: both must be said."""
    lost = KeyRing.of({"one-seal": {1: Protected(bytes(32))}})

    with pytest.raises(IntegrityError, match=r"version 2.*restore that key"):
        Sealer(lost, "one-seal").open(ONE.seal(b"plain", b"c"), b"c")


def test_keys_from_files_seal_for_each_other(tmp_path: Path) -> None:
    """Two processes with the same key files read each other's bytes."""
    made, _ = KeyRing.create(tmp_path / "keys", created_at="2026-11-21T12:00:00.000Z")
    again = KeyRing.load(tmp_path / "keys")
    envelope = Sealer(made, "audit-seal").seal(b"plain", b"c")

    assert Sealer(again, "audit-seal").open(envelope, b"c") == b"plain"
    assert b"plain" not in base64.b64decode(base64.b64encode(envelope))
