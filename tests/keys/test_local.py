"""Key files are read as they were written, or refused with what to do."""

import base64
import json
import stat
from pathlib import Path

import pytest

from phitrail.errors import ConfigError, StorageError
from phitrail.events.protected import MASK
from phitrail.events.unprotect import unprotect
from phitrail.keys.names import kinds_of_keys
from phitrail.keys.ring import KeyRing

MOMENT = "2026-11-21T12:00:00.000Z"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Give a directory of keys."""
    KeyRing.create(tmp_path / "keys", created_at=MOMENT)
    return tmp_path / "keys"


def edit(place: Path, **changes: object) -> None:
    """Change fields of a key file."""
    place.write_text(json.dumps(json.loads(place.read_text()) | changes))


def test_every_key_is_made_for_its_owner_alone(made: Path) -> None:
    """A key file that others can read signs for them as well."""
    names = {f"{name}.v1.json" for name in kinds_of_keys()}

    assert names == {place.name for place in made.iterdir()}
    assert {0o600} == {stat.S_IMODE(p.stat().st_mode) for p in made.iterdir()}
    assert stat.S_IMODE(made.stat().st_mode) == 0o700


def test_no_two_keys_are_alike(made: Path) -> None:
    """One secret for two purposes lets one be used as the other."""
    keys = KeyRing.load(made)
    secrets = {unprotect(keys.newest(name)[1]) for name in kinds_of_keys()}

    assert len(secrets) == len(kinds_of_keys())


def test_keys_are_never_made_over_others(made: Path) -> None:
    """New keys over old ones would make the log unreadable for ever."""
    with pytest.raises(ConfigError, match="nothing was made"):
        KeyRing.create(made, created_at=MOMENT)


def test_keys_that_cannot_be_written_say_so(tmp_path: Path) -> None:
    """The operator must learn the place."""
    (tmp_path / "file").write_text("")

    with pytest.raises(StorageError, match="cannot write keys"):
        KeyRing.create(tmp_path / "file" / "keys", created_at=MOMENT)


@pytest.mark.drill
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_key_that_others_may_read_or_change_is_refused(made: Path, mode: int) -> None:
    """Whoever read it can sign; going on would hide that."""
    (made / "rater.v1.json").chmod(mode)

    with pytest.raises(ConfigError, match="chmod 600"):
        KeyRing.load(made)


@pytest.mark.parametrize("name", list(kinds_of_keys()))
def test_a_missing_key_is_named(made: Path, name: str) -> None:
    """The operator must know which one to restore."""
    (made / f"{name}.v1.json").unlink()

    with pytest.raises(ConfigError, match=f"key {name} is missing .* key backup"):
        KeyRing.load(made)


def test_a_missing_directory_is_a_missing_key(tmp_path: Path) -> None:
    """A trail without its keys must not open for writing."""
    with pytest.raises(ConfigError, match="is missing"):
        KeyRing.load(tmp_path / "absent")


def test_a_key_that_cannot_be_read_is_named(made: Path) -> None:
    """A dangling link must not look like a defect of ours."""
    (made / "rater.v1.json").unlink()
    (made / "rater.v1.json").symlink_to(made / "absent")

    with pytest.raises(ConfigError, match="cannot read key file"):
        KeyRing.load(made)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"version": "1"},
        {"name": "text-hash"},
        {"kind": "sign"},
        {"secret": base64.b64encode(bytes(31)).decode()},
        {"secret": "not base64!"},
        {"more": 1},
    ],
    ids="-".join,
)
def test_an_altered_key_file_is_refused(made: Path, changes: dict[str, object]) -> None:
    """A key under the wrong name or version would seal what nobody can open."""
    edit(made / "rater.v1.json", **changes)

    with pytest.raises(ConfigError, match="is damaged"):
        KeyRing.load(made)


def test_a_cut_key_file_is_refused_without_showing_it(made: Path) -> None:
    """The decoder's own error would quote what it read."""
    place = made / "rater.v1.json"
    secret = json.loads(place.read_text())["secret"]
    place.write_text(place.read_text()[:-20])

    with pytest.raises(ConfigError, match="is damaged") as caught:
        KeyRing.load(made)

    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert secret[:20] not in str(caught.value)


def test_the_newest_version_is_in_use_and_older_ones_stay(made: Path) -> None:
    """After a rotation, what was sealed before must still open."""
    old = KeyRing.load(made).newest("rater")
    place = made / "rater.v2.json"
    place.write_bytes((made / "rater.v1.json").read_bytes())
    place.chmod(0o600)
    edit(place, version=2, secret=base64.b64encode(bytes(32)).decode())

    keys = KeyRing.load(made)

    assert keys.newest("rater")[0] == 2
    assert (1, keys.secret("rater", 1)) == old
    with pytest.raises(ConfigError, match="version 3 is not here"):
        keys.secret("rater", 3)


def test_secrets_do_not_print(made: Path) -> None:
    """A key in a log line is a key that is lost."""
    assert repr(KeyRing.load(made).newest("rater")[1]) == MASK
