r"""How a text reads once its disguises are taken off, with a way back to the source.

`views` gives one main view of the whole text and, where a stretch can be read in another
way (spelled out, wrapped, encoded), fragments around those stretches to be scanned too.

Rules:
- ASCII text in which nothing is written in disguise is its own main view: nothing is
  copied, and there is no map. Ordinary typography (accents, dashes, curly quotes) moves
  no place either.
- In the main view: character folding (`characters`, `homoglyphs`), HTML entities and
  inline tags, percent and \\u escapes, Markdown markers and escapes. Spelled digits,
  spaced characters, numbers broken by a line end (`spelled`) and base64 or hex
  (`decoded`) are read in fragments only: the plain reading may be the right one.
- Every step is linear in the text, for any text, and no text makes one raise.
- Not undone: reversal, acrostics, translation, ciphers, encodings inside encodings, data
  in variation selectors (dropped, so a name around them is seen; they are not read).

Source: HTML Living Standard 13.5 (entities), RFC 3986 section 2.1 (percent-encoding),
CommonMark 2.4 (escapes), RFC 8259 section 7 (`\/`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from html.entities import html5

from phitrail.guard.characters import (
    ACTIVE,
    EM_DASHES,
    MARKS,
    SMALL,
    SMALL_RUN,
    compose,
    fold,
)
from phitrail.guard.decoded import decoded_rewrites
from phitrail.guard.homoglyphs import fold_homoglyphs
from phitrail.guard.spelled import spelled_rewrites
from phitrail.guard.view import View, ViewWriter, fragments_of

CUE_BEFORE = 40
CUE_AFTER = 24
"""Characters kept on either side of a rewritten stretch, for what says what it is."""


@dataclass(frozen=True, slots=True)
class Views:
    """The ways in which one text is read: all of it, and stretches read in another way."""

    main: View
    fragments: tuple[View, ...] = ()


def views(text: str) -> Views:
    """Give the ways in which a text is read."""
    main = _main_view(text)
    rewrites = spelled_rewrites(main.text) + decoded_rewrites(main.text)
    if not rewrites:
        return Views(main)
    return Views(main, fragments_of(main, rewrites, left=CUE_BEFORE, right=CUE_AFTER))


_ASCII_MARKERS = "&%*_`~\\\\<"
_IN_ASCII = re.compile(f"[{_ASCII_MARKERS}]")
_IN_ANY = re.compile(f"[{_ASCII_MARKERS}{ACTIVE}]")


def _main_view(text: str) -> View:
    search = (_IN_ASCII if text.isascii() else _IN_ANY).search
    writer = ViewWriter(text)
    place = 0
    while (match := search(text, place)) is not None:
        at = match.start()
        place = _READERS.get(match[0], _character)(text, at, writer)
    view = View(text) if writer.written_to == 0 else writer.view()
    if text.isascii():
        return view
    read = fold_homoglyphs(view.text)
    return view if read == view.text else view.reading(read)


_Reader = Callable[[str, int, ViewWriter], int]
"""Read what begins at a place: write it if it is a disguise, and say where to go on."""

_ENTITY = re.compile(
    r"&(?:#([0-9]{1,7});?|#[xX]([0-9A-Fa-f]{1,6});?|(\w{2,31};))", re.ASCII
)
_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_TAG = re.compile(
    r"</?(?:b|i|u|em|strong|span|code|mark|sub|sup|font|small|wbr)(?: [^<>]{0,80})?/?>",
    re.IGNORECASE,
)
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\x([0-9A-Fa-f]{2})")
_MARKER = re.compile(r"\*{2,3}|_{2}|~{2}|`{1,3}")
_MASK = 3
_OPENING = frozenset("([{\"'#$+<\u201c\u2018")
_CLOSING = frozenset(")]}\"'.,:;!?%>\u201d\u2019|")
_LAST_CODE = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)
_PERCENT_WIDTH = 3


def _read(code: int) -> str:
    """Give what a numbered character is read as; nothing where no text has it."""
    if code > _LAST_CODE or code in _SURROGATES:
        return "\ufffd"
    character = chr(code)
    if code < ord(" ") and character not in "\t\n\r":
        return " "
    return character if character.isascii() else _fold_active(character)


def _fold_active(character: str) -> str:
    return fold(character) if _IN_ANY.match(character) else character


def _entity(text: str, at: int, writer: ViewWriter) -> int:
    match = _ENTITY.match(text, at)
    if match is None:
        return at + 1
    decimal, hexadecimal, name = match.groups()
    if name is not None:
        characters = html5.get(name)
        if characters is None:
            return at + 1
        read = "".join(_read(ord(one)) for one in characters)
    else:
        read = _read(int(decimal) if decimal else int(hexadecimal, 16))
    writer.put(at, match.end(), read)
    return match.end()


def _percent(text: str, at: int, writer: ViewWriter) -> int:
    match = _PERCENT.match(text, at)
    if match is None:
        return at + 1
    octets = bytes.fromhex(match[0].replace("%", ""))
    place = at
    for character in octets.decode("utf-8", "surrogateescape"):
        size = len(character.encode("utf-8", "surrogateescape"))
        end = place + size * _PERCENT_WIDTH
        writer.put(place, end, _read(ord(character)))
        place = end
    return place


def _tag(text: str, at: int, writer: ViewWriter) -> int:
    match = _TAG.match(text, at)
    if match is None:
        return at + 1
    writer.put(at, match.end(), "")
    return match.end()


def _backslash(text: str, at: int, writer: ViewWriter) -> int:
    match = _ESCAPE.match(text, at)
    if match is not None:
        writer.put(at, match.end(), _read(int(match[1] or match[2], 16)))
        return match.end()
    if text[at + 1 : at + 2] in tuple("-_.*@()#+!`~/"):
        writer.put(at, at + 1, "")
        return at + 2
    return at + 1


def _marker(text: str, at: int, writer: ViewWriter) -> int:
    match = _MARKER.match(text, at)
    if match is None:
        return at + 1
    end, mark = match.end(), text[at]
    if text.startswith(mark, end):
        return _end_of_run(text, end, mark)
    if _is_markup(text[at - 1 : at] or " ", text[end : end + 1] or " ", end - at):
        writer.put(at, end, "")
    return end


def _is_markup(left: str, right: str, size: int) -> bool:
    """Tell a marker from a mask (`***-**-1234`), which is a cue for what follows it."""
    if left.isalnum() or right.isalnum():
        return left.isalnum() or size < _MASK or not right.isdecimal()
    if left.isspace():
        return right in _OPENING
    return left in _CLOSING and (right.isspace() or right in _CLOSING)


def _end_of_run(text: str, place: int, mark: str) -> int:
    """Pass a ruled line or a blank to fill in: it marks nothing."""
    size = len(text)
    while place < size and text[place] == mark:
        place += 1
    return place


def _character(text: str, at: int, writer: ViewWriter) -> int:
    character = text[at]
    if (small := SMALL.match(text, at)) is not None:
        end = small.end()
        if end - at >= SMALL_RUN:
            for place in range(at, end):
                writer.put(place, place + 1, fold(text[place]))
        return end
    if (marks := MARKS.match(text, at)) is not None:
        begin = at - 1 if at > writer.written_to else at
        base = text[begin:at]
        writer.put(begin, marks.end(), compose(base, marks[0]) if base else "")
        return marks.end()
    if character in EM_DASHES:
        if _is_digit(text, at - 1) and _is_digit(text, at + 1):
            writer.put(at, at + 1, "-")
        return at + 1
    read = fold(character)
    if read != character:
        writer.put(at, at + 1, read)
    return at + 1


def _is_digit(text: str, at: int) -> bool:
    return at >= 0 and text[at : at + 1].isdecimal()


_READERS: dict[str, _Reader] = {
    "&": _entity,
    "%": _percent,
    "<": _tag,
    "\\": _backslash,
    "*": _marker,
    "_": _marker,
    "~": _marker,
    "`": _marker,
}
