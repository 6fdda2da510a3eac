"""Records beside texts: what each rule of the matcher takes, and what it leaves."""

import pytest

from phitrail.guard.dates import find_dates
from phitrail.guard.record_context import RecordContext
from phitrail.guard.record_match import match_record

CASES: list[tuple[dict[str, object], str, list[str]]] = [
    # names
    ({"name": "Della Parkinson"}, "Mrs. Parkinson sleeps well.", ["Parkinson"]),
    ({"name": "Della Parkinson"}, "Parkinson disease, mild.", []),
    ({"name": "Della Parkinson"}, "It is early Parkinson's.", []),
    ({"name": "Ilse Willis"}, "The circle of Willis is intact.", []),
    ({"name": "Marie Anders"}, "Charcot-Marie-Tooth runs in it.", []),
    ({"name": "Pip Andover"}, "The right PIP joint hurts.", []),
    ({"name": "Hope Andover"}, "We saw Hope at noon.", ["Hope"]),
    ({"name": "Hope Andover"}, "We hope she mends.", []),
    ({"name": "Hope Andover"}, "Hope's mother called.", ["Hope"]),
    ({"name": "Hope Andover"}, "They met at Mount Hope Chapel.", []),
    ({"name": "Hope Andover"}, "CALLED WIFE HOPE AT NOON", ["HOPE"]),
    ({"name": "Hope Andover"}, "Hope, RN, signed.", ["Hope"]),
    ({"name": "June May"}, "It was in May again.", []),
    ({"name": "Bo Li"}, "Level of Li was 0.8.", []),
    ({"name": "Bo Li"}, "I told Bo today.", ["Bo"]),
    ({"name": "Bo Li"}, "I told Bo Li today.", ["Bo Li"]),
    ({"name": "Ana de la Vega"}, "per de la Vega", ["Vega"]),
    ({"name": "Ana de la Vega"}, "De La Vega came", ["De La Vega"]),
    (
        {"name": "Ada Quillon"},
        "ada a quillon came, bp fine, no fever",
        ["ada", "quillon"],
    ),
    ({"name": "Ada Quillon"}, "Ada Mr. Quillon", ["Ada", "Quillon"]),
    ({"name": "Ada Quillon"}, "Ada Nurse Quillon", ["Ada", "Quillon"]),
    ({"name": "Ada Quillon"}, "Ada B. Quillon", ["Ada B. Quillon"]),
    ({"name": "Ada Quillon"}, "quillon's b list", ["quillon"]),
    (
        {"name": {"given": ["Ada"], "family": "Quillon-Marsh"}},
        "Ada Quillon",
        ["Ada Quillon"],
    ),
    ({"practitioners": ["Dr. Orla Finch"]}, "doctor finch agreed", ["finch"]),
    ({"practitioners": ["Dr. Orla Finch"]}, "the doctor Finch saw", ["Finch"]),
    ({"practitioner": {"name": "Finch, Orla"}}, "d/w Orla Finch", ["Orla Finch"]),
    ({"name": "Thornquist Lee"}, "Torn quistly", []),
    ({"name": "Ana de la Vega"}, "de todo", []),
    ({"given": "Ada", "family_name": "Quillon"}, "A. Quillon", ["A. Quillon"]),
    ({"patient": {"first_name": "Ada"}}, "saw Ada", ["Ada"]),
    ({"name": "Ana de la Vega"}, "At Vega de nuevo", ["Vega"]),
    ({"name": "Thanh Le"}, "Thanh Le came", ["Thanh Le"]),
    ({"name": "Thanh Le"}, "saw thanh le", ["thanh le"]),
    # ids
    ({"mrn": "448120"}, "4481 20\u0661", ["4481 20"]),
    ({"url": "https://me.example/q/7"}, "see www.me.example/q/8", []),
    ({"identifiers": [{"type": "zzz", "value": "7712"}]}, "id 7712", ["7712"]),
    ({"identifiers": [{"type": "", "value": "771"}]}, "id 771", []),
    ({"birth_date": "1988"}, "1988", []),
    (
        {"resourceType": "Bundle", "entry": [{"resource": {}}]},
        "nothing",
        [],
    ),
    ({"mrn": "448120"}, "number 12448120 is another", []),
    ({"mrn": "448120"}, "448120A is another", []),
    ({"mrn": "44812"}, "CPT 44812 was billed", []),
    ({"mrn": "44812"}, "44812 mL of it", []),
    ({"mrn": "44812"}, "file 44812 is here", ["44812"]),
    ({"member_id": "8840112703"}, "PPO 8840112703", ["PPO 8840112703"]),
    ({"member_id": "8840112703"}, "ID 8840112703", ["8840112703"]),
    ({"phone": "+1 (207) 555-0162"}, "call +(207) 555-0162", ["+(207) 555-0162"]),
    ({"phone": "911"}, "call 911 mg", []),
    (
        {"device": "HX330918"},
        "serial h x three three oh nine eighteen",
        ["h x three three oh nine eighteen"],
    ),
    (
        {"account": "5512200"},
        "account double five one double two zero zero",
        ["double five one double two zero zero"],
    ),
    (
        {"mrn": "2134567"},
        "twenty one thirty four five six seven",
        ["twenty one thirty four five six seven"],
    ),
    ({"mrn": "2134567"}, "one two three four", []),
    (
        {"mrn": "4421907"},
        "four four two 1 nine dash zero seven",
        ["four four two 1 nine dash zero seven"],
    ),
    (
        {"birth_date": "1963-07-29"},
        "born seven twenty nine sixty three",
        ["seven twenty nine sixty three"],
    ),
    ({"card": "4000123412348836"}, "Card ending 8836", ["8836"]),
    ({"card": "4000123412342024"}, "card 2024", []),
    ({"card": "4000123412342024"}, "card ending in 2024", ["2024"]),
    # dates
    ({"dates": ["2024-12"]}, "in December 2024", ["December 2024"]),
    ({"dates": ["2024"]}, "in 2024", []),
    ({"encounters": [{"start": "2024-12", "end": "2025-01"}]}, "12/2024", ["12/2024"]),
    ({"encounters": [{"start": "2025-02-30", "end": "2025-03-02"}]}, "x", []),
    ({"encounters": [{"start": "2025-03-02", "end": "2024-03-02"}]}, "x", []),
    ({"dates": ["2025-07-04"]}, "since the fourth of july", ["the fourth of july"]),
    ({"dates": ["2025-03-19"]}, "on the 19th of March", ["the 19th of March"]),
    ({"dates": ["2025-02-06"]}, "Thurs 2/6", ["Thurs 2/6"]),
    ({"dates": ["2025-05-27"]}, "(2 g/kg, 5/27-5/28)", ["5/27"]),
    ({"dates": ["2025-05-27"]}, "(27/5-28/5)", ["27/5"]),
    ({"birth_date": "1930"}, "born in 1930", ["1930"]),
    ({"birth_date": "1930-02-02"}, "she is ninety four years old", ["ninety four"]),
    ({"birth_date": "1930-02-02"}, "he turned ninety today", ["ninety"]),
    ({"birth_date": "1930-02-02"}, "aged ninety years", ["ninety"]),
    ({"birth_date": "1930-02-02"}, "age 94, SpO2 94%, BP 94/60", ["94"]),
    ({"birth_date": "1930-02-02"}, "She died at 94 of a stroke", ["94"]),
    ({"dates": ["2025-02-06"]}, "on Tuesday, 2/6", ["Tuesday, 2/6"]),
    ({"dates": ["2025-03-04"]}, "am Montag, 4. März 2025", ["Montag, 4. März 2025"]),
    # places
    ({"city": "Reading"}, "moved from Reading last", ["Reading"]),
    ({"city": "Reading"}, "Reading, Pennsylvania", ["Reading"]),
    ({"city": "Reading"}, "Reading 19601", ["Reading"]),
    ({"city": "Reading"}, "likes Reading aloud", []),
    ({"county": "Merrow County"}, "Merrow County jail", ["Merrow"]),
    ({"county": "County"}, "the county jail", []),
    ({"street": "Apt 6"}, "Apt 6 of it", []),
    ({"street": "PO Box 1147"}, "P.O. Box 1147", ["P.O. Box 1147"]),
    ({"street": "Post Office Box 1147"}, "PO Box 1147", ["PO Box 1147"]),
    ({"street": "Route 2, Box 118A"}, "Rte 2 Box 118-A", ["Rte 2 Box 118-A"]),
    ({"street": "77 Eighth Street"}, "77 8th St Apt 3B", ["77 8th St Apt 3B"]),
    ({"street": "77 Eighth Street"}, "lives on 8th St", ["8th St"]),
    (
        {"street": "Lutheran Haven, Room 12"},
        "at Lutheran Haven now",
        ["Lutheran Haven"],
    ),
    ({"street": "77 Dover Road"}, "77 Dover Rd no 4", ["77 Dover Rd"]),
    (
        {"address": "77 Dover Rd, Alder Falls, Maine 04105"},
        "in Alder Falls",
        ["Alder Falls"],
    ),
    ({"address": {"text": "Alder Falls, ME"}}, "in Alder Falls", ["Alder Falls"]),
    # institutions
    (
        {"employer": "Cascade Timber Cooperative"},
        "Cascade Timber Co-op",
        ["Cascade Timber Co-op"],
    ),
    ({"employer": "Timber Cooperative"}, "Co-op", []),
    ({"employer": "Cooperative Timber"}, "Co-op Timber", ["Co-op Timber"]),
    ({"employer": "Skillet Diner, The"}, "works at The Skillet.", ["The Skillet"]),
    ({"clinic": "Harrowgate Pathology"}, "read at Harrowgate today", ["Harrowgate"]),
    ({"clinic": "Harrow Rehabilitation"}, "at Harrow Rehab", ["Harrow Rehab"]),
    ({"clinic": "Alder Valley Hospital"}, "at Alder Hospital", ["Alder Hospital"]),
    (
        {"clinic": "Wolf River Children's"},
        "at Wolf River Children's today",
        ["Wolf River Children's"],
    ),
    ({"clinic": "Sablewood"}, "at Sablewood Clinic LLC", ["Sablewood Clinic LLC"]),
    ({"clinic": "Sablewood"}, "The sablewood floor.", []),
    ({"clinic": "Mercy"}, "the Mercy", []),
    ({"clinic": ["The", {"reference": "x"}]}, "The clinic", []),
    (
        {"clinic": "Alder Finch", "name": "Finch Moor"},
        "Alder Finch Moor",
        ["Alder Finch Moor"],
    ),
    ({"street": "77 Dover Road"}, "77 Dover Rd unit seven", ["77 Dover Rd"]),
    ({"street": "77 Dover Road"}, "77 Dover Rd unit 7", ["77 Dover Rd unit 7"]),
    # other forms of records
    (
        {"resourceType": "Device", "id": "dev-8821", "patient": {}},
        "dev-8821",
        ["dev-8821"],
    ),
    (
        {
            "resourceType": "Device",
            "manufactureDate": "soon",
            "usePeriod": {"start": "2025-03-04"},
        },
        "3/4/2025",
        ["3/4/2025"],
    ),
    ({"resourceType": "Patient", "photo": [{"url": "x"}], "link": []}, "x", []),
    (
        {
            "resourceType": "Encounter",
            "subject": {"reference": "Patient/778-201"},
            "account": [{"reference": "Account/44-120-9"}],
            "participant": [{"individual": {"display": "Ines Valkenburg"}}],
        },
        "778201 and 441209, Valkenburg",
        ["778201", "441209", "Valkenburg"],
    ),
    (
        {"resourceType": "Location", "name": "Sablewood", "telecom": [{"value": ""}]},
        "Sablewood",
        ["Sablewood"],
    ),
    (
        {
            "resourceType": "Coverage",
            "identifier": [{"value": "88-12-90"}, {}],
            "id": "cov-881",
            "period": {"end": "2025-03-04"},
            "class": [{}],
        },
        "881290, cov-881, 3/4/2025",
        ["881290", "cov-881", "3/4/2025"],
    ),
    (
        {
            "telecom": [
                {"value": "odq@mail.example"},
                {"system": "fax", "value": "2075550163"},
            ]
        },
        "odq@mail.example 207-555-0163",
        ["odq@mail.example", "207-555-0163"],
    ),
    (
        {"identifiers": [{"type": None, "value": "PLM77120"}, {"value": ""}]},
        "PLM-77120",
        ["PLM-77120"],
    ),
    (
        {
            "encounters": [
                {"practitioners": [{"name": "Ines Valkenburg"}], "id": "V-88120"}
            ]
        },
        "V88120 Valkenburg",
        ["V88120", "Valkenburg"],
    ),
    ({"name": {"nickname": "Dally", "suffix": "III"}}, "saw Dally", ["Dally"]),
]


@pytest.mark.parametrize("at", range(len(CASES)))
def test_a_record_explains_this_much_of_a_text(at: int) -> None:
    """Each case is one rule at its edge: too little is redacted, too much is released."""
    record, text, expected = CASES[at]
    context = RecordContext.from_records([record])
    found = match_record(context, text, find_dates(text))

    assert expected == [text[one.start : one.end] for one in found]
