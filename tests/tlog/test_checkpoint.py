"""A checkpoint is believed only if its log signed it under the expected origin."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tlog.trees import LOG, MANY, WITNESS, damaged
from tests.vectors.tlog_vectors import load_group, load_tessera_files

from phitrail.errors import IntegrityError
from phitrail.tlog.checkpoint import (
    Checkpoint,
    Cosigner,
    open_checkpoint,
    parse_checkpoint,
    verified_cosigners,
)
from phitrail.tlog.hashing import EMPTY_ROOT, Hash
from phitrail.tlog.note import (
    SignedNote,
    Signer,
    cosign_note,
    parse_note,
    parse_vkey,
    print_note,
    print_signature,
    sign_note,
)
from phitrail.tlog.spelling import print_base64

ROOT = Hash(b"r" * 32)
CHECKPOINT = Checkpoint(LOG.name, 9, ROOT)
BODY = CHECKPOINT.body()
NOTE = sign_note(BODY, [LOG])
LINES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
CHECKPOINTS = st.builds(
    Checkpoint,
    LINES,
    st.integers(1, 2**63 - 1),
    st.binary(min_size=32, max_size=32).map(Hash),
    st.lists(LINES, max_size=3).map(tuple),
)


def cosigned(*times: int) -> SignedNote:
    """Give the note with cosignatures of these times added."""
    note = parse_note(NOTE)
    added = tuple(cosign_note(BODY, WITNESS, time_s=time_s) for time_s in times)
    return SignedNote(note.text, note.signatures + added)


def test_the_body_is_that_of_the_vector() -> None:
    """These bytes are what the log signs."""
    known = load_group("own_log70000")
    root = Hash(bytes.fromhex(known["roots"]["70000"]))
    checkpoint = Checkpoint("audit.example/hosp-a", 70_000, root)

    assert known["checkpoint_body"] == checkpoint.body()
    assert checkpoint == parse_checkpoint(known["checkpoint_body"])


def test_a_head_of_the_go_checksum_database_opens_with_its_origin() -> None:
    """There the key's name is not the origin; it opens only if the caller says so."""
    known = load_group("sumdb_checkpoint")
    note, vkey = known["note"].encode(), parse_vkey(known["vkey"])

    checkpoint = open_checkpoint(note, [vkey], origin="go.sum database tree")

    assert checkpoint.size == 35_225_469
    with pytest.raises(IntegrityError, match="origin"):
        open_checkpoint(note, [vkey])


def test_every_checkpoint_of_the_tessera_log_opens() -> None:
    """A log that another implementation signed must open here at each size."""
    vkey = parse_vkey(load_group("tessera_log15")["vkey"])
    files = load_tessera_files()

    for size in range(16):
        opened = open_checkpoint(files[f"checkpoint.{size}"], [vkey])

        assert (vkey.name, size) == (opened.origin, opened.size)
    assert files["checkpoint"] == files["checkpoint.15"]


@MANY
@given(CHECKPOINTS)
def test_a_printed_body_reads_back(checkpoint: Checkpoint) -> None:
    """What was signed must be what is read."""
    assert checkpoint == parse_checkpoint(checkpoint.body())


@MANY
@given(
    st.one_of(
        st.text(max_size=40),
        damaged(BODY.encode()).map(lambda body: body.decode("latin-1")),
    )
)
def test_any_text_is_refused_or_is_a_body(text: str) -> None:
    """Two spellings of one head would be two heads to a witness."""
    try:
        checkpoint = parse_checkpoint(text)
    except IntegrityError:
        return

    assert text == checkpoint.body()


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (BODY[:-1], "three lines"),
        ("origin\n9\n", "three lines"),
        (f"\n9\n{print_base64(ROOT)}\n", "origin"),
        (f"a\x1fb\n9\n{print_base64(ROOT)}\n", "origin"),
        (BODY.replace("\n9\n", "\n09\n"), "size"),
        (BODY.replace("\n9\n", "\n-9\n"), "size"),
        (BODY.replace("\n9\n", "\n0\n"), "empty root"),
        (f"origin\n9\n{print_base64(ROOT[:31])}\n", "root"),
        (BODY + "\n", "extension"),
        (BODY + "a\tb\n", "extension"),
    ],
)
def test_a_malformed_body_is_refused_by_name(body: str, rule: str) -> None:
    """Whoever reads the error must learn which line is wrong."""
    with pytest.raises(IntegrityError, match=rule):
        parse_checkpoint(body)


@pytest.mark.parametrize(
    ("origin", "size", "root", "extensions", "rule"),
    [
        ("a\nb", 9, ROOT, (), "origin"),
        ("a", -1, ROOT, (), "size"),
        ("a", 2**63, ROOT, (), "size"),
        ("a", 9, Hash(b"short"), (), "root"),
        ("a", 9, ROOT, ("",), "extension"),
    ],
)
def test_a_checkpoint_that_cannot_be_printed_cannot_be_made(
    origin: str, size: int, root: Hash, extensions: tuple[str, ...], rule: str
) -> None:
    """A wrong head must fail before it is signed, not after."""
    with pytest.raises(IntegrityError, match=rule):
        Checkpoint(origin, size, root, extensions)


def test_a_signed_checkpoint_opens() -> None:
    """The ordinary case, with and without a witness and with an empty log."""
    empty = Checkpoint(LOG.name, 0, EMPTY_ROOT, ("remark",))

    assert open_checkpoint(NOTE, [LOG.vkey]) == CHECKPOINT
    assert (
        open_checkpoint(
            print_note(cosigned(5)), [LOG.vkey, WITNESS.cosigner_vkey], origin=LOG.name
        )
        == CHECKPOINT
    )
    assert empty == open_checkpoint(sign_note(empty.body(), [LOG]), [LOG.vkey])


def test_a_checkpoint_that_only_a_witness_signed_does_not_open() -> None:
    """A witness says what it saw; it does not speak for the log."""
    line = print_signature(cosign_note(BODY, WITNESS, time_s=5))
    note = f"{BODY}\n{line}".encode()

    with pytest.raises(IntegrityError, match="no key of the log"):
        open_checkpoint(note, [LOG.vkey, WITNESS.cosigner_vkey])


def test_another_origin_is_refused() -> None:
    """One log's head must not be shown as another's."""
    foreign = sign_note(Checkpoint("b.example/log", 9, ROOT).body(), [LOG])

    with pytest.raises(IntegrityError, match="origin"):
        open_checkpoint(foreign, [LOG.vkey])
    with pytest.raises(IntegrityError, match="origin"):
        open_checkpoint(NOTE, [LOG.vkey], origin="b.example/log")


def test_a_head_under_the_promise_key_is_no_checkpoint() -> None:
    """A promise covers entries whose tiles are not published yet."""
    promise = Signer(f"{LOG.name}/promise", WITNESS.public_key, WITNESS.sign)
    note = sign_note(BODY, [promise])

    with pytest.raises(IntegrityError, match="origin"):
        open_checkpoint(note, [LOG.vkey, promise.vkey])


def test_a_signed_text_that_is_no_checkpoint_does_not_open() -> None:
    """A key that signs other notes must not make heads by accident."""
    with pytest.raises(IntegrityError, match="three lines"):
        open_checkpoint(sign_note("hello\n", [LOG]), [LOG.vkey])


@MANY
@given(damaged(print_note(cosigned(5))))
def test_a_damaged_checkpoint_never_opens_as_another_one(data: bytes) -> None:
    """No change of the file may change what is believed."""
    try:
        opened = open_checkpoint(data, [LOG.vkey, WITNESS.cosigner_vkey])
    except IntegrityError:
        return

    assert opened == CHECKPOINT


def test_cosigners_are_given_once_with_their_newest_time() -> None:
    """Freshness and quorum are decided over this list."""
    known = [LOG.vkey, WITNESS.cosigner_vkey]

    assert verified_cosigners(parse_note(NOTE), known) == ()
    assert (Cosigner(WITNESS.cosigner_vkey, 9),) == verified_cosigners(
        cosigned(5, 9, 7), known
    )
