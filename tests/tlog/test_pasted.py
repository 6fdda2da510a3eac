"""A checkpoint comes out of a pasted mail as it was sent, or not at all."""

import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tlog.trees import FEW, MANY, damaged, make_signer

from phitrail.errors import InputError, IntegrityError
from phitrail.tlog.checkpoint import Checkpoint, open_checkpoint
from phitrail.tlog.hashing import hash_leaf
from phitrail.tlog.note import (
    cosign_note,
    parse_note,
    print_note,
    print_signature,
    sign_note,
)
from phitrail.tlog.pasted import read_pasted

ORIGIN = "clinic.example/audit"
LOG_KEY = make_signer(ORIGIN, bytes(range(32)))
WITNESS = make_signer("witness.example", bytes(range(32, 64)))


def make_note(size: int = 581, *extensions: str, is_cosigned: bool = False) -> bytes:
    """Sign a checkpoint; with a witness's line if asked."""
    body = Checkpoint(ORIGIN, size, hash_leaf(b"%d" % size), extensions).body()
    note = sign_note(body, [LOG_KEY])
    if is_cosigned:
        note += print_signature(
            cosign_note(body, WITNESS, time_s=1_700_000_000)
        ).encode()
    return note


EXTENSIONS = st.lists(
    st.sampled_from(["a line", "a=3Db", "\u2014 dash", "> quoted"]), max_size=2
)
NOTES = st.tuples(st.integers(1, 2**63 - 1), EXTENSIONS, st.booleans()).map(
    lambda drawn: make_note(drawn[0], *drawn[1], is_cosigned=drawn[2])
)

LINES = st.lists(
    st.sampled_from(
        [
            "",
            "Dear officer,",
            "> On Monday, phitrail wrote:",
            "581",
            "> 17",
            "\u2014 Anna Mary",
            "-- ",
            "--=_part=20of=3Da=E2=80=94mail",
            ORIGIN,
            "Subject: checkpoint",
            "a line that ends softly =",
        ]
    )
    | st.text(st.characters(exclude_characters="\n\r"), max_size=20),
    max_size=6,
)
QUOTES = st.sampled_from(["", "> ", ">", ">> ", "> > ", ">>> "])


def quote(note: bytes, mark: str) -> bytes:
    """Quote each line of a note, as mail programs do; some drop the last blank."""
    lines = note.decode().split("\n")[:-1]
    return "".join(f"{mark}{line}".rstrip() + "\n" for line in lines).encode()


def texts(lines: list[str]) -> bytes:
    """Write lines that are none of a checkpoint's."""
    return "".join(f"{line}\n" for line in lines).encode(errors="replace")


@MANY
@given(NOTES, LINES, LINES, QUOTES, st.booleans(), st.booleans())
def test_whatever_mail_does_the_note_is_the_one_that_was_sent(
    note: bytes,
    before: list[str],
    after: list[str],
    mark: str,
    is_encoded: bool,
    has_crlf: bool,
) -> None:
    """An officer pastes what a mail program made of the mail."""
    text = texts(before) + b"\n" + quote(note, mark) + b"\n" + texts(after)
    if is_encoded:
        text = quopri.encodestring(text)
    if has_crlf:
        text = text.replace(b"\n", b"\r\n")

    assert [block.note for block in read_pasted(text)] == [note]


@MANY
@given(NOTES.flatmap(damaged))
def test_what_comes_out_prints_alike_and_never_verifies_as_another(
    text: bytes,
) -> None:
    """No damage to a pasted text makes a checkpoint that nobody signed."""
    try:
        blocks = read_pasted(b"Dear officer,\n\n" + text)
    except InputError:
        return
    for block in blocks:
        assert block.note == print_note(parse_note(block.note))
        try:
            seen = open_checkpoint(block.note, [LOG_KEY.vkey])
        except IntegrityError:
            continue
        assert seen.root == hash_leaf(b"%d" % seen.size)


@MANY
@given(st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Whatever is piped in must not end in a crash."""
    try:
        blocks = read_pasted(data)
    except InputError:
        return

    assert blocks == ()


@FEW
@given(st.lists(NOTES, min_size=2, max_size=4, unique=True), QUOTES)
def test_several_blocks_come_in_their_order_and_each_once(
    notes: list[bytes], mark: str
) -> None:
    """An officer pastes a whole thread, in which each mail quotes the one before."""
    thread = b"".join(b"> \n" + quote(note, mark) for note in (*notes, *notes))

    assert [block.note for block in read_pasted(thread)] == notes


def test_the_line_of_a_block_is_named() -> None:
    """Of ten checkpoints in a text, a finding must say which."""
    first, second = make_note(5), make_note(6)
    text = b"one\ntwo\n" + first + b"and then\n" + second

    assert [block.line for block in read_pasted(text)] == [3, 9]


def test_a_file_that_is_a_note_is_that_note() -> None:
    """A checkpoint whose extension lines look like another one is still the one signed."""
    root = make_note().split(b"\n")[2].decode()
    note = make_note(581, ORIGIN, "580", root)

    assert [block.note for block in read_pasted(note)] == [note]
    with pytest.raises(InputError, match="line 5: a checkpoint begins within"):
        read_pasted(b"\n" + note)


def test_a_text_with_two_readings_is_refused() -> None:
    """An extension line that could end the root above it leaves no way to know."""
    text = b"Dear officer,\n" + make_note(581, "=3D")

    with pytest.raises(
        InputError, match="some of the checkpoints are quoted-printable"
    ):
        read_pasted(text)


def test_a_byte_order_mark_is_not_part_of_the_origin() -> None:
    """Some editors begin a saved text with one."""
    assert [block.note for block in read_pasted(b"\xef\xbb\xbf" + make_note())] == [
        make_note()
    ]


NOTE = make_note()
BODY, SIGNATURE = NOTE.split(b"\n\n")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BODY + b"\n", "line 2: a checkpoint begins"),
        (BODY + b"\n\nRegards\n", "line 2: a checkpoint begins"),
        (BODY + b"\n" + SIGNATURE, "line 2: a checkpoint begins"),
        (BODY + b"\n\n\n" + SIGNATURE, "line 2: a checkpoint begins"),
        (BODY + b"\n\n" + SIGNATURE[:60] + b"\n" + SIGNATURE[60:], "line 2: a check"),
        (BODY + b"\n\n-- " + SIGNATURE[4:], "line 2: a checkpoint begins"),
        (BODY + b"\n\n " + SIGNATURE, "line 2: a checkpoint begins"),
        (NOTE + SIGNATURE[:60] + b"\n", "line 2: a checkpoint begins"),
        (NOTE + b"\n" + SIGNATURE, "line 8: a signature of no checkpoint"),
        (SIGNATURE + b"\n" + NOTE, "line 2: a signature of no checkpoint"),
        (b"> " + SIGNATURE, "line 2: a signature of no checkpoint"),
        (BODY.replace(b"581", b"0581") + b"\n\n" + SIGNATURE, "line 6: a signature of"),
        (BODY.replace(b"=", b"") + b"\n\n" + SIGNATURE, "line 6: a signature of no"),
        (BODY.replace(b"581", b" 581") + b"\n\n" + SIGNATURE, "line 6: a signature of"),
        (b"> " + NOTE, "line 2: a checkpoint begins"),
        (quote(NOTE, "> ").replace(b"> 581", b"581"), "line 6: a signature of no"),
        (
            NOTE.replace(ORIGIN.encode() + b"\n", b"\n", 1),
            "line 2: a checkpoint begins",
        ),
        (NOTE.replace(b"581", b"5\r81"), "line 6: a signature of no checkpoint"),
        (NOTE.replace(b"audit\n", b"aud\xff\n", 1), "line 2: a checkpoint begins"),
        (NOTE + quopri.encodestring(make_note(7)), "line 2: some of the checkpoints"),
    ],
)
def test_a_part_of_a_checkpoint_is_refused_with_its_line(
    text: bytes, reason: str
) -> None:
    """What could be read in two ways, or not wholly, must not pass as nothing."""
    with pytest.raises(InputError, match=reason) as caught:
        read_pasted(b"Dear officer,\n" + text)
    assert "aud" not in str(caught.value)


def test_names_under_a_letter_are_no_signatures() -> None:
    """People end a mail with a dash and their name."""
    text = "Regards\n\u2014 Anna Alexandrovna\n".encode()

    assert read_pasted(text) == ()
