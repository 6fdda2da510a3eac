"""What was read of somebody else's count: rows to match, and where each of them stands.

A row is named by its file and its number there, packed into one whole number (`place`).
What must be equal is a hash; no identifier is kept.
"""

import hashlib
from array import array
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from phitrail.app.reconciliation import ForeignFile, Refused
from phitrail.errors import InputError
from phitrail.projection.reconcile import SIDE_SCHEMA

NUMBER_BITS: Final = 40
"""A place is the number of the file, then that of the line or entry in so many bits."""
MAX_REFUSED: Final = 1_000
"""So many refused entries are named; the others are counted."""


@dataclass(slots=True)
class TheirSide:
    """What somebody else counted.

    Attributes:
        files: the files, in order.
        tables: their rows, of `SIDE_SCHEMA`.
        entries: how many entries were read.
        passed_over: how many of them are no openings, or no entries of this kind.
        refused_count: how many could not be compared.
        refused: the first of them.
        earlier: key under an earlier version of ours -> the same under the one in use.
    """

    files: list[ForeignFile] = field(default_factory=list)
    tables: list[pa.Table] = field(default_factory=list)
    entries: int = 0
    passed_over: int = 0
    refused_count: int = 0
    refused: list[Refused] = field(default_factory=list)
    earlier: dict[int, int] = field(default_factory=dict)

    def known_under(self, ours: pa.Table) -> pa.Table:
        """Give our rows with the keys of earlier versions exchanged for those in use."""
        if not self.earlier:
            return ours
        kind = SIDE_SCHEMA.field("key").type
        before = pa.array(self.earlier.keys(), kind)
        after = pa.array(self.earlier.values(), kind)
        keys = ours.column("key")
        found = after.take(pc.index_in(keys, value_set=before).combine_chunks())
        exchanged = pc.coalesce(found, keys.combine_chunks())
        return ours.set_column(0, SIDE_SCHEMA.field("key"), exchanged)

    @property
    def table(self) -> pa.Table:
        """All rows."""
        return pa.concat_tables([SIDE_SCHEMA.empty_table(), *self.tables])

    @property
    def sha256(self) -> str:
        """The SHA-256 of the file, or of the list of digests and names of several."""
        if len(self.files) == 1:
            return self.files[0].sha256
        listed = "".join(f"{file.sha256}  {file.name}\n" for file in self.files)
        return hashlib.sha256(listed.encode()).hexdigest()

    def refuse(self, file: str, number: int, error: InputError) -> None:
        """Count an entry that cannot be compared, and name it if there are not many."""
        self.refused_count += 1
        if len(self.refused) < MAX_REFUSED:
            self.refused.append(
                Refused(
                    file=file,
                    number=number,
                    field=error.field or "(entry)",
                    rule=error.rule or "does not fit its schema",
                )
            )

    def named(self, place: int) -> tuple[ForeignFile, int]:
        """Say which file and number a place is."""
        return self.files[place >> NUMBER_BITS], place & (1 << NUMBER_BITS) - 1


@dataclass(slots=True)
class Rows:
    """Rows of one side that are added one by one."""

    keys: "array[int]" = field(default_factory=lambda: array("Q"))
    moments: "array[int]" = field(default_factory=lambda: array("q"))
    places: "array[int]" = field(default_factory=lambda: array("q"))

    def add(self, key: int, at_us: int, place: int) -> None:
        """Add one row."""
        self.keys.append(key)
        self.moments.append(at_us)
        self.places.append(place)

    def table(self) -> pa.Table:
        """Make a table of them."""
        columns = zip(
            (self.keys, self.moments, self.places), SIDE_SCHEMA.types, strict=True
        )
        return pa.table(
            [
                pa.Array.from_buffers(kind, len(data), [None, pa.py_buffer(data)])
                for data, kind in columns
            ],
            schema=SIDE_SCHEMA,
        )


def hash_key(salt: str, text: str) -> int:
    """Hash what must be equal as DuckDB's `md5_number_lower` does: 64 bits."""
    digest = hashlib.md5((salt + text).encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[8:], "little")
