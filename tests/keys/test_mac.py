"""Keyed hashes carry their key version and agree with RFC 4231."""

import pytest

from phitrail.errors import ConfigError
from phitrail.events.protected import Protected
from phitrail.keys.mac import Mac
from phitrail.keys.recovery import make_recovery_key
from phitrail.keys.ring import KeyRing
from phitrail.keys.spelling import base64url

KEY = b"\x0b" * 20
DATA = b"Hi There"
DIGEST = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
MAC = Mac(KeyRing.of({"rater": {1: Protected(b"old"), 3: Protected(KEY)}}), "rater")


def test_the_digest_is_hmac_sha256_of_the_newest_key() -> None:
    """RFC 4231 case 1: another function would match nobody's hashes."""
    assert MAC.digest(DATA) == (3, bytes.fromhex(DIGEST))


def test_a_written_hash_names_its_key_version() -> None:
    """Without the version a hash cannot be matched after a rotation."""
    written = MAC.written(DATA)

    assert written == f"hmac-sha256:3:{base64url(bytes.fromhex(DIGEST))}"
    assert len(written.rsplit(":", 1)[1]) == 43


def test_an_older_key_is_used_by_name() -> None:
    """Old hashes are matched under the key that made them."""
    assert MAC.digest_under(3, DATA) == MAC.digest(DATA)[1]
    assert MAC.digest_under(1, DATA) != MAC.digest(DATA)[1]
    assert (MAC.versions(), MAC.version_in_use()) == ((1, 3), 3)
    assert MAC.written(DATA) == MAC.written_under(3, DATA)
    assert MAC.written_under(1, DATA).startswith("hmac-sha256:1:")
    with pytest.raises(ConfigError, match="version 2 is not here"):
        MAC.digest_under(2, DATA)


def test_a_recovery_key_is_handed_out_masked() -> None:
    """The one line that can replace every key must not land in a log file."""
    public, line = make_recovery_key("clinic.example")
    other, _ = make_recovery_key("clinic.example")

    assert public != other
    assert "phitrail-recovery" not in repr(line)
