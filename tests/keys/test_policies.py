"""How long keys are used and kept is data, and time is counted right."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.keys.entries import MADE, entry

from phitrail.app.config import Policy, read_policy, read_tenant, write_config
from phitrail.errors import ConfigError, InputError
from phitrail.events.ids import format_time, parse_time
from phitrail.keys.names import KeyId, KeyKind, kinds_of_keys
from phitrail.keys.policies import (
    DEFAULTS,
    SIX_YEARS_DAYS,
    OnCompromise,
    PolicyOverride,
    Retained,
    RotateOn,
    class_of,
    is_held,
    last_protected,
    policy_for,
    retained_until,
)
from phitrail.keys.settings import KeysSection
from phitrail.keys.states import KeyState

moments = st.integers(0, 84 * 365 * 86_400).map(
    lambda seconds: (
        MADE + timedelta(seconds=seconds)
    )  # past 2100, which has no leap day
)


@pytest.mark.parametrize(
    ("name", "rotate", "on", "retain", "what"),
    [
        ("fpe-metadata", 90, RotateOn.COMPROMISE, SIX_YEARS_DAYS, Retained.KEY),
        ("rbac-user.dr-0012", None, RotateOn.DEPARTURE, 30, Retained.ESCROW),
        ("rbac-user.dr-0012", None, RotateOn.ROLE_CHANGE, 30, Retained.ESCROW),
        (
            "rbac-department.cardiology",
            365,
            RotateOn.POLICY_CHANGE,
            SIX_YEARS_DAYS,
            Retained.KEY,
        ),
        ("audit-checkpoint", 365, RotateOn.COMPROMISE, None, Retained.PUBLIC_HALF),
        ("quality-promise", 365, RotateOn.COMPROMISE, None, Retained.PUBLIC_HALF),
        ("security-seal", 365, RotateOn.COMPROMISE, SIX_YEARS_DAYS, Retained.KEY),
        ("identity-index", 365, RotateOn.COMPROMISE, SIX_YEARS_DAYS, Retained.KEY),
        ("identity-seal", 365, RotateOn.COMPROMISE, SIX_YEARS_DAYS, Retained.KEY),
        ("text-hash", 365, RotateOn.COMPROMISE, SIX_YEARS_DAYS, Retained.KEY),
        ("rater", 365, RotateOn.COMPROMISE, SIX_YEARS_DAYS, Retained.KEY),
        ("idempotency", 365, RotateOn.COMPROMISE, SIX_YEARS_DAYS, Retained.KEY),
        ("wrapping", 365, RotateOn.COMPROMISE, SIX_YEARS_DAYS, Retained.KEY),
    ],
)
def test_the_defaults_are_those_that_were_asked_for(
    name: str, rotate: int | None, on: RotateOn, retain: int | None, what: Retained
) -> None:
    """A default that drifts changes how long every trail keeps its keys."""
    policy = policy_for(name, {})

    assert (policy.rotate_after_days, policy.retain_days) == (rotate, retain)
    assert on in policy.rotate_on
    assert policy.retain_what is what
    assert policy.source


def test_every_key_of_a_trail_has_a_policy() -> None:
    """A key without one would never be due, and kept by nobody's rule."""
    named = [*kinds_of_keys(), "wrapping", "fpe-metadata", "rbac-user.a"]

    assert {class_of(name) for name in [*named, "rbac-department.b"]} == set(DEFAULTS)
    for policy in DEFAULTS.values():
        assert RotateOn.COMPROMISE in policy.rotate_on
        assert policy.on_compromise in OnCompromise


def test_a_name_that_no_key_has_is_refused() -> None:
    """A policy of nothing would be read as one of something."""
    with pytest.raises(InputError, match="KEY"):
        policy_for("visitor", {})


def test_what_is_said_of_a_name_goes_before_what_is_said_of_its_class() -> None:
    """One department's key may have a policy of its own."""
    overrides = {
        "rbac-department.oncology": PolicyOverride(rotate_after_days=30),
        "rbac-department": PolicyOverride(
            rotate_after_days="never", retain_days="for_good", source="house rule 7"
        ),
    }
    one = policy_for("rbac-department.oncology", overrides)
    other = policy_for("rbac-department.surgery", overrides)

    assert (one.rotate_after_days, one.retain_days, one.source) == (
        30,
        None,
        "house rule 7",
    )
    assert (other.rotate_after_days, other.retain_days) == (None, None)
    assert policy_for("rater", overrides) == DEFAULTS["rater"]


# --- retention ---


@given(at=moments)
def test_six_years_are_never_less_than_six_years(at: datetime) -> None:
    """Kept a day too short is not kept."""
    ended = format_time(at)
    replaced = entry("audit-seal", KeyState.DEACTIVATED, deactivated_at=ended)
    protected = last_protected(replaced, format_time(at + timedelta(days=9_999)))
    kept = retained_until(replaced, policy_for("audit-seal", {}), protected)
    day = min(at.day, 28) if at.month == 2 else at.day
    six_years = at.replace(year=at.year + 6, day=day)

    assert kept is not None
    assert six_years <= parse_time(kept) <= six_years + timedelta(days=3)


def test_a_version_in_use_is_kept_from_now_on() -> None:
    """Its last record is still to come."""
    now = format_time(MADE + timedelta(days=100))
    used = entry("rbac-user.dr-0012")

    assert last_protected(used, now) == now
    assert retained_until(used, policy_for(used.name, {}), now) == format_time(
        MADE + timedelta(days=130)
    )


@pytest.mark.parametrize(
    ("state", "dates", "expected"),
    [
        (KeyState.SUSPENDED, {"suspended_at": 3}, 3),
        (KeyState.DEACTIVATED, {"deactivated_at": 5}, 5),
        (KeyState.COMPROMISED, {"compromised_at": 7}, 7),
        (KeyState.COMPROMISED, {"deactivated_at": 5, "compromised_at": 7}, 5),
        (KeyState.DESTROYED, {"deactivated_at": 5, "destroyed_at": 9}, 5),
        (KeyState.DESTROYED, {"destroyed_at": 9}, 9),
    ],
)
def test_retention_counts_from_the_moment_that_protection_ceased(
    state: KeyState, dates: dict[str, int], expected: int
) -> None:
    """Counted from the making of a key, records would outlive what opens them."""
    days = {k: format_time(MADE + timedelta(days=v)) for k, v in dates.items()}
    ended = entry("rater", state, **days)

    assert last_protected(ended, format_time(MADE + timedelta(days=99))) == format_time(
        MADE + timedelta(days=expected)
    )


def test_a_version_that_never_protected_is_not_kept() -> None:
    """A spare key that nobody used holds nothing back."""
    spare = entry("rater", KeyState.PRE_ACTIVATION, activated_at=None)
    protected = last_protected(spare, format_time(MADE))

    assert protected is None
    assert retained_until(spare, policy_for("rater", {}), protected) == spare.created_at


def test_the_public_half_of_a_signing_key_is_kept_for_good() -> None:
    """A log is verified long after whoever signed it is gone."""
    old = entry("audit-promise", KeyState.DESTROYED, destroyed_at=format_time(MADE))

    assert old.kind is KeyKind.SIGN
    assert (
        retained_until(old, policy_for("audit-promise", {}), format_time(MADE)) is None
    )


# --- policy.yaml ---


def test_a_hold_is_on_a_key_or_on_one_version_of_it() -> None:
    """A hold that reaches too short lets a key go that a court asked for."""
    held = ("rater", "text-hash:v2")

    assert is_held(KeyId("rater", 7), held)
    assert is_held(KeyId("text-hash", 2), held)
    assert not is_held(KeyId("text-hash", 1), held)
    assert not is_held(KeyId("text-hash", 2), ())


def test_policy_yaml_says_what_changes(tmp_path: Path, trail_dir: Path) -> None:
    """What an officer writes is what is read back."""
    section = KeysSection(
        policies={"text-hash": PolicyOverride(rotate_after_days=180)},
        notice_days=30,
        held=("identity-index:v1",),
        backups=("../copies/monday",),
    )
    write_config(tmp_path, read_tenant(trail_dir), Policy(keys=section))

    assert read_policy(tmp_path).keys == section


@pytest.mark.parametrize(
    "section",
    [
        "held: [visitor]",
        "held: ['text-hash:v0']",
        "policies: {visitor: {rotate_after_days: 3}}",
        "policies: {rater: {rotate_after_days: 0}}",
        "policies: {rater: {retain_days: never}}",
        "policies: {rater: {retain_what: key}}",
        "notice_days: 366",
    ],
)
def test_what_policy_yaml_cannot_mean_is_refused(trail_dir: Path, section: str) -> None:
    """A hold that is spelled wrong would hold nothing."""
    with (trail_dir / "policy.yaml").open("a", encoding="utf-8") as file:
        file.write(f"keys:\n  {section}\n")

    with pytest.raises(ConfigError, match="keys") as refused:
        read_policy(trail_dir)
    assert "visitor" not in str(refused.value)
