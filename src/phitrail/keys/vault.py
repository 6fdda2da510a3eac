"""What a vault does for a trail: it wraps secrets and signs (the seam of `keys.ring`).

Three stand behind it: `local_vault` (a file on this host, the embedded default), `openbao`
(the transit engine of OpenBao or HashiCorp Vault) and `aws_kms`. Wiring chooses.

1. A secret is wrapped under the vault's own key and bound to its context: what was wrapped
   for one key does not unwrap for another.
2. A signing key is made inside the vault and never leaves it; what we hold is a reference.
   Its public half is read once, at its making, so that a verifier never asks the vault.
3. A vault that does not answer, or refuses, is a `VaultError`: nothing is kept, and the next
   call asks anew.
4. Bytes come in many at once: a vault over a network answers some 300 calls a second.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ToWrap:
    """A secret on its way into the vault, and what it is bound to."""

    secret: bytes = field(repr=False)
    context: bytes


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A secret as the vault wrapped it (ASCII text), and what it is bound to."""

    text: str
    context: bytes


@dataclass(frozen=True, slots=True)
class MadeSigningKey:
    """A signing key that was made: how the vault knows it, and its public half.

    `public_key` is 32 bytes, Ed25519 (RFC 8032).
    """

    reference: str
    public_key: bytes


class Vault(Protocol):
    """What wraps, unwraps and signs for a trail."""

    @property
    def kind(self) -> str:
        """Name the kind: `local`, `openbao`, `aws-kms`."""

    @property
    def unwrap_cache_s(self) -> float | None:
        """Say for how many seconds an unwrapped secret may be used; None: for good."""

    def wrap(self, secrets: Sequence[ToWrap]) -> list[str]:
        """Wrap secrets under the newest version of the vault's key.

        Raises:
            VaultError: the vault does not answer, or refuses.
        """

    def unwrap(self, wrapped: Sequence[Wrapped]) -> list[bytes]:
        """Unwrap secrets.

        Raises:
            VaultError: the vault does not answer, or refuses.
            IntegrityError: one was altered, or was wrapped for another context.
        """

    def rewrap(self, wrapped: Sequence[Wrapped]) -> list[str]:
        """Wrap secrets anew under the newest version of the vault's key.

        Raises:
            VaultError: the vault does not answer, or refuses.
            IntegrityError: one was altered, or was wrapped for another context.
        """

    def wrapping_version(self, text: str) -> int:
        """Say under which version of the vault's key a secret is wrapped.

        Raises:
            IntegrityError: the text is not this vault's.
        """

    def newest_wrapping_version(self) -> int:
        """Say which version of its key the vault wraps under.

        Raises:
            VaultError: the vault does not answer, or refuses.
        """

    def rotate_wrapping_key(self, created_at: str) -> int:
        """Make a new version of the vault's key; return it. Older ones still unwrap.

        Raises:
            VaultError: the vault does not answer, or refuses.
        """

    def retire_wrapping_versions(self, before: int) -> None:
        """Make the versions before one unusable for good.

        Raises:
            VaultError: the vault does not answer, or refuses, or cannot do that.
        """

    def make_signing_key(self, label: str, context: bytes) -> MadeSigningKey:
        """Make a signing key under a label that no other key has.

        Raises:
            VaultError: the vault does not answer, or refuses.
        """

    def sign(self, key: Wrapped, data: bytes) -> bytes:
        """Sign with the key of a reference; return 64 bytes, Ed25519.

        Raises:
            VaultError: the vault does not answer, or refuses.
            IntegrityError: the reference is not this vault's.
        """

    def destroy_signing_key(self, key: Wrapped) -> None:
        """Destroy a signing key; again, it changes nothing.

        Raises:
            VaultError: the vault does not answer, or refuses.
        """

    def close(self) -> None:
        """Let go of connections and of what is kept in memory."""
