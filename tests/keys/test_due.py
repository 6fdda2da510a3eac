"""What is due is due on its day, and told of what is in use alone."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.keys.entries import MADE, entry

from phitrail.events.ids import format_time
from phitrail.keys.due import Due, DueKind, due_of
from phitrail.keys.policies import PolicyOverride
from phitrail.keys.register import KeyEntry, KeyException, KeyRegister
from phitrail.keys.states import KeyState

NOTICE = 14
moments = st.integers(0, 84 * 365 * 86_400).map(
    lambda seconds: (
        MADE + timedelta(seconds=seconds)
    )  # past 2100, which has no leap day
)


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
    vault = entry("wrapping")
    other = msgspec.structs.replace(vault, vault="openbao")
    ended = {"version": 2, "deactivated_at": format_time(MADE)}
    kept = entry("audit-promise", KeyState.DEACTIVATED, **ended)
    gone = msgspec.structs.replace(kept, private_destroyed_at=format_time(MADE))

    near, over = MADE + timedelta(days=20), MADE + timedelta(days=30)
    assert due(register(vault, exceptions=(first,)), MADE) == []
    assert due(register(vault, exceptions=(first,)), near) == [(*told, False)]
    assert due(register(vault, exceptions=(first,)), over) == [(*told, True)]
    assert due(register(vault, exceptions=(longer, first)), over) == []
    assert due(register(other, exceptions=(first,)), over) == []
    retained = exception(25, "retain-private")
    both = due(register(vault, kept, exceptions=(first, retained)), over)
    assert [subject for _, subject, _ in both] == ["retain-private", "local-keyring"]
    assert due(register(gone, exceptions=(retained,)), over) == []
    assert due(register(exceptions=(exception(30, "another"),)), over) == [
        (DueKind.EXCEPTION, "another", True)
    ]


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
