"""Notes have one spelling, and no text is believed without a known signature."""

import dataclasses

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from tests.tlog.trees import LOG, MANY, WITNESS, damaged
from tests.vectors.tlog_vectors import load_group

from phitrail.errors import InputError, IntegrityError
from phitrail.tlog.note import (
    COSIGNATURE_V1,
    ED25519,
    MAX_SIGNATURES,
    Signature,
    SignedNote,
    Signer,
    VerifierKey,
    compute_key_id,
    cosign_note,
    cosignature_time,
    parse_note,
    parse_vkey,
    print_note,
    print_signature,
    sign_note,
    verify_note,
)

TEXT = "first line\n\nthird line\n"
NOTE = sign_note(TEXT, [LOG])
COSIGNED = NOTE + print_signature(cosign_note(TEXT, WITNESS, time_s=7)).encode()
NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Z"], exclude_characters="+"),
    min_size=1,
    max_size=8,
)
LINES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
TEXTS = st.lists(LINES, min_size=1, max_size=5).map(
    lambda lines: "\n".join(lines) + "\n"
)
SIGNATURES = st.builds(
    Signature, NAMES, st.binary(min_size=4, max_size=4), st.binary(min_size=1)
)


def replace_signature(note: SignedNote, place: int, data: bytes) -> SignedNote:
    """Put other bytes behind one key id."""
    signatures = list(note.signatures)
    signatures[place] = dataclasses.replace(signatures[place], data=data)
    return SignedNote(note.text, tuple(signatures))


def test_the_example_of_the_specification_verifies() -> None:
    """A note of another implementation must verify here."""
    known = load_group("signed_note")
    vkey = parse_vkey(known["vkey"])

    assert (vkey,) == verify_note(parse_note(known["note"].encode()), [vkey])
    assert known["vkey"] == str(vkey)


def test_our_keys_and_signatures_are_the_known_ones() -> None:
    """Ed25519 is deterministic: other bytes would mean another message or key."""
    known = load_group("own_log70000")
    body, time_s = known["checkpoint_body"], known["cosign_time"]

    assert known["log_vkey"] == str(LOG.vkey)
    assert known["witness_vkey"] == str(WITNESS.cosigner_vkey)
    assert f"{body}\n{known['log_signature_line']}".encode() == sign_note(body, [LOG])
    assert known["cosignature_line"] == print_signature(
        cosign_note(body, WITNESS, time_s=time_s)
    )


def test_the_cosigned_example_is_read_with_its_time() -> None:
    """Its keys are not published; its shape must be read all the same."""
    known = load_group("cosigned_checkpoint_spec_example")
    note = parse_note(known["note"].encode())

    assert known["note"].encode() == print_note(note)
    assert [signature.name for signature in note.signatures] == [
        "example.com/behind-the-sofa",
        "witness.example.com/w1",
    ]
    assert cosignature_time(note.signatures[1]) == 1_679_315_147


@pytest.mark.parametrize("key", ["log_vkey", "witness_vkey"])
def test_a_vkey_reads_back(key: str) -> None:
    """One of these has a plus sign in its base64, where a naive split breaks it."""
    vkey = load_group("own_log70000")[key]

    assert vkey == str(parse_vkey(vkey))


def test_a_key_of_another_type_can_be_read_and_is_ignored() -> None:
    """A note for other verifiers too must stay good for us."""
    other = VerifierKey.derive("other.example", 0x06, b"k" * 1312)
    note = parse_note(NOTE)
    extra = Signature(other.name, other.key_id, b"not checked here")
    both = SignedNote(note.text, (extra, *note.signatures))

    assert other == parse_vkey(str(other))
    assert (LOG.vkey,) == verify_note(both, [other, LOG.vkey])
    with pytest.raises(IntegrityError):
        verify_note(both, [other])


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "a.example",
        "a.example+00000000",
        "a.example+00000000+",
        "a.example+00000000+AQ==",
        "a.example+0000000+AQAA",
        "a.example+0000000G+AQAA",
        "a.example+0000000A+//8=",
        "a.example+00000000+not base64",
        "a example+00000000+//8=",
        "+00000000+//8=",
        "a\x00+00000000+//8=",
        "\ud800+00000000+//8=",
        "a.example+00000000+AQAA",
    ],
)
def test_a_malformed_vkey_is_refused(vkey: str) -> None:
    """A key that was mistyped must be refused when it is configured."""
    with pytest.raises(InputError):
        parse_vkey(vkey)


@MANY
@given(
    st.one_of(
        st.text(max_size=20),
        damaged(str(LOG.vkey).encode()).map(lambda vkey: vkey.decode("latin-1")),
    )
)
def test_any_text_is_refused_or_is_a_vkey(text: str) -> None:
    """A damaged key file must fail in the one expected way."""
    try:
        vkey = parse_vkey(text)
    except InputError:
        return

    assert text == str(vkey)


def test_a_key_must_carry_its_own_id() -> None:
    """An id that is not the key's would let one key answer for another."""
    public_key = LOG.public_key

    with pytest.raises(InputError, match="key id"):
        VerifierKey("a", b"\x00\x00\x00\x00", ED25519, public_key)
    with pytest.raises(InputError, match="key id"):
        VerifierKey("a", b"\x00", 0x06, public_key)
    with pytest.raises(InputError, match="32 bytes"):
        VerifierKey.derive("a", COSIGNATURE_V1, public_key[1:])
    with pytest.raises(InputError, match="type byte"):
        compute_key_id("a", 256, public_key)
    with pytest.raises(InputError, match="key name"):
        compute_key_id("a b", ED25519, public_key)


@MANY
@given(TEXTS, st.lists(SIGNATURES, min_size=1, max_size=4).map(tuple))
def test_a_printed_note_reads_back(
    text: str, signatures: tuple[Signature, ...]
) -> None:
    """Text and signatures must come apart where they were put together."""
    note = SignedNote(text, signatures)

    assert note == parse_note(print_note(note))


@MANY
@given(st.one_of(st.binary(max_size=40), damaged(COSIGNED)))
def test_any_bytes_are_refused_or_are_the_note(data: bytes) -> None:
    """A second spelling of a note, or another exception, must not exist."""
    try:
        note = parse_note(data)
    except IntegrityError:
        return

    assert data == print_note(note)


@MANY
@given(damaged(COSIGNED))
def test_a_damaged_note_never_verifies_with_another_text(data: bytes) -> None:
    """Whatever is changed, the text that is believed is the one that was signed."""
    try:
        note = parse_note(data)
        verify_note(note, [LOG.vkey, WITNESS.cosigner_vkey])
    except IntegrityError:
        return

    assert note.text == TEXT


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"text\n",
        b"text\n\n",
        NOTE[:-1],
        NOTE + b"\n",
        NOTE + b"x",
        NOTE.replace(b"first", b"fi\tst"),
        NOTE.replace(b"\n", b"\r\n"),
        NOTE.replace(b"first", b"fi\xffst"),
        NOTE.replace("\u2014 ".encode(), b"- "),
        NOTE.replace("\u2014 ".encode(), "\u2014  ".encode()),
        NOTE.replace(b"audit.example", b"audit+example"),
        NOTE.replace(b"audit.example", "audit\u00a0example".encode()),
        NOTE.replace(b"=\n", b"\n"),
        "text\n\n\u2014 a AAAAAA==\n".encode(),
        "text\n\u2014 a AAAAAAA=\n".encode(),
    ],
)
def test_a_malformed_note_is_refused(data: bytes) -> None:
    """Each rule of the format must hold alone."""
    with pytest.raises(IntegrityError):
        parse_note(data)


def test_signatures_are_capped() -> None:
    """A note of endless signatures must not keep a verifier busy."""
    line = NOTE[NOTE.rindex("\u2014".encode()) :]
    head = NOTE[: -len(line)]

    assert len(parse_note(head + line * MAX_SIGNATURES).signatures) == MAX_SIGNATURES
    with pytest.raises(IntegrityError, match="64"):
        parse_note(head + line * (MAX_SIGNATURES + 1))


@pytest.mark.parametrize(
    "note",
    [
        SignedNote("no line end", parse_note(NOTE).signatures),
        SignedNote("control\x07\n", parse_note(NOTE).signatures),
        SignedNote("surrogate \ud800\n", parse_note(NOTE).signatures),
        SignedNote(TEXT, ()),
        SignedNote(TEXT, (Signature("a b", bytes(4), b"x"),)),
        SignedNote(TEXT, (Signature("a", bytes(3), b"xy"),)),
        SignedNote(TEXT, (Signature("a", bytes(4), b""),)),
    ],
)
def test_a_note_that_would_not_read_back_is_not_printed(note: SignedNote) -> None:
    """Nothing may be published that a verifier would read otherwise."""
    with pytest.raises(IntegrityError):
        print_note(note)


def test_each_key_that_signed_is_named_once() -> None:
    """A quorum must not be filled by one witness that signed twice."""
    note = parse_note(COSIGNED)
    twice = SignedNote(note.text, note.signatures * 2)

    known = [WITNESS.cosigner_vkey, LOG.vkey, LOG.vkey]
    assert (LOG.vkey, WITNESS.cosigner_vkey) == verify_note(twice, known)


def test_signatures_of_unknown_keys_are_ignored() -> None:
    """Unknown means another name or another id, even if the other half is known."""
    note = parse_note(NOTE)
    same_name = dataclasses.replace(note.signatures[0], key_id=bytes(4))
    same_id = dataclasses.replace(note.signatures[0], name="other.example")
    mixed = SignedNote(note.text, (same_name, same_id, *note.signatures))

    assert (LOG.vkey,) == verify_note(mixed, [LOG.vkey])


def test_a_note_that_no_known_key_signed_is_refused() -> None:
    """Without a key that we trust, the text is nobody's word."""
    for known in ([], [WITNESS.vkey], [LOG.cosigner_vkey]):
        with pytest.raises(IntegrityError, match="no known key"):
            verify_note(parse_note(NOTE), known)


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("data", [b"x", bytes(8), bytes(64), bytes(72), b"\xff" * 72])
def test_a_wrong_signature_of_a_known_key_refuses_the_note(
    place: int, data: bytes
) -> None:
    """One bad line beside a good one is an attack or a defect, never a detail."""
    note = replace_signature(parse_note(COSIGNED), place, data)

    with pytest.raises(IntegrityError):
        verify_note(note, [LOG.vkey, WITNESS.cosigner_vkey])


def test_another_text_under_the_signatures_is_refused() -> None:
    """The signature must cover every byte of the text."""
    note = dataclasses.replace(parse_note(COSIGNED), text="other\n")

    for key in (LOG.vkey, WITNESS.cosigner_vkey):
        with pytest.raises(IntegrityError, match="wrong"):
            verify_note(note, [key])


def test_a_cosignature_covers_its_time() -> None:
    """A witness's word for one day must not be shown as its word for another."""
    note = parse_note(COSIGNED)
    data = note.signatures[1].data
    later = replace_signature(note, 1, (8).to_bytes(8, "big") + data[8:])

    with pytest.raises(IntegrityError, match="wrong"):
        verify_note(later, [LOG.vkey, WITNESS.cosigner_vkey])


def test_two_known_keys_of_one_name_and_id_are_refused() -> None:
    """Which of them is meant could be chosen by whoever wrote the note."""
    one = VerifierKey("a", bytes(4), 0x06, b"one")
    two = VerifierKey("a", bytes(4), 0x06, b"two")

    with pytest.raises(InputError, match="known keys"):
        verify_note(parse_note(NOTE), [one, two, LOG.vkey])


def test_a_signer_whose_halves_differ_is_caught_before_the_note_leaves() -> None:
    """A note that nobody can verify would stop every follower of the log."""
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    broken = Signer(LOG.name, LOG.public_key, other.sign)

    with pytest.raises(IntegrityError, match="wrong"):
        sign_note(TEXT, [LOG, broken])
    with pytest.raises(IntegrityError, match="wrong"):
        cosign_note(TEXT, broken, time_s=1)


def test_a_text_that_cannot_stand_in_a_note_is_not_signed() -> None:
    """A signature over it could be moved to bytes that read otherwise."""
    for text in ("no line end", "control\x07\n", "surrogate \ud800\n"):
        with pytest.raises(IntegrityError):
            sign_note(text, [LOG])
    with pytest.raises(IntegrityError):
        cosign_note("surrogate \ud800\n", WITNESS, time_s=1)
    with pytest.raises(IntegrityError):
        sign_note(TEXT, [])


@pytest.mark.parametrize("time_s", [-1, 2**63])
def test_a_time_out_of_range_is_not_cosigned(time_s: int) -> None:
    """Other verifiers read the time as a signed number and would refuse it."""
    with pytest.raises(InputError, match="time_s"):
        cosign_note(TEXT, WITNESS, time_s=time_s)
