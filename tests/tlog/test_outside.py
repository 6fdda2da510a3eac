"""What came back from outside convicts a log that was cut or rewritten."""

from pathlib import Path

import pytest
from tests.tlog.small_log import KEYS

from phitrail.errors import IntegrityError, StorageError
from phitrail.tlog.checkpoint import Checkpoint
from phitrail.tlog.hashing import Hash
from phitrail.tlog.note import sign_note
from phitrail.tlog.outside import (
    OutsideCheckpoint,
    check_not_behind,
    read_outside,
    read_public,
)

AUDIT = KEYS["audit"]
LINE = AUDIT.line
ROOT = Hash(bytes([7]) * 32)


def note(size: int, log: str = "audit", *, is_promise: bool = False) -> bytes:
    """Sign a checkpoint or a promise."""
    keys = KEYS[log]
    body = Checkpoint(keys.origin, size, ROOT).body()
    return sign_note(body, [keys.promise if is_promise else keys.checkpoint])


def test_no_directory_holds_nothing(tmp_path: Path) -> None:
    """A trail without one is unanchored, not broken."""
    assert list(read_outside(tmp_path / "absent", LINE)) == []


def test_checkpoints_and_promises_of_one_log_are_read(tmp_path: Path) -> None:
    """Both are signed heads, and both convict; those of other logs are theirs."""
    (tmp_path / "a").write_bytes(note(3))
    (tmp_path / "b").write_bytes(note(5, is_promise=True))
    (tmp_path / "c").write_bytes(note(9, "quality"))
    seen = list(read_outside(tmp_path, LINE))

    assert [(s.source, s.checkpoint.size) for s in seen] == [("a", 3), ("b", 5)]


@pytest.mark.parametrize(
    "damage", [b"", b"t/audit\n", note(3).replace(b"\n3\n", b"\n4\n")]
)
def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path, damage: bytes) -> None:
    """Passing over it would make damaging it an attack."""
    (tmp_path / "officer").write_bytes(damage)

    with pytest.raises(IntegrityError, match=r"officer is no checkpoint .*take it out"):
        list(read_outside(tmp_path, LINE))


def test_an_unreadable_file_is_a_storage_error(tmp_path: Path) -> None:
    """The operator has to act, and the log is not to blame."""
    (tmp_path / "officer").mkdir()

    with pytest.raises(StorageError, match="cannot read"):
        list(read_outside(tmp_path, LINE))


def test_a_log_behind_or_beside_it_is_refused() -> None:
    """Cut and rewritten logs are told apart, for the operator who must act."""
    seen = OutsideCheckpoint("officer", Checkpoint("t/audit", 5, ROOT))

    check_not_behind(seen, 5, None)
    check_not_behind(seen, 9, ROOT)
    with pytest.raises(IntegrityError, match=r"had 5 entries .* has 4 here"):
        check_not_behind(seen, 4, None)
    with pytest.raises(IntegrityError, match="another root at size 5"):
        check_not_behind(seen, 9, Hash(bytes(32)))


def test_the_public_copy_counts_where_it_is_whole(tmp_path: Path) -> None:
    """A torn copy says nothing: the journal holds the true one."""
    place = tmp_path / "checkpoint"
    absent = read_public(place, LINE)
    place.write_bytes(note(3)[:-9])
    torn = read_public(place, LINE)
    place.write_bytes(note(3))
    whole = read_public(place, LINE)

    assert (absent, torn) == (None, None)
    assert whole is not None
    assert whole.checkpoint.size == 3
    with pytest.raises(StorageError, match="cannot read"):
        read_public(tmp_path, LINE)
