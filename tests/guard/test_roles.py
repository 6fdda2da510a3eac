"""The role of a name follows from the words around it, or is not known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.guard.found import PersonRole
from phitrail.guard.roles import role_of

PATIENT, RELATIVE, PROVIDER = PersonRole


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("Seen today by Dr. @Quist@ in clinic.", PROVIDER),
        ("@Zelda Quist@, MD", PROVIDER),
        ("@Zelda Quist@ PharmD", PROVIDER),
        ("Electronically signed by: @Z. Quist@", PROVIDER),
        ("Her cardiologist, @Quist@, agrees.", PROVIDER),
        ("Attending: @Quist@", PROVIDER),
        ("plan d/w @Quist@ at bedside", PROVIDER),
        ("reviewed with @Quist@", PROVIDER),
        ("@Tom Quist@ (attending) will call", PROVIDER),
        ("RN @Zelda@ gave the dose", PROVIDER),
        ("His wife @Zelda@ drove him.", RELATIVE),
        ("daughter and proxy, @Zelda Quist@", RELATIVE),
        ("@Zelda@, his wife, was at bedside", RELATIVE),
        ("@Zelda@ (mother) consents", RELATIVE),
        ("Emergency contact: @Zelda Quist@", RELATIVE),
        ("pt's sister @Zelda@ says", RELATIVE),
        ("@Zelda Quist@'s wife called", PATIENT),
        ("wife of @Tom Quist@", PATIENT),
        ("Patient: @Zelda Quist@", PATIENT),
        ("Name: @Zelda Quist@", PATIENT),
        ("pt @Quist@ resting", PATIENT),
        ("@Quist@ (patient) signed", PATIENT),
        ("@Zelda Quist@ is a 54-year-old woman", PATIENT),
        ("@Zelda Quist@, 54F, here", PATIENT),
        ("@Quist@ (MRN 0000)", PATIENT),
        ("@Zelda@ denies fever", PATIENT),
        ("Mr. @Quist@ is well", PATIENT),
        ("Spoke to his mother, Mrs. @Quist@.", RELATIVE),
        ("@Zelda@ called about the bill.", None),
        ("Thanks to @Zelda@", None),
        ("Her physician left. @Zelda@ waited.", None),
        ("the doctor said, and this we know now for sure, @Zelda@ came", None),
        ("@Quist@'s chart", None),
        ("@Quist@", None),
    ],
)
def test_cues_tell_whose_name_it_is(text: str, role: PersonRole | None) -> None:
    """A policy that releases providers must not release a patient by mistake."""
    start, end = text.index("@"), text.rindex("@") - 1
    plain = text.replace("@", "")

    assert role_of(plain, start, end) is role


def test_the_nearest_cue_counts() -> None:
    """Two people in one sentence each have their own words beside them."""
    text = "Dr. Ames told his wife Berit, and the patient, Cobb, left."
    roles = [
        role_of(text, text.index(n), text.index(n) + len(n))
        for n in ("Ames", "Berit", "Cobb")
    ]

    assert roles == [PROVIDER, RELATIVE, PATIENT]


@given(st.text(max_size=80), st.integers(0, 80), st.integers(0, 80))
def test_no_text_makes_it_fail(text: str, start: int, end: int) -> None:
    """It runs inside the guard, which withholds an answer when a part fails."""
    low, high = sorted((min(start, len(text)), min(end, len(text))))

    assert role_of(text, low, high) in {None, *PersonRole}
