"""The first bytes of an envelope say under which key it is."""

import secrets

import pytest

from phitrail.errors import IntegrityError
from phitrail.events.protected import Protected
from phitrail.keys.ring import KeyRing
from phitrail.keys.sealing import HEADER_BYTES, Sealer, read_header

NAME = "audit-seal"


def test_the_header_says_key_and_version_by_its_first_bytes() -> None:
    """Headers of ten thousand bundles are read in a second, bundles are not."""
    ring = KeyRing.of({NAME: {513: Protected(secrets.token_bytes(32))}})
    envelope = Sealer(ring, NAME).seal(b"an entry", b"")
    enough = len(Sealer(ring, NAME).beginning(513))

    assert enough <= HEADER_BYTES
    assert read_header(envelope) == read_header(envelope[:enough]) == (NAME, 513)
    for cut in (b"", envelope[:7], envelope[: enough - 1], b"X" + envelope):
        with pytest.raises(IntegrityError, match="cut or is none"):
            read_header(cut)


def test_a_name_that_is_no_text_is_no_header() -> None:
    """Damage must be told as damage, not as an error of ours."""
    with pytest.raises(IntegrityError, match="cut or is none"):
        read_header(b"PTSEAL1\x02\xff\xfe\x00\x01")
