"""The objects of a JSON document, one at a time: a file of any size in flat memory.

1. A document may be one object, several one after the other, a list of objects, or an
   object that carries the list under a known name (`Records`, `entry`). What else such an
   object carries is reported by name, once for each.
2. Only brackets and strings are looked at here; whether an object is JSON is found by
   whoever decodes it, so one bad object does not cost the others.
3. An object larger than 1 MiB is passed over (`None`), and what stands between objects and
   is none is a refusal. A document that ends within a value ends with a refusal.

`has_lines` tells such a document from a file of one object a line.
"""

import re
from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeAlias

from phitrail.capture.history.entry import decode_object
from phitrail.capture.importer import MAX_LINE_BYTES
from phitrail.errors import InputError

PEEK_BYTES = 1 << 16
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["{}\[\]]', re.DOTALL)
_BETWEEN = b" \t\r\n,"
_BOM = b"\xef\xbb\xbf"
_QUOTE = ord('"')
_AFTER_THE_LIST = -1

Item: TypeAlias = bytes | InputError | None


def has_lines(start: bytes, array: str) -> bool:
    """Say whether a file that starts like this holds one object a line.

    Args:
        start: the first `PEEK_BYTES` bytes, or all there are.
        array: the name under which a document would carry its list.
    """
    first, newline, _ = start.removeprefix(_BOM).lstrip().partition(b"\n")
    if not newline and len(start) >= PEEK_BYTES:
        return False
    try:
        return array not in decode_object(first)
    except InputError:
        pass
    depth = 0
    for token in _TOKEN.findall(first):
        if token == b'"':
            return True  # a line that is cut within a string
        depth += (token in b"{[") - (token in b"]}")
    return depth == 0


def read_items(
    stream: BinaryIO, array: str, beside: Callable[[str], None]
) -> Iterator[Item]:
    """Yield the objects of a document in order.

    Args:
        stream: the document.
        array: the name under which it may carry its list.
        beside: told the name of each other member of an object that carries a list.
    """
    scan = _Scan(b'"' + array.encode() + b'"', beside)
    rest, is_first = b"", True
    while chunk := stream.read(PEEK_BYTES):
        chunk = chunk.removeprefix(_BOM) if is_first else chunk
        is_first = False
        text = rest + chunk
        rest = text[scan.feed(text) :]
        yield from scan.found()
        if len(rest) > MAX_LINE_BYTES:
            rule = f"a string over {MAX_LINE_BYTES} bytes; what follows is not read"
            yield InputError.for_field("(document)", rule)
            return
    yield from scan.end(is_cut=bool(rest))


class _Scan:
    """Where in a document we are; `level` is the depth at which its objects stand."""

    def __init__(self, array: bytes, beside: Callable[[str], None]) -> None:
        self._array = array
        self._beside = beside
        self._ready: list[Item] = []
        self._depth = 0
        self._level = 0
        self._item: bytearray | None = None
        self._is_too_long = False
        self._is_dirty = False
        self._name_follows = False
        self._name = b""
        self._names: list[bytes] = []

    def feed(self, text: bytes) -> int:
        """Take in bytes; return how many are done with (not those of a cut string)."""
        at = 0
        for match in _TOKEN.finditer(text):
            start, end = match.span()
            if end - start == 1 and text[start] == _QUOTE:
                self._between(text[at:start])
                return start
            self._between(text[at:start])
            first = text[start]
            if first == _QUOTE:
                self._string(text[start:end])
            elif first in b"{[":
                self._open(text[start:end])
            else:
                self._close(text[start:end])
            at = end
        self._between(text[at:])
        return len(text)

    def found(self) -> list[Item]:
        """Hand over what is complete."""
        ready, self._ready = self._ready, []
        return ready

    def end(self, *, is_cut: bool) -> list[Item]:
        """Hand over the rest; a value that does not end is a refusal."""
        self._tell_dirt()
        if is_cut or self._depth > 0:
            rule = "ends within a value; was it cut?"
            self._ready.append(InputError.for_field("(document)", rule))
        return self.found()

    def _between(self, gap: bytes) -> None:
        """Take in what stands between brackets and strings."""
        if self._item is not None:
            self._add(gap)
        elif self._depth == self._level and gap.strip(_BETWEEN):
            self._is_dirty = True
        if self._depth == 1 and b"," in gap:
            self._name_follows = True

    def _string(self, text: bytes) -> None:
        if self._item is not None:
            self._add(text)
        elif self._depth == self._level:
            self._is_dirty = True
        if self._depth == 1 and self._level <= 0:
            if self._name_follows:
                self._name = text
                if self._level == 0:
                    self._names.append(text)
                else:
                    self._tell_name(text)
            self._name_follows = False

    def _open(self, bracket: bytes) -> None:
        is_list = bracket == b"["
        at_top_of_object = self._depth == 1 and self._level <= 0
        if is_list and at_top_of_object and self._name == self._array:
            self._enter_the_list()
        elif self._item is not None:
            self._add(bracket)
        elif is_list and self._depth == self._level == 0:
            self._tell_dirt()
            self._level = 1
        elif self._depth == self._level:
            self._tell_dirt()
            self._item, self._is_too_long = bytearray(bracket), False
            self._names, self._name, self._name_follows = [], b"", not is_list
        self._depth += 1

    def _close(self, bracket: bytes) -> None:
        self._depth = max(0, self._depth - 1)
        if self._item is not None:
            self._add(bracket)
            if self._depth == self._level:
                self._ready.append(None if self._is_too_long else bytes(self._item))
                self._item = None
            return
        self._tell_dirt()
        if self._depth == 0:
            self._level = 0
        elif self._depth == 1 and self._level == 2:  # noqa: PLR2004 - object, list
            self._level = _AFTER_THE_LIST
        self._name_follows = False

    def _enter_the_list(self) -> None:
        """Find that the object is a document: its list holds the objects."""
        for name in self._names:
            self._tell_name(name)
        self._item, self._names, self._level = None, [], 2

    def _tell_name(self, name: bytes) -> None:
        if name != self._array:
            self._beside(name[1:-1].decode(errors="replace"))

    def _tell_dirt(self) -> None:
        if self._is_dirty:
            rule = "must be one JSON object"
            self._ready.append(InputError.for_field("(entry)", rule))
            self._is_dirty = False

    def _add(self, text: bytes) -> None:
        if self._item is None or self._is_too_long:
            return
        self._item += text
        if len(self._item) > MAX_LINE_BYTES:
            self._item, self._is_too_long = bytearray(), True
