"""Make `openbao_audit.jsonl`: what the audit device of a real OpenBao writes of its keys.

Run: python -m tests.vectors.make_openbao_audit (needs .venv/vaults). Ids, times and hashes
are new each time; what was asked, by whom and how it ended stays the same.
"""

import base64
import tempfile
from pathlib import Path
from typing import Any

import httpx
from tests.vaults import OpenBao, openbao

AUDIT = Path(__file__).with_name("openbao_audit.jsonl")
WRAPPING = "phitrail-wrapping"
SIGNING = "phitrail-audit-checkpoint-v1-0a1b2c3d"
SECRET = base64.b64encode(bytes(32)).decode()
CONTEXT = base64.b64encode(b"context").decode()
OTHER = base64.b64encode(b"another").decode()
_MAY_ENCRYPT = f'path "transit/encrypt/{WRAPPING}" {{ capabilities = ["update"] }}'


def make(server: OpenBao) -> None:
    """Ask a server for everything that its log should show once."""
    server.admin("POST", f"transit/keys/{WRAPPING}", {"derived": True})
    server.admin("POST", f"transit/keys/{SIGNING}", {"type": "ed25519"})
    made = server.admin(
        "POST",
        f"transit/encrypt/{WRAPPING}",
        {"plaintext": SECRET, "context": CONTEXT},
    )
    wrapped = {"ciphertext": made["data"]["ciphertext"], "context": CONTEXT}
    server.admin("POST", f"transit/decrypt/{WRAPPING}", wrapped)
    _ask(server, f"decrypt/{WRAPPING}", {**wrapped, "context": OTHER})
    _ask(
        server,
        f"decrypt/{WRAPPING}",
        {"batch_input": [wrapped, {**wrapped, "context": OTHER}]},
    )
    server.admin("POST", f"transit/keys/{WRAPPING}/rotate")
    server.admin("POST", f"transit/rewrap/{WRAPPING}", wrapped)
    server.admin("POST", f"transit/sign/{SIGNING}", {"input": SECRET})
    server.admin("GET", f"transit/keys/{SIGNING}")
    server.admin(
        "POST", f"transit/keys/{WRAPPING}/config", {"min_decryption_version": 2}
    )
    _ask(server, f"export/signing-key/{SIGNING}", None, method="GET")
    _ask_as_others(server, wrapped)
    server.admin("POST", f"transit/keys/{SIGNING}/config", {"deletion_allowed": True})
    server.admin("DELETE", f"transit/keys/{SIGNING}")


def _ask_as_others(server: OpenBao, wrapped: dict[str, str]) -> None:
    """Ask under a token and a role that may encrypt, and under none."""
    server.admin("PUT", "sys/policies/acl/encrypts", {"policy": _MAY_ENCRYPT})
    named = server.admin(
        "POST",
        "auth/token/create",
        {"policies": ["encrypts"], "display_name": "alice", "meta": {"who": "Alice"}},
    )
    token = named["auth"]["client_token"]
    plain = {"plaintext": SECRET, "context": CONTEXT}
    _ask(server, f"encrypt/{WRAPPING}", plain, token=token)
    _ask(server, f"decrypt/{WRAPPING}", wrapped, token=token)
    _ask(server, f"decrypt/{WRAPPING}", wrapped, token="")
    server.admin("POST", "auth/approle/role/r", {"token_policies": ["encrypts"]})
    role = server.admin("GET", "auth/approle/role/r/role-id")["data"]
    secret = server.admin("POST", "auth/approle/role/r/secret-id", {})["data"]
    login = server.admin(
        "POST",
        "auth/approle/login",
        {"role_id": role["role_id"], "secret_id": secret["secret_id"]},
    )
    _ask(server, f"encrypt/{WRAPPING}", plain, token=str(login["auth"]["client_token"]))


def _ask(
    server: OpenBao,
    path: str,
    body: dict[str, Any] | None,
    *,
    method: str = "POST",
    token: str | None = None,
) -> None:
    """Ask the engine for what may be refused."""
    given = server.root_token if token is None else token
    httpx.request(
        method,
        f"{server.url}/v1/transit/{path}",
        json=body,
        headers={"X-Vault-Token": given} if given else {},
        timeout=60,
        trust_env=False,
    )


if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory() as place,
        openbao(Path(place)) as running,
    ):
        make(running)
        AUDIT.write_bytes(running.audit_log.read_bytes())
