"""Words of medicine are let through; the same words as names of people are not."""

from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.guard.allow_list import is_allowed, is_neutral_place

LISTS = ("drugs.txt", "eponyms.txt", "places.txt", "terms.txt")


def _is_allowed(marked: str) -> bool:
    start, end = marked.index("@"), marked.rindex("@") - 1
    return is_allowed(marked.replace("@", ""), start, end)


@pytest.mark.parametrize(
    "text",
    [
        "Long history of @Parkinson@ disease",
        "@Parkinson@'s, on levodopa",
        "denies @Crohn@'s",
        "@Hodgkin@ lymphoma in remission",
        "@Kernig@ and Brudzinski both negative",
        "@Dix-Hallpike@ to the left",
        "@Guillain-Barré@ was considered",
        "new @Foley@ draining well",
        "@FOLEY CATHETER@ out",
        "@Swan-Ganz@ floated",
        "@Apgar@ 8 and 9",
        "@Gleason@ 4+3",
        "@Wells@ 3.0, so imaging",
        "@Wells@ score low",
        "@Harris@ hip score 88",
        "@Murphy@ sign absent",
        "tetralogy of @Fallot@ repaired",
        "s/p @Roux-en-Y@ 2019",
        "underwent @Hartmann@ for perforation",
        "rule out @Cushing@",
        "@Cushing@ syndrome",
        "@Glasgow Coma Scale@ 14",
        "swab grew @Klebsiella pneumoniae@",
        "@Eliquis@ held",
        "Takes @Synthroid@ and Lipitor",
        "@Vedolizumab@ every 8 weeks",
        "@Cholecystectomy@ in the past",
        "@Allegra@ 180 mg daily",
        "taking @Yasmin@ for acne",
        "@Emergency Department@ course",
        "HER2 and @BRCA1@ negative",
        "on @St. John@'s wort",
        "a Sister @Mary Joseph@ nodule",
        "@Hand@-Schuller-Christian",
        "Hand-@Schüller@-Christian disease",
        "@Maddrey@'s discriminant function 40",
        "(@Quist@, Lancet 2021)",
        "a @Finnish@ cohort",
        "@TIA@ last spring",
    ],
)
def test_a_word_of_medicine_is_let_through(text: str) -> None:
    """A note without its diagnoses is of no use to anybody."""
    assert _is_allowed(text)


@pytest.mark.parametrize(
    "text",
    [
        "Mr. @Parkinson@ disease-free",
        "Dr. @Foley@ placed it",
        "@Foley@, RN",
        "signed by @Foley@",
        "it was Axel @Foley@ who",
        "@Axel Foley@ catheter",
        "pt @Foley@ resting",
        "@Foley@'s wife called",
        "@Foley@ reports pain",
        "@Wells@ 45 yo male",
        "@Wells@ 3/14/2024",
        "@Wells@ called back",
        "@Harris@ will follow",
        "@Smith-Jones@ agrees",
        "@Allegra@ came with her mother",
        "the @Denver Neurology Clinic@",
        "@Murphy Hospital@ transfer",
        "@Tia@ drove her",
        "@55431@",
        "@de la@",
        "@Quist@ disease",
        "@Parkinson@-Quist came",
        "@Quist-Parkinson@ came",
        "",
    ],
)
def test_a_person_or_place_is_not(text: str) -> None:
    """An eponym that hides a patient of that name would be a hole anybody could find."""
    assert not _is_allowed(text or "@@")


@pytest.mark.parametrize(
    ("text", "is_neutral"),
    [
        ("moved from @Vermont@ last year", True),
        ("travel to @Costa  Rica@", True),
        ("@New Mexico@, NM", False),
        ("moved from @Quisttown@", False),
        ("@West Vermont@", False),
    ],
)
def test_states_and_countries_are_neutral(text: str, is_neutral: bool) -> None:
    """45 CFR 164.514(b)(2)(i)(B) asks for what is smaller than a State."""
    start, end = text.index("@"), text.rindex("@") - 1

    assert is_neutral_place(text.replace("@", ""), start, end) is is_neutral


@pytest.mark.parametrize("name", LISTS)
def test_a_list_names_nothing_twice(name: str) -> None:
    """Two entries for one word with two marks would leave chance to decide."""
    text = files("phitrail.guard").joinpath("data", name).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    words = [word.rstrip("*#?").casefold() for line in lines for word in line.split()]

    assert len(words) > 200
    assert len(set(words)) == len(words)


@given(st.text(max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_no_text_makes_it_fail(text: str, start: int, end: int) -> None:
    """It runs inside the guard, which withholds an answer when a part fails."""
    low, high = sorted((min(start, len(text)), min(end, len(text))))

    assert is_allowed(text, low, high) in {True, False}
    assert is_neutral_place(text, low, high) in {True, False}
