"""Time stamps: an authority signed that it had seen a checkpoint at a time (RFC 3161).

1. A response is granted, over SHA-256, signed by one signer, whose certificate stands in it
   and is for time stamping alone.
2. That certificate leads to a trusted root, and was valid at the time that it names.
3. For a request of our own: the nonce is the one that was sent. For a note: the hash is
   that of its bytes, signatures included.
4. The checkpoint existed *before* the named time plus the accuracy that it states.

The signatures and the chain are checked by OpenSSL through `rfc3161_client`, which also
wants the certificates inside in the order of DER. Many authorities send them as they come;
no signature covers that order, so it is put right before the check.

A time stamp says nothing about what came before or after: an authority stamps any hash.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ObjectIdentifier
from rfc3161_client import (
    Accuracy,
    TimeStampTokenInfo,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from phitrail.errors import InputError, IntegrityError

GRANTED: Final = 0

_SHA256: Final = ObjectIdentifier("2.16.840.1.101.3.4.2.1")
_CERTIFICATES: Final = 0xA0  # [0] of SignedData, RFC 5652 section 5.1
_LONG_LENGTH: Final = 0x80
_MALFORMED = (
    ValueError,
    TypeError,
    VerificationError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
)


@dataclass(frozen=True, slots=True)
class Trusted:
    """Whom a time stamp is believed.

    Attributes:
        roots: certificates that vouch for themselves.
        between: certificates that lead from a time stamp to one of those.
    """

    roots: tuple[x509.Certificate, ...]
    between: tuple[x509.Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class TimeStamp:
    """What a time stamp says, once it is verified.

    Attributes:
        digest: SHA-256 of what was stamped.
        before: it existed before this time (UTC).
        policy: under which policy of the authority, as an object identifier.
    """

    digest: bytes
    before: datetime
    policy: str


def read_trusted(pem: bytes) -> Trusted:
    """Read the certificates of an authority from PEM.

    Raises:
        InputError: there is none, one cannot be read, or none vouches for itself.
    """
    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise InputError.for_field("certificate", "must be PEM") from None
    roots = tuple(one for one in certificates if one.issuer == one.subject)
    if not roots:
        raise InputError.for_field(
            "certificate",
            "must be, or be followed by, the authority's root certificate",
        )
    return Trusted(roots, tuple(one for one in certificates if one not in roots))


def open_time_stamp(
    response: bytes,
    trusted: Trusted,
    *,
    nonce: int | None = None,
    policy: str | None = None,
) -> TimeStamp:
    """Verify a time stamp, whatever it is of.

    Args:
        response: the authority's response, DER.
        trusted: the certificates that it must lead to.
        nonce: what the request held, for whoever made it.
        policy: the policy that it must name.

    Raises:
        IntegrityError: it does not verify.
    """
    verifier = VerifierBuilder(
        roots=list(trusted.roots),
        intermediates=list(trusted.between),
        nonce=nonce,
        policy_id=None if policy is None else ObjectIdentifier(policy),
    ).build()
    try:
        parsed = decode_timestamp_response(_with_sorted_certificates(response))
        info = parsed.tst_info
        imprint = info.message_imprint
        if imprint.hash_algorithm != _SHA256:
            raise IntegrityError("time stamp: must be over SHA-256")
        verifier.verify(parsed, imprint.message)
    except _MALFORMED as error:
        reason = str(error).partition("ErrorStack")[0]
        raise IntegrityError(f"time stamp: does not verify ({reason})") from error
    return TimeStamp(imprint.message, _before(info), info.policy.dotted_string)


def verify_time_stamp(
    response: bytes,
    note: bytes,
    trusted: Trusted,
    *,
    nonce: int | None = None,
    policy: str | None = None,
) -> TimeStamp:
    """Verify the time stamp of a signed note; see `open_time_stamp`.

    Raises:
        IntegrityError: it does not verify, or is of something else.
    """
    stamp = open_time_stamp(response, trusted, nonce=nonce, policy=policy)
    if stamp.digest != sha256(note).digest():
        raise IntegrityError("time stamp: is of another checkpoint")
    return stamp


def status_of(response: bytes) -> int:
    """Read the status of a response: 0 is granted, all others give no time stamp.

    Raises:
        IntegrityError: it is no response.
    """
    try:
        return decode_timestamp_response(_with_sorted_certificates(response)).status
    except ValueError as error:
        raise IntegrityError("time stamp: is no response of an authority") from error


def _before(info: TimeStampTokenInfo) -> datetime:
    """Add the accuracy, up to a whole millisecond, as times are written."""
    before = info.gen_time
    accuracy = cast("Accuracy | None", info.accuracy)  # it is optional
    if accuracy is not None:
        before += timedelta(
            seconds=accuracy.seconds or 0,
            milliseconds=accuracy.millis or 0,
            microseconds=accuracy.micros or 0,
        )
    return before + timedelta(microseconds=-before.microsecond % 1000)


# --- the order of the certificates ---


@dataclass(frozen=True, slots=True)
class _Element:
    """An element of DER: where it begins, where its content does, where both end."""

    tag: int
    start: int
    inner: int
    end: int


def _with_sorted_certificates(response: bytes) -> bytes:
    """Put the certificates of a response in the order that DER wants (X.690, 11.6).

    What does not look like a response is left for the parser to refuse.
    """
    try:
        [whole] = _elements(response, 0, len(response))
        token = _elements(response, whole.inner, whole.end)[1]
        wrapped = _elements(response, token.inner, token.end)[1]
        [signed] = _elements(response, wrapped.inner, wrapped.end)
        parts = _elements(response, signed.inner, signed.end)
        [held] = [part for part in parts if part.tag == _CERTIFICATES]
        certificates = _elements(response, held.inner, held.end)
    except (ValueError, IndexError):
        return response
    ordered = sorted(response[one.start : one.end] for one in certificates)
    return response[: held.inner] + b"".join(ordered) + response[held.end :]


def _elements(data: bytes, start: int, end: int) -> list[_Element]:
    """Cut a stretch of DER into its elements.

    Raises:
        ValueError: it does not consist of whole ones.
        IndexError: it ends within a length.
    """
    found = []
    while start < end:
        length, inner = data[start + 1], start + 2
        if length >= _LONG_LENGTH:
            inner += length - _LONG_LENGTH
            length = int.from_bytes(data[start + 2 : inner], "big")
        if inner + length > end:
            raise ValueError
        found.append(_Element(data[start], start, inner, inner + length))
        start = inner + length
    return found
