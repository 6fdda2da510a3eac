"""KMS to test with: moto in this process, ministack as a server. Each lies about something.

moto rotates and re-encrypts, and takes no notice of the state of a key; it has no Ed25519
keys. ministack has those, enforces states, and authenticates no ciphertext; it lacks
ReEncrypt and the rotations. Neither limits what is signed. So a test says which it is
played on, and proves no more than that one knows.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import botocore.session
import pytest
from botocore.config import Config
from moto import mock_aws

from phitrail.keys.settings import AwsKmsSettings

REGION = "us-east-1"
CREDENTIALS = "[default]\naws_access_key_id = AKIATEST\naws_secret_access_key = none\n"
MINISTACK = Path(__file__).parents[1] / ".venv" / "vaults" / "bin" / "ministack"
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
        self._await(self.process)

    def stop(self) -> None:
        """Stop it, as a host that goes down in order; it keeps its keys."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(_UP_S)
            self.process = None

    def _await(self, process: subprocess.Popen[bytes]) -> None:
        for _ in range(_UP_S * 20):
            try:
                with urlopen(f"{self.url}/_ministack/health", timeout=_UP_S):  # noqa: S310 - ours
                    return
            except (URLError, ConnectionError):
                assert process.poll() is None, "ministack ended"
                time.sleep(0.05)
        pytest.fail("ministack does not answer")


@contextmanager
def ministack(directory: Path) -> Iterator[Ministack]:
    """Serve KMS by ministack; the test is skipped where it is not installed."""
    if not MINISTACK.exists():
        pytest.skip("needs .venv/vaults: run make test-all")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Ministack(directory, port)
    server.start()
    try:
        yield server
    finally:
        server.stop()
