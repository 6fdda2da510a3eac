"""KMS to test with: moto in this process, ministack as a server. Each lies about something.

moto rotates and re-encrypts, and takes no notice of the state of a key; it has no Ed25519
keys. ministack has those, enforces states, and authenticates no ciphertext; it lacks
ReEncrypt and the rotations. Neither limits what is signed. So a test says which it is
played on, and proves no more than that one knows.

`both` puts the two behind one address, for a whole trail: what wraps goes to moto, what
signs to ministack, each as it stands.
"""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import botocore.session
import httpx
import pytest
from botocore.config import Config
from moto import mock_aws

from phitrail.keys.settings import AwsKmsSettings

REGION = "us-east-1"
CREDENTIALS = "[default]\naws_access_key_id = AKIATEST\naws_secret_access_key = none\n"
_BIN = Path(__file__).parents[1] / ".venv" / "vaults" / "bin"
MINISTACK = _BIN / "ministack"
MOTO = _BIN / "moto_server"
_OF_MOTO = frozenset(
    {
        *("Encrypt", "Decrypt", "ReEncrypt", "ListKeyRotations"),
        *("RotateKeyOnDemand", "GetKeyRotationStatus"),
    }
)
_UP_S = 60


def write_credentials(place: Path, text: str = CREDENTIALS) -> Path:
    """Write a file of credentials that its owner alone may read."""
    place.touch(mode=0o600)
    place.write_text(text)
    return place


def client(url: str | None = None) -> Any:
    """Give a client that is not ours: the administrator of the account."""
    return botocore.session.Session().create_client(
        "kms",
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id="AKIAADMIN",
        aws_secret_access_key="none",  # noqa: S106 - no secret
        config=Config(retries={"total_max_attempts": 1}),
    )


@contextmanager
def moto_kms() -> Iterator[Any]:
    """Play AWS by moto in this process; give the administrator's client."""
    # By default moto puts credentials into the environment, which we refuse.
    with mock_aws(config={"core": {"mock_credentials": False}}):
        yield client()


@dataclass(slots=True)
class Ministack:
    """A server of ministack that keeps its keys while it is down."""

    directory: Path
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def admin(self) -> Any:
        """The administrator's client."""
        return client(self.url)

    def settings(self, key: str, **more: Any) -> AwsKmsSettings:
        """Give the settings of a vault whose wrapping key this is."""
        credentials = write_credentials(self.directory / "credentials")
        return AwsKmsSettings(
            key=key,
            region=REGION,
            endpoint_url=self.url,
            credentials_file=str(credentials),
            timeout_s=more.pop("timeout_s", 10.0),
            **more,
        )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("AWS_")
        }
        environment |= {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "IOT_MTLS_ENABLED": "0",
            "PERSIST_STATE": "1",
            "SERVICES": "kms",
            "STATE_DIR": str(self.directory / "state"),
            "TMPDIR": str(self.directory),
        }
        with (self.directory / "ministack.log").open("ab") as log:
            self.process = subprocess.Popen(
                [MINISTACK], cwd=self.directory, env=environment, stdout=log, stderr=log
            )
        _await_http(self.process, f"{self.url}/_ministack/health")

    def stop(self) -> None:
        """Stop it, as a host that goes down in order; it keeps its keys."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(_UP_S)
            self.process = None


@contextmanager
def ministack(directory: Path) -> Iterator[Ministack]:
    """Serve KMS by ministack; the test is skipped where it is not installed."""
    _need(MINISTACK)
    server = Ministack(directory, _free_port())
    server.start()
    try:
        yield server
    finally:
        server.stop()


@dataclass(frozen=True, slots=True)
class Both:
    """moto for what wraps, ministack for what signs, behind one address.

    `moto` is its administrator's client; wrapping keys are made there.
    """

    url: str
    directory: Path
    moto: Any

    def settings(self, key: str) -> AwsKmsSettings:
        """Give the settings of a vault whose wrapping key this is."""
        credentials = write_credentials(self.directory / "credentials")
        return AwsKmsSettings(
            key=key,
            region=REGION,
            endpoint_url=self.url,
            credentials_file=str(credentials),
            timeout_s=30.0,
        )

    def wrapping_key(self) -> str:
        """Make a key that wraps; return its id."""
        return str(self.moto.create_key()["KeyMetadata"]["KeyId"])


@contextmanager
def both(directory: Path) -> Iterator[Both]:
    """Serve KMS by the two doubles, each for what it does as AWS does."""
    _need(MOTO)
    port = _free_port()
    moto_url = f"http://127.0.0.1:{port}"
    with (directory / "moto.log").open("ab") as log:
        process = subprocess.Popen(
            [MOTO, "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log
        )
    try:
        _await_http(process, f"{moto_url}/moto-api/")
        with (
            ministack(directory) as stack,
            _router(moto_url, stack.url) as url,
        ):
            yield Both(url, directory, client(moto_url))
    finally:
        process.terminate()
        process.wait(_UP_S)


@contextmanager
def _router(moto_url: str, stack_url: str) -> Iterator[str]:
    """Pass each call on, unread but for what says whose it is."""
    onward = httpx.Client(timeout=60, trust_env=False)

    class Router(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            answer = onward.post(
                self._whose(), content=body, headers=dict(self.headers.items())
            )
            self.send_response(answer.status_code)
            self.send_header("content-type", answer.headers["content-type"])
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def _whose(self) -> str:
            call = str(self.headers["x-amz-target"]).partition(".")[2]
            # Of keys that wrap and of keys that sign, we describe those that wrap alone.
            return moto_url if call in _OF_MOTO | {"DescribeKey"} else stack_url

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Router)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        onward.close()


def _need(program: Path) -> None:
    if not program.exists():
        assert not os.environ.get("PHITRAIL_CI"), "CI must have .venv/vaults"
        pytest.skip("needs .venv/vaults: run make test-all")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _await_http(process: subprocess.Popen[bytes], url: str) -> None:
    """Ask until somebody answers."""
    for _ in range(_UP_S * 20):
        try:
            with urlopen(url, timeout=_UP_S):  # noqa: S310 - ours
                return
        except (URLError, ConnectionError):
            assert process.poll() is None, "the server ended; see its log"
            time.sleep(0.05)
    pytest.fail("the server does not answer")
