"""Is this text in the log: `log match`, for an investigator who holds a question or answer.

1. The text comes in `Protected`, is hashed in every form under every version of the text
   key (`capture.text_match`), and goes nowhere else.
2. The tables are held against their sealed SHA-256 before they are asked: "not in this log"
   is said only of tables that nobody changed.
3. One `audit_log_read` is recorded: who, which log, how many entries, and the digest of a
   sealed document with the hashes that were looked for, never the text. If that cannot be
   recorded, nothing is shown.
4. What the tables found is believed only when the log says it too: the entry itself carries
   the hash, and its inclusion is proven as an outsider would. A row that the log does not
   bear out is an integrity error.
5. The model of a question is that of its access: where the entry names none, the access's
   newest entry that does is read and proven as well.

6. A hash under a compromised version is a match, and the answer says so: whoever has that
   key can try texts against the log's hashes. That the entry stands in the log, unaltered,
   is shown by its proof all the same.

What cannot be matched is counted, so that "not in this log" says how far it reaches:
accesses that were recorded or imported without such a hash (no text was given), and
hashes under a key version that is not here.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, Final

import msgspec

from phitrail.app.documents import keep_document
from phitrail.app.reading import ProvenEntry, record_read, verified_proof
from phitrail.app.running import RunningTrail
from phitrail.app.table_checks import verify_tables
from phitrail.app.tables import open_tables
from phitrail.app.wiring import Trail
from phitrail.capture.text_hash import TextHasher
from phitrail.capture.text_match import Candidate, MatchedForm, text_candidates
from phitrail.errors import InputError, IntegrityError
from phitrail.events.canonical import encode_canonical
from phitrail.events.codes import Action, Log
from phitrail.events.protected import Protected
from phitrail.keys.mac import Mac
from phitrail.keys.names import TEXT_HASH
from phitrail.projection.rows import INDEX, columns_of
from phitrail.projection.tables import Tables
from phitrail.projection.views import OPENINGS
from phitrail.tlog.reader import LogReader

DEFAULT_ENTRIES: Final = 100
TRIES: Final = 3
"""How often tables are checked again that another process joins at that moment."""


class Side(StrEnum):
    """Which text of an access was pasted."""

    QUERY = "query"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where the hashes of one side stand, and which rows should carry them."""

    exact: str
    normalised: str
    due: str


_COLUMNS: Final[Mapping[Side, _Columns]] = {
    Side.QUERY: _Columns("query_hash", "query_hash_norm", f"event_type IN {OPENINGS}"),
    Side.ANSWER: _Columns(
        "response_hash",
        "response_hash_norm",
        "event_type = 'access_closed' AND coalesce(released_chars, 1) > 0",
    ),
}


class MatchDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked for, as it stands sealed under the digest in the log."""

    match: Side
    log: Log
    hashes: tuple[str, ...]
    limit: int


@dataclass(frozen=True, slots=True)
class Matched:
    """One entry that carries the text's hash, proven.

    Attributes:
        proven: the entry.
        form: in which form the text was found.
        key_version: under which version of the text key.
        is_compromised: whether somebody else may have that version.
        model: the entry that names its model, if any.
    """

    proven: ProvenEntry
    form: MatchedForm
    key_version: int
    is_compromised: bool
    model: ProvenEntry | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What the tables say.

    Attributes:
        places: index and access of each entry that should carry the hash.
        models: access -> its newest entry that names a model.
        has_more: whether there are more entries than were asked for.
        size: how many entries of the log the tables cover.
        without_hash: entries that could carry such a hash and do not.
        other_versions: entries hashed under a version of the key that is not here.
    """

    places: tuple[tuple[int, str | None], ...]
    models: Mapping[str | None, int]
    has_more: bool
    size: int
    without_hash: int
    other_versions: int


@dataclass(frozen=True, slots=True)
class Matching:
    """What was found, and how far the search reached.

    Attributes:
        side: which text was looked for.
        log: in which log.
        seen: what the tables say, and up to which size of the log.
        key_versions: under which versions of the text key it was looked for.
        entries: what was found, in the order of the log, each proven.
    """

    side: Side
    log: Log
    seen: Seen
    key_versions: tuple[int, ...]
    entries: tuple[Matched, ...]

    @property
    def proofs(self) -> tuple[ProvenEntry, ...]:
        """Every entry that the answer rests on, each once."""
        found = [p for m in self.entries for p in (m.proven, m.model) if p is not None]
        return tuple({proof.entry.index: proof for proof in found}.values())


def match_text(
    trail: RunningTrail,
    text: Protected[str],
    side: Side,
    *,
    log: Log = Log.AUDIT,
    limit: int = DEFAULT_ENTRIES,
    by: str,
    now: datetime,
) -> Matching:
    """Find the entries whose question or answer a text is, and record the search.

    Raises:
        InputError: the text has no bytes, or the log holds no hashes of texts.
        IntegrityError: tables or log are damaged, or do not say the same.
        StorageError: it could not be answered, recorded or proven; nothing is shown.
    """
    columns = _COLUMNS[side]
    if columns.exact not in {column.name for column in columns_of(log)}:
        raise InputError.for_field("--log", f"the {log} log holds no hashes of texts")
    mac = Mac(trail.parts.keys, TEXT_HASH)
    versions = mac.versions()
    hashers = {v: TextHasher(partial(mac.written_under, v)) for v in versions}
    candidates = text_candidates(text, hashers, f"--{side}")
    _check_tables(trail.parts, log)
    with open_tables(trail.parts, now) as tables:
        seen = _look(tables, log, columns, candidates, versions, limit)
    document = MatchDocument(
        match=side, log=log, hashes=tuple(c.written for c in candidates), limit=limit
    )
    record_read(
        trail.parts,
        log,
        by=by,
        reason_code="log_match",
        result_count=len(seen.places),
        object_digest=keep_document(trail.parts, encode_canonical(document)),
        action=Action.QUERY,
        now=now,
    )
    return Matching(
        side, log, seen, versions, _hold(trail, log, columns, candidates, seen)
    )


# --- the tables ---


def _check_tables(trail: Trail, log: Log) -> None:
    """Hold the tables against their SHA-256; a join in between is no finding."""
    findings: Sequence[str] = ()
    for _ in range(TRIES):
        (check,) = verify_tables(trail.directory, (log,))
        findings = check.findings
        if not findings:
            return
    raise IntegrityError(findings[0])


def _look(
    tables: Tables,
    log: Log,
    columns: _Columns,
    candidates: Sequence[Candidate],
    versions: Sequence[int],
    limit: int,
) -> Seen:
    exact = [c.written for c in candidates if c.is_exact]
    normalised = [c.written for c in candidates if not c.is_exact]
    rows = tables.ask(
        f"SELECT {INDEX}, access_id::VARCHAR FROM {log} "
        f"WHERE {columns.exact} IN ({_marks(exact)}) "
        f"OR {columns.normalised} IN ({_marks(normalised)}) ORDER BY 1 LIMIT ?",
        (*exact, *normalised, limit + 1),
    )
    indexes, accesses = (rows.column(n).to_pylist() for n in range(2))
    places = tuple(zip(map(int, indexes), accesses, strict=True))[:limit]
    models = _find_models(tables, log, accesses)
    others = _count_others(tables, log, columns, versions)
    return Seen(places, models, len(indexes) > limit, tables.as_of[log.value], *others)


def _find_models(
    tables: Tables, log: Log, found: Sequence[str | None]
) -> dict[str | None, int]:
    """Say which entry of each access is the newest that names a model."""
    accesses = sorted({access for access in found if access is not None})
    if not accesses:
        return {}
    rows = tables.ask(
        f"SELECT access_id::VARCHAR, max({INDEX}) FROM {log} "
        "WHERE ai_model_id IS NOT NULL AND access_id IN "
        "(SELECT unnest(?::UUID[])) GROUP BY 1",
        (accesses,),
    )
    named, indexes = (rows.column(n).to_pylist() for n in range(2))
    return dict(zip(named, map(int, indexes), strict=True))


def _count_others(
    tables: Tables, log: Log, columns: _Columns, versions: Sequence[int]
) -> tuple[int, int]:
    known = [str(version) for version in versions]
    row = tables.ask(
        f"SELECT count(*) FILTER ({columns.due} AND {columns.exact} IS NULL), "
        f"count(*) FILTER (split_part({columns.exact}, ':', 2) "
        f"NOT IN ({_marks(known)})) FROM {log}",
        known,
    )
    without_hash, other_versions = (int(row.column(n)[0].as_py()) for n in range(2))
    return without_hash, other_versions


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


# --- the log ---


def _hold(
    trail: RunningTrail,
    log: Log,
    columns: _Columns,
    candidates: Sequence[Candidate],
    seen: Seen,
) -> tuple[Matched, ...]:
    with closing(trail.parts.reader(log)) as reader:
        others_have = frozenset(trail.parts.keys.compromised(TEXT_HASH))
        search = _Search(trail, reader, log, columns, candidates, others_have)
        return tuple(
            search.matched(index, seen.models.get(access))
            for index, access in seen.places
        )


@dataclass(frozen=True, slots=True)
class _Search:
    """Holds what the tables found against the log."""

    trail: RunningTrail
    reader: LogReader
    log: Log
    columns: _Columns
    candidates: Sequence[Candidate]
    compromised: frozenset[int]

    def matched(self, index: int, model_index: int | None) -> Matched:
        """Read and prove an entry; it must carry one of the hashes itself.

        Raises:
            IntegrityError: it does not, or it does not verify.
        """
        proven = verified_proof(self.trail, self.reader, self.log, index)
        fields = fields_of(proven)
        here = {
            True: fields.get(self.columns.exact),
            False: fields.get(self.columns.normalised),
        }
        found = next(
            (c for c in self.candidates if c.written == here[c.is_exact]), None
        )
        if found is None:
            raise self._contradicted(index)
        model = self._model(proven, fields, model_index)
        version = found.key_version
        is_compromised = version in self.compromised
        return Matched(proven, found.form, version, is_compromised, model)

    def _model(
        self, proven: ProvenEntry, fields: Mapping[str, Any], index: int | None
    ) -> ProvenEntry | None:
        if "ai_model_id" in fields:
            return proven
        if index is None:
            return None
        other = verified_proof(self.trail, self.reader, self.log, index)
        named = fields_of(other)
        if "ai_model_id" not in named or named.get("access_id") != fields["access_id"]:
            raise self._contradicted(index)
        return other

    def _contradicted(self, index: int) -> IntegrityError:
        return IntegrityError(
            f"the tables say of {self.log} entry {index} what the log does not say: they "
            f"were altered; keep them, then run `phitrail log rebuild --log {self.log}`"
        )


def fields_of(proven: ProvenEntry) -> dict[str, Any]:
    """Read the fields of an entry as they stand in the log."""
    return msgspec.json.decode(proven.entry.leaf, type=dict[str, Any])
