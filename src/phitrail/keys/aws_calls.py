"""Calls to AWS KMS: credentials, deadlines, and what a refusal of AWS means to us.

1. Credentials come from the file that policy.yaml names (read anew when it changes) or
   from the role of the machine. Those of the environment are refused: whatever runs beside
   us, and every crash report, would hold them.
2. A call has a deadline, and is tried three times where AWS asks for patience.
3. Plain HTTP goes to this host alone: `Encrypt` carries a secret.
4. An error names the call and the code of AWS. The library's own errors and its debugging
   lines hold requests and responses, so neither goes on.
5. Who is refused (`VaultError.is_refusal`) is told apart from who is not answered. What AWS
   cannot decrypt is an `IntegrityError`.

Source: AWS KMS API reference (errors of each call), botocore's model of it.
"""

import ipaddress
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.credentials import CredentialResolver, SharedCredentialProvider
from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound

from phitrail.errors import ConfigError, IntegrityError, PhitrailError, VaultError
from phitrail.keys.secret_file import read_secret_file
from phitrail.keys.settings import AwsKmsSettings

TRIES = 3
IN_ENVIRONMENT = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_ROLES = ("assume-role-with-web-identity", "container-role", "iam-role")
"""What botocore calls the ways to the role of a pod, a container, a machine."""

_UNDECIPHERED = "InvalidCiphertextException"
_HINTS: Mapping[str, str] = {
    "AccessDeniedException": "its policy does not admit this host; see docs/vaults.md",
    "AlreadyExistsException": "a key of that name is there; run it again",
    "DisabledException": "the key is disabled; enable it in AWS",
    "ExpiredTokenException": "the credentials are over; put new ones in place",
    "IncorrectKeyException": "it was wrapped under another key than `keys.vault.key`; "
    "name that one",
    "InvalidClientTokenId": "the credentials are not known; put right ones in place",
    "InvalidKeyUsageException": "the key is of another kind; see docs/vaults.md",
    "InvalidSignatureException": "the credentials are wrong; put right ones in place",
    "KMSInvalidStateException": "the key awaits its deletion or its material; see AWS",
    "LimitExceededException": "AWS admits no more of it; a key is rotated on demand 25 "
    "times at most, and by schedule for ever",
    "NotFoundException": "there is no such key in this account and region",
    "UnrecognizedClientException": "the credentials are not known; put right ones in "
    "place",
}
"""Codes that are a refusal: asking again does not help."""
_UNKNOWN_CALL = frozenset({"UnknownOperationException", "InvalidAction"})


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that failed: which one, and the code of AWS or the library's word."""

    call: str
    code: str

    @property
    def is_unknown_call(self) -> bool:
        """Whether the endpoint does not have that call at all."""
        return self.code in _UNKNOWN_CALL

    def error(self) -> PhitrailError:
        """Give the error that this is."""
        if self.code == _UNDECIPHERED:
            return IntegrityError(
                "a wrapped key does not unwrap: it was altered or is another key's; "
                "restore its file from the key backup"
            )
        said = f"AWS KMS: {self.call} gave {self.code}"
        hint = _HINTS.get(self.code)
        if hint is not None:
            return VaultError(f"{said}: {hint}", is_refusal=True)
        return VaultError(f"{said}: nothing was kept; see that it answers, then go on")


Answer: TypeAlias = dict[str, Any]


class AwsCalls:
    """Calls to the KMS of one region; thread-safe, nothing is asked before the first."""

    def __init__(
        self,
        settings: AwsKmsSettings,
        directory: Path,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """Check what can be checked without a call.

        Args:
            settings: which region, and who we are there.
            directory: where paths that are not absolute begin.
            environment: what must hold no credentials.

        Raises:
            ConfigError: credentials stand in the environment, or the URL is plain HTTP.
        """
        for name in IN_ENVIRONMENT:
            if name in environment:
                raise ConfigError(
                    f"{name} stands in the environment, where every process of this host "
                    "may read it; take it away and name a `credentials_file` under "
                    "`keys.vault` in policy.yaml, or use the machine's role"
                )
        _check_url(settings.endpoint_url)
        self._settings = settings
        self._file: Path | None = None
        if settings.credentials_file is not None:
            self._file = directory / settings.credentials_file
        self._lock = Lock()
        self._client: Any = None
        self._seen: tuple[int, ...] = ()

    def call(self, name: str, **parameters: object) -> Answer:
        """Make a call.

        Raises:
            VaultError: AWS does not answer, or refuses.
            IntegrityError: AWS cannot decrypt what it was given.
            ConfigError: there are no credentials.
        """
        answer = self.attempt(name, **parameters)
        if isinstance(answer, Failure):
            raise answer.error()
        return answer

    def attempt(self, name: str, **parameters: object) -> Answer | Failure:
        """Make a call that may fail; the caller says what that means.

        Raises:
            ConfigError: there are no credentials.
        """
        client = self._current_client()
        try:
            answer: Answer = getattr(client, name)(**parameters)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "no code"))
        except BotoCoreError as error:
            code = type(error).__name__
        else:
            return answer
        return Failure(name, code)

    def close(self) -> None:
        """Let go of connections and credentials."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _current_client(self) -> Any:  # noqa: ANN401 - the library makes its class itself
        """Return the client; a new one where the credentials were replaced."""
        with self._lock:
            seen = _stamp(self._file)
            if self._client is None or seen != self._seen:
                self._client, self._seen = self._make_client(), seen
            return self._client

    def _make_client(self) -> Any:  # noqa: ANN401 - the library makes its class itself
        # At DEBUG the library logs the bodies of requests and responses: secrets.
        logging.getLogger("botocore").setLevel(logging.INFO)
        settings, failed = self._settings, ""
        try:
            session = botocore.session.Session()
            for name in ("config_file", "credentials_file"):
                session.set_config_variable(name, os.devnull)
            return session.create_client(
                "kms",
                region_name=settings.region,
                endpoint_url=settings.endpoint_url,
                config=Config(
                    connect_timeout=settings.timeout_s,
                    read_timeout=settings.timeout_s,
                    retries={"mode": "standard", "total_max_attempts": TRIES},
                    ignore_configured_endpoint_urls=True,
                ),
                **self._credentials(session),
            )
        except (BotoCoreError, ValueError) as error:
            failed = type(error).__name__
        raise ConfigError(
            f"AWS KMS cannot be set up ({failed}); see `keys.vault` in policy.yaml: region, "
            "endpoint_url and credentials"
        )

    def _credentials(self, session: botocore.session.Session) -> dict[str, str | None]:
        if self._file is None:
            known: CredentialResolver = session.get_component("credential_provider")
            kept = [one for one in known.providers if one.METHOD in _ROLES]
            session.register_component("credential_provider", CredentialResolver(kept))
            return {}
        read_secret_file(
            self._file,
            what="AWS credentials",
            if_seen="replace the credentials if they may have read them",
            if_missing="see `keys.vault.credentials_file` in policy.yaml",
        )
        provider = SharedCredentialProvider(
            str(self._file), self._settings.credentials_profile
        )
        found = None
        with suppress(ProfileNotFound):
            found = provider.load()
        if found is None:
            raise ConfigError(
                f"{self._file} holds no access key under the profile "
                f"{self._settings.credentials_profile}; see `keys.vault` in policy.yaml"
            )
        return {
            "aws_access_key_id": found.access_key,
            "aws_secret_access_key": found.secret_key,
            "aws_session_token": found.token,
        }


def _check_url(url: str | None) -> None:
    """Refuse plain HTTP, unless it stays on this host."""
    if url is None:
        return
    parts = urlsplit(url)
    host = parts.hostname or ""
    is_here = host == "localhost"
    with suppress(ValueError):
        is_here = is_here or ipaddress.ip_address(host).is_loopback
    if not host or not (
        parts.scheme == "https" or (parts.scheme == "http" and is_here)
    ):
        raise ConfigError(
            "keys.vault.endpoint_url: must begin with https:// (plain HTTP goes to this "
            "host alone); correct policy.yaml"
        )


def _stamp(file: Path | None) -> tuple[int, ...]:
    if file is None:
        return ()
    with suppress(OSError):
        found = file.stat()
        return found.st_ino, found.st_size, found.st_mtime_ns
    return ()
