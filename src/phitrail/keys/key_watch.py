"""Whether the keys were changed by another process: looked at once a second.

1. When the register was put in place anew, files and states are read, and what is new is
   unwrapped, before any of it is used: whoever records goes on with what is known, and one
   thread alone pays for the reading.
2. What cannot be read (a change is half way, the vault does not answer) is tried again at
   the next look. After `MOST_MISSES` in a row everything is refused, since a key may have
   been suspended or lost meanwhile; a look that succeeds ends that.
3. Where no register is to be seen, the directory is away, and nobody changes keys in it:
   what is known goes on, so that texts can be hashed for a spool.
4. A register that this trail's key did not sign is refused at once, at every question, until
   the right one is back.
"""

from collections.abc import Callable
from pathlib import Path
from threading import RLock
from typing import Final

from phitrail.errors import IntegrityError, PhitrailError, StorageError
from phitrail.keys.held_keys import NOT_SEEN, HeldKeys, Watched, mark_of, read_held_keys
from phitrail.keys.unwrapped import Unwrapped

LOOK_EVERY_US: Final = 1_000_000
MOST_MISSES: Final = 3


class KeyWatch:
    """What is known of the keys, kept current; thread-safe."""

    def __init__(
        self,
        held: HeldKeys,
        *,
        directory: Path | None = None,
        watched: Watched | None = None,
        elapsed_us: Callable[[], int] | None = None,
        unwrapped: Unwrapped | None = None,
    ) -> None:
        """Begin with what was read.

        Args:
            held: what is known.
            directory: where the key files stand; without it nothing is read anew.
            watched: the register; without it nothing is looked at.
            elapsed_us: a clock that never goes back; without it nothing is looked at.
            unwrapped: where secrets are kept; goes with `directory`.
        """
        self._held = held
        self._directory = directory
        self._watched = watched
        self._elapsed_us = elapsed_us
        self._unwrapped = unwrapped
        self._lock = RLock()
        self._look_at_us = 0 if elapsed_us is None else elapsed_us() + LOOK_EVERY_US
        self._misses = 0
        self._why = ""
        self._is_forged = False

    def held(self) -> HeldKeys:
        """Return what is known, having looked when it was time.

        Raises:
            IntegrityError: the register is not signed by this trail's key.
            StorageError: the keys were changed and cannot be read.
        """
        if self._watched is not None and self._elapsed_us is not None:
            self._look(self._watched, self._elapsed_us())
            if self._misses >= MOST_MISSES:
                self._refuse()
        return self._held

    def held_now(self) -> HeldKeys:
        """Return what is known, having looked also when it was not time.

        Raises:
            IntegrityError: the register is not signed by this trail's key.
            StorageError: the keys were changed and cannot be read.
        """
        if self._watched is not None:
            with self._lock:
                if mark_of(self._watched.place) not in (self._held.seen, NOT_SEEN):
                    self._try_to_read(is_timed=False)
        return self.held()

    def refresh(self) -> None:
        """Read files and states anew.

        Raises:
            ConfigError: a key is missing or damaged; what was known stays in use.
            IntegrityError: the register is not signed by this trail's key.
            VaultError: the vault does not give the secret of a new version.
        """
        if self._directory is None or self._unwrapped is None:
            return
        with self._lock:
            held = read_held_keys(self._directory, self._watched)
            files = list(held.secret_files().values())
            self._unwrapped.unwrap(files, held.entries)
            self._unwrapped.keep_only(
                [one for one in held.files if not held.is_gone(one)]
            )
            self._held = held
            self._misses, self._is_forged = 0, False

    def _look(self, watched: Watched, now_us: int) -> None:
        """Look when it is time, unless another thread is about it."""
        if now_us < self._look_at_us or not self._lock.acquire(blocking=False):
            return
        try:
            self._look_at_us = now_us + LOOK_EVERY_US
            mark = mark_of(watched.place)
            if mark == self._held.seen:
                self._misses, self._is_forged = 0, False
            elif mark != NOT_SEEN:
                self._try_to_read(is_timed=True)
        finally:
            self._lock.release()

    def _try_to_read(self, *, is_timed: bool) -> None:
        try:
            self.refresh()
        except IntegrityError as error:
            self._misses, self._is_forged, self._why = MOST_MISSES, True, str(error)
        except (PhitrailError, OSError) as error:
            self._misses += is_timed
            self._why = str(error)

    def _refuse(self) -> None:
        if self._is_forged:
            raise IntegrityError(self._why)
        raise StorageError(
            "the keys were changed and could not be read in several tries, so nothing "
            f"is protected and nothing opened until they can ({self._why})"
        )
