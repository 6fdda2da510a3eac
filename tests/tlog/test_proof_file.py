"""Proof files have one spelling and carry the checkpoint byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tlog.trees import LOG, MANY, damaged

from phitrail.errors import IntegrityError
from phitrail.tlog.checkpoint import Checkpoint
from phitrail.tlog.hashing import Hash
from phitrail.tlog.note import sign_note
from phitrail.tlog.proof_file import InclusionProofFile, parse_proof, print_proof

HASHES = [Hash(bytes([n]) * 32) for n in range(64)]
NOTE = sign_note(Checkpoint(LOG.name, 9, HASHES[1]).body(), [LOG])
FILE = print_proof(4, HASHES[:4], NOTE, b"extra")
BARE = print_proof(4, HASHES[:4], NOTE)


def test_a_proof_file_has_the_lines_of_the_specification() -> None:
    """Other people's verifiers read these lines."""
    expected = (
        b"c2sp.org/tlog-proof@v1\n"
        b"extra AP8=\n"
        b"index 4\n"
        b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
        b"\n" + NOTE
    )

    assert expected == print_proof(4, HASHES[:1], NOTE, b"\x00\xff")


@MANY
@given(
    st.integers(0, 8),
    st.lists(st.sampled_from(HASHES), max_size=63),
    st.binary(max_size=40),
)
def test_a_printed_proof_reads_back(
    index: int, proof: list[Hash], extra: bytes
) -> None:
    """The auditor must get the very parts that were proven."""
    expected = InclusionProofFile(index, tuple(proof), NOTE, extra)

    assert expected == parse_proof(print_proof(index, proof, NOTE, extra))


@MANY
@given(st.one_of(st.binary(max_size=40), damaged(FILE), damaged(BARE)))
def test_any_bytes_are_refused_or_are_the_file(data: bytes) -> None:
    """A second spelling, or another exception, must not exist."""
    try:
        file = parse_proof(data)
    except IntegrityError:
        return

    assert data == print_proof(file.index, file.proof, file.checkpoint_note, file.extra)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "empty line"),
        (b"\xff\n\n" + NOTE, "empty line"),
        (FILE.replace(b"@v1", b"@v2"), "version"),
        (b"c2sp.org/tlog-proof@v1\n\n" + NOTE, "index"),
        (b"c2sp.org/tlog-proof@v1\nextra AAAA\n\n" + NOTE, "index"),
        (FILE.replace(b"extra ZXh0cmE=", b"extra "), "extra"),
        (FILE.replace(b"extra Z", b"extra ?"), "extra"),
        (FILE.replace(b"extra ", b"other "), "index"),
        (BARE.replace(b"index 4", b"index 04"), "index"),
        (BARE.replace(b"index 4", b"index 9"), "tree of the checkpoint"),
        (BARE.replace(b"index 4\nA", b"index 4\nA="), "hash"),
        (BARE.replace(NOTE, b""), "note"),
        (BARE.replace(b"\n9\n", b"\n\n"), "checkpoint"),
    ],
)
def test_a_malformed_file_is_refused_by_name(data: bytes, rule: str) -> None:
    """Whoever reads the error must learn which part is wrong."""
    with pytest.raises(IntegrityError, match=rule):
        parse_proof(data)


def test_more_hashes_than_a_tree_is_high_are_refused() -> None:
    """No tree below 2**63 entries needs more than 63."""
    with pytest.raises(IntegrityError, match="63"):
        print_proof(4, HASHES, NOTE)


@pytest.mark.parametrize(
    ("index", "proof", "note"),
    [(-1, [], NOTE), (9, [], NOTE), (0, [Hash(b"x")], NOTE), (0, [], NOTE[:-1])],
)
def test_parts_that_would_not_read_back_are_not_printed(
    index: int, proof: list[Hash], note: bytes
) -> None:
    """A file that fails at the auditor must fail here first."""
    with pytest.raises(IntegrityError):
        print_proof(index, proof, note)


def test_a_note_that_begins_like_a_hash_line_does_not_move_the_border() -> None:
    """Head and checkpoint come apart at the first empty line, and nowhere else."""
    with pytest.raises(IntegrityError):
        print_proof(0, [], b"\n" + NOTE)
