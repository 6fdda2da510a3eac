"""What keys a trail has, without opening one: `key list`, `key show`.

1. Every version of every key comes from the register, which holds no secret; what is due,
   and until when a version is kept, from the policies (`keys.policies`).
2. The public halves of the signing keys come from what anybody may see: genesis, the
   keyring, the journal's events.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from phitrail.app import handover
from phitrail.app.config import read_policy
from phitrail.app.key_endings import waiting_halves
from phitrail.app.key_wiring import current_register
from phitrail.app.pins import JOURNAL, read_lines, read_pins
from phitrail.events.codes import Log
from phitrail.events.ids import format_time
from phitrail.keys.due import Due, due_of
from phitrail.keys.names import KeyId, KeyKind
from phitrail.keys.policies import (
    is_held,
    last_protected,
    policy_for,
    retained_until,
)
from phitrail.keys.register import KeyEntry, KeyRegister
from phitrail.keys.settings import KeysSection
from phitrail.keys.states import IS_GONE, KeyState
from phitrail.tlog.keyring import ListedKey, list_keys


@dataclass(frozen=True, slots=True)
class KeyListing:
    """The keys of a trail.

    Attributes:
        keys: of each log, the oldest first.
        unfinished: what is to be done about a succession that was begun; None for none.
    """

    keys: tuple[ListedKey, ...]
    unfinished: str | None


def list_trail_keys(directory: Path) -> KeyListing:
    """List the signing keys of a trail.

    Raises:
        ConfigError: there is no trail here.
        IntegrityError: a genesis or the keyring does not verify.
        StorageError: a file cannot be read.
    """
    pins, lines = read_pins(directory), read_lines(directory)
    keys = tuple(key for log in Log for key in list_keys(pins[log], lines[log]))
    return KeyListing(keys, _unfinished(directory))


def _unfinished(directory: Path) -> str | None:
    begun = handover.read_handover(directory)
    if begun is None:
        return None
    log = begun.succession.log
    if handover.is_recorded(directory / JOURNAL, begun):
        return (
            f"the new keys of {log} are in force and not all in their places: the next "
            "command that opens the trail finishes it"
        )
    return (
        f"new keys for {log} were begun and never recorded: they have no effect, the "
        "old ones are in force; ask for them again"
    )


class PrivateHalf(StrEnum):
    """What became of the half of a signing key that signs.

    `retained` is an exception to the rule that it goes when its time is over; one that is
    `waiting` ended, and its vault has not destroyed it yet (`app.key_endings`).
    """

    HELD = "held"
    DESTROYED = "destroyed"
    RETAINED = "retained"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """One version of a key.

    Attributes:
        entry: as the register has it.
        private_half: of a signing key.
        due: what is to be done about it.
        kept_until: until when it is kept; None for good.
        is_held: whether somebody put it on hold.
    """

    entry: KeyEntry
    private_half: PrivateHalf | None
    due: Due | None
    kept_until: str | None
    is_held: bool


@dataclass(frozen=True, slots=True)
class KeyTable:
    """Every version of every key of a trail.

    Attributes:
        register: where they stand.
        versions: by name, the oldest first.
        due: what is due that is no key: exceptions that end.
    """

    register: KeyRegister
    versions: tuple[KeyVersion, ...]
    due: tuple[Due, ...]


def list_versions(directory: Path, now: datetime) -> KeyTable:
    """List every version of every key.

    Raises:
        ConfigError: there is no trail here, or its register or policy is damaged.
        IntegrityError: the register is not signed by this trail's keys.
    """
    return tabulate(
        current_register(directory),
        read_policy(directory).keys,
        now,
        waiting=waiting_halves(directory),
    )


def tabulate(
    register: KeyRegister,
    settings: KeysSection,
    now: datetime,
    *,
    waiting: Collection[KeyId] = (),
) -> KeyTable:
    """Put a register together with what the policies say of it.

    Args:
        register: of the trail.
        settings: the section `keys` of its policy.yaml.
        now: the present time.
        waiting: signing keys that ended, and that their vault has not destroyed yet.
    """
    due = due_of(register, settings.policies, now, notice_days=settings.notice_days)
    of_key = {one.key.key_id: one for one in due if one.key is not None}
    at = format_time(now)
    versions = tuple(
        KeyVersion(
            one,
            PrivateHalf.WAITING if one.key_id in waiting else _private_half(one),
            of_key.get(one.key_id),
            retained_until(
                one,
                policy_for(one.name, settings.policies),
                last_protected(one, at),
            ),
            is_held(one.key_id, settings.held),
        )
        for one in register.keys
    )
    return KeyTable(register, versions, tuple(one for one in due if one.key is None))


def _private_half(entry: KeyEntry) -> PrivateHalf | None:
    if entry.kind is not KeyKind.SIGN:
        return None
    if entry.private_destroyed_at is not None or entry.state in IS_GONE:
        return PrivateHalf.DESTROYED
    if entry.state in {KeyState.DEACTIVATED, KeyState.COMPROMISED}:
        return PrivateHalf.RETAINED
    return PrivateHalf.HELD
