"""Whole logs: ours and Tessera's, byte for byte, and read by another implementation."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tlog.trees import FEW, LOG, WITNESS, lay_out, number_entries
from tests.vectors.tlog_vectors import TLOG_JSON, load_group, load_tessera_files
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader

from phitrail.tlog.checkpoint import open_checkpoint
from phitrail.tlog.hashing import Hash, hash_leaf
from phitrail.tlog.note import cosign_note, parse_vkey, print_signature, sign_note
from phitrail.tlog.proof import (
    consistency_proof,
    inclusion_proof,
    root_at,
    verify_consistency,
    verify_inclusion,
)
from phitrail.tlog.proof_file import parse_proof, print_proof
from phitrail.tlog.tile import node_reader, split_bundle, tile_path

SIZE = 70_000
OWN = load_group("own_log70000")
ENTRIES = number_entries(SIZE)
FILES = lay_out(ENTRIES)
NODE = node_reader(lambda *tile: FILES[tile_path(*tile)], SIZE)


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write our log of 70,000 entries as the static files that a client fetches."""
    root = tmp_path_factory.mktemp("log70000")
    cosignature = cosign_note(
        OWN["checkpoint_body"], WITNESS, time_s=OWN["cosign_time"]
    )
    checkpoint = sign_note(OWN["checkpoint_body"], [LOG])
    checkpoint += print_signature(cosignature).encode()
    for name, data in {**FILES, "checkpoint": checkpoint}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def test_the_generator_makes_our_vectors_again() -> None:
    """Vectors that nobody can recompute prove nothing."""
    script = TLOG_JSON.with_name("make_tlog_vectors.py")
    made = json.loads(subprocess.check_output([sys.executable, script]))

    for name, group in made.items():
        kept = load_group(name)
        assert group == {field: kept[field] for field in group}


def test_our_log_has_the_known_tiles_and_bundles() -> None:
    """A tile of other bytes cannot be verified by anybody else's client."""
    known = OWN["tile_sha256"]
    digests = {name: hashlib.sha256(FILES[name]).hexdigest() for name in known}

    assert known == digests
    assert OWN["tile_L2_000_p1_hex"] == FILES["tile/2/000.p/1"].hex()
    assert OWN["entries_000_first_32_bytes_hex"] == FILES["tile/entries/000"][:32].hex()
    assert len(FILES) == 2 * 274 + 2 + 1
    assert OWN["roots"][str(SIZE)] == root_at(SIZE, NODE).hex()


@pytest.mark.parametrize("size", range(1, 16))
def test_the_tessera_log_is_ours_byte_for_byte(size: int) -> None:
    """The reference writer of this format must have written the same files."""
    known = load_group("tessera_log15")
    theirs = load_tessera_files()
    entries = [entry.encode() for entry in known["entries_utf8"][:size]]
    ours = lay_out(entries)
    head = open_checkpoint(theirs[f"checkpoint.{size}"], [parse_vkey(known["vkey"])])
    node = node_reader(lambda *tile: theirs[tile_path(*tile)], size)

    assert ours == {name: theirs[name] for name in ours}
    assert entries == split_bundle(theirs[f"tile/entries/000.p/{size}"], size)
    assert head.root == root_at(size, node)
    for index in range(size):
        verify_inclusion(
            leaf=hash_leaf(entries[index]),
            index=index,
            size=size,
            proof=inclusion_proof(index, size, node),
            root=head.root,
        )


@FEW
@given(st.integers(0, SIZE - 1))
def test_tlog_scales_builds_and_accepts_the_same_inclusion_proof(
    log_dir: Path, index: int
) -> None:
    """A client that we did not write must reach the same proof from our files."""
    reader = TilesReader(LocalBackend(log_dir))
    head = reader.get_checkpoint()
    theirs = reader.get_inclusion_proof(index, head.size)

    assert list(inclusion_proof(index, SIZE, NODE)) == theirs.node_hashes
    assert ENTRIES[index] == reader.get_entry(index)
    theirs.check(hash_leaf(ENTRIES[index]), head.root_hash)


@FEW
@given(st.integers(0, SIZE), st.integers(1, SIZE))
def test_tlog_scales_builds_and_accepts_the_same_consistency_proof(
    log_dir: Path, a: int, b: int
) -> None:
    """A witness that we did not write must be able to follow our log."""
    old, new = sorted((a, b))
    reader = TilesReader(LocalBackend(log_dir))
    reader.get_checkpoint()
    old_root, new_root = root_at(old, NODE), root_at(new, NODE)
    ours = consistency_proof(old, new, NODE)

    assert new_root == reader.mth(0, new)
    if 0 < old < new:
        theirs = reader.get_consistency_proof(old, new)
        theirs.check(old_root, new_root)
        assert list(ours) == theirs.node_hashes
    verify_consistency(
        old_size=old, old_root=old_root, new_size=new, new_root=new_root, proof=ours
    )


@pytest.mark.parametrize("index", [0, 69_999])
def test_our_proof_file_is_the_one_that_tlog_tiles_prints(
    log_dir: Path, index: int
) -> None:
    """The file that we hand to an auditor must be the one that other tools read."""
    command = [
        sys.executable,
        "-m",
        "tlog_scales.cli",
        "gen-proof",
        str(log_dir),
        str(index),
    ]
    theirs = subprocess.check_output(command, env={**os.environ, "PYTHONUTF8": "1"})
    checkpoint = (log_dir / "checkpoint").read_bytes()

    ours = print_proof(index, inclusion_proof(index, SIZE, NODE), checkpoint)

    assert theirs == ours
    file = parse_proof(theirs)
    head = open_checkpoint(file.checkpoint_note, [LOG.vkey, WITNESS.cosigner_vkey])
    verify_inclusion(
        leaf=hash_leaf(ENTRIES[index]),
        index=file.index,
        size=head.size,
        proof=file.proof,
        root=Hash(bytes.fromhex(OWN["roots"][str(SIZE)])),
    )
