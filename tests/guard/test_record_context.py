"""Records are read whole, refused without showing them, and never shown."""

import contextlib
import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.errors import InputError
from phitrail.guard.dates import find_dates
from phitrail.guard.found import Found
from phitrail.guard.record_context import RecordContext
from phitrail.guard.record_keys import DOCUMENTED, KINDS
from phitrail.guard.record_match import match_record

PAGE = Path(__file__).parents[2].joinpath("docs", "guard-record-context.md")
HIDDEN = "Zephyrina"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def _found(text: str, *records: dict[str, object]) -> list[str]:
    context = RecordContext.from_records(records, now=NOW)
    found: list[Found] = match_record(context, text, find_dates(text))
    return [text[one.start : one.end] for one in found]


def test_the_page_lists_every_key() -> None:
    """A key that the page leaves out is one that nobody can use."""
    page = PAGE.read_text("utf-8").split("## What a record may say")[1]
    lines = page.split("## What is found")[0].splitlines()
    told: dict[str, list[str]] = {}
    for line in lines:
        kind, _, keys = line.strip("| ").partition(" | ")
        if line.startswith("| ") and keys.startswith("`"):
            told.setdefault(kind, []).extend(re.findall(r"`([^`]+)`", keys))
    expected: dict[str, list[str]] = {}
    for (kind, _), keys_of in DOCUMENTED.items():
        expected.setdefault(kind.value, []).extend(keys_of)

    assert expected == {kind: told.get(kind) for kind in expected}


def test_repr_and_str_show_counts_alone() -> None:
    """A context in a log line or a traceback must give nothing away."""
    context = RecordContext.from_records(
        [
            {
                "name": HIDDEN,
                "mrn": "77182930",
                "birth_date": "1931-04-02",
                "email": "zephyrina@mail.example",
                "address": {"city": "Thornbury"},
            }
        ],
        now=NOW,
    )
    shown = repr(context) + str(context) + f"{context.names}{context.numbers}"

    assert not re.search(r"(?i)zephyr|7718|1931|thornbury|mail\.", shown)
    assert "people_count=1" in shown


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"mrn": {"value": HIDDEN}}, "records[0].mrn"),
        ({"birth_date": HIDDEN}, "records[0].birth_date"),
        ({"birth_date": "2025-13-40"}, "records[0].birth_date"),
        ({"name": 4.5}, "records[0].name"),
        ({"related": 7}, "records[0].related"),
        ({"telecom": [HIDDEN]}, "records[0].telecom"),
        ({"identifiers": [HIDDEN]}, "records[0].identifiers"),
        ({"encounters": [HIDDEN]}, "records[0].encounters"),
        ({"encounters": [{"start": HIDDEN}]}, "records[0].encounters.start"),
        ({"name": "A B", HIDDEN: "x"}, "records[0]: key number 2"),
        ({"phone": True}, "records[0].phone"),
        ({"resourceType": "Bundle", "entry": [HIDDEN]}, "records[0].entry[0]"),
    ],
)
def test_a_record_of_another_form_is_refused_without_its_value(
    record: dict[str, object], told: str
) -> None:
    """The message goes into logs: it names place and rule, never what stood there."""
    with pytest.raises(InputError) as refused:
        RecordContext.from_records([record])

    assert told in str(refused.value)
    assert HIDDEN not in str(refused.value)
    assert "2025-13" not in str(refused.value)


_JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["name", "start", "value", "type", "line", "text", "end"]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(KINDS)), _JSON, max_size=4))
def test_any_record_is_read_or_refused(record: dict[str, object]) -> None:
    """A record that raises anything else would take the scanner down."""
    for kind in ("Patient", "Encounter", "Coverage", "Organization", "Device", None):
        told = record if kind is None else {**record, "resourceType": kind}
        with contextlib.suppress(InputError):
            RecordContext.from_records([told], now=NOW)


def test_a_record_must_be_a_dict() -> None:
    """A list of texts would be read as nothing and release nothing, unnoticed."""
    with pytest.raises(InputError, match=r"records\[1\]"):
        RecordContext.from_records([{}, HIDDEN])  # type: ignore[list-item]


def test_empty_values_are_passed_over() -> None:
    """Retrieved rows are full of nulls."""
    record: dict[str, object] = {
        "name": None,
        "mrn": "",
        "phone": [None],
        "related": [],
    }

    assert _found("Nothing here but 12 mg.", record) == []


def test_fhir_resources_are_read() -> None:
    """A FHIR server's answer is handed over as it came."""
    bundle: dict[str, object] = {
        "resourceType": "Bundle",
        "entry": [
            {
                "resource": {
                    "resourceType": "Patient",
                    "id": "pt-77c0d1",
                    "identifier": [
                        {"type": {"coding": [{"code": "MR"}]}, "value": "00718293"},
                        {
                            "system": "http://hl7.org/fhir/sid/us-ssn",
                            "value": "987654329",
                        },
                    ],
                    "name": [
                        {"family": "Quillfeather", "given": ["Odalys"]},
                        {"use": "nickname", "text": "Dally Quillfeather"},
                    ],
                    "telecom": [
                        {"system": "phone", "value": "+12075550161"},
                        {"system": "email", "value": "odq@mail.example"},
                        {"system": "url", "value": "https://me.example/odq"},
                    ],
                    "birthDate": "1988-11-30",
                    "address": [{"text": "9 Fenwick Lane, Marlow Cove, ME 04999"}],
                    "contact": [{"name": {"family": "Ostrander", "given": ["Beck"]}}],
                    "generalPractitioner": [{"display": "Dr. Tamsin Oyewole"}],
                    "managingOrganization": {"display": "Harrow Point Clinic"},
                    "communication": [{"language": {"text": "English"}}],
                }
            },
            {
                "resource": {
                    "resourceType": "Coverage",
                    "subscriberId": "QX88213009",
                    "class": [{"value": "GRP5521"}],
                    "payor": [{"display": "Great Mutual"}],
                }
            },
            {
                "resource": {
                    "resourceType": "Encounter",
                    "period": {"start": "2025-03-04T08:00:00Z"},
                    "participant": [{"individual": {"display": "Ines Valkenburg"}}],
                    "location": [{"location": {"display": "Sablewood Infusion Suite"}}],
                }
            },
            {
                "resource": {
                    "resourceType": "Observation",
                    "effectiveDateTime": "2025-03-06",
                    "valueQuantity": {"value": 4.1},
                }
            },
            {"resource": {"resourceType": "Organization", "name": "Larkhill Dialysis"}},
            {
                "resource": {
                    "resourceType": "RelatedPerson",
                    "name": [{"family": "Penhallow", "given": ["Mirren"]}],
                }
            },
            {
                "resource": {
                    "resourceType": "Practitioner",
                    "name": [{"family": "Akintola", "given": ["Sade"]}],
                    "identifier": [{"system": "us-npi", "value": "1234567893"}],
                }
            },
        ],
    }
    told = [
        *("pt-77c0d1", "718293", "987-65-4329", "Odalys Quillfeather", "Dally"),
        *("207-555-0161", "odq@mail.example", "https://me.example/odq", "11/30/1988"),
        *("9 Fenwick Ln", "Marlow Cove", "04999", "Beck Ostrander", "Oyewole"),
        *("Harrow Point Clinic", "QX-8821-3009", "GRP-5521", "3/4/2025", "Valkenburg"),
        *(
            "Sablewood Infusion Suite",
            "March 6, 2025",
            "Larkhill Dialysis",
            "Penhallow",
        ),
        *("Sade Akintola", "1234567893"),
    ]
    text = "\n".join(told)

    assert _found(text, bundle) == told
    assert _found("English; Great Mutual; 4.1", bundle) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Odalys Quillfeather", "Quillfeather, Odalys"),
        ("Quillfeather, Odalys", "Odalys Quillfeather"),
        ("Dr. Odalys Quillfeather, MD, PhD", "O. Quillfeather"),
    ],
)
def test_a_name_in_one_text_is_read(name: str, text: str) -> None:
    """Many systems keep a name in one field."""
    assert _found(f"Seen with {text} today", {"name": name}) == [text]


def test_dates_may_be_dates() -> None:
    """Rows of a database hold date objects, not texts."""
    assert _found("on 11/30/1988", {"dob": date(1988, 11, 30)}) == ["11/30/1988"]


def test_a_birth_year_counts_by_the_clock_that_is_handed_in() -> None:
    """Nothing reads a clock: the same call must give the same result for ever."""
    record: dict[str, object] = {"birth_date": "1940-01-01"}
    young = RecordContext.from_records([record], now=datetime(2029, 12, 1, tzinfo=UTC))
    old = RecordContext.from_records([record], now=datetime(2030, 2, 1, tzinfo=UTC))
    untold = RecordContext.from_records([{"birth_date": "1930-01-01"}])

    assert (young.ages, old.ages) == (frozenset(), frozenset({90}))
    assert 96 in untold.ages
