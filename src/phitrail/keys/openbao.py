"""OpenBao, or HashiCorp Vault, as the vault of a trail: its transit engine.

1. Secrets are wrapped under `<key>-wrapping`, AES-256-GCM under a key that the engine
   derives from the context: what was wrapped for one key does not unwrap for another. (Not
   under associated data: OpenBao 2.7 does not pass them on in a rewrap.)
2. Each signing key is a key of the engine, Ed25519, `<key>-<label>`; it is never exported,
   and one version of it signs.
3. Secrets come in batches: OpenBao refuses a request that holds more than 1,000 strings, and
   an item is four.
4. Who may do what stands in the vault's policy (docs/vaults.md). Its audit log tells who
   did: what is called here, and how, is `keys.openbao_calls`.

Wrapped form: `openbao:vault:v<version>:<base64>`. Reference of a signing key:
`openbao:key:<name in the engine>`.

Source: https://openbao.org/api-docs/secret/transit/, tried against OpenBao 2.7.2.
"""

import base64
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from phitrail.errors import ConfigError, IntegrityError, VaultError
from phitrail.keys.openbao_calls import Answer, OpenBaoCalls, unexpected
from phitrail.keys.settings import OpenBaoSettings
from phitrail.keys.vault import MadeSigningKey, ToWrap, Wrapped

KIND = "openbao"
BATCH = 200
_FIRST = 1
_PUBLIC_BYTES = 32
_SIGNATURE_BYTES = 64
_TEXT = re.compile(
    rf"{KIND}:(vault:v([1-9][0-9]{{0,4}}):[A-Za-z0-9+/]{{1,4096}}={{0,2}})", re.ASCII
)
_REFERENCE = re.compile(rf"{KIND}:key:([a-z0-9][a-z0-9._-]{{0,191}})", re.ASCII)
_SIGNATURE = re.compile(r"vault:v1:([A-Za-z0-9+/]+={0,2})", re.ASCII)
_TOO_OLD = "too old"
_NOT_FOUND = "not found"


class OpenBaoVault:
    """The transit engine at work; thread-safe."""

    kind = KIND

    def __init__(
        self, settings: OpenBaoSettings, directory: Path, elapsed_us: Callable[[], int]
    ) -> None:
        """Check the settings; the vault is called when it is needed.

        Args:
            settings: the section `keys.vault` of policy.yaml.
            directory: where paths begin that are not absolute.
            elapsed_us: a clock that never goes back, microseconds.

        Raises:
            ConfigError: they cannot be, or a file is missing or readable by others.
        """
        self.unwrap_cache_s: float | None = settings.unwrap_cache_s
        self._calls = OpenBaoCalls(settings, directory, elapsed_us)
        self._prefix = f"{settings.key}-"
        self._wrapping = f"{self._prefix}wrapping"

    def make_wrapping_key(self) -> None:
        """Make the key that wraps, where the engine has none; check the one it has.

        Raises:
            ConfigError: it is of another kind, or may be exported.
            VaultError: the vault does not answer, or refuses.
        """
        found = self._read_key(self._wrapping)
        if found is None:
            body = {"type": "aes256-gcm96", "derived": True, "exportable": False}
            self._done("POST", f"keys/{self._wrapping}", body)
            found = self._read_key(self._wrapping) or {}
        wanted = {
            "type": "aes256-gcm96",
            "derived": True,
            "exportable": False,
            "allow_plaintext_backup": False,
        }
        if any(found.get(name) != value for name, value in wanted.items()):
            raise ConfigError(
                f"the vault's key {self._wrapping} must be aes256-gcm96, derived, and "
                "neither exportable nor open to plaintext backup; make it so, or give "
                "this trail another keys.vault.key"
            )

    def wrap(self, secrets: Sequence[ToWrap]) -> list[str]:
        """Wrap secrets under the newest version.

        Raises:
            VaultError: the vault does not answer, or refuses.
        """
        items = [_item("plaintext", _print(one.secret), one.context) for one in secrets]
        return [self._wrapped_text(one) for one in self._batches("encrypt", items)]

    def unwrap(self, wrapped: Sequence[Wrapped]) -> list[bytes]:
        """Unwrap secrets.

        Raises:
            VaultError: the vault does not answer, or refuses.
            IntegrityError: one was altered, is another vault's, or of another context.
        """
        items = [
            _item("ciphertext", _parse(one.text)[0], one.context) for one in wrapped
        ]
        found = []
        for one in self._batches("decrypt", items):
            secret = _bytes_of(one.get("plaintext"))
            if not secret:
                raise _no_engine("decrypt")
            found.append(secret)
        return found

    def rewrap(self, wrapped: Sequence[Wrapped]) -> list[str]:
        """Wrap secrets anew under the newest version; they do not leave the vault.

        Raises:
            VaultError: the vault does not answer, or refuses.
            IntegrityError: one was altered, is another vault's, or of another context.
        """
        items = [
            _item("ciphertext", _parse(one.text)[0], one.context) for one in wrapped
        ]
        return [self._wrapped_text(one) for one in self._batches("rewrap", items)]

    def wrapping_version(self, text: str) -> int:
        """Say under which version a secret is wrapped.

        Raises:
            IntegrityError: the text is not this vault's.
        """
        return _parse(text)[1]

    def newest_wrapping_version(self) -> int:
        """Say which version wraps.

        Raises:
            VaultError: the vault does not answer, or refuses.
        """
        found = self._read_key(self._wrapping)
        if found is None:
            raise self._no_key(self._wrapping)
        return _version(found)

    def rotate_wrapping_key(self, created_at: str) -> int:
        """Make a new version of the key that wraps; the vault keeps its own time of it.

        Raises:
            VaultError: the vault does not answer, or refuses; where it did not answer,
                a version may have been made.
        """
        del created_at
        self._done("POST", f"keys/{self._wrapping}/rotate", is_repeatable=False)
        return self.newest_wrapping_version()

    def retire_wrapping_versions(self, before: int) -> None:
        """Let the engine remove the versions before one; nothing brings them back.

        Raises:
            VaultError: the vault does not answer, or refuses.
        """
        found = self._read_key(self._wrapping)
        if found is None:
            raise self._no_key(self._wrapping)
        available = found.get("min_available_version")
        if isinstance(available, int) and available >= before:
            return
        oldest = {"min_decryption_version": before, "min_encryption_version": before}
        self._done("POST", f"keys/{self._wrapping}/config", oldest)
        self._done(
            "POST", f"keys/{self._wrapping}/trim", {"min_available_version": before}
        )

    def make_signing_key(self, label: str, context: bytes) -> MadeSigningKey:
        """Make a key of the engine that signs, and read its public half.

        Raises:
            VaultError: the vault does not answer, or refuses.
        """
        del context  # the name in the engine holds what it is for
        name = f"{self._prefix}{label}"
        if _REFERENCE.fullmatch(f"{KIND}:key:{name}") is None:
            raise VaultError("a signing key has a label that the engine does not take")
        self._done("POST", f"keys/{name}", {"type": "ed25519", "exportable": False})
        found = self._read_key(name) or {}
        versions = found.get("keys")
        public = None
        if isinstance(versions, Mapping) and set(versions) == {str(_FIRST)}:
            public = _bytes_of(dict(versions[str(_FIRST)]).get("public_key"))
        is_right = found.get("type") == "ed25519" and found.get("exportable") is False
        if not is_right or public is None or len(public) != _PUBLIC_BYTES:
            raise _no_engine("a new signing key")
        return MadeSigningKey(f"{KIND}:key:{name}", public)

    def sign(self, key: Wrapped, data: bytes) -> bytes:
        """Sign with a key of the engine.

        Raises:
            VaultError: the vault does not answer, or refuses, or the key is gone.
            IntegrityError: the reference is not this vault's.
        """
        name = self._name_of(key)
        body = {"input": _print(data), "key_version": _FIRST}
        answer = self._calls.call("POST", f"sign/{name}", body)
        if answer.says(_NOT_FOUND):
            raise self._no_key(name)
        match = _SIGNATURE.fullmatch(str(answer.data.get("signature")))
        signature = _bytes_of(match[1]) if answer.is_good and match else None
        if signature is None or len(signature) != _SIGNATURE_BYTES:
            raise unexpected(answer, "sign")
        return signature

    def destroy_signing_key(self, key: Wrapped) -> None:
        """Delete a key of the engine, all of its versions; again, it changes nothing.

        Raises:
            VaultError: the vault does not answer, or refuses.
            IntegrityError: the reference is not this vault's.
        """
        name = self._name_of(key)
        if self._read_key(name) is None:
            return
        self._done("POST", f"keys/{name}/config", {"deletion_allowed": True})
        self._done("DELETE", f"keys/{name}")

    def close(self) -> None:
        """Let go of connections and of the token; the next call begins anew."""
        self._calls.close()

    # --- calls ---

    def _done(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        is_repeatable: bool = True,
    ) -> None:
        answer = self._calls.call(method, path, body, is_repeatable=is_repeatable)
        if not answer.is_good:
            raise unexpected(answer, f"{method} {path}")

    def _read_key(self, name: str) -> Mapping[str, Any] | None:
        answer = self._calls.call("GET", f"keys/{name}")
        if answer.status == 404 and answer.content.get("errors") == []:  # noqa: PLR2004 - HTTP: it has none
            return None
        if not answer.is_good or not answer.data:
            raise unexpected(answer, "the reading of a key")
        return answer.data

    def _batches(
        self, verb: str, items: Sequence[Mapping[str, str]]
    ) -> Iterator[Mapping[str, Any]]:
        for start in range(0, len(items), BATCH):
            batch = items[start : start + BATCH]
            answer = self._calls.call(
                "POST", f"{verb}/{self._wrapping}", {"batch_input": batch}
            )
            if answer.says(_NOT_FOUND):
                raise self._no_key(self._wrapping)
            yield from _results(verb, answer, len(batch))

    def _wrapped_text(self, one: Mapping[str, Any]) -> str:
        text = f"{KIND}:{one.get('ciphertext')}"
        if _TEXT.fullmatch(text) is None:
            raise _no_engine("a wrapping")
        return text

    def _name_of(self, key: Wrapped) -> str:
        match = _REFERENCE.fullmatch(key.text)
        if (
            match is None
            or not match[1].startswith(self._prefix)
            or match[1] == self._wrapping
        ):
            raise IntegrityError(
                "a signing key's reference is not one of this trail's in the vault; "
                "restore its file from the key backup, or see `keys` in policy.yaml"
            )
        return match[1]

    @staticmethod
    def _no_key(name: str) -> VaultError:
        return VaultError(
            f"the vault has no key {name}; see keys.vault.mount and keys.vault.key, or "
            "restore the vault from its snapshot",
            is_refusal=True,
        )


def _results(verb: str, answer: Answer, count: int) -> Iterator[Mapping[str, Any]]:
    """Give each result of a batch; one that failed fails it all."""
    results = answer.data.get("batch_results")
    if not isinstance(results, list) or len(results) != count:
        raise unexpected(answer, verb)
    for one in results:
        error = one.get("error") if isinstance(one, Mapping) else "none"
        if error and verb == "encrypt":
            raise unexpected(answer, verb)
        if error and _TOO_OLD in str(error):
            raise IntegrityError(
                "a key is wrapped under a version of the vault's key that was retired; "
                "bring it back with `phitrail key recover`"
            )
        if error or not answer.is_good:
            raise IntegrityError(
                "a wrapped key does not unwrap: its file was altered or is another "
                "key's; restore it from the key backup"
            )
        yield one


def _item(what: str, text: str, context: bytes) -> dict[str, str]:
    return {what: text, "context": _print(context)}


def _parse(text: str) -> tuple[str, int]:
    match = _TEXT.fullmatch(text)
    if match is None:
        raise IntegrityError(
            "a wrapped key is not the vault's of this trail; see `keys` in policy.yaml"
        )
    return match[1], int(match[2])


def _version(found: Mapping[str, Any]) -> int:
    version = found.get("latest_version")
    if not isinstance(version, int) or version < _FIRST:
        raise _no_engine("the reading of a key")
    return version


def _no_engine(what: str) -> VaultError:
    return VaultError(
        f"the vault answered {what} not as the transit engine of OpenBao does; see "
        "keys.vault.url and keys.vault.mount"
    )


def _print(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes_of(text: object) -> bytes | None:
    if isinstance(text, str):
        with suppress(ValueError):
            return base64.b64decode(text, validate=True)
    return None
