"""The completeness statement: what is known of a window, signed, to be quoted.

1. `Known` follows from the logs up to the sizes that `as_of` names, from the window, the
   scope and the thresholds: whoever makes it again from the same sizes gets the same bytes.
   Places outside, and who made it when, stand beside it, since they change.
2. A number that is missing belongs to nobody: what is missing is never narrowed to a
   patient or a user, only to a source.
3. The file is a signed note (C2SP signed-note): one line that says what it is, one line of
   canonical JSON, and the signature of the audit log's checkpoint key. The first line is no
   origin of a log, so that no signature of a statement can be one of a checkpoint.
4. A statement is believed if the key signed it that was in force when its making was
   recorded (`made.index`), and if the logs have the roots that it names.

The words are made of the same data by `evidence.completeness_words`. Nothing here reads a
file; the making is `app.completeness_statement`, the roots are checked by
`app.statement_checks`.
"""

from typing import Final

import msgspec

from phitrail.errors import IntegrityError
from phitrail.events.canonical import encode_canonical
from phitrail.tlog.key_line import KeyLine
from phitrail.tlog.note import Signer, parse_note, sign_note, verify_note

FIRST_LINE: Final = "phitrail/completeness-statement/v1"
LISTED: Final = 100
"""So many of a kind are named one by one; the counts cover all."""


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a statement."""


class Scope(_Part, frozen=True, kw_only=True):
    """Which window and what in it; times in UTC, `since` included and `until` not."""

    since: str
    until: str
    patient: str | None = None
    user: str | None = None
    source: str | None = None


class LogAt(_Part, frozen=True, kw_only=True):
    """One log as far as the statement looked: its name, size and root (base64)."""

    log: str
    origin: str
    size: int
    root: str


class Counted(_Part, frozen=True, kw_only=True):
    """How many events, and how many accesses were opened by them."""

    events: int
    accesses: int


class Received(_Part, frozen=True, kw_only=True):
    """What the audit log holds of the use of PHI and models, by its own time.

    Attributes:
        total: openings and closings of accesses, denials, PHI found in answers.
        by_assurance: the same, by how it came to be; `unstated` where nothing says.
        numbered: how many events have a number of a source.
        unnumbered: how many have none, so that none of them could be missed.
        after_window: how many were received only after the window had ended.
        late: how many were received later after their own time than policy admits.
        others: events of the scope that are about something else, such as reads of the
            log; epochs and heartbeats of sources are in none of these numbers.
    """

    total: Counted
    by_assurance: dict[str, Counted]
    numbered: int
    unnumbered: int
    after_window: int
    late: int
    others: int


class MissingNumbers(_Part, frozen=True, kw_only=True):
    """Numbers of one epoch that are in no log, from `first` to `last`."""

    source: str
    epoch: int
    first: int
    last: int
    noticed_at: str


class Silent(_Part, frozen=True, kw_only=True):
    """A time in which an epoch should have been heard and was not."""

    source: str
    epoch: int
    since: str
    until: str


class EpochSaid(_Part, frozen=True, kw_only=True):
    """An epoch of a source with which something is wrong, and what."""

    source: str
    epoch: int
    first_at: str
    last_at: str
    why: str


class Spooled(_Part, frozen=True, kw_only=True):
    """A time in which a spool took what the log could not.

    What follows `since` is null while nothing says that it came to an end; `is_whole` says
    whether the log took all of it.
    """

    since: str
    until: str | None
    replayed_at: str | None
    events: int | None
    is_whole: bool | None


class Missing(_Part, frozen=True, kw_only=True):
    """What is known to be missing, of all persons.

    Attributes:
        numbers: how many numbers are missing; `gaps` names the first of them.
        healed: how many numbers that were told missing came within the window.
        doubled: how many events have a number that another has.
        unheard: registered sources of which nothing was heard in the window.
    """

    numbers: int
    gaps: tuple[MissingNumbers, ...]
    healed: int
    doubled: int
    silent: tuple[Silent, ...]
    silent_count: int
    crashed: tuple[EpochSaid, ...]
    crashed_count: int
    unproven: tuple[EpochSaid, ...]
    unproven_count: int
    unheard: tuple[str, ...]
    spooled: tuple[Spooled, ...]
    spooled_count: int


class Compared(_Part, frozen=True, kw_only=True):
    """One comparison with somebody else's count that covers a part of the window."""

    index: int
    at: str
    by: str
    since: str
    until: str
    agrees: bool
    matched: int
    theirs_only: int
    ours_only: int
    refused: int


class Reconciled(_Part, frozen=True, kw_only=True):
    """What was held against somebody else's count.

    `state` is `reconciled`, `partly reconciled`, `numbered, not reconciled` or `neither
    numbered nor reconciled`. Comparisons are the newest first.
    """

    state: str
    comparisons: tuple[Compared, ...]
    comparison_count: int


class OpenAccess(_Part, frozen=True, kw_only=True):
    """One access without a closing."""

    access_id: str
    opened_at: str
    patients: int
    is_treated_as_released: bool


class OpenAccesses(_Part, frozen=True, kw_only=True):
    """The accesses of the scope that were opened in the window and never closed."""

    count: int
    treated_as_released: int
    oldest: tuple[OpenAccess, ...]


class Thresholds(_Part, frozen=True, kw_only=True):
    """The numbers of policy that decide what counts as silent, late and released."""

    silent_after_ms: int
    late_after_ms: int
    unclosed_after_ms: int


class Known(_Part, frozen=True, kw_only=True):
    """What is known, from the logs alone."""

    tenant: str
    trail_id: str
    scope: Scope
    known_at: str
    as_of: tuple[LogAt, ...]
    thresholds: Thresholds
    received: Received
    missing: Missing
    reconciled: Reconciled
    open: OpenAccesses

    @property
    def sizes(self) -> dict[str, int]:
        """The size of each log that was looked at."""
        return {one.log: one.size for one in self.as_of}

    @property
    def is_complete(self) -> bool:
        """Whether nothing is known to be missing, or open and treated as released."""
        missing = self.missing
        return not (
            missing.numbers
            or missing.doubled
            or missing.silent_count
            or missing.crashed_count
            or missing.unproven_count
            or missing.unheard
            or missing.spooled_count
            or self.open.treated_as_released
            or any(not one.agrees for one in self.reconciled.comparisons)
        )


class Support(_Part, frozen=True, kw_only=True):
    """What stands behind one log up to `size`, as the log's own host knows it.

    Attributes:
        log: which log.
        size: the size of `as_of`.
        published: how many of these entries a checkpoint covers.
        anchored: how many of them a place outside holds; the rest is unanchored.
        anchored_by: the places that hold so many.
        contradicted_by: places that hold another history.
        verified: up to where the log was derived anew for this statement, if it was.
        findings: how many things that found wrong.
    """

    log: str
    size: int
    published: int
    anchored: int
    anchored_by: tuple[str, ...]
    contradicted_by: tuple[str, ...]
    verified: int | None = None
    findings: int | None = None


class Made(_Part, frozen=True, kw_only=True):
    """Who made the statement and when; `index` is the audit entry that says so."""

    at: str
    by: str
    index: int


class Statement(_Part, frozen=True, kw_only=True):
    """The whole statement."""

    known: Known
    support: tuple[Support, ...]
    made: Made
    words: str


def sign_statement(statement: Statement, signer: Signer) -> bytes:
    """Write a statement as a signed note.

    Raises:
        IntegrityError: the signer's private key is not that of its public key.
    """
    line = encode_canonical(statement).decode()
    return sign_note(f"{FIRST_LINE}\n{line}\n", [signer])


def open_statement(note: bytes, line: KeyLine) -> Statement:
    """Check who signed a statement, and read it.

    Args:
        note: the file.
        line: the keys of the audit log that it must come from.

    Raises:
        IntegrityError: the message names the step that failed and why.
    """
    # 1. It is a statement, in the one form in which we write one.
    statement = read_statement(note)

    # 2. The key signed it that was in force when its making was recorded.
    size = statement.made.index + 1
    verify_note(parse_note(note), [line.at(size).log_key])
    if line.is_disowned(size):
        raise IntegrityError(
            "the statement is signed by a key that was declared compromised, above the "
            "last size at which it is believed"
        )

    # 3. It speaks of the log whose keys these are.
    if line.origin not in [one.origin for one in statement.known.as_of]:
        raise IntegrityError("the statement speaks of other logs than this trail's")
    return statement


def read_statement(note: bytes) -> Statement:
    """Read a statement without believing it.

    Raises:
        IntegrityError: this is no statement, or not in the form in which we write one.
    """
    first, _, rest = parse_note(note).text.partition("\n")
    if first != FIRST_LINE:
        raise IntegrityError(
            f"this is no statement: its first line is not {FIRST_LINE}"
        )
    data = rest.removesuffix("\n").encode()
    try:
        statement = msgspec.json.decode(data, type=Statement)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        statement = None
    if statement is None or encode_canonical(statement) != data:
        raise IntegrityError("the statement is not written as this version writes one")
    return statement
