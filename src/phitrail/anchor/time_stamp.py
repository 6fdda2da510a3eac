"""A time stamp authority: it signs that it has seen a checkpoint's hash (RFC 3161).

1. The request is over SHA-256 of the signed note, with a nonce of its own, and asks for the
   authority's certificate. The authority learns a hash and nothing else.
2. The answer counts once it verifies under the configured certificates, with that nonce
   (`tlog.time_stamp`). What does not verify is not kept.
3. Only https:// is spoken beyond this host, unless plain http is admitted on purpose: many
   authorities speak nothing else, and what they say is signed.

The evidence is the response as it came, which `openssl ts -verify` reads too. It is worth
something together with the note alone, so the note is kept beside it.
"""

from datetime import datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import httpx
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

from phitrail.anchor.held import Held, Submission
from phitrail.errors import ConfigError, InputError, IntegrityError, StorageError
from phitrail.tlog.time_stamp import (
    GRANTED,
    read_trusted,
    status_of,
    verify_time_stamp,
)

SUFFIX: Final = "tsr"
TIMEOUT_S: Final = 10.0
ANSWER_BYTES: Final = 65_536

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_QUERY: Final = "application/timestamp-query"
_REPLY: Final = "application/timestamp-reply"


class TimeStampAuthority:
    """One authority.

    Args:
        url: where it takes requests.
        certificates: PEM with its root certificate, and those between, where its
            answers do not carry them.
        policy: the policy that its time stamps must name; any without.
        plain_http: admit http:// beyond this host.
        timeout_s: how long each step may take.

    Raises:
        ConfigError: the certificates cannot be used, or the url is plain http.
    """

    def __init__(
        self,
        url: str,
        certificates: bytes,
        *,
        policy: str | None = None,
        plain_http: bool = False,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        parts = urlsplit(url)
        self._is_local = parts.hostname in _LOOPBACK
        if parts.scheme == "http" and not (self._is_local or plain_http):
            raise ConfigError(
                "a time stamp authority on another host is asked over https://; set "
                "plain_http to admit http:// on purpose"
            )
        try:
            self._trusted = read_trusted(certificates)
        except InputError as error:
            raise ConfigError(f"the {error}") from None
        self._url = url
        self._policy = policy
        self._timeout_s = timeout_s

    def hold(self, submission: Submission, now: datetime) -> Held:
        """Have a checkpoint stamped.

        Raises:
            StorageError: the authority cannot be reached, refused, or what it returned
                does not verify.
        """
        del now
        request = (
            TimestampRequestBuilder()
            .data(submission.note)
            .hash_algorithm(HashAlgorithm.SHA256)
            .nonce(nonce=True)
            .cert_request(cert_request=True)
            .build()
        )
        response = self._ask(request.as_bytes())
        try:
            status = status_of(response)
            if status != GRANTED:
                raise StorageError(f"it refused with status {status}; try again later")
            verify_time_stamp(
                response,
                submission.note,
                self._trusted,
                nonce=request.nonce,
                policy=self._policy,
            )
        except IntegrityError as error:
            raise StorageError(
                f"what it returned is not kept ({error}); is its certificate the "
                "configured one?"
            ) from error
        return Held(submission.size, response, SUFFIX, stamped=submission.note)

    def _ask(self, request: bytes) -> bytes:
        headers = {
            "Content-Type": _QUERY,
            "Accept": _REPLY,
            "Accept-Encoding": "identity",
        }
        try:
            with (
                httpx.Client(
                    timeout=self._timeout_s, trust_env=not self._is_local
                ) as client,
                client.stream(
                    "POST", self._url, content=request, headers=headers
                ) as response,
            ):
                return _read(response)
        except httpx.HTTPError as error:
            raise StorageError(
                f"it cannot be reached ({type(error).__name__}); is its url right?"
            ) from error


def _read(response: httpx.Response) -> bytes:
    """Read the answer, which is short.

    Raises:
        StorageError: it is none, or not short.
    """
    if response.status_code != HTTPStatus.OK:
        raise StorageError(f"it answered {response.status_code}; try again later")
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != _REPLY:
        raise StorageError(f"its answer is no {_REPLY}; is its url right?")
    data = b""
    for piece in response.iter_raw():
        data += piece
        if len(data) > ANSWER_BYTES:
            raise StorageError("its answer is too long; is its url right?")
    return data
