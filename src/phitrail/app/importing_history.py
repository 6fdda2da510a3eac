"""`log import --from`: what an old system logged, taken in once, and said to be that.

1. The map is read first; without one the form's own applies. CSV needs one.
2. Entries become native lines and go through the one door (`app.importing`), marked as
   imported. Refused ones go to `FILE.rejected.jsonl` by `line` or `entry`, field, rule.
3. When all was read, a report is sealed beside the log: form, SHA-256 of file and map,
   counts, times, what was left out, and the verdict on the old system's own chain. One
   `history_imported` in the audit log names it: `reason_code` is the verdict, `object_id`
   the file's SHA-256, `object_digest` that of the report.
4. Its event id is derived from all that it says. A second run over the same file records
   nothing: neither an entry nor this, also after keys were rotated.

An error of the log ends the run before the report; the same command goes on from there.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import msgspec

from phitrail.app.documents import keep_document
from phitrail.app.import_keys import import_keys, stored_hashes
from phitrail.app.importing import Progress, import_lines, open_file
from phitrail.app.reading import COMPONENT
from phitrail.app.running import RunningTrail
from phitrail.capture.history.built_in import built_in_map
from phitrail.capture.history.chain import ChainReport
from phitrail.capture.history.field_map import FieldMap
from phitrail.capture.history.form import HistoryForm
from phitrail.capture.history.map_file import MAX_MAP_BYTES, read_map
from phitrail.capture.history.reading import HistoryReader
from phitrail.capture.history.source import DigestedFile
from phitrail.capture.importer import Imported
from phitrail.capture.known_lines import ImportKeys
from phitrail.errors import InputError
from phitrail.events.audit import AuditEvent, CallerEvent
from phitrail.events.canonical import encode_canonical
from phitrail.events.codes import (
    Action,
    ActorType,
    Assurance,
    AttributionBasis,
    EventType,
    Outcome,
)
from phitrail.events.ids import RANDOM_BYTES, new_uuid7, parse_time

HISTORY_DOMAIN = b"phitrail/history-import/v1|"
MAX_CONFLICTS = 100
"""Each is a security event; a whole file of them is a map that was changed."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class HistoryReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one file of old records held; sealed beside the log as a document."""

    form: HistoryForm
    source: str
    file_sha256: str
    map_sha256: str | None
    entries: int
    taken_in: int
    rejected: int
    first_time: str | None
    last_time: str | None
    chain: ChainReport
    left_out: dict[str, int]
    passed_over: dict[str, int]


@dataclass(frozen=True, slots=True)
class ImportedHistory:
    """What became of a file of old records.

    Attributes:
        counts: of its entries.
        report: what is on record of it.
        unit: what the numbers of refused entries count.
        event_id: of the `history_imported` that names the report.
    """

    counts: Imported
    report: HistoryReport
    unit: str
    event_id: str


def import_history(
    trail: RunningTrail,
    path: Path,
    form: HistoryForm,
    map_path: Path | None,
    *,
    by: str,
    now: datetime,
    progress: Progress | None = None,
) -> ImportedHistory:
    """Take in a file of old records.

    Args:
        trail: where to.
        path: the file, packed with gzip or not.
        form: its form.
        map_path: the caller's map, beneath which the form's own applies.
        by: who asks.
        now: the present time.
        progress: told how many bytes are read, and how many there are.

    Raises:
        InputError: the file or the map cannot be read, or the map does not fit.
        StorageError: the log, the report or the file of refusals could not be written.
    """
    # 1. The map.
    field_map = read_field_map(map_path, form)

    # 2. The entries.
    parts = trail.parts
    keys = import_keys(parts)
    with open_file(path) as opened:
        total = path.stat().st_size
        file = DigestedFile(opened)
        reader = HistoryReader(
            file,
            field_map,
            keys=keys,
            actions=parts.tenant.actions,
        )

        def tell() -> None:
            if progress is not None:
                progress(file.read_bytes, total)

        counts = import_lines(
            trail, path, reader.lines(), tell, keys, reader.unit, MAX_CONFLICTS
        )
        report = _report(reader, field_map, counts)

    # 3. and 4. The report.
    event = _event(trail, report, keys, by)
    parts.recorder.record(event, now)
    return ImportedHistory(counts, report, reader.unit, cast("str", event.event_id))


def read_field_map(path: Path | None, form: HistoryForm) -> FieldMap:
    """Read the caller's map, or take the one that comes with the form.

    Raises:
        InputError: it cannot be read or does not fit, or CSV comes without one.
    """
    if path is None:
        if form is HistoryForm.CSV:
            raise InputError.for_field(
                "--map", "CSV needs one that says what each column is"
            )
        return built_in_map(form)
    try:
        with path.open("rb") as file:
            text = file.read(MAX_MAP_BYTES + 1)
    except OSError as error:
        raise InputError.for_field(
            "--map", f"cannot be read ({error.strerror})"
        ) from None
    return read_map(text, form)


def _report(
    reader: HistoryReader, field_map: FieldMap, counts: Imported
) -> HistoryReport:
    first_time, last_time = reader.times()
    return HistoryReport(
        form=field_map.form,
        source=field_map.source,
        file_sha256=reader.file_sha256(),
        map_sha256=field_map.digest,
        entries=counts.lines,
        taken_in=counts.recorded + counts.already_there,
        rejected=counts.rejected,
        first_time=first_time,
        last_time=last_time,
        chain=reader.chain(),
        left_out=reader.left_out(),
        passed_over=reader.passed_over(),
    )


def _event(
    trail: RunningTrail, report: HistoryReport, keys: ImportKeys, by: str
) -> CallerEvent:
    """Seal the report, and build the event that names it."""
    event: CallerEvent = AuditEvent(
        event_type=EventType.HISTORY_IMPORTED,
        user_id=by,
        actor_type=ActorType.HUMAN,
        attribution_basis=AttributionBasis.STATIC,
        action=Action.WRITE,
        outcome=Outcome.SUCCESS,
        reason_code=report.chain.verdict.value,
        result_count=report.taken_in,
        object_id=report.file_sha256,
        object_digest=keep_document(trail.parts, msgspec.json.encode(report)),
        source_id=report.source or None,
        service_component=COMPONENT,
        assurance=Assurance.ENFORCED,
    )
    said = HISTORY_DOMAIN + encode_canonical(event)
    last = _EPOCH if report.last_time is None else parse_time(report.last_time)
    ids = [
        new_uuid7(max(_EPOCH, last), keyed(said)[:RANDOM_BYTES])
        for keyed in keys.ids.values()
    ]
    held = stored_hashes(trail.parts)(ids)
    event_id = next((one for one in ids if one in held), ids[0])
    return msgspec.structs.replace(event, event_id=event_id)
