"""AWS KMS behind the seam of `keys.vault`: wrapping, signing keys, and what it cannot do.

1. `wrap` is Encrypt under the KMS key of policy.yaml, with the encryption context
   {"phitrail": base64url of the context}: authenticated, and in clear in CloudTrail, so
   that the log of AWS says which of our keys was asked for. `unwrap` is Decrypt with that
   key named: a blob made under another one is refused, not decrypted.
2. `rewrap` is ReEncrypt: the secret does not leave AWS. An endpoint without that call gets
   Decrypt, then Encrypt.
3. Wrapped form: `aws-kms:v<version>:<base64url of the blob>`. A blob does not tell which
   material encrypted it, so the version is ours: one more than the rotations that AWS lists
   (ListKeyRotations), read before the secret is wrapped. AWS lists late and never early: a
   version may be one too low, which costs another rewrap, and is never too high.
4. `rotate_wrapping_key` is RotateKeyOnDemand, which AWS admits 25 times for one key, and
   waits for the end of it. Rotations by schedule are not limited and count as well.
5. A signing key is a KMS key of its own (ECC_NIST_EDWARDS25519) under the alias
   `alias/<signing_alias>-<label>`; our reference is its id, `aws-kms:key:<id>`. Signatures
   are Ed25519 of the message itself (ED25519_SHA_512, RAW), of 4,096 bytes at most. The one
   for longer messages is another scheme (Ed25519ph), which no verifier of ours admits.
6. What cannot be done here: AWS keeps the material of every rotation for as long as the key
   stands, so no version is retired. And a key goes seven days after it was destroyed at the
   earliest; until then it is disabled, and an administrator of the account can bring it back.

Source: AWS KMS API reference and developer guide, "Rotate AWS KMS keys".
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from phitrail.errors import IntegrityError, VaultError
from phitrail.keys.aws_calls import AwsCalls, Failure
from phitrail.keys.settings import AwsKmsSettings
from phitrail.keys.spelling import base64url, parse_base64url
from phitrail.keys.vault import MadeSigningKey, ToWrap, Wrapped

KIND = "aws-kms"
CONTEXT = "phitrail"
"""The name under which an encryption context carries what a secret is bound to."""
MOST_SIGNED_BYTES = 4_096
DELETION_DAYS = 7
_TEXT = re.compile(r"aws-kms:v([1-9][0-9]{0,4}):([A-Za-z0-9_-]+)", re.ASCII)
_REFERENCE = re.compile(r"aws-kms:key:([A-Za-z0-9-]{1,128})", re.ASCII)
_SIGNATURE_BYTES = 64
_ROTATION_LOOKS = 20
_BETWEEN_LOOKS_S = 0.5
_GONE = frozenset({"NotFoundException", "KMSInvalidStateException"})
"""What a key says that is gone, or awaits its end."""


class AwsKmsVault:
    """One KMS key that wraps, and one for each of our signing keys; thread-safe."""

    kind = KIND

    def __init__(
        self,
        settings: AwsKmsSettings,
        directory: Path,
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take the settings; nothing is asked before the first call.

        Args:
            settings: which key of which region, and who we are there.
            directory: where paths that are not absolute begin.
            pause: waits so many seconds, while AWS rotates.

        Raises:
            ConfigError: credentials stand in the environment, or the URL is plain HTTP.
        """
        self.unwrap_cache_s: float | None = settings.unwrap_cache_s
        self._calls = AwsCalls(settings, directory)
        self._settings = settings
        self._pause = pause
        self._arn: str | None = None

    def wrap(self, secrets: Sequence[ToWrap]) -> list[str]:
        """Wrap secrets under the material in use.

        Raises:
            VaultError: AWS does not answer, or refuses.
        """
        version = self.newest_wrapping_version()
        return [
            _text(
                version,
                self._calls.call(
                    "encrypt",
                    KeyId=self._key(),
                    Plaintext=one.secret,
                    EncryptionContext=_bound(one.context),
                ),
            )
            for one in secrets
        ]

    def unwrap(self, wrapped: Sequence[Wrapped]) -> list[bytes]:
        """Unwrap secrets, one call for each.

        Raises:
            VaultError: AWS does not answer, or refuses.
            IntegrityError: one was altered, or was wrapped for another context.
        """
        return [self._decrypt(one) for one in wrapped]

    def rewrap(self, wrapped: Sequence[Wrapped]) -> list[str]:
        """Wrap secrets anew under the material in use.

        Raises:
            VaultError: AWS does not answer, or refuses.
            IntegrityError: one was altered, or was wrapped for another context.
        """
        version = self.newest_wrapping_version()
        return [self._reencrypt(version, one) for one in wrapped]

    def wrapping_version(self, text: str) -> int:
        """Say after how many rotations a secret was wrapped, counted from 1.

        Raises:
            IntegrityError: the text is not this vault's.
        """
        return _parse(text)[0]

    def newest_wrapping_version(self) -> int:
        """Count the rotations of the KMS key; an endpoint without them is at 1.

        Raises:
            VaultError: AWS does not answer, or refuses.
        """
        count = 0
        marker: dict[str, str] = {}
        while True:
            answer = self._calls.attempt(
                "list_key_rotations", KeyId=self._key(), **marker
            )
            if isinstance(answer, Failure):
                if answer.is_unknown_call:
                    return 1
                raise answer.error()
            count += len(answer.get("Rotations", ()))
            if not answer.get("Truncated"):
                return count + 1
            marker = {"Marker": answer["NextMarker"]}

    def rotate_wrapping_key(self, created_at: str) -> int:
        """Have AWS make new material; return the new version. Older ones still unwrap.

        A rotation that is on its way already is waited for; none is begun beside it.

        Raises:
            VaultError: AWS does not answer, or refuses, or takes longer than we wait.
        """
        del created_at
        before = self.newest_wrapping_version()
        status = self._calls.call("get_key_rotation_status", KeyId=self._key())
        if "OnDemandRotationStartDate" not in status:
            self._calls.call("rotate_key_on_demand", KeyId=self._key())
        for look in range(_ROTATION_LOOKS):
            newest = self.newest_wrapping_version()
            if newest > before:
                return newest
            if look < _ROTATION_LOOKS - 1:
                self._pause(_BETWEEN_LOOKS_S)
        raise VaultError(
            "AWS KMS has begun to rotate the wrapping key and is not done; the old "
            "material wraps on until it is; run the same command again in a minute"
        )

    def retire_wrapping_versions(self, before: int) -> None:
        """Refuse: AWS keeps what a key ever encrypted under.

        Raises:
            VaultError: always, with what to do instead.
        """
        raise VaultError(
            f"AWS KMS keeps every version of a key, so those before {before} were not "
            "retired; recover the keys of the trail under a new KMS key, then schedule "
            "the deletion of the old one (docs/vaults.md, section AWS KMS)",
            is_refusal=True,
        )

    def make_signing_key(self, label: str, context: bytes) -> MadeSigningKey:
        """Make an Ed25519 key inside AWS, and an alias that names it.

        Raises:
            VaultError: AWS does not answer, or refuses; a key without its alias goes again.
        """
        del context
        metadata = self._calls.call(
            "create_key",
            KeySpec="ECC_NIST_EDWARDS25519",
            KeyUsage="SIGN_VERIFY",
            Description=f"phitrail {self._settings.signing_alias} {label}",
        )["KeyMetadata"]
        key_id = str(metadata["KeyId"])
        named = self._calls.attempt(
            "create_alias",
            AliasName=f"{self._alias_prefix()}{label}",
            TargetKeyId=key_id,
        )
        if isinstance(named, Failure):
            self._calls.attempt(
                "schedule_key_deletion", KeyId=key_id, PendingWindowInDays=DELETION_DAYS
            )
            raise named.error()
        answer = self._calls.call("get_public_key", KeyId=key_id)
        return MadeSigningKey(f"{KIND}:key:{key_id}", _public_key(answer))

    def sign(self, key: Wrapped, data: bytes) -> bytes:
        """Sign with the key of a reference.

        Raises:
            VaultError: AWS does not answer, or refuses; or there is too much to sign.
            IntegrityError: the reference is not this vault's.
        """
        key_id = _key_id(key.text)
        if len(data) > MOST_SIGNED_BYTES:
            raise VaultError(
                f"AWS KMS signs {MOST_SIGNED_BYTES} bytes at most, and this is "
                f"{len(data)}; sign a digest of it",
                is_refusal=True,
            )
        answer = self._calls.call(
            "sign",
            KeyId=key_id,
            Message=data,
            MessageType="RAW",
            SigningAlgorithm="ED25519_SHA_512",
        )
        signature: bytes = answer["Signature"]
        if len(signature) != _SIGNATURE_BYTES:
            raise VaultError("AWS KMS gave no signature of 64 bytes; see `region`")
        return signature

    def destroy_signing_key(self, key: Wrapped) -> None:
        """Disable a signing key at once, and have AWS delete it after seven days.

        Raises:
            VaultError: AWS does not answer, or refuses.
            IntegrityError: the reference is not this vault's.
        """
        key_id = _key_id(key.text)
        self._unless_gone("disable_key", KeyId=key_id)
        self._unless_gone(
            "schedule_key_deletion", KeyId=key_id, PendingWindowInDays=DELETION_DAYS
        )
        aliases = self._unless_gone("list_aliases", KeyId=key_id).get("Aliases", ())
        for one in aliases:
            if one["AliasName"].startswith(self._alias_prefix()):
                self._unless_gone("delete_alias", AliasName=one["AliasName"])

    def close(self) -> None:
        """Let go of connections and credentials."""
        self._calls.close()

    # --- calls ---

    def _key(self) -> str:
        """Return the ARN of the wrapping key; rotations admit no alias."""
        if self._arn is None:
            answer = self._calls.call("describe_key", KeyId=self._settings.key)
            self._arn = str(answer["KeyMetadata"]["Arn"])
        return self._arn

    def _decrypt(self, wrapped: Wrapped) -> bytes:
        plain: bytes = self._calls.call(
            "decrypt",
            KeyId=self._key(),
            CiphertextBlob=_parse(wrapped.text)[1],
            EncryptionContext=_bound(wrapped.context),
        )["Plaintext"]
        return plain

    def _reencrypt(self, version: int, wrapped: Wrapped) -> str:
        answer = self._calls.attempt(
            "re_encrypt",
            CiphertextBlob=_parse(wrapped.text)[1],
            SourceKeyId=self._key(),
            SourceEncryptionContext=_bound(wrapped.context),
            DestinationKeyId=self._key(),
            DestinationEncryptionContext=_bound(wrapped.context),
        )
        if not isinstance(answer, Failure):
            return _text(version, answer)
        if not answer.is_unknown_call:
            raise answer.error()
        (text,) = self.wrap([ToWrap(self._decrypt(wrapped), wrapped.context)])
        return text

    def _unless_gone(self, call: str, **parameters: object) -> Mapping[str, Any]:
        answer = self._calls.attempt(call, **parameters)
        if not isinstance(answer, Failure):
            return answer
        if answer.code not in _GONE:
            raise answer.error()
        return {}

    def _alias_prefix(self) -> str:
        return f"alias/{self._settings.signing_alias}-"


def _bound(context: bytes) -> dict[str, str]:
    return {CONTEXT: base64url(context)}


def _text(version: int, answer: Mapping[str, Any]) -> str:
    return f"{KIND}:v{version}:{base64url(answer['CiphertextBlob'])}"


def _parse(text: str) -> tuple[int, bytes]:
    match = _TEXT.fullmatch(text)
    if match is not None:
        with suppress(ValueError):
            return int(match[1]), parse_base64url(match[2])
    raise IntegrityError(
        "a wrapped key is not that of AWS KMS; see `keys.vault` in policy.yaml"
    )


def _key_id(reference: str) -> str:
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise IntegrityError(
            "a signing key is not held by AWS KMS; see `keys.vault` in policy.yaml"
        )
    return match[1]


def _public_key(answer: Mapping[str, Any]) -> bytes:
    with suppress(ValueError, UnsupportedAlgorithm):
        key = load_der_public_key(answer["PublicKey"])
        if isinstance(key, Ed25519PublicKey):
            return key.public_bytes_raw()
    raise VaultError("AWS KMS gave no Ed25519 key; see that its region has them")
