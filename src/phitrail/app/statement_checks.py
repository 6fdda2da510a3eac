"""A completeness statement, held against a trail or a copy of one.

1. The key of the audit log signed it that was in force when its making was recorded; the
   keys are those that genesis pins, and the keyring after it (`evidence`).
2. Each log has the root that the statement names, computed from the tiles that are
   published here. No secret key is needed, and no entry is opened.

A statement whose sizes no checkpoint here covers yet cannot be held to the logs; so it is
neither good nor bad. Whether the tiles are those of the entries, says `phitrail verify`.
"""

from contextlib import ExitStack
from pathlib import Path

from phitrail.app.pins import read_lines, read_pins
from phitrail.app.verification_source import Place, open_place
from phitrail.errors import IntegrityError, StorageError, UnverifiableError
from phitrail.events.codes import Log
from phitrail.evidence.completeness_statement import LogAt, Statement, open_statement
from phitrail.tlog import layout
from phitrail.tlog.key_line import KeyLine
from phitrail.tlog.proof import root_at
from phitrail.tlog.spelling import print_base64
from phitrail.tlog.tile import node_reader


def check_statement(directory: Path, note: bytes) -> Statement:
    """Check a statement against a trail or a copy of one, and read it.

    Raises:
        ConfigError: there is no trail here.
        IntegrityError: it does not verify, or a log here has another root.
        StorageError: a file cannot be read.
        UnverifiableError: a log here does not reach as far as the statement yet.
    """
    lines = read_lines(directory)
    pins = read_pins(directory)
    statement = open_statement(note, lines[Log.AUDIT])
    known = statement.known
    if known.trail_id != pins[Log.AUDIT].genesis.trail_id or {
        one.log for one in known.as_of
    } != {log.value for log in Log}:
        raise IntegrityError("the statement speaks of other logs than this trail's")
    for at in known.as_of:
        _check_root(directory, at, lines[Log(at.log)], known.tenant)
    return statement


def _check_root(directory: Path, at: LogAt, line: KeyLine, tenant: str) -> None:
    if at.origin != line.origin:
        raise IntegrityError("the statement speaks of other logs than this trail's")
    published = _published_size(directory, at.log, line)
    if at.size > published:
        raise UnverifiableError(
            f"the statement speaks of {at.size} entries of the {at.log} log, and a "
            f"checkpoint here covers {published}; publish, or use a newer copy"
        )
    place = Place(
        directory,
        at.log,
        tenant,
        has_keys=False,
        has_journal=False,
        is_deep=False,
        line=line,
    )
    with ExitStack() as stack:
        source = stack.enter_context(open_place(place)).source
        root = root_at(at.size, node_reader(source.read_tile, published))
    if print_base64(root) != at.root:
        raise IntegrityError(
            f"the {at.log} log here has another root at size {at.size} than the "
            "statement says: one of the two was rewritten; keep both as evidence"
        )


def _published_size(directory: Path, log: str, line: KeyLine) -> int:
    place = directory / layout.public_checkpoint(log)
    try:
        return line.open_own(place.read_bytes()).size
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise StorageError(f"cannot read {place}: {error.strerror}") from error
