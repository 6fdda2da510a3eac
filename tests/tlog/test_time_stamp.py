"""A time stamp says when a checkpoint existed, and nothing that its authority did not."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder
from tests.anchor.authority import (
    Certified,
    make_authority,
    make_time_stamper,
)
from tests.anchor.openssl_authority import OPENSSL, POLICY, Stamper
from tests.tlog.trees import make_signer

from phitrail.errors import InputError, IntegrityError
from phitrail.tlog.checkpoint import Checkpoint
from phitrail.tlog.hashing import hash_leaf
from phitrail.tlog.note import sign_note
from phitrail.tlog.time_stamp import (
    TimeStamp,
    open_time_stamp,
    read_trusted,
    status_of,
    verify_time_stamp,
)

pytestmark = pytest.mark.skipif(
    OPENSSL is None, reason="there is no openssl here to stamp with"
)
NOTE = sign_note(
    Checkpoint("clinic.example/audit", 1, hash_leaf(b"")).body(),
    [make_signer("clinic.example/audit", bytes(range(32)))],
)


@dataclass(frozen=True, slots=True)
class Stamped:
    """A time stamp, its nonce, and the certificates around it."""

    response: bytes
    nonce: int | None
    root: Certified
    between: Certified


def ask(
    note: bytes = NOTE, algorithm: HashAlgorithm = HashAlgorithm.SHA256
) -> tuple[bytes, int | None]:
    """Make a request: its bytes and its nonce."""
    request = TimestampRequestBuilder().data(note).hash_algorithm(algorithm).build()
    return request.as_bytes(), request.nonce


@pytest.fixture(scope="module")
def chain() -> tuple[Certified, Certified]:
    """Make a root and a certificate under it."""
    root = make_authority()
    return root, make_authority("between", root)


@pytest.fixture(scope="module")
def stamped(
    chain: tuple[Certified, Certified], tmp_path_factory: pytest.TempPathFactory
) -> Stamped:
    """Have a note stamped under root and intermediate; the answer carries that."""
    root, between = chain
    stamper = Stamper(
        tmp_path_factory.mktemp("stamper"), make_time_stamper(between), (between,)
    )
    request, nonce = ask()
    return Stamped(stamper.stamp(request), nonce, root, between)


def check(stamped: Stamped, note: bytes = NOTE) -> TimeStamp:
    """Verify as whoever asked does."""
    return verify_time_stamp(
        stamped.response,
        note,
        read_trusted(stamped.root.pem),
        nonce=stamped.nonce,
        policy=POLICY,
    )


def test_a_time_stamp_names_the_time_before_which_the_note_existed(
    stamped: Stamped,
) -> None:
    """The accuracy belongs to it: a clock that may be late must not make it earlier."""
    found = check(stamped)

    assert found.policy == POLICY
    assert found.before.microsecond == 501_000
    assert timedelta(0) < datetime.now(UTC) + timedelta(seconds=3) - found.before
    assert open_time_stamp(stamped.response, read_trusted(stamped.root.pem)) == found
    assert status_of(stamped.response) == 0


def test_without_an_accuracy_the_time_stands_as_it_is(
    chain: tuple[Certified, Certified], tmp_path: Path
) -> None:
    """Authorities may leave it out."""
    stamper = Stamper(tmp_path, make_time_stamper(chain[0]), accuracy="")
    found = verify_time_stamp(stamper.stamp(ask()[0]), NOTE, read_trusted(chain[0].pem))

    assert found.before.microsecond == 0


def test_several_certificates_may_come_in_any_order(
    chain: tuple[Certified, Certified], tmp_path: Path
) -> None:
    """Authorities send them in the order of the chain; DER would sort them."""
    root, between = chain
    for _ in range(4):
        under = make_authority("under", between)
        stamper = Stamper(tmp_path, make_time_stamper(under), (under, between, root))

        verify_time_stamp(stamper.stamp(ask()[0]), NOTE, read_trusted(root.pem))


def test_certificates_between_may_be_configured(
    chain: tuple[Certified, Certified], tmp_path: Path
) -> None:
    """An authority that sends its own certificate alone can be used."""
    root, between = chain
    response = Stamper(tmp_path, make_time_stamper(between)).stamp(ask()[0])

    verify_time_stamp(response, NOTE, read_trusted(between.pem + root.pem))
    with pytest.raises(IntegrityError, match="does not verify"):
        verify_time_stamp(response, NOTE, read_trusted(root.pem))


def test_the_stamp_of_another_note_is_refused(stamped: Stamped) -> None:
    """Else any time stamp would serve for any checkpoint."""
    with pytest.raises(IntegrityError, match="of another checkpoint"):
        check(stamped, NOTE.replace(b"1\n", b"2\n", 1))


def test_another_nonce_is_refused(stamped: Stamped) -> None:
    """An old answer that is played again must not count as new."""
    with pytest.raises(IntegrityError, match="Nonce mismatch"):
        check(replace(stamped, nonce=(stamped.nonce or 0) + 1))


def test_another_policy_is_refused(stamped: Stamped) -> None:
    """An authority may stamp under weaker policies as well."""
    with pytest.raises(IntegrityError, match="Policy ID mismatch"):
        open_time_stamp(
            stamped.response, read_trusted(stamped.root.pem), policy="1.2.3.4.2"
        )


def test_another_authority_of_the_same_name_is_refused(stamped: Stamped) -> None:
    """Whoever answers in its place has a name too."""
    with pytest.raises(IntegrityError, match="certificate"):
        check(replace(stamped, root=make_authority()))


def test_another_hash_algorithm_is_refused(
    chain: tuple[Certified, Certified], tmp_path: Path
) -> None:
    """One rule of what is hashed how leaves no second reading."""
    request, _ = ask(algorithm=HashAlgorithm.SHA512)
    response = Stamper(tmp_path, make_time_stamper(chain[0])).stamp(request)

    with pytest.raises(IntegrityError, match="must be over SHA-256"):
        open_time_stamp(response, read_trusted(chain[0].pem))


@pytest.mark.parametrize(
    "make",
    [
        lambda root: make_time_stamper(root, ended=True),
        lambda root: make_time_stamper(make_time_stamper(root)),
    ],
    ids=["that has ended", "under one that may not certify"],
)
def test_a_certificate_that_may_not_stamp_is_refused(
    chain: tuple[Certified, Certified],
    tmp_path: Path,
    make: Callable[[Certified], Certified],
) -> None:
    """A root vouches for many certificates; few of them may stamp, for some time."""
    response = Stamper(tmp_path, make(chain[0])).stamp(ask()[0])

    with pytest.raises(IntegrityError, match="certificate"):
        open_time_stamp(response, read_trusted(chain[0].pem))


@pytest.mark.parametrize("step", range(4))
def test_no_damage_makes_a_time_stamp_say_something_else(
    stamped: Stamped, step: int
) -> None:
    """Cut, flipped, added or repeated bytes are refused, or say exactly the same."""
    trusted = read_trusted(stamped.root.pem)
    whole, genuine = stamped.response, check(stamped)
    draws = random.Random(step)
    said = refused = 0
    for _ in range(400):
        at = draws.randrange(len(whole))
        if step == 0:
            damaged = whole[:at]
        elif step == 1:
            damaged = whole[:at] + bytes([whole[at] ^ 1 << draws.randrange(8)])
            damaged += whole[at + 1 :]
        elif step == 2:
            damaged = whole[:at] + draws.randbytes(3) + whole[at:]
        else:
            other = draws.randrange(len(whole))
            damaged = whole[:at] + whole[other : other + 9] + whole[at + 9 :]
        try:
            assert verify_time_stamp(damaged, NOTE, trusted) == genuine
            said += 1
        except IntegrityError:
            refused += 1

    assert refused > said


@pytest.mark.parametrize("junk", [b"", b"0", b"\x30\x80", b"\x30\x84\xff", b"{}"])
def test_what_is_no_response_is_refused(stamped: Stamped, junk: bytes) -> None:
    """A proxy's error page must not end in a crash."""
    with pytest.raises(IntegrityError, match="does not verify"):
        open_time_stamp(junk, read_trusted(stamped.root.pem))
    with pytest.raises(IntegrityError, match="no response of an authority"):
        status_of(junk)


@pytest.mark.parametrize(
    ("pem", "rule"), [(b"", "must be PEM"), (b"nothing", "must be PEM")]
)
def test_a_file_without_certificates_is_refused(pem: bytes, rule: str) -> None:
    """A wrong path must not trust nobody, or everybody."""
    with pytest.raises(InputError, match=rule):
        read_trusted(pem)


def test_a_certificate_without_its_root_is_refused(
    chain: tuple[Certified, Certified],
) -> None:
    """Trust has to end somewhere; the message says what is missing."""
    with pytest.raises(InputError, match="root certificate"):
        read_trusted(chain[1].pem)
