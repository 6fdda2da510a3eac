"""Files of secrets: for their owner alone, never written over, never quoted."""

from pathlib import Path

import pytest

from phitrail.errors import ConfigError
from phitrail.keys.secret_file import make_secret_file, read_secret_file

SECRET = b"canary-of-a-secret"


def read(place: Path) -> bytes:
    """Read it with advice that a test can look for."""
    return read_secret_file(place, if_seen="make another", if_missing="look elsewhere")


def test_what_was_written_is_read_back_and_no_one_else_may(tmp_path: Path) -> None:
    """The mode is set when the file is made, not after."""
    place = tmp_path / "key"
    make_secret_file(place, SECRET)

    assert read(place) == SECRET
    assert place.stat().st_mode & 0o777 == 0o600


def test_a_file_that_stands_there_is_not_touched(tmp_path: Path) -> None:
    """Writing over a key would lose whatever it opens."""
    place = tmp_path / "key"
    make_secret_file(place, SECRET)
    with pytest.raises(FileExistsError):
        make_secret_file(place, b"another")

    assert read(place) == SECRET


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    """Any bit for the group or for others is one too many."""
    place = tmp_path / "key"
    make_secret_file(place, SECRET)
    place.chmod(mode)

    with pytest.raises(ConfigError, match=r"chmod 600 .*make another") as caught:
        read(place)
    assert SECRET.decode() not in str(caught.value)


def test_a_missing_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    """Whoever lost it must know where to look."""
    with pytest.raises(ConfigError, match="look elsewhere"):
        read(tmp_path / "key")
