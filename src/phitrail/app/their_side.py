"""Somebody else's files as one side of a reconciliation; nothing of them is recorded.

1. Each file is read by the reader of its form, as `log import --from` reads it, with the
   caller's map; what cannot be read is refused by number, field and rule.
2. What is compared becomes a hash under a key of the trail. A patient (and a user who
   stands as an e-mail address) is looked up, never made: one who is not known here gets a
   hash that nothing of ours has.
3. A plain CSV of requests is read by DuckDB (`projection.plain_csv`), with the same outcome.
"""

import csv
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, Literal

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from phitrail.app.import_keys import import_keys
from phitrail.app.importing import Progress, open_file
from phitrail.app.reconciliation import ForeignFile
from phitrail.app.their_rows import (
    NUMBER_BITS,
    Rows,
    TheirSide,
    hash_key,
)
from phitrail.app.wiring import Trail
from phitrail.capture.history.compared import (
    Compared,
    Comparison,
    Read,
    has_keyed,
    only_compared,
    read_compared,
)
from phitrail.capture.history.entry import ForeignEntry
from phitrail.capture.history.field_map import FieldMap, FieldRule
from phitrail.capture.history.form import HistoryForm
from phitrail.capture.history.native_line import LineMaker
from phitrail.capture.history.reading import HistoryReader
from phitrail.capture.history.source import BUFFER_BYTES, DigestedFile
from phitrail.errors import InputError, StorageError
from phitrail.events.codes import OPENING_TYPES
from phitrail.events.protected import Protected
from phitrail.identity.lookup import find_surrogate
from phitrail.projection.plain_csv import NotPlainError, PlainCsv, read_plain_csv
from phitrail.projection.reconcile import SIDE_SCHEMA

_TELL_EVERY: Final = 4_096


def foreign_files(path: Path) -> list[Path]:
    """List the file, or those that lie in a directory, by name; hidden ones are left out.

    Raises:
        InputError: there is none.
    """
    if not path.is_dir():
        return [path]
    files = sorted(
        p for p in path.iterdir() if p.is_file() and not p.name.startswith(".")
    )
    if not files:
        raise InputError.for_field("--against", "the directory holds no files")
    return files


class TheirReader:
    """Reads files of theirs into one side.

    Attributes:
        side: what was read so far.
        looked_up: how many identifiers were looked up.
        known: how many of them are known here.
    """

    def __init__(
        self, trail: Trail, field_map: FieldMap, by: Comparison, salt: str
    ) -> None:
        self._trail = trail
        self._map = only_compared(field_map, by)
        self._keys = import_keys(trail)
        self._earlier: list[tuple[int, int]] = []
        if has_keyed(self._map):
            text = self._keys.in_use[1]
            self._earlier = [(version, text) for version in list(self._keys.ids)[1:]]
        self._by = by
        self._salt = salt
        self._found: dict[tuple[str, Protected[str]], str | None] = {}
        self.side = TheirSide()

    @property
    def looked_up(self) -> int:
        """How many identifiers were looked up."""
        return len(self._found)

    @property
    def known(self) -> int:
        """How many of them are known here."""
        return sum(surrogate is not None for surrogate in self._found.values())

    def read(
        self,
        paths: Sequence[Path],
        connection: duckdb.DuckDBPyConnection,
        progress: Progress | None,
    ) -> None:
        """Read files, one after the other.

        Raises:
            InputError: a file cannot be read, or its head does not fit its form.
            StorageError: a file or the identity map cannot be read.
        """
        total = sum(path.stat().st_size for path in paths if path.exists())
        done = 0
        for path in paths:

            def tell(read_bytes: int, before: int = done) -> None:
                if progress is not None:
                    progress(before + read_bytes, total)

            with open_file(path) as opened:
                try:
                    if not self._read_plain(path, opened, connection, tell):
                        opened.seek(0)
                        self._read_strictly(path, opened, tell)
                except OSError as error:
                    raise StorageError(
                        f"cannot read {path.name}: {error.strerror}"
                    ) from error
                done += path.stat().st_size

    def _place(self, number: int) -> int:
        return (len(self.side.files) << NUMBER_BITS) + number

    # --- any form ---

    def _read_strictly(
        self, path: Path, opened: BinaryIO, tell: Callable[[int], None]
    ) -> None:
        file = DigestedFile(opened)
        reader = HistoryReader(
            file,
            self._map,
            keys=self._keys,
            actions=self._trail.tenant.actions,
        )
        rows = Rows()
        for number, read in read_compared(reader.lines(), self._by, self._earlier):
            self._take(path.name, number, read, rows)
            if self.side.entries % _TELL_EVERY == 0:
                tell(file.read_bytes)
        self.side.passed_over += sum(reader.passed_over().values())
        self._end_file(path, file.sha256(), reader.unit, [rows.table()])

    def _end_file(
        self,
        path: Path,
        sha256: str,
        unit: Literal["line", "entry"],
        tables: Sequence[pa.Table],
    ) -> None:
        self.side.tables += tables
        self.side.files.append(ForeignFile(name=path.name, sha256=sha256, unit=unit))

    def _take(self, name: str, number: int, read: Read, rows: Rows) -> None:
        self.side.entries += 1
        if isinstance(read, Compared):
            try:
                keys = list(self._hashes(read))
                for one in read.earlier:
                    self.side.earlier |= zip(self._hashes(one), keys, strict=True)
            except InputError as error:
                self.side.refuse(name, number, error)
                return
            for key in keys:
                rows.add(key, read.at_us, self._place(number))
        elif read is None:
            self.side.passed_over += 1
        else:
            self.side.refuse(name, number, read)

    def _hashes(self, read: Compared) -> Iterator[int]:
        """Hash what must be equal, as `app.our_side` hashes ours."""
        if read.request_id is not None:
            yield hash_key(self._salt, read.request_id)
            return
        systems = self._trail.tenant.identity
        user = read.user_id
        if isinstance(user, Protected):
            found = self._look_up(systems.user, user)
            user = None if found is None else f"usr-{found}"
        for patient in read.patients:
            surrogate = self._look_up(systems.patient, patient)
            is_known = user is not None and surrogate is not None
            text = f"{user}\n{surrogate}" if is_known else "\n"  # no user is empty
            yield hash_key(self._salt, text)

    def _look_up(self, system: str, identifier: Protected[str]) -> str | None:
        subject = (system, identifier)
        if subject not in self._found:
            self._found[subject] = find_surrogate(
                self._trail.identity, system, identifier
            )
        return self._found[subject]

    # --- plain CSV; rule 3 ---

    def _read_plain(
        self,
        path: Path,
        opened: BinaryIO,
        connection: duckdb.DuckDBPyConnection,
        tell: Callable[[int], None],
    ) -> bool:
        """Read a plain CSV of requests; say whether it was one."""
        file = self._plain_csv(path, opened)
        if file is None:
            return False
        before = path.stat()
        sha256, lines = _digest_plain(opened)
        if not lines:
            return False
        tables: list[pa.Table] = []
        odd: list[tuple[int, str | None, str | None, str]] = []
        rows_read = 0
        try:
            for some in read_plain_csv(connection, file, self._salt):
                tables.append(self._placed(some.rows))
                odd += some.odd
                rows_read = some.rows_read
                tell(before.st_size * rows_read // lines)
        except NotPlainError:
            return False
        after = path.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise InputError.for_field(
                "--against", "the file changed while it was read"
            )
        if rows_read != lines - 1:
            return False
        rows = Rows()
        self.side.entries += rows_read - len(odd)
        self._take_odd(path.name, file, odd, rows)
        self._end_file(path, sha256, "line", [*tables, rows.table()])
        return True

    def _placed(self, rows: pa.RecordBatch) -> pa.Table:
        place = pc.add(rows.column("place"), self._place(0))
        return pa.table(
            [rows.column("key"), rows.column("at_us"), place], schema=SIDE_SCHEMA
        )

    def _take_odd(
        self,
        name: str,
        file: PlainCsv,
        odd: Sequence[tuple[int, str | None, str | None, str]],
        rows: Rows,
    ) -> None:
        """Let the strict reader judge rows that were not written in the usual way."""
        version, text = self._keys.in_use
        hasher, keyed = self._keys.texts[text], self._keys.ids[version]
        maker = LineMaker(self._map, hasher, keyed, self._trail.tenant.actions)
        for number, request, moment, cells in odd:
            given = ((file.request, request), (file.moment, moment))
            fields = {path: text for path, text in given if text and text.strip()}
            if cells.strip():
                lines = iter([(number, maker.line(ForeignEntry(number, fields)))])
                for _, read in read_compared(lines, self._by):
                    self._take(name, number, read, rows)

    def _plain_csv(self, path: Path, opened: BinaryIO) -> PlainCsv | None:
        """Say how DuckDB can read a file, if its head and its map are plain."""
        if (self._map.form, self._by) != (HistoryForm.CSV, Comparison.REQUEST):
            return None
        header: list[str] = []
        with suppress(UnicodeDecodeError, csv.Error, StopIteration):
            line = opened.readline(BUFFER_BYTES).decode("ascii")
            rows = csv.reader([line], delimiter=self._map.delimiter, strict=True)
            header = [name.strip() for name in next(rows)]
        rules = {path: self._map.of(path) for path in header}
        columns: dict[str, list[str]] = {}
        for column, rule in rules.items():
            if isinstance(rule, FieldRule):
                is_plain = not (rule.values or rule.split or rule.is_keyed)
                columns.setdefault(rule.to if is_plain else "", []).append(column)
        kind = self._map.constants.get("event_type")
        if (
            sorted(columns) != ["request_id", "timestamp_utc"]
            or any(len(found) > 1 for found in columns.values())
            or len(rules) < len(header)
            or not all(header)
            or not (kind is None or kind in OPENING_TYPES)
            or not self._map.constants.keys() <= {"event_type"}
            or self._map.time.form != "iso"
        ):
            return None
        return PlainCsv(
            path=path,
            columns=header,
            delimiter=self._map.delimiter,
            request=columns["request_id"][0],
            moment=columns["timestamp_utc"][0],
        )


def _digest_plain(opened: BinaryIO) -> tuple[str, int]:
    """Hash a file and count its lines; no lines where a line ends in an unusual way."""
    digest = hashlib.sha256()
    lines = returns = line_ends = 0
    last = b""
    opened.seek(0)
    while data := opened.read(BUFFER_BYTES * 8):
        if data.endswith(b"\r"):
            data += opened.read(1)
        digest.update(data)
        lines += data.count(b"\n")
        returns += data.count(b"\r")
        line_ends += data.count(b"\r\n")
        last = data[-1:]
    is_plain = returns == line_ends and returns in (0, lines)
    return digest.hexdigest(), (lines + (last != b"\n")) if is_plain else 0
