"""The certificate of a rotation is believed for what it says, and for nothing else."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.app.key_verbs import changing
from tests.app.trust import Kept, found_kept
from tests.trails import NOW, copy_trail

from phitrail.app.key_certificate import (
    FIRST_LINE,
    Succeeded,
    check_certificate,
    issue_certificate,
)
from phitrail.app.key_rotation import rotate_keys
from phitrail.app.pins import JOURNAL
from phitrail.errors import IntegrityError
from phitrail.events.codes import SuccessionReason
from phitrail.events.protected import Protected
from phitrail.events.unprotect import unprotect

BY = "officer-1"
WHY = "the reason stays inside"
NAMES = ("text-hash", "rater")


def rotate(directory: Path) -> bytes:
    """Rotate two keys; give the certificate."""
    with changing(directory) as trail:
        rotated = rotate_keys(trail, NAMES, by=BY, reason=WHY, now=NOW)
        done = Succeeded(
            [(one.before, one.after) for one in rotated],
            [one.done for one in rotated],
            counts={"key_files_rewrapped": 3},
        )
        return issue_certificate(trail, done, by=BY, now=NOW)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Kept, bytes]:
    """Give a trail, and the certificate of a rotation in it."""
    kept = found_kept(tmp_path_factory.mktemp("certified") / "trail")
    kept.grow(0, 3)
    return kept, rotate(kept.directory)


def test_a_certificate_says_what_was_done(kept: tuple[Kept, bytes]) -> None:
    """Who files it must be able to tell which version gave way to which."""
    trail, note = kept
    checked = check_certificate(trail.directory, note)
    found = checked.certificate

    assert checked.has_looked_up
    assert [(one.key, one.from_version, one.to_version) for one in found.keys] == [
        ("text-hash", 1, 2),
        ("rater", 1, 2),
    ]
    assert len(found.events) == 8
    assert len(found.documents) == 1
    assert (found.by, found.counts) == (BY, {"key_files_rewrapped": 3})
    assert WHY not in note.decode()


def test_a_certificate_is_checked_with_what_is_public(
    kept: tuple[Kept, bytes], tmp_path: Path
) -> None:
    """An auditor has no key and no state, and must need none."""
    trail, note = kept
    shutil.copytree(trail.directory / "public", tmp_path / "copy" / "public")

    assert not check_certificate(tmp_path / "copy", note).has_looked_up


def other_count(note: bytes) -> bytes:
    """Raise a count."""
    return note.replace(b'"key_files_rewrapped":3', b'"key_files_rewrapped":4')


def other_form(note: bytes) -> bytes:
    """Write the same with blanks."""
    first, line, *rest = note.decode().split("\n")
    return "\n".join([first, json.dumps(json.loads(line)), *rest]).encode()


def other_line(note: bytes) -> bytes:
    """Say that it is something else."""
    return note.replace(FIRST_LINE.encode(), b"phitrail/key-certificate/v9")


@pytest.mark.parametrize(
    ("alter", "rule"),
    [
        (other_count, "signature of a known key is wrong"),
        (other_form, "not written as this version writes one"),
        (other_line, "its first line is not"),
    ],
)
def test_an_altered_certificate_is_refused(
    kept: tuple[Kept, bytes], alter: Callable[[bytes], bytes], rule: str
) -> None:
    """A certificate is filed for years, by people who may have an interest in it."""
    trail, note = kept
    with pytest.raises(IntegrityError, match=rule):
        check_certificate(trail.directory, alter(note))


def test_a_certificate_of_another_trail_is_refused(
    kept: tuple[Kept, bytes], tmp_path: Path
) -> None:
    """Two houses may bear one name in a test; their trails do not."""
    other = found_kept(tmp_path / "other")

    with pytest.raises(IntegrityError, match="another trail's"):
        check_certificate(other.directory, kept[1])


def test_a_certificate_whose_events_were_cut_is_refused(tmp_path: Path) -> None:
    """A backup from before the rotation has the old keys, whatever is filed."""
    founded = found_kept(tmp_path / "trail")
    before = (founded.directory / JOURNAL).read_bytes()
    note = rotate(founded.directory)
    (founded.directory / JOURNAL).write_bytes(before)
    for left in founded.directory.glob(f"{JOURNAL}-*"):
        left.unlink()

    with pytest.raises(IntegrityError, match="in no log here"):
        check_certificate(founded.directory, note)


def test_a_certificate_stays_good_after_the_signing_keys_gave_way(
    kept: tuple[Kept, bytes], tmp_path: Path
) -> None:
    """The key that signed it is gone by then; its public half is in the keyring."""
    trail, note = kept
    later = Kept(copy_trail(trail.directory, tmp_path / "trail"), trail.recovery)
    later.rotate()

    assert check_certificate(later.directory, note).has_looked_up


def test_what_a_stolen_key_signed_is_not_believed(
    kept: tuple[Kept, bytes], tmp_path: Path
) -> None:
    """A thief signs certificates as well as checkpoints."""
    trail, _ = kept
    stolen = Kept(copy_trail(trail.directory, tmp_path / "trail"), trail.recovery)
    stolen.grow(3, 4)
    good = stolen.checkpoint()
    note = rotate(stolen.directory)
    stolen.succeed(SuccessionReason.COMPROMISE, last_good=good)

    with pytest.raises(IntegrityError, match="declared compromised"):
        check_certificate(stolen.directory, note)


def test_the_recovery_key_is_in_no_certificate(kept: tuple[Kept, bytes]) -> None:
    """What is handed to auditors must not hold what replaces the signing keys."""
    trail, note = kept
    recovery: Protected[str] = trail.recovery

    assert unprotect(recovery).strip() not in note.decode()
