"""What an opened entry must say: its id is known once, its surrogates are explained."""

from phitrail.events.audit import AuditEvent, AuditLeaf
from phitrail.events.canonical import encode_leaf
from phitrail.events.codes import EventType
from phitrail.events.security import SecurityEvent
from phitrail.evidence.entries import (
    Knowledge,
    check_entries,
    event_key,
    surrogates_in,
)
from phitrail.tlog.hashing import hash_leaf
from phitrail.tlog.receipt import Position

ID = "019a7000-0000-7000-8000-000000000000"
LEAF: AuditLeaf = AuditEvent(
    event_type=EventType.PHI_READ,
    event_id=ID,
    part=1,
    parts=2,
    user_id="usr-" + "u" * 43,
    on_behalf_of="dr-0012",
    records=(("p" * 43, "r" * 43, "Patient"), ("", "s" * 43, "Patient")),
    resource_id="i" * 43,
)


def test_every_surrogate_of_an_event_is_looked_for() -> None:
    """One that is skipped could name a patient whom nobody can find again."""
    assert [one[0] for one in surrogates_in(LEAF)] == ["p", "r", "s", "i", "u"]


def test_an_event_without_subjects_has_no_surrogates() -> None:
    """Other records and plain users need no row of the identity map."""
    plain: AuditLeaf = AuditEvent(event_type=EventType.PHI_READ, user_id="dr-1")

    assert list(surrogates_in(plain)) == []
    assert not list(surrogates_in(SecurityEvent(event_type=EventType.SESSION_DENIED)))


def test_the_key_of_an_event_is_its_id_and_part() -> None:
    """Parts of one event stand under keys of their own."""
    assert event_key(LEAF) == bytes.fromhex(ID.replace("-", "")) + b"\x00\x01"


def test_what_the_trail_knows_passes_and_what_it_does_not_is_found() -> None:
    """Each of the deep checks, once right and once wrong."""
    leaf = encode_leaf(LEAF)
    place = Position("audit", 7, hash_leaf(leaf))
    knows = Knowledge(lambda keys: dict.fromkeys(keys, place), lambda _: ())
    knows_not = Knowledge(lambda _: {}, lambda surrogates: surrogates[:1])

    right = check_entries("audit", 7, [leaf], [hash_leaf(leaf)], knows)
    wrong = check_entries("audit", 7, [leaf], [hash_leaf(leaf)], knows_not)
    noncanonical = leaf.replace(b'":', b'": ', 1)
    bent = check_entries("audit", 7, [noncanonical], [hash_leaf(noncanonical)], knows)

    assert right.kept == ()
    assert [found.check.value for found in wrong.kept] == ["event", "identity"]
    assert {found.where for found in wrong.kept} == {"entry 7"}
    assert [found.check.value for found in bent.kept] == ["entry"]
