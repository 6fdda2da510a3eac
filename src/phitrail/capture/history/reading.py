"""One file of old records, read to its end: native lines out, verdict and counts kept.

The reader of the form gives entries, the chain check sees each of them as it was written,
the map turns it into a line. What comes of a line is the importer's to say.
"""

from collections.abc import Iterator, Mapping
from typing import assert_never

from phitrail.capture.history.chain import ChainCheck, ChainReport
from phitrail.capture.history.cloudtrail import read_cloudtrail
from phitrail.capture.history.csv_rows import read_csv_rows
from phitrail.capture.history.entry import ForeignEntry
from phitrail.capture.history.fhir import read_fhir
from phitrail.capture.history.field_map import FieldMap
from phitrail.capture.history.form import HistoryForm
from phitrail.capture.history.json_lines import read_json_lines
from phitrail.capture.history.kms_trail import read_kms_trail
from phitrail.capture.history.native_line import LineMaker
from phitrail.capture.history.source import (
    DigestedFile,
    Source,
    Unit,
    open_stream,
    until_damage,
)
from phitrail.capture.history.vault_audit import read_vault_audit
from phitrail.capture.importer import Line
from phitrail.capture.known_lines import ImportKeys, KeyedLine
from phitrail.errors import InputError
from phitrail.events.codes import Action


class HistoryReader:
    """Reads one file of old records once."""

    def __init__(
        self,
        file: DigestedFile,
        field_map: FieldMap,
        *,
        keys: ImportKeys,
        actions: Mapping[str, Action],
    ) -> None:
        """Open a file.

        Raises:
            InputError: its head does not fit the form, or a constant of the map its field.
        """
        self._file = file
        self._field_map = field_map
        self._source = _open(file, field_map)
        self._keys = keys
        self._actions = actions
        self._makers: dict[tuple[int, int], LineMaker] = {}
        self._lines = self._maker(*keys.in_use)
        is_chained = field_map.form is HistoryForm.CHAINED_JSONL
        self._chain = ChainCheck(field_map.chain, must_have=is_chained)

    @property
    def unit(self) -> Unit:
        """What the numbers count."""
        return self._source.unit

    def lines(self) -> Iterator[tuple[int, Line]]:
        """Give number and native line of each entry, or why there is none."""
        for read in until_damage(self._source.entries):
            if not isinstance(read, ForeignEntry):
                self._chain.cannot_see(read.number)
                yield read.number, read.error
                continue
            if read.plain is not None:
                self._chain.see(read.number, read.plain)
            if self._is_no_entry(read):
                self._source.passed_over["genesis"] += 1
                continue
            yield read.number, self._line(read)

    def _line(self, entry: ForeignEntry) -> Line:
        line = self._lines.line(entry)
        if isinstance(line, InputError):
            return line
        return KeyedLine(line, lambda i, t: self._maker(i, t).line(entry))

    def _maker(self, version: int, text: int) -> LineMaker:
        """Give what makes lines under other versions; what it counts counts for nothing."""
        maker = self._makers.get((version, text))
        if maker is None:
            keyed, hasher = self._keys.ids[version], self._keys.texts[text]
            maker = LineMaker(self._field_map, hasher, keyed, self._actions)
            self._makers[version, text] = maker
        return maker

    def _is_no_entry(self, entry: ForeignEntry) -> bool:
        """Find the genesis of a log that we exported: it says how the log began."""
        marked = self._field_map.no_entry
        return marked is not None and entry.fields.get(marked[0]) == marked[1]

    def chain(self) -> ChainReport:
        """Say what the old system's own hashes show, once all was read."""
        return self._chain.report()

    def left_out(self) -> dict[str, int]:
        """Count what was neither mapped nor ignored on purpose, by name."""
        return dict(sorted(self._lines.left_out.items()))

    def passed_over(self) -> dict[str, int]:
        """Count what the file holds beside entries, by name."""
        return dict(sorted(self._source.passed_over.items()))

    def times(self) -> tuple[str | None, str | None]:
        """Give the earliest and the latest time of an entry."""
        return self._lines.first_time, self._lines.last_time

    def file_sha256(self) -> str:
        """Give the SHA-256 of the file as it stands on the disk."""
        return self._file.sha256()


def _open(file: DigestedFile, field_map: FieldMap) -> Source:
    stream = open_stream(file)
    match field_map.form:
        case HistoryForm.AUDIT_JSONL | HistoryForm.CHAINED_JSONL:
            return Source(read_json_lines(stream))
        case HistoryForm.CLOUDTRAIL:
            return read_cloudtrail(stream)
        case HistoryForm.CSV:
            return Source(read_csv_rows(stream, field_map.delimiter))
        case HistoryForm.FHIR:
            return read_fhir(stream)
        case HistoryForm.KMS_CLOUDTRAIL:
            return read_kms_trail(stream)
        case HistoryForm.VAULT_AUDIT:
            return read_vault_audit(stream)
        case _:
            assert_never(field_map.form)
