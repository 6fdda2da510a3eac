"""Suspending, compromising, destroying keys and breaking the glass, from a shell."""

import json
from pathlib import Path

import pytest
import yaml
from tests.cli.conftest import Command
from tests.trails import record_events

from phitrail.app.key_wiring import KEYS
from phitrail.cli.exit_codes import ExitCode

WHY = ("--reason", "laptop left on a train")


def change_policy(trail: Path, **changes: object) -> None:
    """Write keys into policy.yaml, as an operator does."""
    place = trail / "policy.yaml"
    policy = yaml.safe_load(place.read_text(encoding="utf-8"))
    place.write_text(yaml.safe_dump({**policy, **changes}), encoding="utf-8")


def test_a_suspension_says_what_stops_and_what_to_do(
    phitrail: Command, trail_dir: Path
) -> None:
    """Whoever suspends the key in use must know that recording stops now."""
    at = ("--trail", trail_dir)
    ran = phitrail("key", "suspend", "audit-seal:v1", *WHY, *at)
    stopped = phitrail("log", "tail", *at)
    lifted = phitrail("key", "suspend", "audit-seal:v1", "--lift", *WHY, *at)

    assert ran.code == lifted.code == ExitCode.OK
    assert "recording stops" in ran.err
    assert "phitrail key rotate audit-seal" in ran.err
    assert stopped.code == ExitCode.TRY_AGAIN
    assert "--lift" in stopped.err or "lift the suspension" in stopped.err
    assert phitrail("log", "tail", *at).code == ExitCode.OK


def test_a_suspended_key_is_rotated_away(phitrail: Command, trail_dir: Path) -> None:
    """The verb that the refusal names must work while everything else is refused."""
    at = ("--trail", trail_dir)
    phitrail("key", "suspend", "audit-seal:v1", *WHY, *at)
    ran = phitrail("key", "rotate", "audit-seal", *at)

    assert ran.code == ExitCode.OK
    assert phitrail("log", "tail", *at).code == ExitCode.OK


@pytest.mark.drill
def test_quarantined_content_takes_a_reason_and_leaves_a_record(
    phitrail: Command, trail_dir: Path
) -> None:
    """Breaking the glass must be possible, and seen."""
    record_events(trail_dir, range(4))
    at = ("--trail", trail_dir)
    ran = phitrail("key", "compromise", "audit-seal:v1", *WHY, *at)
    tries = [
        phitrail("log", "show", "2", *at),
        phitrail("log", "tail", *at),
        phitrail("log", "prove", "2", *at),
        phitrail("log", "query", *at),
        phitrail("log", "query", "--sql", "SELECT count(*) AS n FROM audit", *at),
        phitrail(
            *("log", "export", "--format", "chained-jsonl"),
            *("--out", trail_dir.parent / "out.jsonl", *at),
        ),
    ]
    glass = ("--break-glass", "case 2026-17", "--as", "officer-7")
    shown = phitrail("log", "show", "2", *at, *glass, "--json")
    asked = phitrail(
        *("log", "query", "--event-type", "break_glass_started", "--json"),
        *("--all-columns", *at, *glass),
    )
    ended = phitrail(
        *("log", "query", "--event-type", "break_glass_ended", "--json"),
        *("--all-columns", *at, *glass),
    )

    assert ran.code == ExitCode.OK
    assert {one.code for one in tries} == {ExitCode.REFUSED}
    assert all("audit-seal:v1" in one.err for one in tries)
    assert all("--break-glass REASON" in one.err for one in tries)
    assert not any("phi_read" in one.out for one in tries)
    assert "phi_read" in shown.out
    assert "officer-7" in asked.out
    assert "case 2026-17" not in asked.out
    assert "success" in ended.out


def test_why_the_glass_was_broken_is_shown_to_whoever_reads_the_entry(
    phitrail: Command, trail_dir: Path
) -> None:
    """A reason that nobody can read again would be none."""
    at = ("--trail", trail_dir)
    phitrail("log", "tail", *at, "--break-glass", "case 2026-17")
    entries = phitrail("log", "tail", "--json", *at).lines
    (started,) = [
        one
        for one in entries
        if one["entry"].get("event_type") == "break_glass_started"
    ]
    shown = phitrail("log", "show", str(started["index"]), "--json", *at)

    assert "case 2026-17" in shown.data["entries"][0]["document"]


@pytest.mark.parametrize("reason", ["", "   "])
def test_the_glass_takes_a_reason(
    phitrail: Command, trail_dir: Path, reason: str
) -> None:
    """An empty reason, given by habit, would make the quarantine a formality."""
    ran = phitrail("log", "tail", "--trail", trail_dir, "--break-glass", reason)

    assert ran.code == ExitCode.USAGE
    assert "--break-glass" in ran.err
    assert ran.out == ""


def test_a_compromise_prints_what_a_new_key_does_not_undo(
    phitrail: Command, trail_dir: Path
) -> None:
    """On screen, in JSON and in the sealed document stands the same."""
    record_events(trail_dir, range(4))
    at = ("--trail", trail_dir)
    ran = phitrail("key", "compromise", "identity-index:v1", *WHY, *at)
    data = phitrail("key", "compromise", "text-hash:v1", *WHY, "--json", *at).data

    assert ran.code == ExitCode.OK
    assert "in use instead  identity-index:v2" in ran.out
    assert "stands under it: 0" in ran.out  # the map was re-keyed
    assert "backups, exports, replicas" in ran.out
    assert "phitrail/key-certificate/v1" in ran.out
    assert data["successor"] == "text-hash:v2"
    assert any("guessed" in one for one in data["not_undone"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "KEY"),
        (("text-hash:v1", "--log", "audit"), "KEY"),
        (("text-hash:v1", "--recovery", "x", *WHY), "--recovery"),
        (("text-hash:v1",), "--reason"),
        (("--log", "audit", "--since", "2026-01-01"), "--since"),
        (("--log", "audit"), "--recovery"),
        (("audit-promise:v1", *WHY), "--log audit"),
    ],
)
def test_what_a_compromise_is_of_must_be_clear(
    phitrail: Command, trail_dir: Path, arguments: tuple[str, ...], told: str
) -> None:
    """Two forms in one verb must not be mixed into a third."""
    ran = phitrail("key", "compromise", *arguments, "--trail", trail_dir)

    assert ran.code == ExitCode.USAGE
    assert told in ran.err


def test_what_stands_under_a_key_keeps_it_from_being_destroyed(
    phitrail: Command, trail_dir: Path
) -> None:
    """The verb lists what is in the way, and a preview destroys nothing."""
    record_events(trail_dir, range(4))
    at = ("--trail", trail_dir)
    change_policy(
        trail_dir,
        keys={
            "policies": {
                "identity-seal": {"retain_days": 1},
                "rater": {"retain_days": 1},
            }
        },
    )
    in_use = phitrail("key", "destroy", "identity-seal:v1", *WHY, *at)
    phitrail("key", "rotate", "rater", *at)
    retained = phitrail("key", "destroy", "rater:v1", *WHY, *at)

    assert in_use.code == ExitCode.USAGE
    assert "phitrail key rotate identity-seal" in in_use.err
    assert retained.code == ExitCode.REFUSED
    assert "is kept until" in retained.err


def test_a_version_that_never_protected_anything_is_destroyed(
    phitrail: Command, trail_dir: Path
) -> None:
    """Previewed first, then done; the file is gone, and the log says so."""
    at = ("--trail", trail_dir)
    phitrail("key", "create", "text-hash", "--later", *at)
    place = trail_dir / KEYS / "text-hash.v2.json"
    previewed = phitrail("key", "destroy", "text-hash:v2", *WHY, *at)
    was_there = place.exists()
    done = phitrail("key", "destroy", "text-hash:v2", *WHY, "--yes", "--json", *at)
    again = phitrail("key", "destroy", "text-hash:v2", *WHY, "--yes", *at)
    told = json.dumps(phitrail("log", "tail", "--json", *at).lines)

    assert previewed.code == done.code == ExitCode.OK
    assert "--yes" in previewed.err
    assert was_there
    assert not place.exists()
    assert done.data["is_destroyed"]
    assert again.code == ExitCode.USAGE
    assert "key_destroyed" in told


def test_a_key_on_hold_is_not_destroyed(phitrail: Command, trail_dir: Path) -> None:
    """A court's hold outlives every other reason."""
    at = ("--trail", trail_dir)
    phitrail("key", "create", "text-hash", "--later", *at)
    change_policy(trail_dir, keys={"held": ["text-hash"]})
    ran = phitrail("key", "destroy", "text-hash:v2", *WHY, "--yes", *at)

    assert ran.code == ExitCode.REFUSED
    assert "keys.held" in ran.err


@pytest.mark.drill
def test_the_production_profile_refuses_the_local_keyring(
    phitrail: Command, trail_dir: Path
) -> None:
    """Whoever copies the disk would have every key; somebody must sign for that."""
    at = ("--trail", trail_dir)
    change_policy(trail_dir, profile="production")
    refused = phitrail("log", "tail", *at)
    verified = phitrail("verify", *at)
    past = phitrail(
        "key", "except", "local-keyring", "--until", "2020-01-01", *WHY, *at
    )
    far = phitrail("key", "except", "local-keyring", "--until", "2999-01-01", *WHY, *at)
    other = phitrail(
        "key", "except", "no-such-rule", "--until", "2027-01-01", *WHY, *at
    )

    assert refused.code == ExitCode.CONFIGURATION
    assert "phitrail key except local-keyring" in refused.err
    assert verified.code == ExitCode.UNVERIFIABLE
    assert past.code == far.code == other.code == ExitCode.USAGE
    assert "local-keyring, retain-private" in other.err
