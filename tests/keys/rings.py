"""A directory of keys with a register beside it, as a trail has, and a vault that may fail."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from phitrail.errors import ConfigError, IntegrityError, VaultError
from phitrail.keys.held_keys import Watched
from phitrail.keys.key_file import KeyFile, make_key
from phitrail.keys.local_vault import LocalVault
from phitrail.keys.names import KeyId, KeyKind, kind_of_key
from phitrail.keys.register import KeyRegister, add_version, move
from phitrail.keys.ring import KeyRing
from phitrail.keys.states import KeyState
from phitrail.keys.vault import Vault, Wrapped

MOMENT = "2026-11-21T12:00:00.000Z"
LATER = "2026-11-22T12:00:00.000Z"


class TimedVault(LocalVault):
    """A local keyring whose secrets may be kept for a while, and that may not answer."""

    unwrap_cache_s = 10.0
    error: VaultError | None = None
    asked: int = 0
    on_unwrap: Callable[[], None] | None = None

    def unwrap(self, wrapped: Sequence[Wrapped]) -> list[bytes]:
        """Unwrap, or fail as told."""
        self.asked += 1
        if self.on_unwrap is not None:
            self.on_unwrap()
        if self.error is not None:
            raise self.error
        return super().unwrap(wrapped)


@dataclass(slots=True)
class Keys:
    """A directory of keys, its register, and a clock that a test turns."""

    directory: Path
    register: KeyRegister
    now_us: int = 0
    forged: bool = False
    after_tick: Callable[[], None] | None = None

    @property
    def place(self) -> Path:
        """Where the register stands."""
        return self.directory.parent / "register.json"

    def ring(self, vault: Vault | None = None) -> KeyRing:
        """Open the keys as a process does."""
        return KeyRing.load(
            self.directory, vault, watched=self.watched(), elapsed_us=self.elapsed_us
        )

    def watched(self) -> Watched:
        """Say where the register is and what reads it."""
        return Watched(self.place, self._read)

    def elapsed_us(self) -> int:
        """Say what time it is; once, do something else right after."""
        now_us, do = self.now_us, self.after_tick
        self.after_tick = None
        if do is not None:
            do()
        return now_us

    def wait_s(self, seconds: float) -> None:
        """Turn the clock."""
        self.now_us += int(seconds * 1_000_000)

    def rotate(self, name: str) -> KeyFile:
        """Give a key its next version: files first, the register last."""
        file = self.add(name)
        before = self.register.active(name)
        if before is not None:
            self.move(before.key_id, KeyState.DEACTIVATED)
        self.move(file.key_id, KeyState.ACTIVE)
        self.publish()
        return file

    def add(self, name: str) -> KeyFile:
        """Make a version; its file is in place, the register is not."""
        known = self.register.versions(name)
        key_id = KeyId(name, known[-1].version + 1 if known else 1)
        kind = kind_of_key(name) or KeyKind.SEAL
        vault = LocalVault.load(self.directory)
        file, entry = make_key(key_id, kind, LATER, vault, None)
        self.put(file)
        self.register, _ = add_version(self.register, entry)
        return file

    def put(self, file: KeyFile) -> None:
        """Write a key file."""
        place = self.directory / file.file_name
        place.touch(mode=0o600)
        place.write_bytes(file.encode())

    def move(
        self, key_id: KeyId, state: KeyState, *, is_published: bool = False
    ) -> None:
        """Change the state of a version in the register."""
        self.register, _ = move(self.register, key_id, state, LATER)
        if is_published:
            self.publish()

    def publish(self) -> None:
        """Put the register in its place."""
        temporary = self.place.with_suffix(".new")
        temporary.write_bytes(msgspec.json.encode(self.register))
        temporary.rename(self.place)

    def _read(self) -> KeyRegister:
        if self.forged:
            raise IntegrityError("the register is not signed by the keys of this trail")
        try:
            return msgspec.json.decode(self.place.read_bytes(), type=KeyRegister)
        except msgspec.MsgspecError:
            raise ConfigError("the trail's register of keys is damaged") from None


def make_keys(directory: Path) -> Keys:
    """Make every key of a trail, active."""
    _, entries = KeyRing.create(directory / "keys", created_at=MOMENT)
    register = KeyRegister(
        tenant="clinic.example",
        trail_id="019aa000-0000-7000-8000-000000000000",
        number=0,
        written_at=MOMENT,
        escrow_key="",
        escrow_signature="A" * 91 + "=",
        keys=tuple(
            msgspec.structs.replace(one, state=KeyState.ACTIVE, activated_at=MOMENT)
            for one in entries
        ),
    )
    keys = Keys(directory / "keys", register)
    keys.publish()
    return keys
