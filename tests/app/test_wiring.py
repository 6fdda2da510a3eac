"""Opening a trail: everything that was opened is closed when the opening fails."""

import gc
import os
import threading
from pathlib import Path

import pytest
from tests.trails import found

from phitrail.app.wiring import IDENTITY, open_trail
from phitrail.errors import ConfigError


def test_an_opening_that_fails_leaves_no_file_and_no_thread(tmp_path: Path) -> None:
    """A service that tries to open a broken trail each minute must not run out."""
    directory = found(tmp_path / "trail")
    (directory / IDENTITY).unlink()
    threads = threading.active_count()
    gc.disable()
    try:
        with pytest.raises(ConfigError):
            open_trail(directory)
        left = [
            name
            for place in Path("/proc/self/fd").iterdir()
            if os.path.lexists(place)
            and (name := str(place.readlink())).startswith(str(directory))
        ]
    finally:
        gc.enable()

    assert left == []
    assert threads == threading.active_count()


def test_an_append_lock_that_cannot_be_opened_leaves_no_file_and_no_thread(
    tmp_path: Path,
) -> None:
    """The map's writer thread runs already when the lock turns out to be unusable."""
    directory = found(tmp_path / "trail")
    (directory / "state/append.lock").unlink(missing_ok=True)
    (directory / "state/append.lock").mkdir()
    threads = threading.active_count()
    gc.disable()
    try:
        with pytest.raises(Exception, match="lock file"):
            open_trail(directory)
        left = [
            name
            for place in Path("/proc/self/fd").iterdir()
            if os.path.lexists(place)
            and (name := str(place.readlink())).startswith(str(directory))
        ]
    finally:
        gc.enable()

    assert left == []
    assert threads == threading.active_count()
