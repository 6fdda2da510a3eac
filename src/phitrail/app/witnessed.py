"""What witnesses cosigned: shown beside the public checkpoint, and counted.

A note counts here only if the log's own key and the configured key of the witness both
verify on it; where it lies does not matter.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from phitrail.anchor.held import Held
from phitrail.anchor.settings import WitnessSettings
from phitrail.app.anchor_standing import Shelf
from phitrail.app.config import read_anchors
from phitrail.app.pins import read_lines
from phitrail.app.wiring import OUTSIDE
from phitrail.durable.files import DurableFiles
from phitrail.errors import IntegrityError, StorageError
from phitrail.events.codes import Log
from phitrail.events.ids import format_time
from phitrail.evidence.verify import Outside
from phitrail.tlog import layout
from phitrail.tlog.checkpoint import (
    parse_checkpoint,
    verified_cosigners,
)
from phitrail.tlog.key_line import KeyLine
from phitrail.tlog.note import (
    SignedNote,
    VerifierKey,
    parse_note,
    parse_vkey,
    print_note,
)

_showing = threading.Lock()


def witnessed_size(directory: Path, log: Log) -> int:
    """Say up to which size some configured witness cosigned a log; 0 for none.

    Raises:
        ConfigError: this is no trail, or `anchors.yaml` is wrong.
        IntegrityError: evidence that was kept does not verify.
        StorageError: a file cannot be read.
    """
    return max(witnessed_sizes(directory, log).values(), default=0)


def witnessed_sizes(directory: Path, log: Log) -> Mapping[str, int]:
    """Say up to which size each configured witness cosigned a log, by its name.

    Raises:
        ConfigError: this is no trail, or `anchors.yaml` is wrong.
        IntegrityError: evidence that was kept does not verify.
        StorageError: a file cannot be read.
    """
    line = read_lines(directory)[log]
    sizes = {}
    for anchor in read_anchors(directory):
        if not isinstance(anchor, WitnessSettings) or log not in anchor.logs:
            continue
        shelf = Shelf(directory, anchor.name, log)
        note = shelf.read_evidence(shelf.read())
        sizes[anchor.name] = (
            cosigned_size(note, line, parse_vkey(anchor.vkey)) if note else 0
        )
    return sizes


def cosigned_size(note: bytes, line: KeyLine, witness: VerifierKey) -> int:
    """Give the size of a checkpoint that a log signed and a witness cosigned; else 0.

    Raises:
        IntegrityError: a signature of one of the two does not verify.
    """
    size = line.open_own(note).size
    known = [line.at(size).log_key, witness]
    cosigners = verified_cosigners(parse_note(note), known)
    return size if any(each.key == witness for each in cosigners) else 0


def find_cosigned(directory: Path, witnesses: Sequence[VerifierKey]) -> list[Outside]:
    """Find what witnesses cosigned, among the notes that lie in a trail or a copy of one.

    A note on the log's own host is taken for one from outside if a witness that the
    verifying person names has cosigned it: the host cannot make that signature. Of each
    log and witness the newest counts. Whether the log's key signed is for the verifier.

    Raises:
        StorageError: a file cannot be read.
    """
    newest: dict[tuple[str, VerifierKey], tuple[int, Outside]] = {}
    for place in _notes_in(directory) if witnesses else ():
        try:
            data = place.read_bytes()
        except OSError as error:
            raise StorageError(f"cannot read {place}: {error.strerror}") from error
        try:
            note = parse_note(data)
            checkpoint = parse_checkpoint(note.text)
            cosigners = verified_cosigners(note, witnesses)
        except IntegrityError:
            continue  # no witness that was named stands behind it
        for cosigner in cosigners:
            found = (
                checkpoint.size,
                Outside(f"{cosigner.key.name}, {_written(cosigner.time_s)}", data),
            )
            known = newest.setdefault((checkpoint.origin, cosigner.key), found)
            if known[0] < checkpoint.size:
                newest[checkpoint.origin, cosigner.key] = found
    return [outside for _, outside in newest.values()]


def _notes_in(directory: Path) -> Iterator[Path]:
    """List the files of a trail or a copy that may hold a cosigned checkpoint."""
    for log in Log:
        shown = directory / layout.public_cosigned(log)
        if shown.is_file():
            yield shown
    outside = directory / OUTSIDE
    if outside.is_dir():
        yield from sorted(outside.iterdir())


def _written(time_s: int) -> str:
    """Write the time of a cosignature."""
    try:
        return format_time(datetime.fromtimestamp(time_s, UTC))
    except (OverflowError, ValueError, OSError):
        return "at no time of the calendar"


def show_cosigned(files: DurableFiles, log: Log, held: Held) -> None:
    """Show what a witness cosigned beside the public checkpoint, with other witnesses'.

    Cosignatures of the same checkpoint are joined; a larger one replaces a smaller one.

    Raises:
        StorageError: the old file stands.
    """
    path = layout.public_cosigned(log)
    note = parse_note(held.evidence)
    with _showing:
        try:
            shown = parse_note(files.read(path))
        except (FileNotFoundError, IntegrityError):
            shown = note
        if shown.text == note.text:
            by_key = {
                (one.name, one.key_id): one
                for one in (*shown.signatures, *note.signatures)
            }
            note = SignedNote(note.text, tuple(by_key.values()))
        elif _size_of(shown) > held.size:
            return
        files.replace(path, print_note(note))


def _size_of(note: SignedNote) -> int:
    """Read the size of a note that we wrote; 0 where somebody else did."""
    size = note.text.split("\n")[1:2]
    return int(size[0]) if size and size[0].isdecimal() else 0
