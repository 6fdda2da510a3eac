"""`phitrail key list`, `show`, `create` and `rotate`, as a security officer meets them."""

from pathlib import Path

import pytest
from tests.cli.conftest import Command

from phitrail.cli.exit_codes import ExitCode

CREATE = ("key", "create")
ROTATE = ("key", "rotate")


@pytest.fixture
def trail(phitrail: Command, memory_path: Path) -> Path:
    """Give a trail whose recovery key lies beside it."""
    place = memory_path / "trail"
    ran = phitrail(
        *("init", "--tenant", "clinic.example", "--trail", place),
        *("--recovery-out", memory_path / "recovery.key"),
    )
    assert ran.code == ExitCode.OK
    return place


def states(phitrail: Command, trail: Path) -> dict[str, str]:
    """Say in which state each version is."""
    listed = phitrail("key", "list", "--trail", trail, "--json").data
    return {one["key"]: one["state"] for one in listed["keys"]}


def test_the_list_needs_no_key_and_leaves_no_entry(
    phitrail: Command, trail: Path
) -> None:
    """Somebody who only looks must not need what opens the trail."""
    before = phitrail("status", "--trail", trail, "--json").data["logs"]
    (trail / "keys").rename(trail / "elsewhere")
    ran = phitrail("key", "list", "--trail", trail)
    (trail / "elsewhere").rename(trail / "keys")
    after = phitrail("status", "--trail", trail, "--json").data["logs"]

    assert ran.code == ExitCode.OK
    assert "text-hash:v1" in ran.out
    assert [one["size"] for one in before] == [one["size"] for one in after]


def test_a_check_of_the_list_is_a_read_that_is_recorded(
    phitrail: Command, trail: Path
) -> None:
    """It follows the entries of the audit log, so the audit log says so."""
    ran = phitrail("key", "list", "--check", "--trail", trail, "--as", "officer-1")
    told = phitrail("key", "list", "--check", "--trail", trail, "--json").data["check"]
    tail = phitrail("log", "tail", "--trail", trail, "--json").lines

    assert ran.code == ExitCode.OK
    assert "is what the log tells" in ran.out
    assert (told["is_ok"], told["differences"]) == (True, [])
    assert ("key_check", "officer-1") in [
        (one["entry"].get("reason_code"), one["entry"].get("user_id")) for one in tail
    ]


def test_a_register_from_a_backup_fails_the_check(
    phitrail: Command, trail: Path
) -> None:
    """It is signed and whole, and two keys in it are not what they were."""
    place = trail / "state" / "key-register.json"
    before = place.read_bytes()
    phitrail(*ROTATE, "text-hash", "--trail", trail)
    key_file = trail / "keys" / "text-hash.v2.json"
    place.write_bytes(before)
    key_file.rename(trail / "away")  # else the trail does not open at all
    ran = phitrail("key", "list", "--check", "--trail", trail)

    assert ran.code == ExitCode.CHECK_FAILED
    assert (
        "found: text-hash:v1: the register says active, the log deactivated" in ran.out
    )
    assert "found: text-hash:v2: the log made it" in ran.out


def test_secrets_are_rotated_by_name_and_certified(
    phitrail: Command, trail: Path
) -> None:
    """One command, one certificate, for both keys; it is checked without a key."""
    note = trail.parent / "rotation.note"
    ran = phitrail(
        *(*ROTATE, "text-hash", "audit-seal", "--reason", "yearly, as agreed"),
        *("--certificate", note, "--trail", trail, "--json"),
    )
    (trail / "keys").rename(trail / "elsewhere")
    shown = phitrail("key", "show", "--certificate", note, "--trail", trail)
    (trail / "elsewhere").rename(trail / "keys")
    again = phitrail(*ROTATE, "rater", "--certificate", note, "--trail", trail)

    assert ran.code == shown.code == ExitCode.OK
    assert ran.data["rotated"] == [
        {"from": "text-hash:v1", "to": "text-hash:v2"},
        {"from": "audit-seal:v1", "to": "audit-seal:v2"},
    ]
    assert ran.data["certificate"] == note.read_text(encoding="utf-8")
    assert "the log holds its events" in shown.out
    assert again.code == ExitCode.USAGE
    assert states(phitrail, trail)["rater:v1"] == "active"
    assert phitrail("verify", "--deep", "--trail", trail).code == ExitCode.UNVERIFIABLE


def test_why_a_key_was_rotated_is_told_to_who_asks(
    phitrail: Command, trail: Path
) -> None:
    """The reason is sealed; showing it is a read of the audit log."""
    phitrail(*ROTATE, "text-hash", "--reason", "the laptop", "--trail", trail)
    ran = phitrail("key", "show", "text-hash:v2", "--trail", trail, "--json")
    tail = phitrail("log", "tail", "--trail", trail, "--json").lines
    in_words = phitrail("key", "show", "text-hash", "--trail", trail)

    assert {one["reason"] for one in ran.data["history"]} == {"the laptop"}
    assert ran.data["policy"]["rotate_after_days"] == 365
    assert "key_show" in [one["entry"].get("reason_code") for one in tail]
    assert "the laptop" in in_words.out
    assert "fingerprint" in in_words.out


def test_all_secrets_are_rotated_and_the_identity_map_is_re_keyed(
    phitrail: Command, trail: Path
) -> None:
    """After a break-in nobody wants to name ten keys, or to forget one."""
    ran = phitrail(*ROTATE, "--all-secrets", "--trail", trail, "--json")
    after = states(phitrail, trail)
    more = phitrail(*ROTATE, "--rekey", "--trail", trail, "--json")

    assert ran.code == more.code == ExitCode.OK
    assert len(ran.data["rotated"]) == 8
    assert ran.data["counts"]["identity_rows_failed"] == 0
    assert after["identity-index:v2"] == after["rater:v2"] == "active"
    assert after["audit-checkpoint:v1"] == "active"
    assert more.data["rotated"] == []


def test_the_vault_s_own_key_is_rotated_and_retired(
    phitrail: Command, trail: Path
) -> None:
    """Every key file is wrapped anew; with --retire the version before is gone."""
    ran = phitrail(*ROTATE, "wrapping", "--trail", trail, "--json")
    retired = phitrail(*ROTATE, "wrapping", "--retire", "--trail", trail)

    assert ran.data["counts"] == {"key_files_rewrapped": 14}
    assert "wrapping versions retired: 2" in retired.out
    assert states(phitrail, trail)["wrapping:v1"] == "destroyed"
    assert [one.name for one in (trail / "keys").glob("wrapping.*")] == [
        "wrapping.v3.json"
    ]
    assert phitrail("key", "list", "--check", "--trail", trail).code == ExitCode.OK


def test_signing_keys_and_secrets_share_one_certificate(
    phitrail: Command, trail: Path
) -> None:
    """The audit log's new key signs what says that it took over."""
    note = trail.parent / "rotation.note"
    ran = phitrail(
        *(*ROTATE, "rater", "--log", "audit", "--trail", trail, "--certificate", note),
        *("--recovery", trail.parent / "recovery.key"),
    )
    shown = phitrail("key", "show", "--certificate", note, "--trail", trail, "--json")
    private = phitrail("key", "list", "--trail", trail, "--json").data["keys"]

    assert ran.code == ExitCode.OK
    assert [one["key"] for one in shown.data["certificate"]["keys"]] == [
        *("audit-checkpoint", "audit-promise", "rater")
    ]
    assert {
        one["key"]: one["private_half"]
        for one in private
        if one["name"] == "audit-promise"
    } == {"audit-promise:v1": "destroyed", "audit-promise:v2": "held"}


def test_a_key_is_made_and_a_version_can_wait(phitrail: Command, trail: Path) -> None:
    """What waits is taken into use by the next rotation, not before."""
    made = phitrail(*CREATE, "rbac-user.dr-0012", "--trail", trail, "--json")
    waits = phitrail(*CREATE, "text-hash", "--later", "--trail", trail)
    before = states(phitrail, trail)
    phitrail(*ROTATE, "text-hash", "--trail", trail)
    after = states(phitrail, trail)

    assert (made.data["key"], made.data["state"]) == ("rbac-user.dr-0012:v1", "active")
    assert waits.code == ExitCode.OK
    assert before["text-hash:v2"] == "pre-activation"
    assert (after["text-hash:v1"], after["text-hash:v2"]) == ("deactivated", "active")
    assert "text-hash:v3" not in after


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((*CREATE, "text-hash"), "is in use"),
        ((*CREATE, "fpe-metadata", "--later"), "needs a version that is in use"),
        ((*CREATE, "audit-checkpoint", "--later"), "made by a succession"),
        ((*CREATE, "no-such-key"), "must be the name of a key"),
        ((*ROTATE, "audit-checkpoint"), "rotate it with --log"),
        ((*ROTATE, "text-hash:v1"), "is one version"),
        ((*ROTATE, "fpe-metadata"), "was not made yet"),
        ((*ROTATE, "text-hash", "--retire"), "--retire"),
        ((*ROTATE, "text-hash", "--rekey"), "NAME"),
        ((*ROTATE, "text-hash", "--reason", " "), "--reason"),
        ((*ROTATE, "--all"), "--recovery"),
        ((*ROTATE, "rater", "--certificate", "/no/such/place"), "--certificate"),
        (("key", "show", "text-hash", "--log", "audit"), "KEY"),
        (("key", "show", "text-hash:v7"), "was not made in this trail"),
        (("key", "show", "--certificate", "/no/such/file"), "--certificate"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is(
    phitrail: Command, trail: Path, arguments: tuple[str, ...], told: str
) -> None:
    """A half-understood command must not touch a key."""
    before = states(phitrail, trail)
    ran = phitrail(*arguments, "--trail", trail)

    assert ran.code == ExitCode.USAGE
    assert told in ran.err
    assert before == states(phitrail, trail)
