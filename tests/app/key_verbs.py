"""A trail opened as the verbs of `phitrail key` open it, and what its register says."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from phitrail.app.key_check import check_register
from phitrail.app.key_wiring import current_register
from phitrail.app.wiring import Trail, open_trail
from phitrail.events.codes import Log
from phitrail.keys.names import KeyId
from phitrail.keys.states import KeyState

BY = "officer-1"
WHY = "somebody left a laptop on a train"


@contextmanager
def changing(directory: Path) -> Iterator[Trail]:
    """Open a trail to change its keys."""
    trail = open_trail(directory, is_for_key_changes=True)
    try:
        yield trail
    finally:
        trail.close()


@contextmanager
def recording(directory: Path) -> Iterator[Trail]:
    """Open a trail as a program that records does."""
    trail = open_trail(directory)
    try:
        yield trail
    finally:
        trail.close()


def key_id(written: str) -> KeyId:
    """Read `text-hash:v2`."""
    name, _, version = written.partition(":v")
    return KeyId(name, int(version))


def state(directory: Path, written: str) -> KeyState:
    """Say what the signed register says of a version."""
    return current_register(directory).entry(key_id(written)).state


def check_register_is_the_log_s(directory: Path) -> None:
    """Fold the events of the log, and hold the register against what they tell."""
    with changing(directory) as trail:
        glass = trail.behind_glass()
        checked = check_register(directory, lambda: glass.reader(Log.AUDIT))

    assert not checked.differences
