"""Successions: how the signing keys of a log give way to others (ADR 0007).

1. What is signed is a note (C2SP signed-note): the schema as the first line, so that no
   checkpoint and no other record can be passed off as a succession, then the record in
   canonical JSON without its signatures. The leaf holds the signature lines' base64.
2. A rotation needs the old checkpoint key and the recovery key; a compromise or a loss the
   recovery key alone, since whoever holds the old key may be a thief.
3. Each continues the one before: same log, next version, the keys in force end, the new
   ones are new. It is the entry at index `head_size`; its keys sign every size above.
4. A rotation and a loss leave the old keys trusted up to there; a compromise up to
   `trusted_size`.

Whether the entry stands in the log, and the log had those roots, is for the verifier.
"""

from collections.abc import Iterable

import msgspec

from phitrail.errors import InputError, IntegrityError
from phitrail.events.canonical import decode_leaf, encode_canonical
from phitrail.events.codes import SuccessionReason
from phitrail.events.succession import Succession
from phitrail.tlog.genesis import Pinned
from phitrail.tlog.key_line import KeyLine, Tenure
from phitrail.tlog.note import (
    ED25519,
    Signature,
    SignedNote,
    Signer,
    VerifierKey,
    parse_note,
    parse_vkey,
    sign_note,
    verify_note,
)
from phitrail.tlog.receipt import promise_name
from phitrail.tlog.spelling import parse_base64, print_base64

UNSIGNED = ""
"""Stands in a draft in the place of a signature; no leaf admits it."""
_KEY_ID_BYTES = 4
_SIGNATURES = ("old_signature", "recovery_signature", "signature")


def signed_text(record: msgspec.Struct) -> str:
    """Write what the signatures of a record are over: its schema, then its fields."""
    fields = msgspec.to_builtins(record)
    schema = fields["schema"]
    unsigned = {
        name: value for name, value in fields.items() if name not in _SIGNATURES
    }
    return f"{schema}\n{encode_canonical(unsigned).decode()}\n"


def sign_record(record: msgspec.Struct, signer: Signer) -> str:
    """Sign a record; return the base64 of a note's signature line.

    Raises:
        IntegrityError: the signer's private key is not that of its public key.
    """
    note = parse_note(sign_note(signed_text(record), [signer]))
    (signature,) = note.signatures
    return print_base64(signature.key_id + signature.data)


def verify_record(record: msgspec.Struct, signed_by: dict[VerifierKey, str]) -> None:
    """Check that every one of these keys signed a record.

    Raises:
        IntegrityError: a signature is missing or wrong.
    """
    signatures = []
    for key, written in signed_by.items():
        data = parse_base64(written, field="signature")
        signatures.append(
            Signature(key.name, data[:_KEY_ID_BYTES], data[_KEY_ID_BYTES:])
        )
    note = SignedNote(signed_text(record), tuple(signatures))
    if set(verify_note(note, signed_by)) != set(signed_by):
        raise IntegrityError("note: a key that must sign it has not")


def sign_succession(
    draft: Succession, *, recovery: Signer, old: Signer | None
) -> Succession:
    """Sign a draft: by the recovery key, and in a rotation by the old checkpoint key.

    Raises:
        IntegrityError: a signer's private key is not that of its public key.
    """
    return msgspec.structs.replace(
        draft,
        recovery_signature=sign_record(draft, recovery),
        old_signature=None if old is None else sign_record(draft, old),
    )


def walk(pinned: Pinned, leaves: Iterable[bytes]) -> KeyLine:
    """Walk from the keys that genesis pins through every succession of a log.

    Raises:
        IntegrityError: one does not continue the line; the message names which and why.
    """
    line = KeyLine.begin(pinned.genesis.origin, pinned.log_key, pinned.promise_key)
    for leaf in leaves:
        record = decode_leaf(leaf)
        version = len(line.tenures) + 1
        if not isinstance(record, Succession):
            raise IntegrityError(f"succession {version}: is no succession")
        try:
            line = _continue(line, pinned, record, leaf)
        except (IntegrityError, InputError) as error:
            raise IntegrityError(f"succession {version}: {error}") from error
    return line


def _continue(
    line: KeyLine, pinned: Pinned, record: Succession, leaf: bytes
) -> KeyLine:
    """Add one succession to a line, having checked it."""
    _check_place(line, pinned, record)
    new = (parse_vkey(record.log_vkey), parse_vkey(record.promise_vkey))
    _check_new_keys(line, pinned.recovery_key, new)
    ended = line.current
    signed_by = {pinned.recovery_key: record.recovery_signature}
    if record.reason is SuccessionReason.ROTATION:
        if record.old_signature is None:
            raise IntegrityError("a rotation must be signed by the old key too")
        signed_by[ended.log_key] = record.old_signature
    elif record.old_signature is not None:
        raise IntegrityError("only a rotation is signed by the old key")
    verify_record(record, signed_by)
    before = Tenure(
        ended.log_key,
        ended.promise_key,
        ended.first,
        record.head_size,
        record.trusted_size,
        record.reason,
        ended.leaf,
    )
    after = Tenure(*new, first=record.head_size + 1, leaf=leaf)
    return KeyLine(line.origin, (*line.tenures[:-1], before, after))


def _check_place(line: KeyLine, pinned: Pinned, record: Succession) -> None:
    current = line.current
    if (record.log, record.origin) != (pinned.genesis.log, line.origin):
        raise IntegrityError("is another log's")
    if record.key_version != len(line.tenures) + 1:
        raise IntegrityError("is not the next one: one before it is missing")
    if (record.old_log_vkey, record.old_promise_vkey) != (
        str(current.log_key),
        str(current.promise_key),
    ):
        raise IntegrityError("ends keys that are not in force")
    if record.head_size < max(current.first, 1):
        raise IntegrityError("begins before the keys that it ends")
    is_trusted = (record.trusted_size, record.trusted_root) == (
        record.head_size,
        record.head_root,
    )
    if record.reason is not SuccessionReason.COMPROMISE and not is_trusted:
        raise IntegrityError("only a compromise takes trust away")
    if record.trusted_size > record.head_size:
        raise IntegrityError("trusts more than there was")


def _check_new_keys(
    line: KeyLine, recovery_key: VerifierKey, new: tuple[VerifierKey, VerifierKey]
) -> None:
    if tuple(key.name for key in new) != (line.origin, promise_name(line.origin)):
        raise IntegrityError("names keys that are not this log's")
    if any(key.kind != ED25519 for key in new):
        raise IntegrityError("names keys that are not Ed25519")
    used = [recovery_key, *new]
    for tenure in line.tenures:
        used += (tenure.log_key, tenure.promise_key)
    if len({key.public_key for key in used}) < len(used) or len(
        {(key.name, key.key_id) for key in used}
    ) < len(used):
        raise IntegrityError("uses a key again")
