"""Facts say what was true at a time, and nothing where no list says anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.facts import EMPLOYED, ON_LEAVE, book, patient, person, table

from phitrail.errors import IntegrityError
from phitrail.events.codes import Relation, UserState
from phitrail.identity.fact_join import Joins
from phitrail.identity.fact_table import (
    BASES,
    RELATIONS,
    FactKind,
    decode_table,
)
from phitrail.identity.facts import FactBook, bits_of, relations_of

P, Q = "p" * 43, "q" * 43


def relations(facts: FactBook, user: str, patient_: str, at_us: int) -> set[Relation]:
    """Say what a patient is to a user."""
    return set(relations_of(facts.view(user, None, at_us).relations(patient_)))


def test_nothing_loaded_says_nothing() -> None:
    """An absent list that says no would make everybody a stranger to his patients."""
    nothing = FactBook()

    assert nothing.is_empty
    assert nothing.state_of("u", 0) is None
    assert nothing.is_on_shift("u", 0) is None
    assert nothing.view("u", "ward", 0).cares(P) is None
    assert relations(nothing, "u", P, 0) == set()


@pytest.mark.parametrize(
    ("at_us", "state"),
    [
        (9, None),
        (10, UserState.EMPLOYED),
        (19, UserState.EMPLOYED),
        (20, UserState.ON_LEAVE),
        (29, UserState.ON_LEAVE),
        (30, UserState.LEFT),
        (40, UserState.EMPLOYED),
        (50, UserState.LEFT),
        (10**15, UserState.LEFT),
    ],
)
def test_a_state_holds_from_its_first_to_before_its_last_moment(
    at_us: int, state: UserState | None
) -> None:
    """Who came back must not be held for gone, nor the other way round."""
    facts = book(
        table(
            FactKind.PEOPLE,
            ("u", person(EMPLOYED, (10, 30))),
            ("u", person(ON_LEAVE, (20, 30))),
            ("u", person(EMPLOYED, (40, 50))),
        )
    )

    assert state is facts.state_of("u", at_us)
    assert facts.state_of("somebody", at_us) is None


@pytest.mark.parametrize(
    ("user", "at_us", "is_on_shift"),
    [
        ("u", 9, None),
        ("u", 10, True),
        ("u", 24, True),
        ("u", 25, False),
        ("u", 30, True),
        ("u", 39, True),
        ("u", 40, False),
        ("v", 10, False),
        ("v", 99, True),
        ("v", 100, None),
        ("u", 100, None),
        ("somebody", 10, None),
    ],
)
def test_the_roster_says_no_only_of_whom_and_when_it_knows(
    user: str, at_us: int, *, is_on_shift: bool | None
) -> None:
    """A night before the roster begins would be full of people who are not on shift."""
    facts = book(
        table(
            FactKind.ROSTER,
            ("u", (10, 20)),
            ("u", (15, 25)),
            ("u", (30, 40)),
            ("v", (90, 100)),
        )
    )

    assert facts.is_on_shift(user, at_us) is is_on_shift


def test_care_is_of_the_user_or_of_the_department_in_its_time() -> None:
    """Care that ended, or of somebody else, would explain what it does not."""
    facts = book(
        table(
            FactKind.CARE,
            (P, ("u", "", BASES.index(BASES[0]), 10, 20)),
            (P, ("", "ward", BASES.index(BASES[3]), 30, 40)),
        )
    )

    said = {at: facts.view("u", None, at).cares(P) for at in (9, 10, 19, 20, 39, 40)}
    assert said == {9: None, 10: True, 19: True, 20: False, 39: False, 40: None}
    assert facts.view("v", "ward", 30).cares(P) is True
    assert facts.view("v", None, 30).cares(P) is False
    assert facts.view("ward", "u", 30).cares(P) is False
    assert facts.view("u", "ward", 10).cares(Q) is False
    assert facts.view("", "", 10).cares(P) is False


def test_a_patient_is_oneself_a_coworker_at_home_or_next_door() -> None:
    """Each is another case for the officer, with another thing to ask."""
    name, home, street = 7, 8, 9
    facts = book(
        table(
            FactKind.PEOPLE,
            ("u", person(patient=P, likeness=(name, home, street))),
            ("v", person(times=(0, 50), patient=Q)),
        ),
        table(
            FactKind.PATIENTS,
            (P, patient((name, home, street))),
            (Q, patient((0, 0, street))),
            ("r", patient((name, home, street))),
            ("s", patient(vip=1, deceased=30)),
        ),
    )

    assert relations(facts, "u", P, 10) == {Relation.SELF}
    assert relations(facts, "v", P, 10) == {Relation.COWORKER}
    assert relations(facts, "u", Q, 10) == {Relation.COWORKER, Relation.NEIGHBOUR}
    assert relations(facts, "u", Q, 50) == {Relation.NEIGHBOUR}
    assert relations(facts, "u", "r", 10) == {Relation.SAME_SURNAME, Relation.HOUSEHOLD}
    assert relations(facts, "v", "r", 10) == set()
    assert relations(facts, "x", "s", 29) == {Relation.VIP}
    assert relations(facts, "x", "s", 30) == {Relation.VIP, Relation.DECEASED}


def test_absent_names_and_homes_are_not_alike() -> None:
    """Everybody whose address is not known would live together."""
    facts = book(
        table(FactKind.PEOPLE, ("u", person())),
        table(FactKind.PATIENTS, (P, patient())),
    )

    assert relations(facts, "u", P, 0) == set()


def test_a_pair_that_the_house_names_is_one_in_its_time() -> None:
    """A relation that has ended is none."""
    code = RELATIONS.index(Relation.HOUSEHOLD)
    facts = book(table(FactKind.RELATIONS, (P, ("u", code, 10, 20))))

    assert relations(facts, "u", P, 10) == {Relation.HOUSEHOLD}
    assert relations(facts, "u", P, 20) == set()
    assert relations(facts, "v", P, 10) == set()


rows_of_care = st.lists(
    st.tuples(
        st.sampled_from([P, Q]),
        st.tuples(
            st.sampled_from(["u", "v", ""]),
            st.sampled_from(["ward", "lab", ""]),
            st.integers(0, len(BASES) - 1),
            st.integers(0, 20),
            st.integers(0, 20),
        ),
    ),
    max_size=12,
)


@given(rows=rows_of_care, at_us=st.integers(0, 20))
def test_a_table_says_what_its_rows_say(
    rows: list[tuple[str, tuple[str, str, int, int, int]]], at_us: int
) -> None:
    """Sorting and interning must lose no row and make none up."""
    facts = book(table(FactKind.CARE, *rows))
    begins, ends = [row[3] for _, row in rows], [row[4] for _, row in rows]
    is_covered = bool(rows) and min(begins) <= at_us < max(ends)
    for key in (P, Q):
        for user in ("u", "v"):
            for where in ("ward", "lab", None):
                expected = any(
                    row_key == key and (row[0] == user or (row[1] and row[1] == where))
                    for row_key, row in rows
                    if row[3] <= at_us < row[4]
                )
                said = facts.view(user, where, at_us).cares(key)
                assert said is (expected if is_covered else None)


@given(rows=rows_of_care)
def test_the_same_facts_are_the_same_bytes(
    rows: list[tuple[str, tuple[str, str, int, int, int]]],
) -> None:
    """A file that came in another order, or twice, is no other fact."""
    once = table(FactKind.CARE, *rows)
    again = table(FactKind.CARE, *reversed(rows), *rows)

    assert once.encode() == again.encode()
    assert list(once.cells()) == sorted(set(rows))
    assert decode_table(once.encode()).rows == len(set(rows))


@pytest.mark.parametrize("cut", [1, 20, 100])
def test_damaged_bytes_are_refused(cut: int) -> None:
    """Half a table would be a house with half its people."""
    data = table(FactKind.ROSTER, ("u", (1, 2)), ("v", (3, 4))).encode()

    with pytest.raises(IntegrityError, match="load it again"):
        decode_table(data[:-cut])


def test_names_and_addresses_meet_however_they_are_written() -> None:
    """HR and admissions write one name in two ways."""
    joins = Joins(b"k" * 32)

    assert joins.surname("O'Neill") == joins.surname(" ONEILL ")
    assert joins.surname("Müller") == joins.surname("MULLER")
    assert joins.address("12, Elm St., Flat 3") == joins.address("12 elm st flat 3")
    assert joins.address("1 21 Elm") != joins.address("12 1 Elm")
    assert joins.surname("Elm") != joins.street("Elm") != joins.address("Elm")
    assert joins.surname(" - ") == 0
    assert Joins(b"l" * 32).surname("Elm") != joins.surname("Elm")


def test_bits_name_relations_in_their_order_and_back() -> None:
    """What the leaf says must be what was found."""
    for bits in range(1 << len(RELATIONS)):
        assert bits_of(relations_of(bits)) == bits
    assert relations_of(0b11) == RELATIONS[:2]
    assert bits_of(["no relation", 7]) == 0
