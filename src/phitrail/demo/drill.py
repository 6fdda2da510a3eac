"""The tamper drill: eight attacks on copies of a trail, each judged by the verifier.

The attacker owns the host and its keys (`phitrail.demo.forger`). What he cannot reach is a
checkpoint that was saved outside, some time before the end of the trail. Six attacks leave
something that does not fit; three of them (cut tail, full rewrite, restored backup) are
consistent with themselves, and only the checkpoint from outside shows them. It covers what
it saw: entries behind it are safe from the next one on.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phitrail.app.clock import monotonic_us
from phitrail.app.pins import read_pins
from phitrail.app.verification import Verdict, verify_trail
from phitrail.demo.forger import Forger
from phitrail.errors import InputError
from phitrail.events.audit import AuditEvent
from phitrail.events.canonical import decode_leaf, encode_leaf
from phitrail.events.codes import EventType, Log
from phitrail.sdk.connect import connect
from phitrail.tlog.checkpoint import Checkpoint, parse_checkpoint
from phitrail.tlog.hashing import hash_leaf
from phitrail.tlog.layout import public_checkpoint
from phitrail.tlog.note import Signer, parse_note
from phitrail.tlog.tile import TILE_WIDTH

SMALLEST_TRAIL = 8

Notes = Mapping[str, bytes]
"""name -> a signed checkpoint that is kept outside"""
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack on a copy.

    Attributes:
        name: what it is called.
        done: what the attacker does, in words.
        carry_out: does it to a directory, below the entry that the outside checkpoint
            covers; returns checkpoints that left the host in the meantime.
    """

    name: str
    done: str
    carry_out: Callable[[Path, int], Notes]


@dataclass(frozen=True, slots=True)
class DrillResult:
    """What became of one attack; `ms` is how long the verification took."""

    name: str
    done: str
    caught: bool
    by: str
    ms: int


def run_drill(
    trail_directory: Path,
    outside: Notes,
    workdir: Path,
    progress: Progress | None = None,
) -> list[DrillResult]:
    """Attack copies of a trail and say what caught each attack.

    Args:
        trail_directory: a trail that nobody has open; it is not touched.
        outside: checkpoints that were saved before the end of the trail.
        workdir: an existing directory with room for two copies at a time.
        progress: called after each attack with how many of how many are done.

    Raises:
        InputError: the trail is too small, or no checkpoint is the audit log's.
    """
    held = held_size(trail_directory, outside)
    results: list[DrillResult] = []
    for number, attack in enumerate(ATTACKS, start=1):
        copy = workdir / attack.name
        shutil.copytree(trail_directory, copy)
        try:
            notes = {**outside, **attack.carry_out(copy, held)}
            results.append(_judge(attack, copy, notes))
        finally:
            shutil.rmtree(copy)
        if progress is not None:
            progress(number, len(ATTACKS))
    return results


def held_size(trail_directory: Path, outside: Notes) -> int:
    """Say how many audit entries the checkpoints from outside cover.

    Raises:
        InputError: the trail is too small, or no checkpoint is the audit log's.
    """
    origin = read_pins(trail_directory)[Log.AUDIT].genesis.origin
    seen = [parse_checkpoint(parse_note(note).text) for note in outside.values()]
    sizes = [checkpoint.size for checkpoint in seen if checkpoint.origin == origin]
    if not sizes or max(sizes) < SMALLEST_TRAIL:
        raise InputError.for_field(
            "outside",
            f"needs a checkpoint of the audit log with {SMALLEST_TRAIL} entries or more",
        )
    return max(sizes)


def _judge(attack: Attack, copy: Path, notes: Notes) -> DrillResult:
    start_us = monotonic_us()
    verification = verify_trail(copy, outside=tuple(notes.items()))
    ms = (monotonic_us() - start_us) // 1000
    found = verification.findings
    return DrillResult(
        attack.name,
        attack.done,
        verification.verdict is Verdict.FAILED,
        f"{found[0].check}: {found[0]}" if found else "",
        ms,
    )


# --- the attacks ---


def _modify(copy: Path, held: int) -> Notes:
    middle = _middle(held)

    def edit(entries: list[bytes]) -> None:
        place = middle % TILE_WIDTH
        entries[place] = _blame_another(entries[place])

    Forger(copy, Log.AUDIT).reseal(middle, edit)
    return {}


def _delete(copy: Path, held: int) -> Notes:
    middle = _middle(held)

    def edit(entries: list[bytes]) -> None:
        del entries[middle % TILE_WIDTH]

    Forger(copy, Log.AUDIT).reseal(middle, edit)
    return {}


def _reorder(copy: Path, held: int) -> Notes:
    middle = _middle(held)

    def edit(entries: list[bytes]) -> None:
        place = middle % TILE_WIDTH
        entries[place - 1], entries[place] = entries[place], entries[place - 1]

    Forger(copy, Log.AUDIT).reseal(middle, edit)
    return {}


def _cut(copy: Path, held: int) -> Notes:
    forger = Forger(copy, Log.AUDIT)
    older = max(size for size in forger.kept_sizes() if size < held)
    forger.rewrite(forger.leaves()[:older])
    return {}


def _rewrite(copy: Path, held: int) -> Notes:
    forger = Forger(copy, Log.AUDIT)
    leaves = forger.leaves()
    leaves[_middle(held)] = _blame_another(leaves[_middle(held)])
    forger.rewrite(leaves)
    return {}


def _replace_checkpoint(copy: Path, held: int) -> Notes:
    del held
    forger = Forger(copy, Log.AUDIT)
    origin = read_pins(copy)[Log.AUDIT].genesis.origin
    private = Ed25519PrivateKey.generate()
    own = Signer(origin, private.public_key().public_bytes_raw(), private.sign)
    forged = Checkpoint(origin, forger.kept_sizes()[-1], hash_leaf(b"another history"))
    forger.put_checkpoint(forged.body(), own)
    return {}


def _restore_backup(copy: Path, held: int) -> Notes:
    """Go on with the log after the backup, save a checkpoint outside, and go back."""
    del held
    backup = copy.with_name(f"{copy.name}-backup")
    shutil.copytree(copy, backup)
    with connect(copy, receipts=None) as trail:  # the attacker's own program
        trail.record(AuditEvent(event_type=EventType.PHI_EXPORT, user_id="insider"))
        trail.publish()
    later = (copy / public_checkpoint(Log.AUDIT)).read_bytes()
    shutil.rmtree(copy)
    backup.rename(copy)
    return {"saved after the backup": later}


def _swap_bundle(copy: Path, held: int) -> Notes:
    bundle = copy / Forger(copy, Log.AUDIT).bundle_of(_middle(held))
    other = copy / Forger(copy, Log.QUALITY).bundle_of(0)
    shutil.copyfile(other, bundle)
    return {}


def _middle(held: int) -> int:
    """Choose an entry that has its neighbour on the left in the same bundle."""
    middle = held // 2
    return middle if middle % TILE_WIDTH else middle + 1


def _blame_another(leaf: bytes) -> bytes:
    """Change who did it; the entry stays one that the log would admit."""
    record = decode_leaf(leaf)
    assert isinstance(record, AuditEvent)  # noqa: S101 - the audit log holds no others
    return encode_leaf(msgspec.structs.replace(record, user_id="somebody-else"))


ATTACKS = (
    Attack(
        "modified_entry",
        "opened a bundle with the host's key, changed who did it in one entry, and "
        "sealed it again",
        _modify,
    ),
    Attack(
        "deleted_entry",
        "opened a bundle with the host's key, took one entry out of the middle, and "
        "sealed it again",
        _delete,
    ),
    Attack(
        "cut_tail",
        "put an older checkpoint back and cut tiles, bundles and journal to its size",
        _cut,
    ),
    Attack(
        "reordered_entries",
        "opened a bundle with the host's key, exchanged two neighbours, and sealed it "
        "again",
        _reorder,
    ),
    Attack(
        "full_rewrite",
        "changed one entry, computed every hash, tile, bundle and root anew, and "
        "signed every checkpoint and promise with the host's own keys",
        _rewrite,
    ),
    Attack(
        "replaced_checkpoint",
        "put a checkpoint with another root in the place of the newest, signed with "
        "another key under the log's name",
        _replace_checkpoint,
    ),
    Attack(
        "restored_backup",
        "let the log go on, then put the whole directory back as it was before",
        _restore_backup,
    ),
    Attack(
        "swapped_bundle",
        "put a sealed bundle of the quality log in the place of one of the audit log",
        _swap_bundle,
    ),
)
