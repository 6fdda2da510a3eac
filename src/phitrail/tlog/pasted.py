"""Checkpoints out of text that a person pasted: a mail, a reply to it, its source.

1. A block is a whole signed note: origin, size, root, extension lines, an empty line, one
   or more signature lines, each on a line of its own. What stands around it is ignored.
2. Undone is only what mail does to text without losing any of it: CRLF, ``>`` before every
   line of a block, and quoted-printable (RFC 2045 section 6.7). A hard break within a
   line is not: there would be more than one way to join lines again.
3. Lines that begin a checkpoint, and signature lines, belong to a block that is whole, or
   the text is refused; so is one of which some parts are quoted-printable and some not.
4. Several blocks may stand in one text; the same block again counts once.

What comes out is bytes that `tlog.note` prints alike, and nothing in them is verified: a
signature covers the origin, the size and the root, so that no way of pasting makes another
checkpoint that verifies. Errors name the line, never its text.
"""

import quopri
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from phitrail.errors import InputError, IntegrityError
from phitrail.tlog.checkpoint import parse_checkpoint
from phitrail.tlog.note import parse_note
from phitrail.tlog.spelling import parse_decimal, parse_hash

_QUOTE = re.compile(r"(?:> ?)*")
_DASH: Final = "\u2014 "
# a dash, a name, and base64 as long as the key id and the signature of an Ed25519 key
_SIGNATURE = re.compile("\u2014 +\\S+ +[A-Za-z0-9+/=]{92,}\\s*")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Pasted:
    """A signed note as it stood in a text.

    Attributes:
        line: where it begins, counted from 1; in a text that was quoted-printable, after
            that was undone.
        note: its bytes.
    """

    line: int
    note: bytes


def read_pasted(data: bytes) -> tuple[Pasted, ...]:
    """Read the checkpoints in a pasted text, in their order.

    Returns:
        None or more; a text that holds nothing like a checkpoint gives none.

    Raises:
        InputError: a part of a checkpoint does not belong to a whole one, or there is
            more than one way to read the text.
    """
    # 1. A checkpoint and nothing else, as a file mostly is.
    data = data.removeprefix(_BYTE_ORDER_MARK)
    with suppress(IntegrityError):
        _require_checkpoint(data)
        return (Pasted(1, data),)

    # 2. Either the text as it stands, or what was quoted-printable in it.
    plain = _lines(data)
    decoded = _lines(quopri.decodestring(data.replace(b"\r\n", b"\n")))
    in_plain, in_decoded = _find_heads(plain), _find_heads(decoded)
    if in_plain and in_decoded:
        raise _refused(
            in_plain[0],
            "some of the checkpoints are quoted-printable and some are not: paste one "
            "mail at a time",
        )
    if in_plain:
        return _read_blocks(plain, in_plain)
    _refuse_signatures(plain, range(len(plain)))
    return _read_blocks(decoded, in_decoded)


def _lines(data: bytes) -> list[str]:
    """Split a text into lines; bytes that are no text stay apart from all characters."""
    text = data.decode("utf-8", errors="surrogateescape")
    return text.replace("\r\n", "\n").split("\n")


def _find_heads(lines: Sequence[str]) -> list[int]:
    """Find where an origin, a size and a root stand, each on a line, quoted alike."""
    heads = []
    for at in range(len(lines) - 2):
        quote = _quote_before(lines[at + 1])
        _, size, root = (_without(quote, line) for line in lines[at : at + 3])
        if size is not None and root is not None and _is_size(size) and _is_root(root):
            heads.append(at)
    return heads


def _read_blocks(lines: Sequence[str], heads: Sequence[int]) -> tuple[Pasted, ...]:
    found: dict[bytes, Pasted] = {}
    end = 0
    for head in heads:
        if head < end:
            raise _refused(head, "a checkpoint begins within another one")
        _refuse_signatures(lines, range(end, head))
        if _quote_before(lines[head]) != _quote_before(lines[head + 1]):
            raise _refused(
                head, "a checkpoint begins, and its lines are not quoted alike"
            )
        block = _block_at(lines, head)
        end = head + len(block)
        note = "".join(f"{line}\n" for line in block)
        data = note.encode(errors="surrogateescape")
        try:
            _require_checkpoint(data)
        except IntegrityError as error:
            raise _refused(
                head,
                f"a checkpoint begins and does not end as one ({error}): paste it "
                "whole, line by line as it was sent, or save the mail and give its file",
            ) from None
        found.setdefault(data, Pasted(head + 1, data))
    _refuse_signatures(lines, range(end, len(lines)))
    return tuple(found.values())


def _block_at(lines: Sequence[str], head: int) -> list[str]:
    """Take the lines from a head on up to its last signature line, unquoted."""
    quote = _quote_before(lines[head + 1])
    block: list[str] = []
    is_in_body = True
    for line in lines[head:]:
        text = _without(quote, line)
        if text is None or not (is_in_body or text.startswith(_DASH)):
            break
        block.append(text)
        is_in_body = is_in_body and (bool(text) or len(block) == 1)
    return block


def _quote_before(line: str) -> str:
    match = _QUOTE.match(line)
    return match[0] if match else ""


def _without(quote: str, line: str) -> str | None:
    """Take the marks of a quotation off a line; None where they do not stand there."""
    if line.startswith(quote):
        return line[len(quote) :]
    return "" if line == quote.rstrip() else None


def _is_size(text: str) -> bool:
    try:
        parse_decimal(text, field="size")
    except IntegrityError:
        return False
    return True


def _is_root(text: str) -> bool:
    try:
        parse_hash(text, field="root")
    except IntegrityError:
        return False
    return True


def _require_checkpoint(data: bytes) -> None:
    parse_checkpoint(parse_note(data).text)


def _refuse_signatures(lines: Sequence[str], span: range) -> None:
    """Refuse a signature that stands outside every block."""
    for at in span:
        if _SIGNATURE.fullmatch(lines[at][len(_quote_before(lines[at])) :]):
            raise _refused(
                at,
                "a signature of no checkpoint: the lines above it are missing, broken "
                "or altered; paste the whole mail, or save it and give its file",
            )


def _refused(at: int, reason: str) -> InputError:
    return InputError.for_field("pasted text", f"line {at + 1}: {reason}")
