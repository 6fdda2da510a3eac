"""Drills of the trust root: what a thief of keys, or the host itself, cannot hide.

Each test is a story. The thief owns the host and every key on it; the recovery key, and
what was carried out, he does not have.
"""

import shutil
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from tests.app.trust import AUDIT, Kept, found_kept, told
from tests.trails import NOW, read_leaves

from phitrail.app.founding import found_trail
from phitrail.app.key_wiring import KEYS
from phitrail.app.pins import JOURNAL, read_lines, read_pins
from phitrail.app.verification import Verdict
from phitrail.app.wiring import open_trail, wire_log_keys
from phitrail.demo.forger import Forger
from phitrail.durable.database import transaction
from phitrail.errors import IntegrityError
from phitrail.events.audit import AuditEvent
from phitrail.events.canonical import encode_leaf
from phitrail.events.codes import SuccessionReason
from phitrail.events.succession import Succession
from phitrail.evidence.findings import Check
from phitrail.keys.ring import KeyRing
from phitrail.tlog.checkpoint import Checkpoint, parse_checkpoint
from phitrail.tlog.hashing import Hash
from phitrail.tlog.journal import Journal
from phitrail.tlog.keyring import sign_keyring
from phitrail.tlog.note import Signer, parse_note, sign_note
from phitrail.tlog.succession import sign_succession

pytestmark = pytest.mark.drill


@pytest.fixture
def kept(memory_path: Path) -> Kept:
    """Give a trail with some events, and its recovery key in a safe elsewhere."""
    trail = found_kept(memory_path / "trail")
    trail.grow(0, 20)
    return trail


def steal(kept: Kept) -> Signer:
    """Copy the checkpoint key out of the host."""
    keys = KeyRing.load(kept.directory / KEYS)
    tenant = read_pins(kept.directory)[AUDIT].genesis.tenant
    return wire_log_keys(tenant, keys)["audit"].checkpoint


def rewrite(kept: Kept, *, cut: int | None = None) -> None:
    """Change who read a record, and sign the whole history anew with the host's keys."""
    forger = Forger(kept.directory, AUDIT)
    leaves = forger.leaves()[:cut]
    with closing(open_trail(kept.directory)) as trail:
        record = read_leaves(trail)[5]
    assert isinstance(record, AuditEvent)
    leaves[5] = encode_leaf(msgspec.structs.replace(record, user_id="dr-9999"))
    forger.rewrite(leaves)


def sign_head(signer: Signer, size: int) -> bytes:
    """Sign a head of the thief's own making."""
    body = Checkpoint(signer.name, size, Hash(bytes(32))).body()
    return sign_note(body, [signer])


def test_a_stolen_key_cannot_rewrite_what_was_seen_outside(kept: Kept) -> None:
    """The thief signs a whole false history; one checkpoint in a mailbox convicts it."""
    seen = kept.checkpoint()
    rewrite(kept)

    assert kept.verify().verdict is Verdict.UNANCHORED
    assert "its history was rewritten" in told(kept.verify(seen), Check.OUTSIDE)


def test_after_a_compromise_the_stolen_key_speaks_for_the_log_no_longer(
    kept: Kept,
) -> None:
    """The thief goes on signing; whoever has the keyring does not believe him."""
    good = kept.checkpoint()
    stolen = steal(kept)
    kept.grow(20, 30)
    doubtful = kept.checkpoint()
    kept.succeed(SuccessionReason.COMPROMISE, last_good=good)
    kept.grow(30, 35)
    forged = sign_head(stolen, 999)
    (kept.directory / "public/audit/checkpoint").write_bytes(forged)
    found = kept.verify(good)

    assert "declared compromised" in told(found, Check.CHECKPOINT)
    assert found.logs[0].held_to == parse_checkpoint(parse_note(good).text).size
    for note in (doubtful, forged):
        assert "declared compromised" in told(kept.verify(note), Check.OUTSIDE)


def test_a_log_that_declared_a_compromise_verifies_again(kept: Kept) -> None:
    """A theft must not leave a log that nobody can ever verify."""
    good = kept.checkpoint()
    kept.grow(20, 30)
    kept.succeed(SuccessionReason.COMPROMISE, last_good=good)
    kept.grow(30, 35)
    found = kept.verify(good, kept.checkpoint(), deep=True)

    assert found.verdict is Verdict.OK
    assert found.logs[0].kept == 4  # not the one between the good one and the theft


def test_a_rewrite_with_the_stolen_key_after_the_compromise_is_caught(
    kept: Kept,
) -> None:
    """The thief cuts the declaration away and rewrites; its checkpoint was carried out."""
    good = kept.checkpoint()
    secrets = kept.directory.parent / "stolen"
    shutil.copytree(kept.directory / KEYS, secrets)
    done = kept.succeed(SuccessionReason.COMPROMISE, last_good=good)
    declared = kept.checkpoint()
    for name in ("checkpoint", "promise"):
        (kept.directory / f"{KEYS}/audit-{name}.v2.json").unlink()
        shutil.copy(secrets / f"audit-{name}.v1.json", kept.directory / KEYS)
    (kept.directory / "public/keyring.json").unlink()
    forger = Forger(kept.directory, AUDIT)
    forger.rewrite(forger.leaves()[: done.head_size])

    assert kept.verify(good).verdict is Verdict.OK
    assert "keys were replaced" in told(kept.verify(good, declared), Check.OUTSIDE)


def forge_handover(kept: Kept) -> Succession:
    """Write the succession that a thief would need, signed with all that he has."""
    stolen = steal(kept)
    size = len(Forger(kept.directory, AUDIT).leaves())
    root = parse_checkpoint(parse_note(kept.checkpoint()).text).root
    line = read_lines(kept.directory)[AUDIT]
    fresh = found_trail(kept.directory.parent / "fresh", "fresh.example", NOW)
    mine = wire_log_keys(
        read_pins(kept.directory)[AUDIT].genesis.tenant,
        KeyRing.load(fresh.directory / KEYS),
    )["audit"]
    draft = Succession(
        event_id="019a7000-0000-7000-8000-000000000777",
        created_at="2026-11-21T12:00:00.000Z",
        log=AUDIT,
        origin=line.origin,
        key_version=2,
        reason=SuccessionReason.ROTATION,
        old_log_vkey=str(line.current.log_key),
        old_promise_vkey=str(line.current.promise_key),
        log_vkey=str(mine.checkpoint.vkey),
        promise_vkey=str(mine.promise.vkey),
        head_size=size,
        head_root=root.hex(),
        trusted_size=size,
        trusted_root=root.hex(),
        nonce="C" * 22,
        recovery_signature="",
    )
    pinned = read_pins(kept.directory)[AUDIT].recovery_key
    as_recovery = Signer(pinned.name, stolen.public_key, stolen.sign)
    return sign_succession(draft, recovery=as_recovery, old=stolen)


def test_a_handover_without_the_recovery_key_is_refused(kept: Kept) -> None:
    """The thief hands the log over to himself, in the log and in a keyring of his own."""
    seen = kept.checkpoint()
    forged = forge_handover(kept)
    append_leaf(kept, forged)

    assert "forged without the recovery key" in told(kept.verify(seen), Check.KEYRING)
    keyring = msgspec.json.encode(forged)  # whatever he writes, he cannot sign it
    (kept.directory / "public/keyring.json").write_bytes(keyring)
    assert "one form" in told(kept.verify(seen), Check.KEYRING)
    with pytest.raises(IntegrityError, match="keyring"):
        open_trail(kept.directory)


def test_a_keyring_under_the_stolen_key_is_refused(kept: Kept) -> None:
    """Even a keyring in perfect form is worth nothing without the recovery key."""
    stolen = steal(kept)
    pins = read_pins(kept.directory)
    name = pins[AUDIT].recovery_key.name
    as_recovery = Signer(name, stolen.public_key, stolen.sign)
    data = sign_keyring(pins, [], as_recovery, "2026-11-21T12:00:00.000Z")
    (kept.directory / "public/keyring.json").write_bytes(data)

    assert "has not signed" in told(kept.verify(), Check.KEYRING)


def append_leaf(kept: Kept, record: Succession) -> None:
    """Append an entry as somebody does who owns the host and its keys."""
    forger = Forger(kept.directory, AUDIT)
    leaves = forger.leaves()
    place = kept.directory / JOURNAL
    with closing(Journal.open(place)) as journal, transaction(journal.database):
        journal.database.execute(
            "INSERT INTO event VALUES (?, 'audit', ?, zeroblob(32), zeroblob(34))",
            (bytes.fromhex(record.event_id.replace("-", "")) + b"\0\0", len(leaves)),
        )
    forger.rewrite([*leaves, encode_leaf(record)])


def test_an_older_keyring_does_not_explain_the_log(kept: Kept) -> None:
    """A keyring rolled back to before the compromise would revive the stolen key."""
    kept.rotate()
    older = (kept.directory / "public/keyring.json").read_bytes()
    kept.grow(20, 25)
    good = kept.checkpoint()
    kept.succeed(SuccessionReason.COMPROMISE, last_good=good)
    kept.grow(25, 30)
    newest = kept.checkpoint()
    (kept.directory / "public/keyring.json").write_bytes(older)
    found = kept.verify(good, newest)

    assert "no known key" in told(found, Check.CHECKPOINT)
    assert "signing keys under keys/" in told(found, Check.GENESIS)
    assert "keys were replaced" in told(found, Check.OUTSIDE)
    with pytest.raises(IntegrityError, match=r"key-register\.json: is not signed by"):
        open_trail(kept.directory)


def test_an_older_keyring_is_found_without_keys_too(kept: Kept, tmp_path: Path) -> None:
    """An auditor with public/ alone sees a checkpoint whose key the keyring lacks."""
    kept.rotate()
    older = (kept.directory / "public/keyring.json").read_bytes()
    kept.rotate()
    copy = Kept(tmp_path / "copy", kept.recovery)
    shutil.copytree(kept.directory / "public", copy.directory / "public")
    (copy.directory / "public/keyring.json").write_bytes(older)

    assert "no known key" in told(copy.verify(), Check.CHECKPOINT)


def test_a_keyring_that_knows_more_than_the_log_is_found(kept: Kept) -> None:
    """A log that was cut back to before a succession has its keyring against it."""
    directory = kept.directory
    copy = Kept(directory.parent / "copy", kept.recovery)
    shutil.copytree(directory, copy.directory)
    kept.rotate()
    newer = (directory / "public/keyring.json").read_bytes()
    (copy.directory / "public/keyring.json").write_bytes(newer)
    assert "cut, or restored" in told(copy.verify(), Check.KEYRING)
    shutil.rmtree(copy.directory / KEYS)  # whoever goes on there does so without keys
    assert "cut, or restored" in told(copy.verify(), Check.KEYRING)


def test_a_log_that_went_on_without_its_succession_is_found(kept: Kept) -> None:
    """Another entry at the succession's place: the old key went on in a second history."""
    directory = kept.directory
    copy = Kept(directory.parent / "copy", kept.recovery)
    shutil.copytree(directory, copy.directory)
    kept.rotate()
    copy.grow(20, 30)
    newer = (directory / "public/keyring.json").read_bytes()
    (copy.directory / "public/keyring.json").write_bytes(newer)

    assert "not in force" in told(copy.verify(), Check.CHECKPOINT)


def test_a_host_that_takes_its_succession_back_is_found(kept: Kept) -> None:
    """The entry is exchanged and all signed anew, with the new keys; the keyring stays."""
    done = kept.rotate()
    kept.grow(20, 25)
    forger = Forger(kept.directory, AUDIT)
    leaves = forger.leaves()
    record = msgspec.structs.replace(done, nonce="D" * 22)
    leaves[done.head_size] = encode_leaf(record)
    forger.rewrite(leaves)

    assert "not the succession" in told(kept.verify(), Check.KEYRING)
    shutil.rmtree(kept.directory / KEYS)  # and so without keys
    assert "not the succession" in told(kept.verify(), Check.KEYRING)


def test_a_lost_key_costs_no_entry_and_no_receipt(kept: Kept) -> None:
    """The disk with the keys is gone; the recovery key alone lets the log go on."""
    seen = kept.checkpoint()
    for name in ("checkpoint", "promise"):
        (kept.directory / f"keys/audit-{name}.v1.json").unlink()
    kept.succeed(SuccessionReason.LOST)
    kept.grow(20, 25)

    assert kept.verify(seen, kept.checkpoint(), deep=True).verdict is Verdict.OK


def test_another_tenant_s_log_in_this_one_s_place_is_found(kept: Kept) -> None:
    """A whole, honest, well-signed trail of somebody else is put where ours stood."""
    seen, genesis = kept.checkpoint(), "public/audit/genesis.json"
    ours = (kept.directory / genesis).read_bytes()
    shutil.rmtree(kept.directory)
    found_trail(kept.directory, "other.example", NOW)
    found = kept.verify(seen)

    assert found.verdict is Verdict.FAILED
    assert "does not have" in told(found, Check.OUTSIDE)
    (kept.directory / genesis).write_bytes(ours)  # the pins that the auditor kept
    assert kept.verify(seen).verdict is Verdict.FAILED


def test_one_log_of_another_trail_of_this_tenant_is_found(kept: Kept) -> None:
    """Same names, other keys: a second trail of the same house."""
    seen = kept.checkpoint()
    other = found_kept(kept.directory.parent / "other")
    other.grow(0, 40)
    other.rotate()
    shutil.rmtree(kept.directory / "public/audit")
    shutil.copytree(other.directory / "public/audit", kept.directory / "public/audit")
    found = kept.verify(seen)

    assert "keys were replaced" in told(found, Check.OUTSIDE)
    shutil.copy(other.directory / "public/keyring.json", kept.directory / "public")
    assert kept.verify(seen).verdict is Verdict.FAILED
