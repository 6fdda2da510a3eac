"""A trail goes on when the vault of its keys is gone: the same people, the same history."""

import json
import shutil
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.app.key_verbs import check_register_is_the_log_s
from tests.app.lost_vaults import (
    BY,
    PATIENTS,
    Shared,
    brought,
    count_rows,
    found_shared,
    record_unpublished,
    surrogates,
)
from tests.faults.steps import Fault, FaultyFiles, Kind
from tests.trails import NOW, copy_trail, phi_read, read_leaves
from tests.vaults import OpenBao, openbao

from phitrail.app import handover
from phitrail.app.config import read_policy
from phitrail.app.documents import open_document
from phitrail.app.key_recovery import recover_keys
from phitrail.app.key_register import REGISTER, print_register
from phitrail.app.key_wiring import current_register
from phitrail.app.pins import read_lines
from phitrail.app.succession import Asked, succeed
from phitrail.app.verification import Verdict, verify_trail
from phitrail.app.wiring import open_trail
from phitrail.errors import (
    ConfigError,
    InputError,
    IntegrityError,
    StorageError,
    VaultError,
)
from phitrail.events.audit import AuditEvent
from phitrail.events.codes import EventType, Log, SuccessionReason
from phitrail.events.ids import format_time
from phitrail.keys.escrow import escrow_public_key
from phitrail.keys.key_file import KeyFile
from phitrail.keys.local_vault import LocalVault
from phitrail.keys.names import WRAPPING, KeyId, KeyKind
from phitrail.keys.settings import LocalVaultSettings, OpenBaoSettings
from phitrail.keys.states import KeyState

MANY = 200
ELSEWHERE = LocalVaultSettings(directory="../elsewhere")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """Give a trail with a full bundle and some more; copy it."""
    trail = found_shared(tmp_path_factory.mktemp("whole") / "trail")
    trail.grow(0, 300)
    return trail


@pytest.fixture
def trail(whole: Shared, memory_path: Path) -> Shared:
    """Give a copy of it."""
    copy = copy_trail(whole.directory, memory_path / "trail")
    return Shared(copy, whole.shares)


def verify_deep(trail: Shared, *outside: bytes) -> None:
    """Verify every entry and row, against what was carried out."""
    held = [(f"outside {at}", note) for at, note in enumerate(outside)]
    found = verify_trail(trail.directory, logs=(Log.AUDIT,), outside=held, deep=True)

    assert found.findings == ()
    assert not outside or found.verdict is Verdict.OK


def checkpoint(trail: Shared) -> bytes:
    """Carry the newest checkpoint out."""
    return (trail.directory / "public/audit/checkpoint").read_bytes()


def change_key_file(trail: Shared, name: str, **changes: object) -> None:
    """Write another thing into a key file."""
    place = trail.directory / "keys" / name
    file = msgspec.json.decode(place.read_bytes(), type=KeyFile)
    place.write_bytes(msgspec.structs.replace(file, **changes).encode())


def altered(written: str) -> str:
    """Alter one character of base64url."""
    return ("B" if written[0] == "A" else "A") + written[1:]


def test_a_lost_vault_costs_no_entry_and_no_identity(trail: Shared) -> None:
    """The same person under a second surrogate would be a stranger to the record."""
    seen, before = checkpoint(trail), surrogates(trail.directory)
    rows = count_rows(trail.directory)
    trail.lose_the_vault()
    with pytest.raises(ConfigError, match="key recover"):
        open_trail(trail.directory)
    done = trail.recover()
    trail.grow(300, 310)

    assert len(before) == PATIENTS
    assert before == surrogates(trail.directory)
    assert rows + 10 == count_rows(trail.directory)  # a note is a record of its own
    assert (done.brought_back, done.wrapped_anew) == (8, 8)
    assert [one.log for one in done.successions] == [
        Log.AUDIT,
        Log.SECURITY,
        Log.QUALITY,
    ]
    assert {one.reason for one in done.successions} == {SuccessionReason.LOST}
    assert done.proof.failures == ()
    assert done.proof.identities_opened == 1
    assert done.proof.entries_opened == {"audit": 2, "security": 2, "quality": 2}
    verify_deep(trail, seen, checkpoint(trail))
    check_register_is_the_log_s(trail.directory)


def test_what_was_recorded_and_not_published_is_published_after(trail: Shared) -> None:
    """A vault is lost at any moment, not between two publishings."""
    record_unpublished(trail.directory, 400)
    trail.lose_the_vault()
    trail.recover()
    note = (trail.directory / "public/security/checkpoint").read_text().split("\n")

    assert note[1] == "3"  # genesis, the refusal, the succession
    verify_deep(trail, checkpoint(trail))


def test_it_is_on_record_with_what_happened(trail: Shared) -> None:
    """Who brought every key back, and why, is what an auditor asks first."""
    trail.lose_the_vault()
    done = trail.recover()
    with closing(open_trail(trail.directory)) as opened:
        events = [one for one in read_leaves(opened) if isinstance(one, AuditEvent)]
        text = open_document(opened, done.done.digest)
    recovered = events[-1]
    register = current_register(trail.directory)

    assert recovered.event_type is EventType.KEY_RECOVERED
    assert (recovered.user_id, recovered.object_id) == (BY, "wrapping:v2")
    assert recovered.object_digest == done.done.digest
    assert text is not None
    assert json.loads(text)["reason"] == "the disk of the vault burnt"
    assert register.entry(KeyId(WRAPPING, 1)).state is KeyState.DEACTIVATED
    assert register.entry(KeyId(WRAPPING, 2)).state is KeyState.ACTIVE


def test_recovering_again_changes_no_key(trail: Shared) -> None:
    """Somebody who is not sure whether it went through runs it again."""
    trail.lose_the_vault()
    trail.recover()
    files = trail.key_files()
    again = trail.recover()

    assert (again.wrapped_anew, again.successions) == (0, ())
    assert files == trail.key_files()


def test_one_key_file_that_does_not_unwrap_is_wrapped_anew_alone(trail: Shared) -> None:
    """A flipped bit in one file is no reason to replace the keys of three logs."""
    held = json.loads((trail.directory / "keys/identity-seal.v1.json").read_text())
    change_key_file(trail, "identity-seal.v1.json", held=held["held"][:-4] + "AAAA")
    with pytest.raises(ConfigError):
        open_trail(trail.directory)
    done = trail.recover()

    assert (done.brought_back, done.wrapped_anew, done.successions) == (8, 1, ())
    assert len(surrogates(trail.directory)) == PATIENTS


def test_a_key_file_that_is_lost_is_named_and_nothing_is_changed(trail: Shared) -> None:
    """Half of the keys brought back is a trail that nobody can open, and looks whole."""
    (trail.directory / "keys/identity-seal.v1.json").unlink()
    (trail.directory / "keys/rater.v1.json").write_text("{}")
    trail.lose_the_vault()
    files = trail.key_files()
    with pytest.raises(ConfigError) as caught:
        trail.recover()

    told = str(caught.value)
    assert (
        "identity-seal:v1: its file is missing; restore keys/ from the backup" in told
    )
    assert "rater:v1: key file" in told
    now = trail.key_files()
    assert files == {name: now[name] for name in files}
    assert set(now) - set(files) <= {"wrapping.v2.json"}  # an empty keyring, no more


@pytest.mark.parametrize("fate", ["missing", "damaged"])
def test_signing_key_files_that_are_gone_are_succeeded(
    trail: Shared, fate: str
) -> None:
    """A signing key is never brought back: another one takes its place."""
    for name in ("audit-checkpoint.v1.json", "quality-promise.v1.json"):
        place = trail.directory / "keys" / name
        if fate == "missing":
            place.unlink()
        else:
            place.write_text("{}")
    done = trail.recover()
    trail.grow(300, 302)

    assert [one.log for one in done.successions] == [Log.AUDIT, Log.QUALITY]
    verify_deep(trail, checkpoint(trail))


def test_a_key_file_that_others_may_read_is_for_people_to_judge(trail: Shared) -> None:
    """It may be stolen, which is no loss: nothing is replaced in silence."""
    (trail.directory / "keys/audit-checkpoint.v1.json").chmod(0o644)
    with pytest.raises(ConfigError, match="readable by others"):
        trail.recover()

    assert len(read_lines(trail.directory)[Log.AUDIT].tenures) == 1


def test_a_damaged_escrow_is_made_good_where_the_vault_has_the_secret(
    trail: Shared,
) -> None:
    """What the next recovery would miss is found while the vault still stands."""
    change_key_file(trail, "text-hash.v1.json", escrow=None)
    assert trail.rehearse().failures
    done = trail.recover()

    assert (done.brought_back, done.successions) == (8, ())
    assert trail.rehearse().failures == ()


def test_another_vault_takes_the_place_of_one_that_still_signs(trail: Shared) -> None:
    """Nothing was lost, so the old keys sign the handover, as in any rotation."""
    place = trail.directory / "policy.yaml"
    place.write_text("# kept\n" + place.read_text() + "# kept too")
    done = trail.recover(vault=ELSEWHERE)
    trail.lose_the_vault()  # the one of before
    trail.grow(300, 302)
    text = place.read_text()

    assert {one.reason for one in done.successions} == {SuccessionReason.ROTATION}
    assert read_policy(trail.directory).keys.vault == ELSEWHERE
    assert text.startswith("# kept\n")
    assert "# kept too\n" in text
    assert (trail.directory / "../elsewhere/wrapping.v2.json").exists()
    verify_deep(trail, checkpoint(trail))
    check_register_is_the_log_s(trail.directory)


def test_another_vault_takes_the_place_of_one_that_is_gone(trail: Shared) -> None:
    """The machine of the vault burnt; a new one stands elsewhere."""
    trail.lose_the_vault()
    done = trail.recover(vault=ELSEWHERE)

    assert {one.reason for one in done.successions} == {SuccessionReason.LOST}
    verify_deep(trail, checkpoint(trail))


def test_another_vault_counts_on_from_where_the_one_before_was(trail: Shared) -> None:
    """Two keys under one name and version would be one key to whoever reads the log."""
    place = trail.directory / "../elsewhere"
    place.mkdir()
    LocalVault.create(place, created_at="2026-11-22T12:00:00.000Z")
    trail.lose_the_vault()
    done = trail.recover(vault=ELSEWHERE)
    held = json.loads((trail.directory / "keys/rater.v1.json").read_text())["held"]

    assert held.startswith("local:v2:")
    assert done.done.register.entry(KeyId(WRAPPING, 2)).state is KeyState.ACTIVE


def test_nothing_is_changed_where_the_new_vault_is_not_set_up(trail: Shared) -> None:
    """A slip in the settings of the new vault must not cost what the old one has."""
    trail.lose_the_vault()
    files = trail.key_files()
    nobody = OpenBaoSettings(
        url="http://127.0.0.1:9", role_id_file="missing", plain_http=True
    )
    with pytest.raises((ConfigError, VaultError)):
        trail.recover(vault=nobody)

    assert files == trail.key_files()


def test_nothing_is_moved_while_somebody_publishes(trail: Shared) -> None:
    """A process would sign on with keys of a vault that policy.yaml names no more."""
    files = trail.key_files()
    with (
        closing(open_trail(trail.directory)) as other,
        closing(other.lease()) as lease,
        lease,
        pytest.raises(StorageError, match="stop it"),
    ):
        trail.recover(vault=ELSEWHERE)

    assert files == trail.key_files()


def test_the_production_profile_does_not_stop_a_recovery(trail: Shared) -> None:
    """The exception that it asks for is signed by the keys that are to come back."""
    place = trail.directory / "policy.yaml"
    place.write_text(
        place.read_text().replace("profile: development", "profile: production")
    )
    trail.lose_the_vault()
    assert trail.recover().proof.failures == ()
    with pytest.raises(ConfigError, match="production"):
        open_trail(trail.directory)


@pytest.mark.long
def test_the_keys_of_a_vault_that_is_left_are_destroyed_in_it(
    tmp_path: Path,
) -> None:
    """Whoever takes a vault over later must find nothing that signs for us."""
    with openbao(tmp_path) as server:
        trail = found_shared(
            tmp_path / "trail", server.settings("clinic", tmp_path / "token")
        )
        trail.grow(0, 5)
        before = names_in(server)
        done = trail.recover(vault=ELSEWHERE)
        after = names_in(server)
    trail.grow(5, 7)

    assert {one.reason for one in done.successions} == {SuccessionReason.ROTATION}
    assert len(before) == 7
    assert after == {"clinic-wrapping"}
    verify_deep(trail, checkpoint(trail))


def names_in(server: OpenBao) -> set[str]:
    """Ask the vault's administrator which keys there are."""
    return set(server.admin("LIST", "transit/keys")["data"]["keys"])


def test_an_earlier_succession_that_nobody_recorded_yet_is_recorded(
    trail: Shared,
) -> None:
    """The vault may be lost between a succession and its place in the audit log."""
    asked = Asked(Log.QUALITY, SuccessionReason.ROTATION, "officer-2")
    steps_of_the_handover_file = 4
    fault = Fault(Kind.LOST, steps_of_the_handover_file)
    with pytest.raises(StorageError):
        succeed(
            trail.directory,
            asked,
            trail.two,
            NOW,
            files=FaultyFiles(trail.directory, fault),
        )
    begun = handover.read_handover(trail.directory)
    assert begun is not None
    assert handover.is_recorded(trail.directory / "state/journal.db", begun)
    trail.lose_the_vault()
    trail.recover()
    with closing(open_trail(trail.directory)) as opened:
        events = [one for one in read_leaves(opened) if isinstance(one, AuditEvent)]
    told = [
        one.event_type
        for one in events
        if one.user_id == "officer-2" and one.object_id == "quality:1"
    ]

    assert told == [EventType.KEY_ROTATED]
    assert len(read_lines(trail.directory)[Log.QUALITY].tenures) == 3


def test_too_few_shares_or_another_key_change_nothing(
    trail: Shared, tmp_path: Path
) -> None:
    """One person alone, or the officers of another house, must not get in."""
    trail.lose_the_vault()
    files = trail.key_files()
    others = found_shared(tmp_path / "others")
    for recovery in (brought(trail.shares[0]), others.two):
        with pytest.raises(InputError):
            recover_keys(trail.directory, recovery, by=BY, reason="", now=NOW)
    with pytest.raises(InputError, match="user_id"):
        recover_keys(trail.directory, trail.two, by="Dr. No", reason="", now=NOW)

    assert files == trail.key_files()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """Give a trail with a few events, whose vault is lost; copy it."""
    trail = found_shared(tmp_path_factory.mktemp("small") / "trail")
    trail.grow(0, 5)
    trail.lose_the_vault()
    return trail


def recover_over(small: Shared, place: Path, fault: Fault) -> None:
    """Recover over a fault, then again; all must be well, and nothing left over."""
    trail = Shared(copy_trail(small.directory, place), small.shares)
    try:
        trail.recover(files=FaultyFiles(place, fault))
    except StorageError:
        assert trail.recover().proof.failures == ()
    trail.grow(5, 7)
    verify_deep(trail, checkpoint(trail))
    check_register_is_the_log_s(place)
    shutil.rmtree(place)


@pytest.mark.parametrize("at", [0, 8, 30])
def test_a_fault_is_answered_by_doing_it_again(
    small: Shared, memory_path: Path, at: int
) -> None:
    """Whoever recovers has had one disaster already."""
    fault = Fault(Kind.KEPT, at)
    recover_over(small, memory_path / "trail", fault)

    assert fault.was_reached


@pytest.mark.long
@pytest.mark.parametrize("kind", list(Kind))
def test_a_fault_at_any_step_is_answered_by_doing_it_again(
    small: Shared, memory_path: Path, kind: Kind
) -> None:
    """A step that cannot be repeated is a trail that nobody opens any more."""
    for at in range(MANY):
        fault = Fault(kind, at)
        recover_over(small, memory_path / "trail", fault)
        if not fault.was_reached:
            return
    raise AssertionError("more steps than were looked at")


@pytest.mark.drill
def test_an_altered_escrow_is_named_by_a_rehearsal(trail: Shared) -> None:
    """Whoever cannot read a backup may still want it to fail on the day."""
    file = json.loads((trail.directory / "keys/identity-seal.v1.json").read_text())
    change_key_file(trail, "identity-seal.v1.json", escrow=altered(file["escrow"]))
    done = trail.rehearse()

    assert done.brought_back == 7
    assert "identity-seal:v1" in done.failures[0]
    assert any("identity map" in one for one in done.failures)


@pytest.mark.drill
def test_a_swapped_escrow_is_named_by_a_rehearsal(trail: Shared) -> None:
    """What is sealed for another key must not come back as this one."""
    other = json.loads((trail.directory / "keys/rater.v1.json").read_text())["escrow"]
    change_key_file(trail, "text-hash.v1.json", escrow=other)
    done = trail.rehearse()

    assert [one.split(":v1")[0] for one in done.failures] == ["text-hash"]


@pytest.mark.drill
def test_an_escrow_key_of_somebody_else_is_refused(trail: Shared) -> None:
    """Whoever signs as the log could else have every later secret sealed to himself."""
    mine = escrow_public_key(Ed25519PrivateKey.generate())
    with closing(open_trail(trail.directory)) as opened:
        register = msgspec.structs.replace(
            current_register(trail.directory),
            escrow_key=mine,
            written_at=format_time(NOW),
        )
        signed = print_register(register, opened.log_keys["audit"].checkpoint)
    (trail.directory / REGISTER).write_bytes(signed)
    for use in (lambda: open_trail(trail.directory), trail.recover, trail.rehearse):
        with pytest.raises(
            IntegrityError, match="not signed by the keys of this trail"
        ):
            use()


@pytest.mark.drill
def test_one_stolen_share_opens_nothing(trail: Shared) -> None:
    """One of three people is robbed; the thief has a copy of the trail as well."""
    trail.lose_the_vault()
    for share in trail.shares:
        with pytest.raises(InputError, match="2 different shares are needed"):
            recover_keys(trail.directory, brought(share), by=BY, reason="", now=NOW)

    assert current_register(trail.directory).number == 0


@pytest.mark.drill
def test_a_stolen_copy_without_the_wrapping_key_opens_nothing(trail: Shared) -> None:
    """Key files lie in the backup of the trail; what they hold must be good for nothing."""
    canary = b"mrn-3"
    trail.lose_the_vault()
    data = {
        place: place.read_bytes()
        for place in trail.directory.rglob("*")
        if place.is_file()
    }
    secrets = [
        msgspec.json.decode(text, type=KeyFile)
        for place, text in data.items()
        if place.parent.name == "keys" and place.suffix == ".json"
    ]

    assert not [place.name for place, text in data.items() if canary in text]
    assert len(secrets) == 14
    for use in (lambda: open_trail(trail.directory), lambda: trail.grow(300, 301)):
        with pytest.raises(ConfigError, match="key wrapping is missing"):
            use()
    assert {one.escrow is None for one in secrets if one.kind is KeyKind.SIGN} == {True}
    assert phi_read(3).records[0][0]._value.encode() == canary  # it is in the log
