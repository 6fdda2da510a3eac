"""The one spelling of a number, a hash and a line in the log's text formats.

A signature covers bytes, so a value with two spellings would be two notes that say the
same. Decimals have no leading zero and stay below 2**63; base64 is RFC 4648 section 4
with its padding and with zero bits behind the last byte; a line is not empty and holds
no control character below U+0020. Errors name the field, never the text.
"""

import base64
import binascii
import re
from typing import Final

from phitrail.errors import IntegrityError
from phitrail.tlog.hashing import HASH_BYTES, Hash

NUMBER_LIMIT: Final = 1 << 63

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_NOTE_TEXT = re.compile(r"[^\x00-\x09\x0b-\x1f\ud800-\udfff]*")


def parse_decimal(text: str, *, field: str) -> int:
    """Read a number from 0 to 2**63 - 1.

    Raises:
        IntegrityError: the text is not its decimal spelling.
    """
    if _DECIMAL.fullmatch(text) is None or int(text) >= NUMBER_LIMIT:
        raise IntegrityError(f"{field}: must be a decimal number below 2**63")
    return int(text)


def print_base64(data: bytes) -> str:
    """Spell bytes in base64."""
    return base64.b64encode(data).decode("ascii")


def parse_base64(text: str, *, field: str) -> bytes:
    """Read base64 in its one spelling.

    Raises:
        IntegrityError: ``print_base64`` would not have written this.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise IntegrityError(f"{field}: must be base64") from None
    if print_base64(data) != text:
        raise IntegrityError(f"{field}: must be base64 in its one spelling")
    return data


def parse_hash(text: str, *, field: str) -> Hash:
    """Read the base64 of one tree hash.

    Raises:
        IntegrityError: this is not base64 of 32 bytes.
    """
    data = parse_base64(text, field=field)
    if len(data) != HASH_BYTES:
        raise IntegrityError(f"{field}: must be a hash of 32 bytes")
    return Hash(data)


def is_line(text: str) -> bool:
    """Say whether the text can stand as a line: not empty, no control, true UTF-8."""
    return bool(text) and is_note_text(text) and "\n" not in text


def is_note_text(text: str) -> bool:
    """Say whether each character may stand in a note: true UTF-8, no control but LF."""
    return _NOTE_TEXT.fullmatch(text) is not None
