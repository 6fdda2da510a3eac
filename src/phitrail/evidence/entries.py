"""What an opened entry must say: the deep checks of one bundle's entries.

1. It decodes under a known schema, and its bytes are the canonical ones (ADR 0001).
2. The journal's table of events holds its (event id, part) once, at this log and index,
   with this leaf hash. An id that stands twice in the logs fails at one of its places.
3. Every surrogate in it is explained by a row of the identity map.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from phitrail.errors import InputError, IntegrityError
from phitrail.events.audit import AuditEvent
from phitrail.events.canonical import LeafRecord, decode_leaf
from phitrail.events.ids import uuid_bytes
from phitrail.evidence.findings import Check, Findings
from phitrail.tlog.hashing import Hash
from phitrail.tlog.receipt import Position

_USER_SURROGATE = re.compile(r"usr-([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the trail says about its entries elsewhere.

    Both raise `IntegrityError` when what they read is damaged.

    Attributes:
        find_events: keys (event id and part, 18 bytes) to where the journal has them.
        unexplained: those surrogates that no row of the identity map explains.
    """

    find_events: Callable[[Sequence[bytes]], Mapping[bytes, Position]]
    unexplained: Callable[[Sequence[str]], Sequence[str]]


def check_entries(
    log: str,
    first: int,
    entries: Sequence[bytes],
    hashes: Sequence[Hash],
    knowledge: Knowledge,
) -> Findings:
    """Check the entries of `log` from index `first` on, with their leaf hashes."""
    findings = Findings(log)
    positions: dict[bytes, Position] = {}
    surrogates: dict[str, int] = {}
    for index, (entry, leaf_hash) in enumerate(
        zip(entries, hashes, strict=True), start=first
    ):
        try:
            record = decode_leaf(entry)
            key = event_key(record)
        except (IntegrityError, InputError) as error:
            findings.add(Check.ENTRY, f"entry {index}", str(error))
            continue
        if key in positions:
            findings.add(
                Check.EVENT,
                f"entry {index}",
                f"has the event id of entry {positions[key].index}",
            )
        positions[key] = Position(log, index, leaf_hash)
        for surrogate in surrogates_in(record):
            surrogates.setdefault(surrogate, index)
    _check_events(positions, knowledge, findings)
    _check_surrogates(surrogates, knowledge, findings)
    return findings


def _check_events(
    positions: Mapping[bytes, Position], knowledge: Knowledge, findings: Findings
) -> None:
    try:
        stored = knowledge.find_events(list(positions))
    except IntegrityError as error:
        findings.add(Check.EVENT, "table of events", str(error))
        return
    for key, position in positions.items():
        if stored.get(key) != position:
            findings.add(
                Check.EVENT,
                f"entry {position.index}",
                "the journal's table of events has its id elsewhere, with another leaf "
                "hash, or not at all",
            )


def _check_surrogates(
    surrogates: Mapping[str, int], knowledge: Knowledge, findings: Findings
) -> None:
    try:
        unexplained = knowledge.unexplained(list(surrogates))
    except IntegrityError as error:
        findings.add(Check.IDENTITY, "identity map", str(error))
        return
    for surrogate in unexplained:
        findings.add(
            Check.IDENTITY,
            f"entry {surrogates[surrogate]}",
            "holds a surrogate that no row of the identity map explains; restore the "
            "map from the archive",
        )


def event_key(record: LeafRecord) -> bytes:
    """Give the key under which the journal knows a record: event id and part.

    Raises:
        InputError: the record has no event id.
    """
    part = record.part if isinstance(record, AuditEvent) else None
    return uuid_bytes(record.event_id or "") + (part or 0).to_bytes(2, "big")


def surrogates_in(record: LeafRecord) -> Iterator[str]:
    """Give every surrogate that an audit event holds; other records hold none."""
    if not isinstance(record, AuditEvent):
        return
    for patient, item, _ in record.records:
        if patient:
            yield patient
        yield item
    if record.resource_id is not None:
        yield record.resource_id
    for user in (record.user_id, record.on_behalf_of):
        match = _USER_SURROGATE.fullmatch(user) if user is not None else None
        if match is not None:
            yield match[1]
