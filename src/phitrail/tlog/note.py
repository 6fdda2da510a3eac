"""Signed notes: a text and the lines of those who signed it (C2SP signed-note).

1. A note is UTF-8 without control characters but LF: the text, which ends in LF; an
   empty line, the last one of the note; one to 64 signature lines.
2. A signature line is ``— <key name> <base64 of key id and signature>``. There is one
   spelling only: what ``parse_note`` takes, ``print_note`` gives back byte for byte.
3. A key is known by name and id together. A signature of an unknown key is ignored; one
   of a known key that does not verify refuses the whole note; a note on which no known
   key verifies is refused.
4. Two types are checked: Ed25519 over the text (0x01), and the timestamped cosignature
   ``cosignature/v1`` of a witness (0x04, C2SP tlog-cosignature). Keys of other types
   can be read and printed; their signatures are ignored, as of unknown keys.

A signature does not cover the key name: never use one key pair under two names. No text
may be believed before ``verify_note`` has returned, and what the returned keys are good
for (log, witness, promise) is for the caller to decide.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from phitrail.errors import InputError, IntegrityError
from phitrail.tlog.spelling import (
    NUMBER_LIMIT,
    is_line,
    is_note_text,
    parse_base64,
    print_base64,
)

ED25519: Final = 0x01
COSIGNATURE_V1: Final = 0x04
MAX_SIGNATURES: Final = 64

_KEY_ID_BYTES: Final = 4
_TIME_BYTES: Final = 8
_ED25519_KEY_BYTES: Final = 32
_KEY_ID_HEX = re.compile(r"[0-9a-f]{8}")
_SIGNATURE_LINE = re.compile("\u2014 ([^ ]+) ([^ ]+)")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key under its name; ``str`` of it is the vkey of C2SP signed-note.

    Raises:
        InputError: the name is not a key name, or for a type that is checked here the
            key is not 32 bytes or the id is not the one that name and key give.
    """

    name: str
    key_id: bytes
    kind: int
    public_key: bytes

    def __post_init__(self) -> None:
        _require_key(self.name, self.kind, self.public_key)
        if len(self.key_id) != _KEY_ID_BYTES:
            raise InputError.for_field("key id", "must be 4 bytes long")
        if self.kind not in (ED25519, COSIGNATURE_V1):
            return
        if len(self.public_key) != _ED25519_KEY_BYTES:
            raise InputError.for_field("public key", "must be 32 bytes for Ed25519")
        if self.key_id != compute_key_id(self.name, self.kind, self.public_key):
            raise InputError.for_field("key id", "must be the one of name and key")

    @classmethod
    def derive(cls, name: str, kind: int, public_key: bytes) -> Self:
        """Name a public key, with the id that follows from both."""
        return cls(name, compute_key_id(name, kind, public_key), kind, public_key)

    def __str__(self) -> str:
        key = print_base64(bytes([self.kind]) + self.public_key)
        return f"{self.name}+{self.key_id.hex()}+{key}"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: whose it is said to be, and the bytes after the key id."""

    name: str
    key_id: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A note as it was read: nothing in it is verified yet."""

    text: str
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class Signer:
    """A named Ed25519 key that can sign; the private half stays behind ``sign``."""

    name: str
    public_key: bytes
    sign: Callable[[bytes], bytes]

    @property
    def vkey(self) -> VerifierKey:
        """The key that verifies what ``sign_note`` adds."""
        return VerifierKey.derive(self.name, ED25519, self.public_key)

    @property
    def cosigner_vkey(self) -> VerifierKey:
        """The key that verifies what ``cosign_note`` adds."""
        return VerifierKey.derive(self.name, COSIGNATURE_V1, self.public_key)


def compute_key_id(name: str, kind: int, public_key: bytes) -> bytes:
    """Compute SHA-256(name || LF || type byte || public key), the first four bytes.

    Raises:
        InputError: the name, the type or the key is malformed.
    """
    _require_key(name, kind, public_key)
    key = b"\n" + bytes([kind]) + public_key
    return hashlib.sha256(name.encode() + key).digest()[:_KEY_ID_BYTES]


def parse_vkey(text: str) -> VerifierKey:
    """Read ``<name>+<key id in hex>+<base64 of type byte and key>``.

    Raises:
        InputError: this is not a vkey in the spelling of ``str``.
    """
    parts = text.split("+", 2)  # base64 may hold further plus signs
    try:
        name, key_id, encoded = parts
        key = parse_base64(encoded, field="vkey")
    except (ValueError, IntegrityError):
        raise InputError.for_field("vkey", "must be name+hex id+base64 key") from None
    if _KEY_ID_HEX.fullmatch(key_id) is None or not key:
        raise InputError.for_field("vkey", "must be name+hex id+base64 key")
    return VerifierKey(name, bytes.fromhex(key_id), key[0], key[1:])


def parse_note(data: bytes) -> SignedNote:
    """Read a note without verifying it.

    Raises:
        IntegrityError: a rule of the format is broken; the message names it.
    """
    # 1. Characters.
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError:
        raise IntegrityError("note: must be UTF-8") from None
    _require_note_text(whole)

    # 2. Text and signatures, apart at the last empty line.
    text, gap, tail = whole.rpartition("\n\n")
    if not gap:
        raise IntegrityError("note: must have an empty line before the signatures")
    *lines, rest = tail.split("\n")
    if rest or not lines:
        raise IntegrityError("note: must end with signature lines, each ended by LF")
    if len(lines) > MAX_SIGNATURES:
        raise IntegrityError("note: must have at most 64 signatures")

    # 3. Signature lines.
    return SignedNote(f"{text}\n", tuple(map(_parse_signature, lines)))


def print_note(note: SignedNote) -> bytes:
    """Write a note.

    Raises:
        IntegrityError: ``parse_note`` would not read the same note back.
    """
    lines = "".join(map(print_signature, note.signatures))
    whole = f"{note.text}\n{lines}"
    _require_note_text(whole)
    data = whole.encode()
    if parse_note(data) != note:
        raise IntegrityError("note: does not read back as it was")
    return data


def print_signature(signature: Signature) -> str:
    """Write one signature line, with its LF."""
    encoded = print_base64(signature.key_id + signature.data)
    return f"\u2014 {signature.name} {encoded}\n"


def verify_note(
    note: SignedNote, known: Iterable[VerifierKey]
) -> tuple[VerifierKey, ...]:
    """Check the signatures of known keys and say which keys have signed.

    Returns:
        The keys that signed, each once, in the order of their first signature.

    Raises:
        IntegrityError: a known key's signature does not verify, or no known key signed.
        InputError: two different known keys share name and id.
    """
    keys: dict[tuple[str, bytes], VerifierKey] = {}
    for key in known:
        if keys.setdefault((key.name, key.key_id), key) != key:
            raise InputError.for_field("known keys", "must differ in name or key id")
    signed: dict[VerifierKey, None] = {}
    for signature in note.signatures:
        signing_key = keys.get((signature.name, signature.key_id))
        if signing_key is None or signing_key.kind not in (ED25519, COSIGNATURE_V1):
            continue
        _verify_signature(note.text, signature, signing_key)
        signed[signing_key] = None
    if not signed:
        raise IntegrityError("note: no known key has signed it")
    return tuple(signed)


def sign_note(
    text: str, signers: Sequence[Signer], *, is_checked: bool = True
) -> bytes:
    """Sign a text and check each signature before the note leaves.

    Args:
        text: what is signed, ending in a newline.
        signers: who signs, in order.
        is_checked: the caller may leave the check out where it signs many notes a
            second with keys that were checked when they were loaded.

    Raises:
        IntegrityError: the text cannot stand in a note, there are no signers, or a
            signer's private key is not that of its public key.
    """
    _require_note_text(text)
    vkeys = [signer.vkey for signer in signers]
    signatures = tuple(
        Signature(vkey.name, vkey.key_id, signer.sign(text.encode()))
        for vkey, signer in zip(vkeys, signers, strict=True)
    )
    note = SignedNote(text, signatures)
    data = print_note(note)
    if is_checked:
        verify_note(note, vkeys)
    return data


def cosign_note(text: str, signer: Signer, *, time_s: int) -> Signature:
    """Make a witness's cosignature of a checkpoint body at a POSIX time in seconds.

    Raises:
        InputError: the time is negative or not below 2**63.
        IntegrityError: the text cannot stand in a note, or the signer's private key
            is not that of its public key.
    """
    _require_note_text(text)
    if not 0 <= time_s < NUMBER_LIMIT:
        raise InputError.for_field("time_s", "must be from 0 up and below 2**63")
    vkey = signer.cosigner_vkey
    signed = signer.sign(_cosigned_message(text, time_s))
    data = time_s.to_bytes(_TIME_BYTES, "big") + signed
    signature = Signature(vkey.name, vkey.key_id, data)
    _verify_signature(text, signature, vkey)
    return signature


def cosignature_time(signature: Signature) -> int:
    """Read the POSIX time in seconds out of a cosignature (type 0x04).

    Raises:
        IntegrityError: it is too short to hold one, or the time is not below 2**63.
    """
    if len(signature.data) <= _TIME_BYTES:
        raise IntegrityError("cosignature: must be a time and a signature")
    time_s = int.from_bytes(signature.data[:_TIME_BYTES], "big")
    if time_s >= NUMBER_LIMIT:
        raise IntegrityError("cosignature: the time must be below 2**63")
    return time_s


def _require_key(name: str, kind: int, public_key: bytes) -> None:
    if not _is_key_name(name):
        raise InputError.for_field("key name", "must have no space, plus or control")
    if not 0 <= kind <= 0xFF or not public_key:  # noqa: PLR2004 - the type is one byte
        raise InputError.for_field("key", "must be a type byte and a public key")


def _require_note_text(text: str) -> None:
    if not is_note_text(text):
        raise IntegrityError("note: must hold no control character but LF")


def _is_key_name(name: str) -> bool:
    return is_line(name) and "+" not in name and not any(map(str.isspace, name))


def _parse_signature(line: str) -> Signature:
    match = _SIGNATURE_LINE.fullmatch(line)
    if match is None or not _is_key_name(match[1]):
        raise IntegrityError("signature line: must be dash, key name and base64")
    data = parse_base64(match[2], field="signature line")
    if len(data) <= _KEY_ID_BYTES:
        raise IntegrityError("signature line: must hold a key id and a signature")
    return Signature(match[1], data[:_KEY_ID_BYTES], data[_KEY_ID_BYTES:])


def _verify_signature(text: str, signature: Signature, key: VerifierKey) -> None:
    message, signed = text.encode(), signature.data
    if key.kind == COSIGNATURE_V1:
        message = _cosigned_message(text, cosignature_time(signature))
        signed = signature.data[_TIME_BYTES:]
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(signed, message)
    except InvalidSignature:
        raise IntegrityError("note: the signature of a known key is wrong") from None


def _cosigned_message(text: str, time_s: int) -> bytes:
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()
