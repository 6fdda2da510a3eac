"""An authority is asked for a time stamp, and believed when that verifies."""

import hashlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.anchor.authority import Certified, make_authority, make_time_stamper
from tests.anchor.histories import NOW, History
from tests.anchor.openssl_authority import (
    OPENSSL,
    POLICY,
    Stamper,
    time_stamp_server,
)

from phitrail.anchor.held import Held
from phitrail.anchor.time_stamp import ANSWER_BYTES, TimeStampAuthority
from phitrail.errors import ConfigError, StorageError
from phitrail.tlog.time_stamp import read_trusted, verify_time_stamp

pytestmark = pytest.mark.skipif(
    OPENSSL is None, reason="there is no openssl here to stamp with"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """An authority that is running, and the client that asks it."""

    stamper: Stamper
    root: Certified
    url: str

    def hold(self, size: int = 300, *, policy: str | None = None) -> Held:
        """Have a checkpoint stamped."""
        client = TimeStampAuthority(
            self.url, self.root.pem, policy=policy, timeout_s=10
        )
        return client.hold(History().submission(size), NOW)


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    """Run an authority of our own."""
    root = make_authority()
    between = make_authority("between", root)
    stamper = Stamper(tmp_path / "stamper", make_time_stamper(between), (between, root))
    with time_stamp_server(stamper) as url:
        yield Asked(stamper, root, url)


def test_the_evidence_verifies_here_and_with_openssl(
    asked: Asked, tmp_path: Path
) -> None:
    """An outsider must not need our program to check a time stamp."""
    held = asked.hold(policy=POLICY)

    note = History().note(300)
    assert (held.size, held.suffix, held.stamped) == (300, "tsr", note)
    verify_time_stamp(held.evidence, note, read_trusted(asked.root.pem))
    (tmp_path / "tsr").write_bytes(held.evidence)
    (tmp_path / "note").write_bytes(note)
    (tmp_path / "root").write_bytes(asked.root.pem)
    assert OPENSSL is not None
    subprocess.run(
        [
            *(OPENSSL, "ts", "-verify", "-in", tmp_path / "tsr"),
            *("-data", tmp_path / "note", "-CAfile", tmp_path / "root"),
        ],
        check=True,
        capture_output=True,
    )


def test_the_authority_learns_a_hash_and_nothing_else(asked: Asked) -> None:
    """What leaves the host must not even name the log."""
    asked.hold()

    [request] = asked.stamper.requests
    assert hashlib.sha256(History().note(300)).digest() in request
    assert b"clinic" not in request
    assert len(request) < 100


def test_each_request_has_a_nonce_of_its_own(asked: Asked) -> None:
    """Else an old answer could be played again for the same checkpoint."""
    first = asked.hold().evidence
    asked.stamper.answer = lambda _: first

    with pytest.raises(StorageError, match="Nonce mismatch"):
        asked.hold()


@pytest.mark.drill
def test_the_stamp_of_another_checkpoint_is_not_kept(asked: Asked) -> None:
    """An authority that mixes its answers up has stamped nothing of ours."""
    other = asked.hold(301)
    asked.stamper.answer = lambda _: other.evidence

    with pytest.raises(StorageError, match="is not kept"):
        asked.hold()


@pytest.mark.drill
def test_a_stamp_of_another_authority_is_not_kept(asked: Asked, tmp_path: Path) -> None:
    """Whoever answers in its place must not be believed."""
    other = make_authority()
    impostor = Stamper(tmp_path / "other", make_time_stamper(other), (other,))
    asked.stamper.answer = impostor.stamp

    with pytest.raises(StorageError, match=r"is not kept .*the configured one"):
        asked.hold()


def test_a_stamp_under_another_policy_is_not_kept(asked: Asked) -> None:
    """Who asks for one policy pays for what it says."""
    with pytest.raises(StorageError, match="Policy ID mismatch"):
        asked.hold(policy="1.2.3.4.2")


def test_a_refusal_is_told_with_its_status(asked: Asked) -> None:
    """An authority that refuses is to be asked again, not to be doubted."""
    asked.stamper.answer = lambda _: bytes.fromhex("30053003020102")

    with pytest.raises(StorageError, match="it refused with status 2"):
        asked.hold()


def test_answers_that_are_none_are_told(asked: Asked) -> None:
    """A wrong url, a proxy's page and an endless answer all end in words."""
    stamper = asked.stamper
    stamper.answer = lambda _: b"<html>"
    with pytest.raises(StorageError, match="is not kept"):
        asked.hold()
    stamper.answer = lambda _: b"0" * (ANSWER_BYTES + 1)
    with pytest.raises(StorageError, match="too long"):
        asked.hold()
    stamper.kind = "text/html"
    with pytest.raises(StorageError, match="is no application/timestamp-reply"):
        asked.hold()
    stamper.status = 503
    with pytest.raises(StorageError, match="it answered 503"):
        asked.hold()


def test_an_authority_that_is_gone_is_told(tmp_path: Path) -> None:
    """An outage is late, not wrong."""
    root = make_authority()
    stamper = Stamper(tmp_path, make_time_stamper(root))
    with time_stamp_server(stamper) as url:
        asked = Asked(stamper, root, url)

    with pytest.raises(StorageError, match="cannot be reached"):
        asked.hold()


def test_plain_http_beyond_this_host_is_admitted_on_purpose_only() -> None:
    """Many authorities speak nothing else; somebody has to have decided so."""
    pem = make_authority().pem

    with pytest.raises(ConfigError, match="plain_http"):
        TimeStampAuthority("http://tsa.example/tsr", pem)
    TimeStampAuthority("http://tsa.example/tsr", pem, plain_http=True)
    TimeStampAuthority("https://tsa.example/tsr", pem)


def test_a_file_without_a_root_is_a_wrong_setting() -> None:
    """A time stamp that nobody vouches for must not be asked for."""
    with pytest.raises(ConfigError, match="the certificate: must be PEM"):
        TimeStampAuthority("https://tsa.example/tsr", b"")
