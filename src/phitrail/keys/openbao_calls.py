"""How OpenBao or HashiCorp Vault is called, and as whom.

1. A credential comes out of a file that its owner alone may read: a token, or the role id and
   secret id of an AppRole. It is read again when the file changes; an AppRole logs in anew
   before its token lapses, and once more when it is refused.
2. Nothing comes from the environment. hvac's `Client` takes VAULT_TOKEN, VAULT_CACERT,
   VAULT_CLIENT_CERT and ~/.vault-token, so its adapter is used without it; the session
   under it reads no proxies, certificates or netrc of the user.
3. The host is checked by TLS. Plain HTTP goes to this host, or where policy.yaml says so.
   A redirect is not followed: it would take the token along.
4. A status says what went wrong. What an answer says in words is never shown or kept: a
   batch that fails in part carries the plaintext of the rest.
5. A connection that broke is made anew, once; what did not answer in time is not.
"""

import ipaddress
import re
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import msgspec
import requests
from hvac.adapters import RawAdapter

from phitrail.errors import ConfigError, VaultError
from phitrail.keys.secret_file import read_secret_file
from phitrail.keys.settings import OpenBaoSettings

REFUSED: Final = 403
_NO_LOGIN: Final = frozenset({400, 401, REFUSED, 404})
_SEALED: Final = 503
_NOT_INITIALIZED: Final = 501
_TOO_MANY: Final = 429
_CREDENTIAL = re.compile(r"[\x21-\x7e]{1,4096}", re.ASCII)
_LOGIN_AGAIN_AFTER_US = 10_000_000
_SECONDS_US = 1_000_000
_OF_LEASE = 0.75


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status, and the object that it holds (empty where there is none)."""

    status: int
    content: Mapping[str, Any] = field(repr=False)

    @property
    def is_good(self) -> bool:
        """Whether it was done."""
        return self.status in {200, 204}

    @property
    def data(self) -> Mapping[str, Any]:
        """Return the part `data`."""
        data = self.content.get("data")
        return data if isinstance(data, Mapping) else {}

    def says(self, words: str) -> bool:
        """Say whether one of its errors holds these words."""
        errors = self.content.get("errors")
        return isinstance(errors, list) and any(words in str(one) for one in errors)


@dataclass(frozen=True, slots=True)
class _Login:
    """What carries a token, and until when it is used."""

    adapter: RawAdapter = field(repr=False)
    seen: tuple[tuple[int, ...], ...]
    since_us: int
    until_us: int | None


class OpenBaoCalls:
    """Calls under one mount; thread-safe."""

    def __init__(
        self, settings: OpenBaoSettings, directory: Path, elapsed_us: Callable[[], int]
    ) -> None:
        """Check the settings; nothing is called yet.

        Args:
            settings: where, and which files.
            directory: where paths begin that are not absolute.
            elapsed_us: a clock that never goes back, microseconds.

        Raises:
            ConfigError: they cannot be, or a file is missing or readable by others.
        """
        _check_url(settings)
        self._settings = settings
        self._elapsed_us = elapsed_us
        self._files = _credential_files(settings, directory)
        self._session = requests.Session()
        self._session.trust_env = False
        if settings.ca_file is not None:
            ca_file = directory / settings.ca_file
            if not ca_file.is_file():
                raise ConfigError(
                    f"keys.vault.ca_file {ca_file} is not there; put the certificate "
                    "of whoever signed the vault's there"
                )
            self._session.verify = str(ca_file)
        weakref.finalize(self, self._session.close)
        self._login: _Login | None = None
        for file in self._files:
            _read_credential(file)

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        is_repeatable: bool = True,
    ) -> Answer:
        """Call a path under the mount; any answer but these errors is given back.

        Args:
            method: GET, POST, DELETE.
            path: under the mount.
            body: what is sent.
            is_repeatable: whether it may be sent twice, when the connection broke.

        Raises:
            VaultError: there was no answer, the vault is sealed, or it refuses.
        """
        full = f"{_in_path(self._settings.mount)}/{path}"
        login = self._login
        if login is None or self._is_over(login):
            login = self._log_in()
        answer = self._send(login.adapter, method, full, body, is_repeatable)
        if answer.status == REFUSED:
            again = self._log_in_again(login)
            if again is not None:
                answer = self._send(again.adapter, method, full, body, is_repeatable)
        if answer.status == REFUSED:
            raise VaultError(
                f"the vault refuses {method} {full}: the token was revoked or its policy "
                "does not admit this; nothing was recorded. See the vault's audit log, "
                "then give the token a policy that does, or put a new one into its file",
                is_refusal=True,
            )
        return answer

    def close(self) -> None:
        """Let go of connections and of the token; the next call begins anew."""
        self._login = None
        self._session.close()

    # --- who calls ---

    def _is_over(self, login: _Login) -> bool:
        """Say whether a token is about to lapse, or its file holds another one."""
        if login.until_us is not None and self._elapsed_us() >= login.until_us:
            return True
        return login.seen != self._stamps()

    def _log_in_again(self, refused: _Login) -> _Login | None:
        """Log in after a refusal, where that may change it; not time and again."""
        is_role = len(self._files) > 1
        now_us = self._elapsed_us()
        if is_role and now_us - refused.since_us >= _LOGIN_AGAIN_AFTER_US:
            return self._log_in()
        return self._log_in() if self._is_over(refused) else None

    def _log_in(self) -> _Login:
        """Take the token out of its file, or get one for the role.

        Several threads may do so at once: nobody waits for another one's answer.
        """
        seen, now_us = self._stamps(), self._elapsed_us()
        texts, failure = [], ""
        try:
            texts = [_read_credential(file) for file in self._files]
        except ConfigError as error:
            failure = str(error)
        if failure:
            raise VaultError(failure)
        if len(texts) == 1:
            login = _Login(self._adapter(texts[0]), seen, now_us, None)
        else:
            token, lease_s = self._token_for(*texts)
            until_us = None
            if lease_s > 0:
                until_us = now_us + int(lease_s * _OF_LEASE * _SECONDS_US)
            login = _Login(self._adapter(token), seen, now_us, until_us)
        self._login = login
        return login

    def _token_for(self, role_id: str, secret_id: str) -> tuple[str, float]:
        body = {"role_id": role_id, "secret_id": secret_id}
        mount = _in_path(self._settings.approle_mount)
        answer = self._send(
            self._adapter(None), "POST", f"auth/{mount}/login", body, True
        )
        if answer.status in _NO_LOGIN:
            raise VaultError(
                "the vault refuses the role id and secret id of keys.vault; put a new "
                "secret id into its file",
                is_refusal=True,
            )
        auth = answer.content.get("auth")
        token, lease_s = None, 0
        if answer.is_good and isinstance(auth, Mapping):
            token, lease_s = auth.get("client_token"), auth.get("lease_duration", 0)
        if not isinstance(token, str) or not isinstance(lease_s, int):
            raise unexpected(answer, "the login")
        return token, lease_s

    def _stamps(self) -> tuple[tuple[int, ...], ...]:
        return tuple(map(_stamp, self._files))

    def _adapter(self, token: str | None) -> RawAdapter:
        return RawAdapter(
            base_uri=self._settings.url,
            token=token,
            timeout=self._settings.timeout_s,
            allow_redirects=False,
            session=self._session,
            namespace=self._settings.namespace,
        )

    # --- what goes over the line ---

    def _send(
        self,
        adapter: RawAdapter,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        is_repeatable: bool,
    ) -> Answer:
        """Send; a library's error goes no further, since it may quote what was sent."""
        failure = "cannot be reached, or broke off"
        for _ in range(2 if is_repeatable else 1):
            try:
                response = adapter.request(
                    method, f"v1/{path}", raise_exception=False, json=body
                )
                return self._judge(response.status_code, response.content)
            except requests.Timeout:
                failure = f"did not answer within {self._settings.timeout_s:g} s"
                break
            except requests.exceptions.SSLError:
                failure = "shows no certificate that keys.vault.ca_file vouches for"
                break
            except (requests.RequestException, OSError):
                continue
        raise VaultError(
            f"the vault at {self._settings.url} {failure}; nothing was kept. It is asked "
            "anew by the next call: see that it runs and can be reached from here"
        )

    def _judge(self, status: int, content: bytes) -> Answer:
        """Tell what a caller can answer from what is wrong with the vault itself."""
        answer = Answer(status, _parse(content))
        url = self._settings.url
        if status in {_SEALED, _NOT_INITIALIZED}:
            raise VaultError(
                f"the vault at {url} is sealed or not set up; unseal it: it is asked anew "
                "by the next call"
            )
        if 300 <= status < 400:  # noqa: PLR2004 - the redirects of HTTP
            raise VaultError(
                f"the vault at {url} sends us to another address, which is not followed; "
                "name the active node in keys.vault.url"
            )
        if status == _TOO_MANY or status >= 500:  # noqa: PLR2004 - its own failures
            raise VaultError(
                f"the vault at {url} failed with status {status}; see its log. It is "
                "asked anew by the next call"
            )
        return answer


def unexpected(answer: Answer, what: str) -> VaultError:
    """Make the error for an answer that does not hold what it must."""
    return VaultError(
        f"the vault answered {what} with status {answer.status} and not as the transit "
        "engine of OpenBao does; see keys.vault.url and keys.vault.mount"
    )


def _parse(content: bytes) -> Mapping[str, Any]:
    with suppress(msgspec.MsgspecError, ValueError):
        parsed = msgspec.json.decode(content or b"{}")
        if isinstance(parsed, dict):
            return parsed
    return {}


def _in_path(text: str) -> str:
    return quote(text.strip("/"), safe="/")


def _check_url(settings: OpenBaoSettings) -> None:
    """Refuse a URL that is none, holds a secret, or would send one in clear."""
    parts = None
    with suppress(ValueError):
        split = urlsplit(settings.url)
        if split.port != 0:  # reading it is what checks it
            parts = split
    if (
        parts is None
        or parts.scheme not in {"http", "https"}
        or not parts.hostname
        or parts.username is not None
        or parts.path not in {"", "/"}
        or parts.query
        or parts.fragment
    ):
        raise ConfigError("keys.vault.url: must be https://HOST:PORT, and nothing else")
    if (
        parts.scheme == "http"
        and not settings.plain_http
        and not _is_this_host(parts.hostname)
    ):
        raise ConfigError(
            "keys.vault.url: must be https, since the token and the keys go over it; "
            "plain_http: true takes that risk"
        )


def _is_this_host(host: str) -> bool:
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def _credential_files(settings: OpenBaoSettings, directory: Path) -> tuple[Path, ...]:
    """Say which files hold the credential: one for a token, two for a role."""
    token, role = settings.token_file, (settings.role_id_file, settings.secret_id_file)
    if token is not None and role == (None, None):
        return (directory / token,)
    if token is None and role[0] is not None and role[1] is not None:
        return directory / role[0], directory / role[1]
    raise ConfigError(
        "keys.vault: needs token_file, or role_id_file and secret_id_file, and not both"
    )


def _read_credential(place: Path) -> str:
    data = read_secret_file(
        place,
        what="the vault's credential",
        if_seen="have it revoked if they may have read it",
        if_missing="put it there, mode 600",
    )
    text = data.decode("ascii", "replace").strip()
    if _CREDENTIAL.fullmatch(text) is None:
        raise ConfigError(
            f"{place} holds no credential of the vault: one line of printable ASCII"
        )
    return text


def _stamp(place: Path) -> tuple[int, ...]:
    try:
        found = place.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns
