"""What the house's lists say is put into an event at the door, and stays."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from tests.facts import EVER, patient, person, table
from tests.trails import NOW, event_id, read_leaves

from phitrail.app.overdue_watch import OverdueWatcher
from phitrail.app.wiring import Trail, open_trail
from phitrail.errors import ConflictError, InputError
from phitrail.events.audit import AuditEvent
from phitrail.events.codes import (
    ActorType,
    CareRelationship,
    EventType,
    Log,
    Relation,
    UserState,
)
from phitrail.events.protected import Protected
from phitrail.events.security import SecurityEvent
from phitrail.identity.fact_store import (
    FACTS,
    LOOK_EVERY_US,
    FactFile,
    FactSeal,
    FactStore,
)
from phitrail.identity.fact_table import RELATIONS, FactKind

NOW_US = int(NOW.timestamp()) * 1_000_000
SINCE = (NOW_US - 1_000_000, NOW_US + 1_000_000)


@pytest.fixture
def trail(trail_dir: Path) -> Iterator[Trail]:
    """Give an open trail whose facility has a zone."""
    place = trail_dir / "tenant.yaml"
    settled = yaml.safe_load(place.read_text())
    settled["facility_zones"] = {"main": "Asia/Kolkata"}
    place.write_text(yaml.safe_dump(settled))
    opened = open_trail(trail_dir)
    yield opened
    opened.close()


def put(store: FactStore, kind: FactKind, *rows: tuple[str, Any]) -> None:
    """Put a table in force, beside those that are."""
    made = table(kind, *rows)
    with store.loading() as index:
        file = FactFile(
            kind=kind,
            path=f"{FACTS}/{kind}.{len(index.files)}",
            rows=made.rows,
            subjects=len(made.subjects),
            sources=("0" * 64,),
            first_us=None,
            last_us=None,
            loaded_at="2026-11-21T12:00:00.000Z",
            loaded_by="hr",
            event_id=event_id(1),
        )
        others = tuple(one for one in index.files if one.kind is not kind)
        store.put(msgspec.structs.replace(index, files=(*others, file)), file, made)


def surrogate(trail: Trail, mrn: str) -> str:
    """Return the surrogate of a patient."""
    return trail.identity.resolve([(trail.tenant.identity.patient, mrn)])[0]


def read(*mrns: str, **fields: Any) -> Any:
    """Give an event about patients; an empty one is not known."""
    return AuditEvent(
        event_type=EventType.PHI_READ,
        records=tuple((Protected(m), Protected(f"n-{m}"), "Patient") for m in mrns),
        **{"user_id": "dr-a", **fields},
    )


def recorded(trail: Trail, event: Any) -> AuditEvent[str, str, str]:
    """Record an event and read its leaf."""
    receipt = trail.recorder.record(event, NOW)
    leaf = read_leaves(trail)[receipt.positions[0].index]
    assert isinstance(leaf, AuditEvent)
    return leaf


def told(leaf: AuditEvent[str, str, str]) -> Mapping[str, object]:
    """Return what the lists filled."""
    names = (
        "user_state",
        "on_shift",
        "care_relationship",
        "relations",
        "unexplained_relations",
    )
    return {name: found for name in names if (found := getattr(leaf, name))}


def test_how_far_the_clock_was_ahead_is_stored(trail: Trail) -> None:
    """A tz database of two years later would put an access into another hour."""
    leaf = recorded(trail, read("m1", facility_id="main"))
    elsewhere = recorded(trail, read("m1"))
    given = recorded(trail, read("m1", facility_id="main", local_offset_s=-3_600))

    assert leaf.local_offset_s == 19_800
    assert elsewhere.local_offset_s is None
    assert given.local_offset_s == -3_600
    assert told(leaf) == {}


def test_the_clock_is_stored_in_the_security_log_too(trail: Trail) -> None:
    """Rules about nights are over both logs."""
    event = SecurityEvent(event_type=EventType.GUARD_DECIDED, facility_id="main")
    trail.recorder.record(event, NOW)

    leaf = read_leaves(trail, Log.SECURITY)[-1]
    assert isinstance(leaf, SecurityEvent)
    assert leaf.local_offset_s == 19_800


def test_user_and_shift_are_stored_as_of_the_time_of_the_event(trail: Trail) -> None:
    """An event that comes late must not be judged by the lists of today."""
    put(trail.facts.store, FactKind.PEOPLE, ("dr-a", person(times=SINCE)))
    put(trail.facts.store, FactKind.ROSTER, ("dr-a", SINCE), ("dr-b", (0, 2 * NOW_US)))
    later = "2026-11-21T12:00:01.000Z"

    assert told(recorded(trail, read("m1"))) == {
        "user_state": UserState.EMPLOYED,
        "on_shift": True,
    }
    late = recorded(trail, read("m1", timestamp_utc=later))
    assert (late.user_state, late.on_shift) == (UserState.LEFT, False)
    assert told(recorded(trail, read("m1", user_id="dr-c"))) == {}


def test_a_user_who_stands_as_an_address_is_known_by_the_surrogate(
    trail: Trail,
) -> None:
    """Most single sign-on names users by their addresses."""
    name = trail.identity.resolve([(trail.tenant.identity.user, "a@clinic.example")])[0]
    put(trail.facts.store, FactKind.PEOPLE, (f"usr-{name}", person()))

    leaf = recorded(trail, read("m1", user_id="a@clinic.example"))

    assert leaf.user_state is UserState.EMPLOYED


def test_who_is_behind_a_program_is_the_person(trail: Trail) -> None:
    """Through an agent one would look at one's own record unseen."""
    own = surrogate(trail, "m1")
    put(trail.facts.store, FactKind.PEOPLE, ("dr-a", person(patient=own)))
    behind = {"user_id": "bot", "on_behalf_of": "dr-a"}

    by_agent = recorded(trail, read("m1", actor_type=ActorType.AGENT, **behind))
    by_human = recorded(trail, read("m1", actor_type=ActorType.HUMAN, **behind))

    assert by_agent.relations == (Relation.SELF,)
    assert by_human.relations == (Relation.COWORKER,)


@pytest.mark.parametrize(
    ("mrns", "care"),
    [
        (("m1",), CareRelationship.ALL),
        (("m1", "m2"), CareRelationship.ALL),
        (("m1", "m3"), CareRelationship.SOME),
        (("m3",), CareRelationship.NONE),
        (("m1", ""), CareRelationship.ALL),
        (("",), None),
        ((), None),
    ],
)
def test_care_is_for_all_some_or_none_of_the_patients(
    trail: Trail, mrns: tuple[str, ...], care: CareRelationship | None
) -> None:
    """One stranger among ten patients of one's own is still a stranger."""
    rows = [
        (surrogate(trail, "m1"), ("dr-a", "", 0, *EVER)),
        (surrogate(trail, "m2"), ("", "cardiology", 0, *EVER)),
    ]
    put(trail.facts.store, FactKind.CARE, *rows)

    leaf = recorded(trail, read(*mrns, department="cardiology"))

    assert care is leaf.care_relationship


def test_care_explains_a_relation_to_that_patient_alone(trail: Trail) -> None:
    """A nurse's own patient of her name is no case; the one beside him is."""
    code = RELATIONS.index(Relation.SAME_SURNAME)
    mine, other = surrogate(trail, "m1"), surrogate(trail, "m2")
    pairs = [(one, ("dr-a", code, *EVER)) for one in (mine, other)]
    put(trail.facts.store, FactKind.RELATIONS, *pairs)
    before = recorded(trail, read("m1"))
    put(trail.facts.store, FactKind.CARE, (mine, ("dr-a", "", 0, *EVER)))

    assert before.unexplained_relations == (Relation.SAME_SURNAME,)
    assert told(recorded(trail, read("m1"))) == {
        "care_relationship": CareRelationship.ALL,
        "relations": (Relation.SAME_SURNAME,),
    }
    assert told(recorded(trail, read("m1", "m2"))) == {
        "care_relationship": CareRelationship.SOME,
        "relations": (Relation.SAME_SURNAME,),
        "unexplained_relations": (Relation.SAME_SURNAME,),
    }


def test_what_the_caller_gave_stays_and_is_believed(trail: Trail) -> None:
    """A house that works relations out itself must not be overruled."""
    pair = (surrogate(trail, "m1"), ("dr-a", RELATIONS.index(Relation.VIP), *EVER))
    put(trail.facts.store, FactKind.RELATIONS, pair)
    put(trail.facts.store, FactKind.PEOPLE, ("dr-a", person()))
    put(trail.facts.store, FactKind.CARE, (surrogate(trail, "m9"), ("x", "", 0, *EVER)))
    gave = {
        "user_state": UserState.ON_LEAVE,
        "on_shift": False,
        "care_relationship": CareRelationship.ALL,
        "relations": (Relation.NEIGHBOUR,),
    }

    leaf = recorded(trail, read("m1", **gave))
    of_relations = recorded(trail, read("m1", relations=(Relation.NEIGHBOUR,)))
    of_care = recorded(trail, read("m1", care_relationship=CareRelationship.ALL))

    assert told(leaf) == {name: one for name, one in gave.items() if one is not False}
    assert leaf.on_shift is False
    assert of_relations.unexplained_relations == (Relation.NEIGHBOUR,)
    assert of_care.relations == (Relation.VIP,)
    assert of_care.unexplained_relations == ()


def test_every_part_of_an_event_says_the_same(trail: Trail) -> None:
    """A rule reads each part as the event."""
    own = surrogate(trail, "m0")
    put(trail.facts.store, FactKind.PEOPLE, ("dr-a", person(patient=own)))
    receipt = trail.recorder.record(read(*(f"m{n}" for n in range(450))), NOW)

    leaves = read_leaves(trail)
    parts = [leaves[place.index] for place in receipt.positions]
    assert len(parts) == 3
    assert {one.relations for one in parts if isinstance(one, AuditEvent)} == {
        (Relation.SELF,)
    }


def test_a_retry_after_other_lists_is_the_same_event(trail: Trail) -> None:
    """What the door adds is not what the caller sent: a retry must find the first."""
    event = read("m1", event_id=event_id(1))
    first = trail.recorder.record(event, NOW)
    put(trail.facts.store, FactKind.PEOPLE, ("dr-a", person()))

    again = trail.recorder.record(event, NOW + timedelta(hours=1))
    assert first.positions == again.positions
    with pytest.raises(ConflictError):
        trail.recorder.record(
            msgspec.structs.replace(event, user_state=UserState.LEFT), NOW
        )


def test_a_load_is_in_force_in_every_process_within_50_ms(
    trail: Trail, trail_dir: Path
) -> None:
    """A service that runs for months must learn of who left today."""
    times = [0]
    keys = trail.log_keys[Log.AUDIT.value]
    seal = FactSeal(keys.seal, keys.open)
    other = FactStore(trail_dir, seal, lambda: times[0])
    assert other.book().state_of("dr-a", 0) is None
    put(trail.facts.store, FactKind.PEOPLE, ("dr-a", person()))

    assert recorded(trail, read("m1")).user_state is UserState.EMPLOYED
    times[0] = LOOK_EVERY_US - 1
    assert other.book().state_of("dr-a", 0) is None
    times[0] = LOOK_EVERY_US
    assert other.book().state_of("dr-a", 0) is UserState.EMPLOYED


@pytest.mark.parametrize("damage", ["index", "people.0"])
def test_lists_that_cannot_be_read_stop_no_record(
    trail: Trail, trail_dir: Path, damage: str
) -> None:
    """A list of HR must not decide whether an access is recorded."""
    put(trail.facts.store, FactKind.PEOPLE, ("dr-a", person()))
    place = trail_dir / FACTS / damage
    place.write_bytes(place.read_bytes()[:-1] + b"!")

    with closing(open_trail(trail_dir)) as other:
        leaf = recorded(other, read("m1"))
        assert other.facts.failure is not None
        watcher = OverdueWatcher(other, is_publishing=lambda: True)
        assert [watcher.look(NOW) for _ in range(2)] == [1, 0]
        degraded = read_leaves(other, Log.SECURITY)[-1]
    assert leaf.user_state is None
    assert isinstance(degraded, SecurityEvent)
    assert degraded.event_type is EventType.DETECTION_DEGRADED
    assert degraded.reason_code == "facts_unreadable"


def test_surnames_join_people_and_patients(trail: Trail) -> None:
    """The joins of the book reach the leaf, with vip and death."""
    other = surrogate(trail, "m1")
    put(trail.facts.store, FactKind.PEOPLE, ("dr-a", person(likeness=(5, 6, 7))))
    row = (other, patient((5, 6, 7), vip=1, deceased=0))
    put(trail.facts.store, FactKind.PATIENTS, row)

    assert recorded(trail, read("m1")).unexplained_relations == (
        Relation.HOUSEHOLD,
        Relation.SAME_SURNAME,
        Relation.VIP,
        Relation.DECEASED,
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"timestamp_utc": "yesterday"},
        {"timestamp_utc": 7},
        {"facility_id": ["main"]},
        {"user_id": ["dr-a"]},
        {"department": {"a": "b"}},
        {"relations": (["vip"],)},
        {"relations": "vip"},
        {"care_relationship": ["all"]},
        {"actor_type": ["agent"]},
    ],
)
def test_what_is_no_event_is_refused_as_ever(
    trail: Trail, wrong: dict[str, Any]
) -> None:
    """What looks an event up must not fall over one that the field policy refuses."""
    put(trail.facts.store, FactKind.PEOPLE, ("dr-a", person(patient="p" * 43)))
    put(trail.facts.store, FactKind.CARE, ("p" * 43, ("dr-a", "", 0, *EVER)))

    with pytest.raises(InputError, match=next(iter(wrong))):
        trail.recorder.record(read("m1", **wrong), NOW)
