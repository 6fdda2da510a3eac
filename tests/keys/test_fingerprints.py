"""A well-formed key of another trail is told from the right one."""

from pathlib import Path

import pytest
from phitrail.keys.fingerprints import check_fingerprints, print_fingerprints

from phitrail.errors import ConfigError
from phitrail.events.unprotect import unprotect
from phitrail.keys.names import kinds_of_keys
from phitrail.keys.ring import KeyRing

MOMENT = "2026-11-21T12:00:00.000Z"


@pytest.mark.parametrize("name", list(kinds_of_keys()))
def test_each_wrong_key_is_named(tmp_path: Path, name: str) -> None:
    """With a wrong sealing or hashing key, entries would be lost or counted twice."""
    ours = KeyRing.create(tmp_path / "a", created_at=MOMENT)
    KeyRing.create(tmp_path / "b", created_at=MOMENT)
    wrong = tmp_path / "b" / f"{name}.v1.json"
    (tmp_path / "a" / wrong.name).write_bytes(wrong.read_bytes())
    kept = print_fingerprints(ours)

    check_fingerprints(ours, kept)
    with pytest.raises(ConfigError, match=f"key {name} version 1 .* right key file"):
        check_fingerprints(KeyRing.load(tmp_path / "a"), kept)


def test_a_version_that_is_missing_or_not_listed_is_named(tmp_path: Path) -> None:
    """A lost version leaves entries closed; a planted one would seal from then on."""
    keys = KeyRing.create(tmp_path / "a", created_at=MOMENT)
    kept = print_fingerprints(keys).decode()
    fewer = "".join(
        line for line in kept.splitlines(keepends=True) if "rater" not in line
    )

    with pytest.raises(ConfigError, match="key rater version 1"):
        check_fingerprints(keys, fewer.encode())
    with pytest.raises(ConfigError, match="key rater version 2"):
        check_fingerprints(keys, kept.encode() + b"rater 2 " + b"0" * 32 + b"\n")


@pytest.mark.parametrize("data", [b"\xff", b"rater 1\n", b"rater one 00\n"])
def test_a_damaged_list_is_refused(tmp_path: Path, data: bytes) -> None:
    """Without the list nothing tells a wrong key from the right one."""
    keys = KeyRing.create(tmp_path / "a", created_at=MOMENT)

    with pytest.raises(ConfigError, match="fingerprints"):
        check_fingerprints(keys, data)


def test_a_fingerprint_shows_nothing_of_the_key(tmp_path: Path) -> None:
    """The list stands outside the key directory, so it must be worth nothing."""
    keys = KeyRing.create(tmp_path / "a", created_at=MOMENT)
    written = print_fingerprints(keys).decode()

    for name in kinds_of_keys():
        assert unprotect(keys.newest(name)[1]).hex()[:8] not in written
