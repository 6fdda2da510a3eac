"""Calls to OpenBao: as whom, over which line, and what each failure says.

The server here is a small double on this host that answers what it is told to: for failures
that a real one shows on its worst day only. What OpenBao itself does is in `test_openbao`.
"""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.vaults import write_secret

from phitrail.errors import ConfigError, PhitrailError, VaultError
from phitrail.keys.openbao import OpenBaoVault
from phitrail.keys.openbao_calls import OpenBaoCalls
from phitrail.keys.settings import OpenBaoSettings
from phitrail.keys.vault import ToWrap, Wrapped

CONTEXT = b"phitrail/key-file/v1|text-hash|1|mac"
SECRET = b"canary-7be1-canary-7be1-canary-7"
TOKEN = "s.canarytoken7be1"  # noqa: S105 - a canary
TOKEN_FILE, ROLE_FILE, SECRET_FILE = "token", "role", "secret"
KEY = {"data": {"latest_version": 3, "name": "phitrail-wrapping"}}
Reply = tuple[int, dict[str, str], bytes]


@dataclass(slots=True)
class Double:
    """A server that answers what it is told to, and keeps what it was sent."""

    url: str = ""
    reply: Callable[[], Reply] = lambda: answered(KEY)
    tokens: list[str | None] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    namespaces: list[str | None] = field(default_factory=list)


def answered(body: Any, status: int = 200, **headers: str) -> Reply:
    """Give an answer in JSON."""
    return (
        status,
        {"Content-Type": "application/json"} | headers,
        json.dumps(body).encode(),
    )


@pytest.fixture
def double() -> Iterator[Double]:
    """Serve the double."""
    with serving(Double()) as told:
        yield told


@contextmanager
def serving(told: Double, tls: ssl.SSLContext | None = None) -> Iterator[Double]:
    """Serve a double within a block, over TLS where a context is given."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            told.tokens.append(self.headers.get("X-Vault-Token"))
            told.paths.append(self.path)
            told.namespaces.append(self.headers.get("X-Vault-Namespace"))
            status, headers, content = told.reply()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = answer  # noqa: N815 - the names of http.server

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        scheme = "http" if tls is None else "https"
        told.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
            thread.join()


def settings(place: Path, url: str, **more: Any) -> OpenBaoSettings:
    """Give settings with a token in its file."""
    write_secret(place / TOKEN_FILE, TOKEN)
    return OpenBaoSettings(url=url, token_file=TOKEN_FILE, **more)


def opened(place: Path, url: str, **more: Any) -> OpenBaoVault:
    """Give a vault."""
    return OpenBaoVault(settings(place, url, **more), place, lambda: 0)


# --- failures ---


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (503, "is sealed or not set up"),
        (501, "is sealed or not set up"),
        (500, "failed with status 500"),
        (502, "failed with status 502"),
        (429, "failed with status 429"),
        (404, "not as the transit engine"),
        (400, "not as the transit engine"),
        (472, "not as the transit engine"),
    ],
)
def test_a_failure_says_what_it_is_and_what_to_do(
    double: Double, tmp_path: Path, status: int, says: str
) -> None:
    """The operator acts on this line; it must not send him to the wrong door."""
    double.reply = lambda: answered({"errors": [SECRET.decode()]}, status)
    vault = opened(tmp_path, double.url)

    with pytest.raises(VaultError, match=says) as caught:
        vault.newest_wrapping_version()

    assert not caught.value.is_refusal
    assert SECRET.decode() not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>a proxy</html>",
        b"[]",
        b'{"data": []}',
        b'{"data": {"latest_version": "3"}}',
        b'{"data": {"latest_version": 0}}',
        b'{"data": {"batch_results": 1, "keys": 1}}',
        b'{"data": {"batch_results": [1], "keys": {}}}',
        b'{"data": {"batch_results": [{}], "keys": {"1": {}}}}',
        b'{"data": {"batch_results": [{"ciphertext": "v", "plaintext": "?"}]}}',
        b'{"data": {"batch_results": [{"plaintext": ""}], "signature": "vault:v1:AA=="}}',
    ],
)
def test_what_is_no_answer_of_the_engine_is_refused(
    double: Double, tmp_path: Path, content: bytes
) -> None:
    """Another server under that address must not hand out what we take for keys."""
    double.reply = lambda: (200, {}, content)
    vault = opened(tmp_path, double.url)

    for ask in (
        vault.newest_wrapping_version,
        lambda: vault.wrap([ToWrap(SECRET, CONTEXT)]),
        lambda: vault.unwrap([Wrapped("openbao:vault:v1:AAAA", CONTEXT)]),
        lambda: vault.rewrap([Wrapped("openbao:vault:v1:AAAA", CONTEXT)]),
        lambda: vault.sign(Wrapped("openbao:key:phitrail-a", CONTEXT), b"text"),
        lambda: vault.make_signing_key("a", CONTEXT),
    ):
        with pytest.raises(PhitrailError, match=r"vault|unwrap"):
            ask()


def test_a_vault_that_does_not_answer_in_time_is_not_waited_for(
    tmp_path: Path,
) -> None:
    """Whoever records waits for this; it must end, and say so."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        vault = opened(tmp_path, url, timeout_s=0.2)

        with pytest.raises(VaultError, match=r"did not answer within 0\.2 s"):
            vault.newest_wrapping_version()


def test_a_connection_that_broke_is_made_anew_once(tmp_path: Path) -> None:
    """A vault that was restarted must not cost a record; a rotation is never sent twice."""
    cut = socket.create_server(("127.0.0.1", 0))
    accepted: list[str] = []

    def hang_up() -> None:
        for _ in range(3):
            connection, _ = cut.accept()
            accepted.append("cut")
            connection.close()

    other = opened(tmp_path, f"http://127.0.0.1:{cut.getsockname()[1]}")
    thread = threading.Thread(target=hang_up)
    thread.start()
    with pytest.raises(VaultError, match="broke off"):
        other.newest_wrapping_version()
    after_reading = len(accepted)
    with pytest.raises(VaultError, match="broke off"):
        other.rotate_wrapping_key("2026-11-22T12:00:00.000Z")
    thread.join()
    cut.close()

    assert (after_reading, len(accepted)) == (2, 3)


@pytest.mark.drill
def test_a_redirect_does_not_take_the_token_along(
    double: Double, tmp_path: Path
) -> None:
    """Whoever answers in the vault's place could send the token wherever he likes."""
    with serving(Double()) as elsewhere:
        double.reply = lambda: answered({}, 307, Location=f"{elsewhere.url}/v1/x")
        vault = opened(tmp_path, double.url)

        with pytest.raises(VaultError, match="name the active node"):
            vault.newest_wrapping_version()

        assert elsewhere.tokens == []


def test_an_engine_that_lost_its_key_says_so(double: Double, tmp_path: Path) -> None:
    """Restored from too old a snapshot: the operator must look there, not at our files."""
    vault = opened(tmp_path, double.url)
    wrapped = [Wrapped("openbao:vault:v1:AAAA", CONTEXT)]
    double.reply = lambda: answered({"errors": []}, 404)
    for ask in (
        vault.newest_wrapping_version,
        lambda: vault.retire_wrapping_versions(2),
    ):
        with pytest.raises(VaultError, match="has no key phitrail-wrapping"):
            ask()
    double.reply = lambda: answered({"errors": ["encryption key not found"]}, 400)
    with pytest.raises(VaultError, match="has no key phitrail-wrapping"):
        vault.unwrap(wrapped)
    double.reply = lambda: answered({"errors": ["signing key not found"]}, 400)
    with pytest.raises(VaultError, match="has no key phitrail-a"):
        vault.sign(Wrapped("openbao:key:phitrail-a", CONTEXT), b"text")


def test_a_step_that_the_engine_declines_is_not_taken_for_done(
    double: Double, tmp_path: Path
) -> None:
    """A key that was reported as retired and stands there is a false statement."""
    vault = opened(tmp_path, double.url)
    replies = iter([answered(KEY), answered({"errors": ["no"]}, 400)])
    double.reply = lambda: next(replies)

    with pytest.raises(VaultError, match=r"POST keys/phitrail-wrapping/config"):
        vault.retire_wrapping_versions(2)


def test_a_label_that_the_engine_does_not_take_is_not_sent(
    double: Double, tmp_path: Path
) -> None:
    """A label with a slash would name another path of the vault."""
    with pytest.raises(VaultError, match="label"):
        opened(tmp_path, double.url).make_signing_key("a/../b", CONTEXT)

    assert double.paths == []


# --- as whom ---


def test_nothing_comes_from_the_environment(
    double: Double, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token of the environment is in every crash report; a proxy there reads ours."""
    home = tmp_path / "home"
    home.mkdir()
    write_secret(home / ".vault-token", "s.home")
    write_secret(home / ".netrc", "machine 127.0.0.1 login x password y")
    for name, value in {
        "HOME": str(home),
        "VAULT_TOKEN": "s.environment",
        "VAULT_ADDR": "http://127.0.0.1:9",
        "VAULT_NAMESPACE": "theirs",
        "VAULT_CACERT": str(tmp_path / "nowhere"),
        "http_proxy": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    assert opened(tmp_path, double.url).newest_wrapping_version() == 3
    assert double.tokens == [TOKEN]


def test_a_new_token_is_taken_from_its_file(double: Double, tmp_path: Path) -> None:
    """An agent renews the token beside us; nobody restarts for that."""
    vault = opened(tmp_path, double.url)
    vault.newest_wrapping_version()
    write_secret(tmp_path / "token", "s.another")
    vault.newest_wrapping_version()

    assert double.tokens == [TOKEN, "s.another"]


def test_a_token_file_that_is_gone_stops_us_and_its_return_lets_us_go_on(
    double: Double, tmp_path: Path
) -> None:
    """Whoever takes the file away means it; the token in memory is not used on."""
    vault = opened(tmp_path, double.url)
    vault.newest_wrapping_version()
    (tmp_path / "token").unlink()
    with pytest.raises(VaultError, match="cannot read the vault's credential"):
        vault.newest_wrapping_version()
    write_secret(tmp_path / "token", TOKEN)

    assert vault.newest_wrapping_version() == 3


def test_a_refused_token_is_tried_again_only_when_its_file_changed(
    double: Double, tmp_path: Path
) -> None:
    """A refusal is an answer; asking on and on would fill the vault's log."""
    vault = opened(tmp_path, double.url)
    double.reply = lambda: answered({"errors": ["permission denied"]}, 403)
    with pytest.raises(VaultError) as caught:
        vault.newest_wrapping_version()

    assert caught.value.is_refusal
    assert double.tokens == [TOKEN]


def test_mount_and_namespace_go_along(double: Double, tmp_path: Path) -> None:
    """Without them another tenant's engine would answer."""
    vault = opened(tmp_path, double.url, namespace="clinic", mount="kv/transit")
    vault.newest_wrapping_version()

    assert double.namespaces == ["clinic"]
    assert double.paths == ["/v1/kv/transit/keys/phitrail-wrapping"]


@pytest.mark.drill
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_credential_that_others_may_read_is_refused(
    tmp_path: Path, mode: int
) -> None:
    """A token that others can read is theirs as well."""
    given = settings(tmp_path, "https://vault.example:8200")
    (tmp_path / "token").chmod(mode)

    with pytest.raises(ConfigError, match="chmod 600"):
        OpenBaoVault(given, tmp_path, lambda: 0)


@pytest.mark.parametrize("text", ["", " ", "two words", "s.tök", "s." + "x" * 5000])
def test_what_is_no_credential_is_refused_unquoted(tmp_path: Path, text: str) -> None:
    """A library would quote the header that it refuses."""
    given = settings(tmp_path, "https://vault.example:8200")
    write_secret(tmp_path / "token", text)

    with pytest.raises(ConfigError, match="holds no credential") as caught:
        OpenBaoVault(given, tmp_path, lambda: 0)

    assert not text.strip() or text not in str(caught.value)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"token_file": "token", "role_id_file": "role", "secret_id_file": "secret"},
        {"token_file": "token", "role_id_file": "role"},
        {"role_id_file": "role"},
        {"secret_id_file": "secret"},
    ],
)
def test_one_credential_is_needed_and_no_more(
    tmp_path: Path, files: dict[str, Any]
) -> None:
    """Two credentials leave open as whom we call."""
    given = OpenBaoSettings(url="https://vault.example:8200", **files)

    with pytest.raises(ConfigError, match="and not both"):
        OpenBaoCalls(given, tmp_path, lambda: 0)


@pytest.mark.parametrize(
    "reply",
    [
        answered({"auth": {"client_token": 7}}),
        answered({"auth": {"client_token": TOKEN, "lease_duration": "1h"}}),
        answered({"auth": []}),
        answered({"auth": {"client_token": TOKEN}}, 202),
    ],
    ids=["no-text", "no-number", "no-login", "not-done"],
)
def test_a_login_that_is_no_login_is_refused(
    double: Double, tmp_path: Path, reply: Reply
) -> None:
    """A login page that answers 200 must not become a token."""
    write_secret(tmp_path / "role", "role")
    write_secret(tmp_path / "secret", "secret")
    double.reply = lambda: reply
    calls = OpenBaoCalls(
        OpenBaoSettings(
            url=double.url, role_id_file=ROLE_FILE, secret_id_file=SECRET_FILE
        ),
        tmp_path,
        lambda: 0,
    )

    with pytest.raises(VaultError, match="the login"):
        calls.call("GET", "keys/phitrail-wrapping")

    assert double.paths == ["/v1/auth/approle/login"]
    assert double.tokens == [None]


def test_a_token_without_an_end_is_used_on(double: Double, tmp_path: Path) -> None:
    """Some roles give tokens that never lapse; logging in each time would be noise."""
    write_secret(tmp_path / ROLE_FILE, "role")
    write_secret(tmp_path / SECRET_FILE, "secret")
    login = {"auth": {"client_token": TOKEN, "lease_duration": 0}}
    replies = iter([answered(login), answered(KEY), answered(KEY)])
    double.reply = lambda: next(replies)
    elapsed = [0]
    calls = OpenBaoCalls(
        OpenBaoSettings(
            url=double.url, role_id_file=ROLE_FILE, secret_id_file=SECRET_FILE
        ),
        tmp_path,
        lambda: elapsed[0],
    )
    for _ in range(2):
        calls.call("GET", "keys/phitrail-wrapping")
        elapsed[0] += 10**12

    assert double.tokens == [None, TOKEN, TOKEN]


# --- over which line ---


@pytest.mark.parametrize(
    "url",
    [
        "vault.example:8200",
        "ftp://vault.example",
        "https://",
        "https://root:canary@vault.example:8200",
        "https://vault.example:8200/v1",
        "https://vault.example:8200?token=canary",
        "https://vault.example:port",
        "https://[::1",
    ],
)
def test_a_url_that_is_none_is_refused_unquoted(tmp_path: Path, url: str) -> None:
    """A URL may hold a password, and an error is shown to everybody."""
    with pytest.raises(ConfigError, match="must be https://HOST:PORT") as caught:
        opened(tmp_path, url)

    assert "canary" not in str(caught.value)


@pytest.mark.drill
def test_plain_http_goes_to_this_host_alone(tmp_path: Path) -> None:
    """A token in clear is everybody's on the way."""
    with pytest.raises(ConfigError, match="must be https, since"):
        opened(tmp_path, "http://vault.example:8200")
    for url in ("http://localhost:8200", "http://127.0.0.7:1", "http://[::1]:8200"):
        opened(tmp_path, url)
    opened(tmp_path, "http://vault.example:8200", plain_http=True)


def test_a_certificate_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Without it no call could be trusted; the operator learns it at start."""
    with pytest.raises(ConfigError, match=r"keys\.vault\.ca_file .*ca\.pem"):
        opened(tmp_path, "https://vault.example:8200", ca_file="ca.pem")


@pytest.mark.drill
def test_a_host_that_nobody_vouches_for_gets_no_token(tmp_path: Path) -> None:
    """Whoever stands between us and the vault would get the token, and then the keys."""
    place, key = _certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(place, key)
    with serving(Double(), tls) as told:
        known = opened(tmp_path, told.url, ca_file=place.name)
        answers = known.newest_wrapping_version()
        with pytest.raises(VaultError, match=r"no certificate that keys\.vault"):
            opened(tmp_path, told.url).newest_wrapping_version()
        known.close()

    assert answers == 3
    assert told.tokens == [TOKEN]


def _certificate(place: Path) -> tuple[Path, Path]:
    """Make a certificate for this host that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vault of a test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (place / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (place / "ca.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return place / "ca.pem", place / "ca.key"
