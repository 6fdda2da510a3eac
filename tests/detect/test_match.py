"""A predicate asks of a row what it says, and absence fits nothing by accident."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phitrail.detect.match import ascii_lower, compile_predicate
from phitrail.detect.schema import fields_of
from phitrail.detect.selection import Terms, read_selection
from phitrail.detect.source import read_documents
from phitrail.events.codes import Log

ROW: dict[str, object] = {
    "event_type": "phi_read",
    "user_id": "U_1%x",
    "user_role": "nurse",
    "department": "nurse",
    "facility_id": None,
    "source_ip": "10.1.2.3",
    "input_tokens": 3,
    "output_tokens": 0,
    "response_phi_detected": False,
    "patient": ("Pa", "pb"),
    "phi_fields_accessed": (),
}


def fits(selection: str, row: dict[str, object] | None = None) -> bool:
    """Read a selection of the audit log and ask it of a row."""
    (node,) = read_documents("my.yml", selection.encode())
    predicate = read_selection(node, Terms(fields_of(Log.AUDIT), {}))
    return compile_predicate(predicate)(ROW if row is None else row)


@pytest.mark.parametrize(
    "selection",
    [
        "event_type: phi_read",
        "event_type: PHI_Read",
        "event_type|cased: phi_read",
        "event_type: phi*",
        "event_type: '*read'",
        "event_type: 'p*i*e*d'",
        "event_type: 'phi?read'",
        "event_type: '????????'",
        "event_type: '?*'",
        "event_type: '*'",
        "event_type|contains: I_R",
        "event_type|startswith: PHI",
        "event_type|endswith: AD",
        "event_type|contains|all: [phi, read]",
        "event_type: [x, phi_read]",
        "event_type|neq: phi_write",
        "event_type|re: ^phi_(read|write)$",
        "event_type|re: i.r",
        "user_id: u_1%X",
        "user_id|contains: '%'",
        "user_id|cased|contains: U_",
        "user_role|fieldref: department",
        "facility_id: null",
        "facility_id|exists: false",
        "user_id|exists: true",
        "user_id|neq: null",
        "facility_id|neq: main",
        "source_ip|cidr: 10.1.0.0/16",
        "source_ip|cidr: [192.168.0.0/16, 10.0.0.0/8]",
        "source_ip|cidr: 10.1.2.3",
        "input_tokens: 3",
        "input_tokens|gt: 2",
        "input_tokens|gte: 3",
        "input_tokens|lt: 4",
        "input_tokens|lte: 3",
        "output_tokens: 0",
        "response_phi_detected: false",
        "patient: pa",
        "patient|all: [pa, pb]",
        "patient|cased: Pa",
        "patient|contains: b",
        "[{event_type: x}, {event_type: phi_read, user_role: nurse}]",
        "{event_type: phi_read, input_tokens: 3}",
    ],
)
def test_a_row_that_fits(selection: str) -> None:
    """What a rule selects is what it says."""
    assert fits(selection)


@pytest.mark.parametrize(
    "selection",
    [
        "event_type: phi",
        "event_type|cased: PHI_READ",
        "event_type: 'phi_read?'",
        r"event_type: 'phi\*'",
        r"event_type: 'phi\?read'",
        "event_type: '?'",
        "event_type|startswith: read",
        "event_type|endswith: phi",
        "event_type|contains|all: [phi, write]",
        "event_type|re: PHI",
        "event_type|re: ^hi",
        "event_type|neq: PHI_READ",
        "user_id: 'Ux1%x'",
        "user_role|fieldref: user_id",
        "facility_id: '*'",
        "facility_id: ''",
        "facility_id|re: .*",
        "facility_id|contains: ''",
        "facility_id|fieldref: on_behalf_of",
        "facility_id|exists: true",
        "user_id: null",
        "source_ip|cidr: 10.2.0.0/16",
        "input_tokens|gt: 3",
        "input_tokens|lt: 3",
        "input_tokens: 4",
        "query_chars|lt: 3",
        "response_phi_detected: true",
        "patient|all: [pa, pc]",
        "patient|cased: pa",
        "patient|neq: pa",
        "{event_type: phi_read, input_tokens: 4}",
    ],
)
def test_a_row_that_does_not(selection: str) -> None:
    """What is not selected makes no alert."""
    assert not fits(selection)


@pytest.mark.parametrize(
    ("address", "is_in"),
    [
        ("10.0.0.0", True),
        ("10.0.255.255", True),
        ("10.1.0.0", False),
        ("9.255.255.255", False),
        ("fe80::1", False),
        ("10.0.0", False),
        ("10.0.0.0.0", False),
        ("10.0.0.x", False),
        ("10.0.0.²", False),
        ("", False),
    ],
)
def test_a_network_holds_its_addresses(address: str, is_in: bool) -> None:
    """The first and the last address belong to it; what is no IPv4 address does not."""
    assert is_in == fits("source_ip|cidr: 10.0.0.0/16", {"source_ip": address})


@given(text=st.text(max_size=30))
def test_lower_case_is_of_ascii_alone(text: str) -> None:
    """Other letters are lowered otherwise by every database."""
    lowered = ascii_lower(text)

    assert len(text) == len(lowered)
    assert all(b in (a, chr(ord(a) + 32)) for a, b in zip(text, lowered, strict=True))
    assert not any("A" <= letter <= "Z" for letter in lowered)


pieces = st.lists(
    st.sampled_from(["a", "b", "*", "?", "ab", "%", "_", "."]), max_size=6
)


@given(parts=pieces, text=st.text("ab%_.", max_size=8))
def test_wildcards_are_what_a_slow_reading_says(parts: list[str], text: str) -> None:
    """`*` is any text and `?` one character; nothing else is special."""

    def slow(parts: list[str], text: str) -> bool:
        if not parts:
            return not text
        first, rest = parts[0], parts[1:]
        if first == "*":
            return any(slow(rest, text[n:]) for n in range(len(text) + 1))
        if first == "?":
            return bool(text) and slow(rest, text[1:])
        return text.startswith(first) and slow(rest, text[len(first) :])

    pattern = "".join(parts)
    if not pattern:
        return

    assert slow(parts, text) == fits(f'user_id: "{pattern}"', {"user_id": text})
