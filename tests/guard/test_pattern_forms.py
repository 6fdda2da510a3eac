"""Forms of identifiers that hospitals write and that a first draft of the rules missed."""

import pytest

from phitrail.events.codes import IdentifierClass as Class
from phitrail.guard.normal import views
from phitrail.guard.patterns.finder import find_patterns

SEGMENTS = (
    "PID|1||0055172^^^HX^MRN||BRANDVOLD^ADA^M^^MRS||19610402|F||W|12 ELM^^HARLAN^KY^40831"
    "|||||||88120077|219-09-9998\r"
    "PV1|1|I|4W^412^2|||||1245319599^OKONJO^IMRE^^^DR\r"
    "OBX|1|NM|GLU^Glucose^L||93|mg/dL"
)


@pytest.mark.parametrize(
    ("text", "value", "identifier_class"),
    [
        ("Medicare # 1EG4 TE5 MK73 on file", "1EG4 TE5 MK73", Class.HEALTH_PLAN),
        ("SSN (last four) 9998", "9998", Class.SSN),
        ("MRN 1: 5517204", "5517204", Class.MRN),
        ("policy holder ID: 884120091A", "884120091A", Class.HEALTH_PLAN),
        ("BCBS ID XQZ884120091", "XQZ884120091", Class.HEALTH_PLAN),
        ("voice sample id VS-22918", "VS-22918", Class.BIOMETRIC),
        ("transmitter ID 4H8K2P", "4H8K2P", Class.DEVICE),
        ("A# A088120019", "A088120019", Class.OTHER),
        ("alien # A 088 120 019", "A 088 120 019", Class.OTHER),
        ("Skype: live:imre.h77", "live:imre.h77", Class.OTHER),
        ("Discord imreh#4417", "imreh#4417", Class.OTHER),
        ("nurse desk 2-4417", "2-4417", Class.PHONE),
        ("F: (202) 555-0124", "(202) 555-0124", Class.FAX),
        ("home address is 14 Alder, Averyville", "14 Alder", Class.GEOGRAPHIC),
        ("lives at 88 Rue Marchand Apt 3", "88 Rue Marchand Apt 3", Class.GEOGRAPHIC),
        ("DOB 040261", "040261", Class.DATE),
        ("DOB: 4 2 61 and", "4 2 61", Class.DATE),
        ("julian date 24064", "24064", Class.DATE),
        ("stay 5/2\u20135/9/24", "5/2", Class.DATE),
        ("stay 5/12-5/17", "5/12", Class.DATE),
        ("his mother died at 93 of a stroke", "93", Class.DATE),
        ("now in her late nineties", "late nineties", Class.DATE),
        ("\u7535\u8bdd202-555-0123\u75c5", "202-555-0123", Class.PHONE),
        ("\u8eab219-09-9998\u751f04/02/1961\u5e74", "219-09-9998", Class.SSN),
        ("\u8eab219-09-9998\u751f04/02/1961\u5e74", "04/02/1961", Class.DATE),
        ("\u5740192.0.2.7\u75c5", "192.0.2.7", Class.IP_ADDRESS),
        ("is stable.04/02/1961 seen", "04/02/1961", Class.DATE),
        ("is stable.219-09-9998 is", "219-09-9998", Class.SSN),
        ("is stable.202-555-0123 is", "202-555-0123", Class.PHONE),
        ("219-09-9998DOB", "219-09-9998", Class.SSN),
        ("DOB 04/02/1961SSN", "04/02/1961", Class.DATE),
        (SEGMENTS, "0055172", Class.MRN),
        (SEGMENTS, "BRANDVOLD^ADA^M", Class.NAME),
        (SEGMENTS, "12 ELM^^HARLAN^KY^40831", Class.GEOGRAPHIC),
        (SEGMENTS, "88120077", Class.ACCOUNT),
        (SEGMENTS, "OKONJO^IMRE", Class.NAME),
    ],
)
def test_a_form_of_the_wards_is_found_whole(
    text: str, value: str, identifier_class: Class
) -> None:
    """Each of these was readable in an answer once."""
    found = [
        (text[one.start : one.end], one.identifier_class) for one in find_patterns(text)
    ]

    assert (value, identifier_class) in found


@pytest.mark.parametrize(
    "text",
    [
        "pulses 2/4-3/4, strength 4/5-5/5, pain 5/10-7/10",
        "sats in the low 90s, pressures in the mid 90s, in the late 90s he smoked",
        "his mother died in her 90s; his father died at 62",
        "Temp F: 98.6, front desk 3 times, MRN (see chart) 40 mg",
        "moved to 5 North, then 4 West Tower; 1/2 NS at 75",
        "lab 040261 pending review",
        "OBX|1|NM|GLU^Glucose^L||93|mg/dL",
        "v1.2.3.4a of the software, see sec.3/4 or no.5/16",
    ],
)
def test_what_is_written_like_one_of_them_is_left(text: str) -> None:
    """A wider net that takes scores and units makes an answer useless."""
    assert [text[one.start : one.end] for one in find_patterns(text)] == []


def test_a_slash_that_json_escapes_is_read_as_one() -> None:
    r"""`03\/04\/1961` is how some programs write a date in JSON."""
    main = views(r'{"dob": "04\/02\/1961"}').main
    (one,) = find_patterns(main.text)

    assert (
        r'"04\/02\/1961"'[1:-1]
        == r'{"dob": "04\/02\/1961"}'[slice(*main.source(one.start, one.end))]
    )
