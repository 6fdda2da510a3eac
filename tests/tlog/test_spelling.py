"""Numbers, hashes and lines have one spelling, and all others are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tlog.trees import MANY

from phitrail.errors import IntegrityError
from phitrail.tlog.spelling import (
    is_line,
    is_note_text,
    parse_base64,
    parse_decimal,
    parse_hash,
    print_base64,
)


@MANY
@given(st.integers(0, 2**63 - 1))
def test_a_number_reads_back(number: int) -> None:
    """Sizes and times up to the limit must survive."""
    assert number == parse_decimal(str(number), field="size")


@pytest.mark.parametrize(
    "text",
    ["", "00", "01", "-1", "+1", " 1", "1\n", "1_0", "٣", "1e3", "9" * 19, "1" * 5000],
)
def test_another_spelling_of_a_number_is_refused(text: str) -> None:
    """Two spellings of one size would be two signed notes for one tree."""
    with pytest.raises(IntegrityError, match="size"):
        parse_decimal(text, field="size")


@MANY
@given(st.binary(max_size=70))
def test_base64_reads_back(data: bytes) -> None:
    """Hashes and signatures must survive their spelling."""
    assert data == parse_base64(print_base64(data), field="root")


@pytest.mark.parametrize(
    "text",
    ["QQ", "QQ=", "QR==", "QQ==\n", "Q Q==", "QQ==QQ==", "-_-_", "=", "Ä", "\ud800"],
)
def test_another_spelling_of_base64_is_refused(text: str) -> None:
    """Loose bits behind the last byte would let a signed line be changed."""
    with pytest.raises(IntegrityError, match="root"):
        parse_base64(text, field="root")


@MANY
@given(st.one_of(st.text(max_size=12), st.text("ABgQ+/=", max_size=12)))
def test_any_text_is_refused_or_is_base64(text: str) -> None:
    """Foreign text must never fail in a way that nobody expects."""
    try:
        data = parse_base64(text, field="root")
    except IntegrityError:
        return

    assert text == print_base64(data)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_hash_has_32_bytes(length: int) -> None:
    """A short root must not be compared with anything."""
    with pytest.raises(IntegrityError, match="32 bytes"):
        parse_hash(print_base64(bytes(length)), field="root")
    assert bytes(32) == parse_hash(print_base64(bytes(32)), field="root")


@MANY
@given(st.text(st.characters(), max_size=12))
def test_note_text_is_utf8_without_controls_but_line_feed(text: str) -> None:
    """A control character could hide a line from the person who reads the note."""
    try:
        text.encode()
        encodes = True
    except UnicodeEncodeError:
        encodes = False
    controls = any(ord(char) < 0x20 and char != "\n" for char in text)

    assert is_note_text(text) == (encodes and not controls)
    assert is_line(text) == (is_note_text(text) and text != "" and "\n" not in text)
