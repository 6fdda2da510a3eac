"""A real OpenBao to test with: raft storage, a file audit device, sealed by shares.

The server comes out of `.venv/vaults` (`make test-all`); where it is not there, what needs
it is skipped and says so. It is set up as docs/vaults.md says: the policy is read from
that page. The administrator calls it by HTTP on his own, not through what is tested.
"""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from phitrail.keys.settings import OpenBaoSettings

BAO = Path(__file__).parents[1] / ".venv" / "vaults" / "bin" / "bao"
SETUP_PAGE = Path(__file__).parents[1] / "docs" / "vaults.md"
SHARES, NEEDED = 3, 2
_UP_S = 60.0
_CONFIG = """
storage "raft" {{ path = "{directory}/data"  node_id = "n1" }}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster}"
  tls_disable = true
}}
api_addr = "http://127.0.0.1:{port}"
cluster_addr = "http://127.0.0.1:{cluster}"
audit "file" "main" {{ options = {{ file_path = "{directory}/audit.log" }} }}
"""


def policy_of_the_docs(key: str) -> str:
    """Read the policy that docs/vaults.md gives, for the keys that begin with a name."""
    (policy,) = re.findall(
        r"```hcl\n(# policy:.*?)```", SETUP_PAGE.read_text(), re.DOTALL
    )
    return str(policy).replace("phitrail", key)


@dataclass(slots=True)
class OpenBao:
    """A server of OpenBao, and its administrator."""

    directory: Path
    port: int
    cluster: int
    shares: list[str] = field(default_factory=list, repr=False)
    root_token: str = field(default="", repr=False)
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def audit_log(self) -> Path:
        """Where its audit device writes."""
        return self.directory / "audit.log"

    def admin(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Call it as its administrator; nothing here is ours."""
        answer = httpx.request(
            method,
            f"{self.url}/v1/{path}",
            json=body,
            headers={"X-Vault-Token": self.root_token},
            timeout=_UP_S,
            trust_env=False,
        )
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return dict(answer.json()) if answer.content else {}

    def start(self) -> None:
        """Start it, and wait until it answers, sealed."""
        (self.directory / "data").mkdir(exist_ok=True)
        place = self.directory / "config.hcl"
        place.write_text(
            _CONFIG.format(
                directory=self.directory, port=self.port, cluster=self.cluster
            )
        )
        with (self.directory / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [BAO, "server", f"-config={place}"], stdout=log, stderr=log
            )
        for _ in range(int(_UP_S * 20)):
            try:
                self.admin("GET", "sys/seal-status")
            except httpx.TransportError:
                assert self.process.poll() is None, "the server ended; see server.log"
                time.sleep(0.05)
            else:
                return
        pytest.fail("the server does not answer")

    def set_up(self) -> None:
        """Initialize it: three shares, two of them to unseal; mount what we need."""
        made = self.admin(
            "POST",
            "sys/init",
            {"secret_shares": SHARES, "secret_threshold": NEEDED},
        )
        self.shares, self.root_token = made["keys_base64"], made["root_token"]
        self.unseal(self.shares[:NEEDED])
        self.admin("POST", "sys/mounts/transit", {"type": "transit"})
        self.admin("POST", "sys/auth/approle", {"type": "approle"})

    def unseal(self, shares: list[str]) -> None:
        """Unseal it with shares, and wait until it leads."""
        for share in shares:
            self.admin("POST", "sys/unseal", {"key": share})
        for _ in range(int(_UP_S * 20)):
            health = httpx.get(f"{self.url}/v1/sys/health", trust_env=False)
            if health.status_code == httpx.codes.OK:
                return
            time.sleep(0.05)
        pytest.fail("the server does not lead")

    def seal(self) -> None:
        """Seal it."""
        self.admin("POST", "sys/seal")

    def kill(self) -> None:
        """Kill it at once, as a host that loses its power."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(_UP_S)
            self.process = None

    def write_policy(self, key: str) -> None:
        """Write the policy of docs/vaults.md for the keys that begin with a name."""
        self.admin(
            "PUT", f"sys/policies/acl/{key}", {"policy": policy_of_the_docs(key)}
        )

    def token(self, key: str) -> str:
        """Make a token that may do what the policy of a name says."""
        self.write_policy(key)
        made = self.admin(
            "POST",
            "auth/token/create-orphan",
            {"policies": [key], "no_default_policy": True, "ttl": "1h"},
        )
        return str(made["auth"]["client_token"])

    def revoke(self, token: str) -> None:
        """Revoke a token."""
        self.admin("POST", "auth/token/revoke", {"token": token})

    def role(self, key: str, *, lasts: str = "1h") -> tuple[str, str]:
        """Make an AppRole under the policy of a name; give its role id and secret id."""
        self.write_policy(key)
        body = {
            "token_policies": [key],
            "token_ttl": lasts,
            "token_type": "service",
        }
        self.admin("POST", f"auth/approle/role/{key}", body)
        role_id = self.admin("GET", f"auth/approle/role/{key}/role-id")["data"]
        secret_id = self.admin("POST", f"auth/approle/role/{key}/secret-id", {})["data"]
        return str(role_id["role_id"]), str(secret_id["secret_id"])

    def settings(self, key: str, token_file: Path, **more: Any) -> OpenBaoSettings:
        """Give the settings of a vault under a token of its own."""
        write_secret(token_file, self.token(key))
        return OpenBaoSettings(
            url=self.url,
            key=key,
            token_file=str(token_file),
            **{"timeout_s": 20.0} | more,
        )


def write_secret(place: Path, text: str) -> Path:
    """Put a credential where its owner alone may read it; whole or not at all."""
    new = place.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text(text + "\n")
    new.replace(place)
    return place


def free_ports(count: int) -> list[int]:
    """Find ports of this host that nobody listens on."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


@contextmanager
def openbao(directory: Path) -> Iterator[OpenBao]:
    """Serve OpenBao, unsealed; the test is skipped where it is not installed."""
    if not BAO.exists():
        assert not os.environ.get("PHITRAIL_CI"), "CI must have .venv/vaults"
        pytest.skip("needs .venv/vaults: run make test-all")
    port, cluster = free_ports(2)
    server = OpenBao(directory, port, cluster)
    server.start()
    try:
        server.set_up()
        yield server
    finally:
        server.kill()
