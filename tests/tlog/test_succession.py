"""Only keys that the old key and the recovery key name may follow, each in its turn."""

from typing import Any

import msgspec
import pytest
from tests.tlog.successions import (
    COMPROMISED,
    ORIGIN,
    PINNED,
    RECOVERY,
    TENANT,
    checkpoint_key,
    draft,
    leaf,
    promise_key,
    sign,
    signer,
)

from phitrail.errors import InputError, IntegrityError
from phitrail.events.canonical import encode_leaf
from phitrail.events.codes import Log, SuccessionReason
from phitrail.events.succession import Succession
from phitrail.tlog.checkpoint import Checkpoint
from phitrail.tlog.hashing import Hash
from phitrail.tlog.note import Signer, sign_note
from phitrail.tlog.succession import sign_succession, signed_text, walk


def note(size: int, by: Signer) -> bytes:
    """Sign some head of a size."""
    return sign_note(Checkpoint(ORIGIN, size, Hash(bytes(32))).body(), [by])


def test_a_log_without_successions_has_the_keys_of_its_genesis() -> None:
    """Every trail that was made before there were successions must go on as it is."""
    line = walk(PINNED, [])

    assert line.current.log_key == PINNED.log_key
    assert line.open_checkpoint(note(7, checkpoint_key(1))).size == 7
    assert not line.is_disowned(7)


def test_each_key_signs_at_the_sizes_of_its_own_time() -> None:
    """Old checkpoints stay good after a rotation; an old key signs nothing new."""
    line = walk(PINNED, [leaf(2, 10), leaf(3, 20)])

    assert [(one.first, one.last) for one in line.tenures] == [
        (0, 10),
        (11, 20),
        (21, None),
    ]
    for version, size in ((1, 1), (1, 10), (2, 11), (2, 20), (3, 21), (3, 999)):
        assert line.open_checkpoint(note(size, checkpoint_key(version))).size == size
        assert line.open_promise(note(size, promise_key(version))).size == size
        assert line.open_note(note(size, promise_key(version))).size == size
    for version, size in ((1, 11), (2, 10), (2, 21), (3, 20)):
        with pytest.raises(IntegrityError, match="not in force at that size"):
            line.open_checkpoint(note(size, checkpoint_key(version)))


def test_a_promise_is_no_checkpoint_under_any_key_of_the_line() -> None:
    """Two purposes have two keys; a line of them must not mix what a pair kept apart."""
    line = walk(PINNED, [leaf(2, 10)])

    with pytest.raises(IntegrityError, match="no known key"):
        line.open_checkpoint(note(11, promise_key(2)))
    with pytest.raises(IntegrityError, match="no known key"):
        line.open_promise(note(11, checkpoint_key(2)))


def test_what_a_compromised_key_signed_is_believed_up_to_the_trusted_size() -> None:
    """Whoever stole the key can sign any size; only those seen before can be right."""
    line = walk(PINNED, [leaf(2, 10, **COMPROMISED)])

    assert line.open_checkpoint(note(5, checkpoint_key(1))).size == 5
    assert line.open_checkpoint(note(11, checkpoint_key(2))).size == 11
    for size in (6, 10, 11, 999):
        with pytest.raises(IntegrityError, match="declared compromised"):
            line.open_checkpoint(note(size, checkpoint_key(1)))
    assert [size for size in range(13) if line.is_disowned(size)] == [6, 7, 8, 9, 10]


def test_the_log_s_own_disowned_checkpoint_can_be_read_by_the_log() -> None:
    """After a theft the log goes on from where it stands, held to its tree."""
    line = walk(PINNED, [leaf(2, 10, **COMPROMISED)])

    assert line.open_own(note(8, checkpoint_key(1))).size == 8
    with pytest.raises(IntegrityError, match="declared compromised"):
        line.open_own(note(11, checkpoint_key(1)))


def test_a_head_under_another_key_is_told_from_one_in_force() -> None:
    """A process that was open during a succession must not sign under the old key."""
    line = walk(PINNED, [])
    line.check_in_force(11, note(11, promise_key(1)))

    with pytest.raises(IntegrityError, match="another key"):
        line.check_in_force(11, note(11, promise_key(2)))


@pytest.mark.parametrize("reason", list(SuccessionReason))
def test_nothing_follows_without_the_recovery_key(reason: SuccessionReason) -> None:
    """A thief has the host and its keys; he must not be able to hand over to himself."""
    stolen = checkpoint_key(1)
    forged = Signer(f"{TENANT}/recovery", stolen.public_key, stolen.sign)
    record = sign(draft(2, 10, reason=reason), recovery=forged)

    with pytest.raises(IntegrityError, match="succession 2: note"):
        walk(PINNED, [encode_leaf(record)])


def test_a_rotation_needs_the_old_key_too() -> None:
    """The recovery key alone declares a compromise or a loss, and says so."""
    record = sign_succession(draft(2, 10), recovery=RECOVERY, old=None)

    with pytest.raises(IntegrityError, match="by the old key too"):
        walk(PINNED, [encode_leaf(record)])


def test_the_old_key_s_signature_counts_for_nothing_in_a_compromise() -> None:
    """What a thief could add must not look like consent."""
    record = sign_succession(
        draft(2, 10, reason=SuccessionReason.LOST),
        recovery=RECOVERY,
        old=checkpoint_key(1),
    )

    with pytest.raises(IntegrityError, match="only a rotation"):
        walk(PINNED, [encode_leaf(record)])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"log": Log.QUALITY}, "another log's"),
        ({"origin": "clinic.example/quality"}, "another log's"),
        ({"old_log_vkey": str(checkpoint_key(9).vkey)}, "not in force"),
        ({"old_promise_vkey": str(promise_key(9).vkey)}, "not in force"),
        ({"trusted_size": 9}, "only a compromise"),
        ({"trusted_root": "1" * 64}, "only a compromise"),
        ({**COMPROMISED, "trusted_size": 11}, "trusts more"),
        ({"log_vkey": str(promise_key(2).vkey)}, "not this log's"),
        ({"promise_vkey": str(checkpoint_key(2).vkey)}, "not this log's"),
        ({"log_vkey": str(signer("clinic.example/quality").vkey)}, "not this log's"),
        ({"log_vkey": str(checkpoint_key(1).vkey)}, "uses a key again"),
        ({"log_vkey": f"{ORIGIN}+00000000+AAAA"}, "not Ed25519"),
        ({"log_vkey": f"{ORIGIN}+00000000+AQAA"}, "must be 32 bytes"),
    ],
)
def test_a_succession_that_does_not_continue_the_line_is_refused(
    changes: dict[str, Any], told: str
) -> None:
    """Both keys may have signed it, by mistake or for another log."""
    with pytest.raises(IntegrityError, match=f"succession 2: .*{told}"):
        walk(PINNED, [leaf(2, 10, **changes)])


def test_successions_come_in_their_order_without_a_gap() -> None:
    """A missing one would hide who spoke for the log in between."""
    with pytest.raises(IntegrityError, match="one before it is missing"):
        walk(PINNED, [leaf(3, 20)])
    with pytest.raises(IntegrityError, match="succession 3: begins before"):
        walk(PINNED, [leaf(2, 10), leaf(3, 10)])
    with pytest.raises(IntegrityError, match="succession 2: begins before"):
        walk(PINNED, [leaf(2, 0)])


def test_a_key_of_the_past_never_comes_back() -> None:
    """A retired key may have leaked since."""
    again = leaf(3, 20, log_vkey=str(checkpoint_key(1).vkey))

    with pytest.raises(IntegrityError, match="uses a key again"):
        walk(PINNED, [leaf(2, 10), again])


def test_another_record_is_no_succession() -> None:
    """The genesis itself is signed by nobody."""
    with pytest.raises(IntegrityError, match="is no succession"):
        walk(PINNED, [encode_leaf(PINNED.genesis)])


@pytest.mark.parametrize("field", [f.name for f in msgspec.structs.fields(Succession)])
def test_every_field_is_under_the_signatures(field: str) -> None:
    """A field that nobody signed is a field that anybody may change."""
    record = sign(draft(2, 10))
    if field.endswith("signature"):
        changed = msgspec.structs.replace(record, **{field: "A" * 91 + "="})
        with pytest.raises(IntegrityError, match="note"):
            walk(PINNED, [encode_leaf(changed)])
        return
    changed = msgspec.structs.replace(record, **{field: "changed"})

    assert signed_text(record) != signed_text(changed)


def test_the_signed_text_is_no_checkpoint_of_any_log() -> None:
    """A signature over one kind of text must never be good for another."""
    first, second, rest = signed_text(draft(2, 10)).split("\n")

    assert first == "phitrail/succession/v1"
    assert second.startswith("{")
    assert rest == ""


def test_an_unsigned_draft_cannot_become_a_leaf() -> None:
    """A succession without signatures must not land in a log."""
    with pytest.raises(InputError, match="recovery_signature"):
        encode_leaf(draft(2, 10))
