"""How long keys are used and kept is data, and time is counted right."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.app.config import Policy, read_policy, read_tenant, write_config
from phitrail.errors import ConfigError, InputError
from phitrail.events.ids import format_time, parse_time
from phitrail.keys.names import KeyId, KeyKind, kind_of_key, kinds_of_keys
from phitrail.keys.policies import (
    DEFAULTS,
    SIX_YEARS_DAYS,
    Due,
    DueKind,
    OnCompromise,
    PolicyOverride,
    Retained,
    RotateOn,
    class_of,
    due_of,
    is_held,
    last_protected,
    policy_for,
    retained_until,
)
from phitrail.keys.register import KeyEntry, KeyException, KeyRegister
from phitrail.keys.settings import KeysSection
from phitrail.keys.states import KeyState

MADE = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NOTICE = 14
moments = st.integers(0, 84 * 365 * 86_400).map(
    lambda seconds: (
        MADE + timedelta(seconds=seconds)
    )  # past 2100, which has no leap day
)


def entry(name: str, state: KeyState = KeyState.ACTIVE, **fields: object) -> KeyEntry:
    """Give one version of a key; it is in use since it was made."""
    kind = kind_of_key(name)
    assert kind is not None
    made = format_time(MADE)
    given_fields: dict[str, object] = {"version": 1, "activated_at": made, **fields}
    plain = {
        "name": name,
        "kind": kind,
        "state": state,
        "fingerprint": "0" * 32,
        "vault": "local",
        "created_at": made,
        **given_fields,
    }
    return msgspec.convert(plain, KeyEntry)


def register(*keys: KeyEntry, exceptions: tuple[KeyException, ...] = ()) -> KeyRegister:
    """Give a register of these keys."""
    return KeyRegister(
        tenant="clinic.example",
        trail_id="01900000-0000-7000-8000-000000000000",
        number=1,
        written_at=format_time(MADE),
        escrow_key="",
        escrow_signature="",
        keys=keys,
        exceptions=exceptions,
    )


def due(
    keys: KeyRegister, now: datetime, policies: dict[str, PolicyOverride] | None = None
) -> list[tuple[DueKind, str, bool]]:
    """Say what is due, and whether it is overdue."""
    found = due_of(keys, policies or {}, now, notice_days=NOTICE)
    return [(one.kind, one.subject, one.is_overdue) for one in found]


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


# --- due ---


@given(activated=moments)
def test_a_key_is_due_before_its_time_and_overdue_from_it_on(
    activated: datetime,
) -> None:
    """A day too late and a key is used beyond its term; a leap day must not do that."""
    keys = register(entry("text-hash", activated_at=format_time(activated)))
    at = activated + timedelta(days=365)
    moment = timedelta(milliseconds=1)
    expected = (DueKind.ROTATION, "text-hash:v1")

    assert due(keys, at - timedelta(days=NOTICE) - moment) == []
    assert due(keys, at - timedelta(days=NOTICE)) == [(*expected, False)]
    assert due(keys, at - moment) == [(*expected, False)]
    assert due(keys, at) == [(*expected, True)]


def test_a_year_from_the_29th_of_february_ends_on_the_28th() -> None:
    """The day that only leap years have must not make a key last for four."""
    leap = datetime(2028, 2, 29, 12, 0, tzinfo=UTC)
    keys = register(entry("rater", activated_at=format_time(leap)))
    (one,) = due_of(keys, {}, datetime(2029, 3, 1, tzinfo=UTC), notice_days=0)

    assert one.due_at == "2029-02-28T12:00:00.000Z"
    assert one.notice_at == one.due_at


@pytest.mark.parametrize(
    "state",
    [
        KeyState.PRE_ACTIVATION,
        KeyState.SUSPENDED,
        KeyState.DEACTIVATED,
        KeyState.DESTROYED,
        KeyState.DESTROYED_COMPROMISED,
    ],
)
def test_what_protects_nothing_is_not_due(state: KeyState) -> None:
    """A list that names keys which nobody can rotate is not read for long."""
    assert due(register(entry("rater", state)), MADE + timedelta(days=9_999)) == []


def test_a_replaced_version_is_not_due_and_the_one_in_use_is_by_its_own_time() -> None:
    """The age of a key starts with each version."""
    later = MADE + timedelta(days=300)
    keys = register(
        entry("rater", KeyState.DEACTIVATED, deactivated_at=format_time(later)),
        entry("rater", version=2, activated_at=format_time(later)),
        entry("rater", KeyState.PRE_ACTIVATION, version=3, activated_at=None),
    )

    assert due(keys, MADE + timedelta(days=400)) == []
    assert due(keys, later + timedelta(days=365)) == [
        (DueKind.ROTATION, "rater:v2", True)
    ]


def test_a_compromised_key_without_a_successor_is_overdue_at_once() -> None:
    """Between a theft and the new key nothing may look well."""
    stolen = entry("rater", KeyState.COMPROMISED, compromised_at=format_time(MADE))
    successor = entry("rater", version=2)

    assert due(register(stolen), MADE) == [(DueKind.ROTATION, "rater:v1", True)]
    assert due(register(stolen, successor), MADE) == []


def test_a_key_that_only_a_departure_ends_is_never_due() -> None:
    """No clock knows that somebody leaves."""
    keys = register(entry("rbac-user.dr-0012"))

    assert due(keys, MADE + timedelta(days=9_999)) == []


def test_an_exception_that_runs_out_is_due_until_it_is_prolonged() -> None:
    """An exception without an end would be a rule."""

    def exception(days: int, rule: str = "local-keyring") -> KeyException:
        return KeyException(
            rule=rule,
            until=format_time(MADE + timedelta(days=days)),
            by="officer",
            recorded_at=format_time(MADE),
            reason_digest="0" * 64,
        )

    first, longer = exception(30), exception(300)
    told = (DueKind.EXCEPTION, "local-keyring")

    assert due(register(exceptions=(first,)), MADE) == []
    near, over = MADE + timedelta(days=20), MADE + timedelta(days=30)
    assert due(register(exceptions=(first,)), near) == [(*told, False)]
    assert due(register(exceptions=(first,)), over) == [(*told, True)]
    assert due(register(exceptions=(longer, first)), over) == []
    both = due(register(exceptions=(first, exception(25, "retain-private"))), over)
    assert [subject for _, subject, _ in both] == ["retain-private", "local-keyring"]


def test_what_is_due_says_since_when() -> None:
    """Whoever plans the work needs the day, not only that there is one."""
    (one,) = due_of(
        register(entry("fpe-metadata")), {}, MADE + timedelta(days=80), notice_days=14
    )

    assert one == Due(
        DueKind.ROTATION,
        "fpe-metadata:v1",
        notice_at=format_time(MADE + timedelta(days=76)),
        due_at=format_time(MADE + timedelta(days=90)),
        is_overdue=False,
        key=entry("fpe-metadata"),
    )


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
