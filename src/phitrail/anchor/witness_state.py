"""What a witness answers, and what it has cosigned after that (C2SP tlog-witness).

Pure: a request, what is known of its log, and the time go in; the status, the body and the
new head come out. Whoever keeps the head stores it before anyone sees the answer, and lets
no second request in between (`witness_store`).

1. `old <size>` and up to 63 proof lines, an empty line, a checkpoint; else 400.
2. The origin is one that this witness watches; else 404.
3. A key of that log has signed, and each signature of a known key verifies; else 403.
4. The old size is not larger than the new one; else 400.
5. The old size is the one that was cosigned last (0 for none); else 409 with that size.
6. The old tree is the beginning of the new one: same size means same root, and the proof
   leads to both roots; an empty tree has the empty root; else 422.
7. The clock has not gone back since the last cosignature; else 503.
8. 200 with a cosignature of the checkpoint at this time.

Signed checkpoints that step 6 refuses, or that have another root at the size that was
cosigned last, are handed out as `refused`: a log that signs two histories has convicted
itself, and its witness keeps what shows it. Of a note only the signatures of the log's known
keys are kept; what else a caller put there is his.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

from phitrail.errors import IntegrityError
from phitrail.tlog.checkpoint import Checkpoint, parse_checkpoint
from phitrail.tlog.hashing import EMPTY_ROOT, Hash
from phitrail.tlog.note import (
    SignedNote,
    Signer,
    VerifierKey,
    cosign_note,
    parse_note,
    print_note,
    print_signature,
    verify_note,
)
from phitrail.tlog.proof import verify_consistency
from phitrail.tlog.spelling import parse_decimal, parse_hash

PLAIN_TEXT: Final = "text/plain; charset=utf-8"
SIZE_TEXT: Final = "text/x.tlog.size"
MAX_PROOF_LINES: Final = 63
MAX_REQUEST_BYTES: Final = 65_536

_SIZE_LINE: Final = 1


@dataclass(frozen=True, slots=True)
class WitnessedHead:
    """What was cosigned last of one log; `note` is the cosigned checkpoint."""

    size: int
    root: Hash
    time_s: int
    note: bytes


@dataclass(frozen=True, slots=True)
class WitnessedLog:
    """A log that this witness watches: its keys, and its head; None before the first."""

    keys: tuple[VerifierKey, ...]
    head: WitnessedHead | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the caller, and what must be durable before it does.

    Attributes:
        head: the new head of `origin`; None where nothing was cosigned.
        refused: a signed checkpoint that does not continue what was cosigned.
    """

    status: HTTPStatus
    body: bytes
    content_type: str = PLAIN_TEXT
    origin: str = ""
    head: WitnessedHead | None = None
    refused: bytes = b""


@dataclass(frozen=True, slots=True)
class _Request:
    """An add-checkpoint request that is well formed; nothing in it is verified yet.

    `checkpoint` is None for size 0 with another root than that of the empty tree.
    """

    old_size: int
    proof: tuple[Hash, ...]
    note: SignedNote
    origin: str
    checkpoint: Checkpoint | None


def answer_request(
    body: bytes,
    find_log: Callable[[str], WitnessedLog | None],
    signer: Signer,
    *,
    time_s: int,
) -> Answer:
    """Answer one `add-checkpoint`.

    Args:
        body: the request's body.
        find_log: gives what is known of a log, by its origin.
        signer: the witness's key.
        time_s: the POSIX time in seconds.
    """
    # 1. The form.
    try:
        request = _parse(body)
    except IntegrityError as error:
        return _plain(HTTPStatus.BAD_REQUEST, str(error))

    # 2. The log.
    log = find_log(request.origin)
    if log is None:
        return _plain(HTTPStatus.NOT_FOUND, "this witness does not watch that log")

    # 3. Its signature.
    try:
        signed = verify_note(request.note, log.keys)
    except IntegrityError as error:
        return _plain(HTTPStatus.FORBIDDEN, str(error))
    trusted = replace(request, note=_signed_by(signed, request.note))
    return _answer_signed(trusted, log.head, signer, time_s)


def _answer_signed(
    request: _Request, head: WitnessedHead | None, signer: Signer, time_s: int
) -> Answer:
    size, root = (head.size, head.root) if head is not None else (0, EMPTY_ROOT)
    new_size = request.checkpoint.size if request.checkpoint is not None else 0

    # 4. The sizes are in order.
    if request.old_size > new_size:
        return _plain(
            HTTPStatus.BAD_REQUEST, "the old size is larger than the checkpoint's"
        )

    # 5. The caller knows what was cosigned last.
    if request.old_size != size:
        return Answer(
            HTTPStatus.CONFLICT,
            f"{size}\n".encode(),
            SIZE_TEXT,
            origin=request.origin,
            refused=_fork(request, size, root),
        )

    # 6. The history goes on.
    try:
        new = _check_growth(request, size, root)
    except IntegrityError as error:
        return Answer(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"{error}\n".encode(),
            origin=request.origin,
            refused=print_note(request.note),
        )

    # 7. The clock.
    if head is not None and time_s < head.time_s:
        return _plain(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "the clock of this witness is behind its last cosignature",
        )

    # 8. The cosignature.
    cosignature = cosign_note(request.note.text, signer, time_s=time_s)
    cosigned = SignedNote(request.note.text, (*request.note.signatures, cosignature))
    return Answer(
        HTTPStatus.OK,
        print_signature(cosignature).encode(),
        origin=request.origin,
        head=WitnessedHead(new.size, new.root, time_s, print_note(cosigned)),
    )


def _check_growth(request: _Request, size: int, root: Hash) -> Checkpoint:
    """Check that the checkpoint continues the tree of `size` under `root`; give it back.

    Raises:
        IntegrityError: it does not, or the proof does not show it.
    """
    new = request.checkpoint
    if new is None:
        raise IntegrityError("an empty tree has another root")
    verify_consistency(
        old_size=size,
        old_root=root,
        new_size=new.size,
        new_root=new.root,
        proof=request.proof,
    )
    return new


def _fork(request: _Request, size: int, root: Hash) -> bytes:
    """Give a signed checkpoint that has another root at the size that was cosigned."""
    new = request.checkpoint
    if new is not None and new.size == size and new.root != root:
        return print_note(request.note)
    return b""


def _signed_by(keys: Sequence[VerifierKey], note: SignedNote) -> SignedNote:
    """Keep one signature of each of these keys, which all verify."""
    lines = {(one.name, one.key_id): one for one in note.signatures}
    return SignedNote(note.text, tuple(lines[key.name, key.key_id] for key in keys))


def _plain(status: HTTPStatus, message: str) -> Answer:
    return Answer(status, f"{message}\n".encode())


def _parse(body: bytes) -> _Request:
    """Read a request.

    Raises:
        IntegrityError: it is malformed; the message names the part.
    """
    if len(body) > MAX_REQUEST_BYTES:
        raise IntegrityError("request: is too long")
    head, gap, rest = body.partition(b"\n\n")
    if not gap:
        raise IntegrityError("request: must have an empty line before the checkpoint")
    try:
        first, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise IntegrityError("request: must be ASCII before the checkpoint") from None
    word, _, old_size = first.partition(" ")
    if word != "old":
        raise IntegrityError("request: must begin with the old size")
    if len(lines) > MAX_PROOF_LINES:
        raise IntegrityError("request: must have at most 63 proof lines")
    note = parse_note(rest)
    return _Request(
        parse_decimal(old_size, field="old size"),
        tuple(parse_hash(line, field="proof line") for line in lines),
        note,
        note.text.split("\n", 1)[0],
        _checkpoint(note.text),
    )


def _checkpoint(text: str) -> Checkpoint | None:
    """Read the body; None for an empty tree with another root than its own."""
    lines: Sequence[str] = text.split("\n")
    if lines[_SIZE_LINE : _SIZE_LINE + 1] == ["0"]:
        try:
            return parse_checkpoint(text)
        except IntegrityError:
            # Is it the root alone that is wrong? Then it is well formed.
            lines = [*lines[:_SIZE_LINE], "1", *lines[_SIZE_LINE + 1 :]]
            parse_checkpoint("\n".join(lines))
            return None
    return parse_checkpoint(text)
