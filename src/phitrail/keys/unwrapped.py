"""Secrets that the vault gave back, kept for the time that it admits.

1. Many are asked for at once, by one thread; who comes meanwhile takes what that thread
   got, or its failure: a vault that does not answer is waited for once, not by one thread
   after the other. What is kept already is handed out without waiting for anybody.
2. A refusal of the vault drops them all.
3. A secret that is not the register's is refused: a vault that answers with another one
   would seal what nobody can open.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from threading import Lock

from phitrail.errors import ConfigError, IntegrityError, VaultError
from phitrail.events.protected import Protected
from phitrail.keys.key_file import SECRET_BYTES, KeyFile, fingerprint_of_secret
from phitrail.keys.names import KeyId
from phitrail.keys.register import KeyEntry
from phitrail.keys.vault import Vault

_US = 1_000_000


class Unwrapped:
    """The secrets of one vault that are at hand; thread-safe."""

    def __init__(self, vault: Vault, elapsed_us: Callable[[], int] | None) -> None:
        self._vault = vault
        self._elapsed_us = elapsed_us
        self._kept: dict[KeyId, tuple[Protected[bytes], int | None]] = {}
        self._lock = Lock()
        self._failures = 0
        self._failure = "", False

    def kept(self, key_id: KeyId, *, for_s: float = 0) -> Protected[bytes] | None:
        """Return a secret that may be used for some time to come, if one is at hand."""
        found = self._kept.get(key_id)
        if found is None:
            return None
        secret, until_us = found
        is_over = (
            until_us is not None
            and self._elapsed_us is not None
            and self._elapsed_us() + int(for_s * _US) >= until_us
        )
        return None if is_over else secret

    def unwrap(
        self,
        files: Sequence[KeyFile],
        entries: Mapping[KeyId, KeyEntry],
        *,
        for_s: float = 0,
    ) -> list[Protected[bytes]]:
        """Return secrets, asking the vault in one call for those that are not at hand.

        Args:
            files: what the vault is asked by.
            entries: what the register says of them.
            for_s: how much longer one must be usable to count as at hand.

        Raises:
            ConfigError: one is another than the register's, or was altered.
            VaultError: the vault does not answer, or refuses.
        """
        failures = self._failures
        with self._lock:
            if self._failures > failures:
                message, is_refusal = self._failure
                raise VaultError(message, is_refusal=is_refusal)
            found = {file.key_id: self.kept(file.key_id, for_s=for_s) for file in files}
            missing = [file for file in files if found[file.key_id] is None]
            got = self._ask(missing, entries) if missing else {}
            return [found[one.key_id] or got[one.key_id] for one in files]

    def keep_only(self, key_ids: Collection[KeyId]) -> None:
        """Forget every secret but these."""
        with self._lock:
            for key_id in self._kept.keys() - set(key_ids):
                del self._kept[key_id]

    def clear(self) -> None:
        """Forget every secret."""
        with self._lock:
            self._kept.clear()

    def _ask(
        self, files: Sequence[KeyFile], entries: Mapping[KeyId, KeyEntry]
    ) -> dict[KeyId, Protected[bytes]]:
        """Ask the vault; the lock is held. The time that it admits begins before."""
        cache_s, until_us = self._vault.unwrap_cache_s, None
        if cache_s is not None and self._elapsed_us is not None:
            until_us = self._elapsed_us() + int(cache_s * _US)
        try:
            plain = self._vault.unwrap([file.wrapped for file in files])
        except VaultError as error:
            if error.is_refusal:
                self._kept.clear()
            self._failures += 1
            self._failure = str(error), error.is_refusal
            raise
        except IntegrityError as error:
            raise self._which_is_wrong(files) from error
        got: dict[KeyId, Protected[bytes]] = {}
        for file, one in zip(files, plain, strict=True):
            secret = Protected(one)
            _check(file.key_id, secret, len(one), entries.get(file.key_id))
            before = self._kept.get(file.key_id)
            if before is not None and before[0] == secret:
                secret = before[0]  # the same object: what was prepared of it stays
            got[file.key_id] = secret
        self._kept.update({key_id: (one, until_us) for key_id, one in got.items()})
        return got

    def _which_is_wrong(self, files: Sequence[KeyFile]) -> ConfigError:
        """Ask for one after the other, so that the operator learns which file it is."""
        for file in files:
            try:
                self._vault.unwrap([file.wrapped])
            except IntegrityError:
                return _not_the_one(file.key_id)
        return ConfigError("a key did not unwrap, and each of them does; try again")


def _check(
    key_id: KeyId, secret: Protected[bytes], length: int, entry: KeyEntry | None
) -> None:
    is_right = entry is None or entry.fingerprint == fingerprint_of_secret(
        key_id, secret
    )
    if length != SECRET_BYTES or not is_right:
        raise _not_the_one(key_id)


def _not_the_one(key_id: KeyId) -> ConfigError:
    return ConfigError(
        f"key {key_id.name} version {key_id.version} is not the one that this trail was "
        "made with; put the right key file back"
    )
