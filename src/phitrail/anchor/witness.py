"""A C2SP witness as an anchor: it checks that a log only grew, and cosigns (tlog-witness).

1. The old size is the one that it held last, as far as we know. If it answers 409 with
   another size, the proof starts there, once.
2. 200 is not believed: the cosignature must verify under the configured key over our own
   checkpoint, and its time must lie within `CLOCK_SKEW_S` of ours.
3. A size beyond ours, the same size with another root, and a proof that it refuses all say
   that it holds another history. Then its newest cosigned checkpoint is fetched: signed by
   the log's own key, it is evidence that needs no trust in the witness.
4. 403, 404 and 400 are refusals of its operator's making; everything else is tried again.

Only https:// is spoken beyond this host, under the certificates that the system trusts,
unless plain http is admitted on purpose: a cosignature carries its own proof, so http costs
availability, never truth.
"""

import hashlib
import ssl
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from urllib.parse import urlsplit

import httpx

from phitrail.anchor.held import Held, Submission
from phitrail.errors import (
    ConfigError,
    InputError,
    IntegrityError,
    OtherHistoryError,
    RefusedError,
    StorageError,
)
from phitrail.tlog.checkpoint import open_checkpoint, verified_cosigners
from phitrail.tlog.note import (
    COSIGNATURE_V1,
    SignedNote,
    VerifierKey,
    parse_note,
    parse_vkey,
    print_note,
)
from phitrail.tlog.spelling import parse_decimal, print_base64

TIMEOUT_S = 10.0
CLOCK_SKEW_S = 300
ANSWER_BYTES = 65_536
ANSWER_PIECES = 64

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_ADVICE = {
    HTTPStatus.BAD_REQUEST: "it finds the request malformed",
    HTTPStatus.FORBIDDEN: "it does not know the key of this log: its operator runs "
    "`witness add-log` with the log's vkey",
    HTTPStatus.NOT_FOUND: "it does not watch this log: its operator runs "
    "`witness add-log` with the log's vkey, or the url is wrong",
}


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes


class Witness:
    """One witness; used by one thread at a time."""

    def __init__(
        self,
        url: str,
        vkey: str,
        *,
        plain_http: bool = False,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        parts = urlsplit(url)
        self._is_local = parts.hostname in _LOOPBACK
        if parts.scheme == "http" and not (self._is_local or plain_http):
            raise ConfigError(
                "a witness on another host is asked over https://; set plain_http to "
                "admit http:// on purpose"
            )
        self._url = url.rstrip("/")
        self._key = _cosigner(vkey)
        self._timeout_s = timeout_s
        self._tls: ssl.SSLContext | bool = (
            httpx.create_ssl_context() if parts.scheme == "https" else True
        )

    def hold(self, submission: Submission, now: datetime) -> Held:
        """Have a checkpoint cosigned.

        Raises:
            OtherHistoryError: it holds another history of this log.
            RefusedError: it does not watch this log, or does not know its key.
            StorageError: it cannot be reached or cannot write, its clock is off, or its
                answer holds no cosignature of the configured key that verifies.
        """
        old_size = min(submission.held_size, submission.size)
        answer = self._add(submission, old_size)
        if answer.status == HTTPStatus.CONFLICT:
            held = _size_in(answer)
            if held > submission.size or held == old_size == submission.size:
                raise self._other_history(submission, f"up to size {held}")
            old_size = held
            answer = self._add(submission, old_size)
            if answer.status == HTTPStatus.CONFLICT and old_size == submission.size:
                raise self._other_history(submission, f"at size {old_size}")
        if answer.status == HTTPStatus.UNPROCESSABLE_ENTITY:
            raise self._other_history(submission, f"from size {old_size} on")
        if answer.status != HTTPStatus.OK:
            raise self._refusal(answer)
        return self._held(submission, answer, now)

    def _add(self, submission: Submission, old_size: int) -> _Answer:
        proof = submission.prove(old_size) if old_size else ()
        lines = "".join(f"{print_base64(each)}\n" for each in proof)
        body = f"old {old_size}\n{lines}\n".encode() + submission.note
        return self._ask("POST", "/add-checkpoint", body)

    def _held(self, submission: Submission, answer: _Answer, now: datetime) -> Held:
        ours = parse_note(submission.note)
        try:
            note = parse_note(f"{ours.text}\n".encode() + answer.body)
            cosignatures = tuple(
                each
                for each in note.signatures
                if (each.name, each.key_id) == (self._key.name, self._key.key_id)
            )
        except IntegrityError as error:
            raise StorageError(f"it answered with no cosignature: {error}") from error
        if not cosignatures or note.text != ours.text:
            raise StorageError(
                "it did not cosign under the configured key; correct vkey in "
                "anchors.yaml if its operator says so"
            )
        cosigned = SignedNote(ours.text, (*ours.signatures, *cosignatures))
        try:
            cosigners = verified_cosigners(cosigned, [submission.log_key, self._key])
        except IntegrityError as error:
            raise StorageError(
                f"its cosignature is not one of this checkpoint ({error}); is its url "
                "the right one?"
            ) from error
        time_s = min(cosigner.time_s for cosigner in cosigners)
        if abs(time_s - now.timestamp()) > CLOCK_SKEW_S:
            raise StorageError(
                f"its clock and ours differ by more than {CLOCK_SKEW_S} s; set both"
            )
        return Held(submission.size, print_note(cosigned), "note")

    def _other_history(self, submission: Submission, where: str) -> OtherHistoryError:
        """Say that it holds another history, with the checkpoint that shows it."""
        evidence = b""
        try:
            origin_hash = hashlib.sha256(submission.origin.encode()).hexdigest()
            answer = self._ask("GET", f"/{origin_hash}/checkpoint", b"")
            if answer.status == HTTPStatus.OK:
                open_checkpoint(
                    answer.body, [submission.log_key], origin=submission.origin
                )
                evidence = answer.body
        except (StorageError, IntegrityError):
            pass  # without evidence the alarm is raised all the same
        return OtherHistoryError(
            f"it holds another history of {submission.origin} {where}: this log was "
            "cut, restored from a backup, or rewritten. Keep this copy as evidence and "
            "compare it with the witness's",
            evidence=evidence,
        )

    def _refusal(self, answer: _Answer) -> RefusedError | StorageError:
        for status, advice in _ADVICE.items():
            if answer.status == status:
                return RefusedError(f"it refused ({answer.status}): {advice}")
        return StorageError(f"it answered {answer.status}; try again later")

    def _ask(self, method: str, path: str, body: bytes) -> _Answer:
        try:
            with (
                httpx.Client(
                    verify=self._tls,
                    timeout=self._timeout_s,
                    trust_env=not self._is_local,
                    headers={"Accept-Encoding": "identity"},
                ) as client,
                client.stream(method, self._url + path, content=body) as response,
            ):
                return _Answer(response.status_code, _read(response))
        except httpx.HTTPError as error:
            raise StorageError(
                f"it cannot be reached ({type(error).__name__}); is it running, and is "
                "its url right?"
            ) from error


def _read(response: httpx.Response) -> bytes:
    """Read an answer that is short and arrives in a few pieces.

    Raises:
        StorageError: it is neither.
    """
    data = b""
    for pieces, piece in enumerate(response.iter_raw()):
        data += piece
        if len(data) > ANSWER_BYTES or pieces > ANSWER_PIECES:
            raise StorageError("its answer is too long; is that a witness?")
    return data


def _size_in(answer: _Answer) -> int:
    """Read the size that a 409 tells.

    Raises:
        StorageError: it tells none.
    """
    try:
        text = answer.body.decode("ascii")
        return parse_decimal(text.removesuffix("\n"), field="size")
    except (UnicodeDecodeError, IntegrityError) as error:
        raise StorageError("it answered 409 without a size; try again later") from error


def _cosigner(vkey: str) -> VerifierKey:
    """Read the key of a witness.

    Raises:
        ConfigError: it is none.
    """
    try:
        key = parse_vkey(vkey)
    except InputError as error:
        raise ConfigError(f"the vkey of a witness is wrong: {error}") from None
    if key.kind != COSIGNATURE_V1:
        raise ConfigError(
            "the vkey of a witness must be one of cosignatures (type 4), as "
            "`witness init` prints it"
        )
    return key
