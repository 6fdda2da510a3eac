"""A founded trail, made once and copied for each test that asks for one."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.trails import copy_trail, found

from phitrail.sdk.promise_store import RECEIPTS_VARIABLE

MEMORY = Path("/dev/shm")  # noqa: S108 - a file system that needs no disk, where present


@pytest.fixture(scope="session", autouse=True)
def _receipts_of_the_session(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    """Keep what wider fixtures are promised out of the user's own directories."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(RECEIPTS_VARIABLE, str(tmp_path_factory.mktemp("receipts")))
        yield


@pytest.fixture(autouse=True)
def receipts_dir(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Keep receipts apart for each test: they all copy one trail, which forks it."""
    place = tmp_path_factory.mktemp("receipts")
    monkeypatch.setenv(RECEIPTS_VARIABLE, str(place))
    return place


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a trail that nobody may write: copy it."""
    return found(tmp_path_factory.mktemp("founded") / "trail")


@pytest.fixture
def trail_dir(founded: Path, tmp_path: Path) -> Path:
    """Give a fresh trail on the disk."""
    return copy_trail(founded, tmp_path / "trail")


@pytest.fixture
def memory_path(tmp_path: Path) -> Iterator[Path]:
    """Give a directory in memory where there is one: for faults that we make ourselves."""
    if not os.access(MEMORY, os.W_OK):
        yield tmp_path
        return
    place = Path(tempfile.mkdtemp(dir=MEMORY, prefix="phitrail-test-"))
    yield place
    shutil.rmtree(place)
