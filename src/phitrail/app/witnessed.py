"""What witnesses cosigned: shown beside the public checkpoint, and counted.

A note counts here only if the log's own key and the configured key of the witness both
verify on it; where it lies does not matter.
"""

import threading
from collections.abc import Mapping
from pathlib import Path

from phitrail.anchor.held import Held
from phitrail.anchor.settings import WitnessSettings
from phitrail.app.anchor_standing import Shelf
from phitrail.app.config import read_anchors
from phitrail.app.wiring import read_pins
from phitrail.durable.files import DurableFiles
from phitrail.errors import IntegrityError
from phitrail.events.codes import Log
from phitrail.tlog import layout
from phitrail.tlog.checkpoint import open_checkpoint, verified_cosigners
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
    pinned = read_pins(directory)[log]
    sizes = {}
    for anchor in read_anchors(directory):
        if not isinstance(anchor, WitnessSettings) or log not in anchor.logs:
            continue
        shelf = Shelf(directory, anchor.name, log)
        note = shelf.read_evidence(shelf.read())
        sizes[anchor.name] = (
            cosigned_size(note, pinned.log_key, parse_vkey(anchor.vkey)) if note else 0
        )
    return sizes


def cosigned_size(note: bytes, log_key: VerifierKey, witness: VerifierKey) -> int:
    """Give the size of a checkpoint that a log signed and a witness cosigned; else 0.

    Raises:
        IntegrityError: a signature of one of the two does not verify.
    """
    known = [log_key, witness]
    size = open_checkpoint(note, known).size
    cosigners = verified_cosigners(parse_note(note), known)
    return size if any(each.key == witness for each in cosigners) else 0


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
            signatures = dict.fromkeys((*shown.signatures, *note.signatures))
            note = SignedNote(note.text, tuple(signatures))
        elif _size_of(shown) > held.size:
            return
        files.replace(path, print_note(note))


def _size_of(note: SignedNote) -> int:
    """Read the size of a note that we wrote; 0 where somebody else did."""
    size = note.text.split("\n")[1:2]
    return int(size[0]) if size and size[0].isdecimal() else 0
