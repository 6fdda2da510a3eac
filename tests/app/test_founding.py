"""Founding leaves a whole trail behind, open to its owner alone, and nothing open."""

import gc
import os
from pathlib import Path

import pytest
from tests.trails import NOW, found

from phitrail.app.founding import found_trail
from phitrail.errors import InputError

READ_BY_OTHERS = 0o077


def _open_files() -> list[str]:
    """List what this process has open, by name."""
    handles = Path("/proc/self/fd")
    return [
        str(place.readlink()) for place in handles.iterdir() if os.path.lexists(place)
    ]


def test_founding_a_trail_leaves_nothing_open(tmp_path: Path) -> None:
    """A connection left to the garbage collector keeps locks and files for a while."""
    gc.disable()
    try:
        directory = found(tmp_path / "trail")
        left = [name for name in _open_files() if name.startswith(str(directory))]
    finally:
        gc.enable()

    assert left == []


def test_every_file_of_a_trail_is_its_owner_s_alone(tmp_path: Path) -> None:
    """Files may be copied out of the directory that protects them."""
    old = os.umask(0)
    try:
        directory = found(tmp_path / "trail")
    finally:
        os.umask(old)
    open_to_others = [
        str(place.relative_to(directory))
        for place in (directory, *directory.rglob("*"))
        if place.stat().st_mode & READ_BY_OTHERS
    ]

    assert open_to_others == []


def test_a_directory_that_was_there_is_closed_to_others(tmp_path: Path) -> None:
    """An operator's `mkdir` leaves 0755; the trail in it must not stand open."""
    directory = tmp_path / "trail"
    directory.mkdir(mode=0o755)
    found(directory)

    assert directory.stat().st_mode & 0o777 == 0o700


def test_a_bad_tenant_name_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    """A name stands in every checkpoint for good, so it is checked first."""
    with pytest.raises(InputError) as caught:
        found_trail(tmp_path / "trail", "Not A Name", NOW)

    assert caught.value.field == "tenant"
    assert not (tmp_path / "trail").exists()
    assert caught.value.__context__ is None
