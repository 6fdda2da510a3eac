"""Pattern rules: each class is found, each trap is left, whatever stands around."""

import random
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phitrail.events.codes import IdentifierClass as Class
from phitrail.guard.patterns.finder import find_patterns

FOUND = [
    ("SSN 219-09-9998 on file", "219-09-9998", Class.SSN),
    ("her number is 219-09-9998.", "219-09-9998", Class.SSN),
    ("SSN: xxx-xx-9998", "xxx-xx-9998", Class.SSN),
    ("social ends in 9998", "9998", Class.SSN),
    ("MRN: 40-117-22", "40-117-22", Class.MRN),
    ("medical record number 00417722", "00417722", Class.MRN),
    ("(MRN #RK-441772)", "RK-441772", Class.MRN),
    ("Member ID: QRW 5512 0093 01", "QRW 5512 0093 01", Class.HEALTH_PLAN),
    ("Medicare 1EG4-TE5-MK73", "1EG4-TE5-MK73", Class.HEALTH_PLAN),
    ("insurance policy no. RT-551209", "RT-551209", Class.HEALTH_PLAN),
    ("account number 7731-20955", "7731-20955", Class.ACCOUNT),
    ("Visa 4111 1111 1111 1111 was", "4111 1111 1111 1111", Class.ACCOUNT),
    ("NPI 1245319599", "1245319599", Class.LICENSE),
    ("driver's license R204-7731-5509", "R204-7731-5509", Class.LICENSE),
    ("DEA AB1234563 on file", "AB1234563", Class.LICENSE),
    ("VIN 1M8GDM9AXKP042788", "1M8GDM9AXKP042788", Class.VEHICLE),
    ("plate KRW 2207 left", "KRW 2207", Class.VEHICLE),
    ("pacemaker serial PXR220914H", "PXR220914H", Class.DEVICE),
    ("(01)00844588003288(21)A77 read", "(01)00844588003288(21)A77", Class.DEVICE),
    ("fingerprint template FT-7720-AX91", "FT-7720-AX91", Class.BIOMETRIC),
    ("see moreno_face_03.jpg now", "moreno_face_03.jpg", Class.PHOTO),
    ("call (202) 555-0123 ext 14", "(202) 555-0123 ext 14", Class.PHONE),
    ("text 202.555.0123 please", "202.555.0123", Class.PHONE),
    ("reach +44 20 7946 0958.", "+44 20 7946 0958", Class.PHONE),
    ("pager 40117", "40117", Class.PHONE),
    ("fax 202-555-0124", "202-555-0124", Class.FAX),
    (
        "write to k.moreno+rx@mail.example.org.",
        "k.moreno+rx@mail.example.org",
        Class.EMAIL,
    ),
    (
        "see https://portal.example.org/p/88123.",
        "https://portal.example.org/p/88123",
        Class.URL,
    ),
    ("login from 192.0.2.7.", "192.0.2.7", Class.IP_ADDRESS),
    ("from 2001:db8::7334 today", "2001:db8::7334", Class.IP_ADDRESS),
    ("claim CL-2031-00449", "CL-2031-00449", Class.OTHER),
    ("Patient/5f20c9 was", "5f20c9", Class.MRN),
    (
        "lives at 1420 Alder Creek Road, Apt 4",
        "1420 Alder Creek Road, Apt 4",
        Class.GEOGRAPHIC,
    ),
    ("P.O. Box 311", "P.O. Box 311", Class.GEOGRAPHIC),
    ("in Ohio 44120 now", "44120", Class.GEOGRAPHIC),
    ("a 94-year-old man", "94", Class.DATE),
    ("she is 93 and well", "93", Class.DATE),
    ("born in 1929", "1929", Class.DATE),
    ("seen by Dr. Imre Halvorsen-Diaz today", "Imre Halvorsen-Diaz", Class.NAME),
    ("Imre Halvorsen, MD", "Imre Halvorsen", Class.NAME),
    ('{"given": ["Imre"]}', "Imre", Class.NAME),
    ('{"identifier": [{"value": "R7-2"}]}', "R7-2", Class.OTHER),
    (
        '{"telecom": [{"system": "fax", "value": "202-555-0124"}]}',
        "202-555-0124",
        Class.FAX,
    ),
    ('{"address": [{"city": "Averyville"}]}', "Averyville", Class.GEOGRAPHIC),
]


@pytest.mark.parametrize(("text", "value", "identifier_class"), FOUND)
def test_an_identifier_is_found_whole_and_with_its_class(
    text: str, value: str, identifier_class: Class
) -> None:
    """A class that is not found leaks; one cut short leaves its end readable."""
    found = [
        (text[one.start : one.end], one.identifier_class) for one in find_patterns(text)
    ]

    assert (value, identifier_class) in found


@pytest.mark.parametrize(
    "text",
    [
        "BP 128/76, HR 72, SpO2 98%, temp 98.6 F, 80 kg, pain 4/10",
        "Na 138, K 4.1, WBC 7.4, platelets 245, troponin 0.04",
        "call 911 or 988; poison help 1-800-222-1222",
        "version 10.2.3.4, OID 2.16.840.1.113883.3",
        "see http://loinc.org, https://www.cdc.gov/flu/x and http://hl7.org/fhir/sid/us-ssn",
        "a 67-year-old man, age 45, over 90, >90, 90+, 95%",
        "NCT01234567, PMID 32223112, CPT 99214, ICD-10 E11.9, LOINC 4548-4",
        "visit 3 of 4, order 2 units, case 12, claim denied, plan: rest",
        "lot 4471B, model 6935M, room 412, bed 12",
        "metformin 500 mg, 2,000 units, 1.5 mg/kg, 0.9% saline at 125 mL/h",
        "Mr and Mrs, the doctor, Parkinson disease, Foley catheter",
        "figure_2.png shows L4-L5, C5-C6, T2-weighted, 3-0 Vicryl",
        "12 hour drive, 3 way valve, 2 view chest",
        '{"code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]}}',
        '{"medication": {"name": "Metformin Hydrochloride"}, "dose": 500}',
        "born in 1975, married in 1999",
    ],
)
def test_what_is_nobodys_is_left(text: str) -> None:
    """Doses, scores and codes that are redacted make an answer useless and unsafe."""
    assert [text[one.start : one.end] for one in find_patterns(text)] == []


def test_a_value_with_a_cue_is_found_again_without_one() -> None:
    """A second mention of a record number would stay readable."""
    text = "MRN KX-77120-B was merged; the old chart was KX-77120-B too"

    assert [text[one.start : one.end] for one in find_patterns(text)] == [
        "KX-77120-B"
    ] * 2


def test_the_rest_of_a_cut_off_object_is_still_read() -> None:
    """Answers end in the middle of JSON when a model reaches its limit."""
    text = 'Here: {"patient": {"name": {"family": "Halvorsen", "given": ["Imre'

    assert [text[one.start : one.end] for one in find_patterns(text)] == ["Halvorsen"]


PIECES = (
    *(
        "MRN ",
        "Dr. ",
        "1/2",
        "-",
        "(",
        "@",
        "a@b.",
        '{"',
        '"mrn": "',
        "mrn ",
        "12345678",
    ),
    *(
        " ",
        "\n",
        "| ",
        "on ",
        "May ",
        "the ",
        "born in 1920 ",
        "x",
        "A",
        ".",
        ",",
        "www.",
    ),
    *(
        "\u0661",
        "\u2467",
        "\u00b2",
        "\u2167",
        "\U0001d7d8",
        "\ud800",
        "\u0130",
        "\u200b",
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_places_are_ordered_inside_the_text_and_disjoint(text: str) -> None:
    """A redactor that cuts by overlapping places would print what it should hide."""
    last = 0
    for one in find_patterns(text):
        assert last <= one.start < one.end <= len(text)

        last = one.end


def test_no_digit_of_any_script_stops_the_scan() -> None:
    """`int` fails on digits that are no decimals: one character must not end a scan."""
    signs = [
        chr(point)
        for point in range(sys.maxunicode + 1)
        if unicodedata.category(chr(point)) in {"Nd", "Nl", "No"}
    ]

    for start in range(0, len(signs), 40):
        piece = "".join(signs[start : start + 40])
        find_patterns(f"MRN {piece} on {piece}/1/2 age {piece} 1{piece}")


@pytest.mark.parametrize(
    "unit",
    [
        "1/2-",
        "born in 1920 ",
        "MD ",
        "A ",
        "1 A ",
        "mrn 12 and ",
        '{"a":',
        "1.",
        "a.",
        ":1",
        "x",
    ],
)
def test_a_repeated_text_costs_in_proportion_to_its_length(unit: str) -> None:
    """A rule that looks back over the whole text makes a long answer hang."""
    calls: list[int] = []
    for size in (400, 1600):
        count = 0

        def trace(*_: object) -> None:
            nonlocal count
            count += 1

        sys.setprofile(trace)
        try:
            find_patterns(unit * size)
        finally:
            sys.setprofile(None)
        calls.append(count)

    assert calls[1] < 6 * calls[0] + 2000


def test_the_answer_is_the_same_each_time() -> None:
    """An audit that cannot repeat a scan proves nothing."""
    draw = random.Random(7)
    text = " ".join(draw.choice(FOUND)[0] for _ in range(60))

    assert find_patterns(text) == find_patterns(text)
