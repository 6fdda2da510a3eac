"""The register moves as its rules say, and tells a key of another trail from the right one."""

from pathlib import Path

import msgspec
import pytest
from tests.keys.rings import LATER, MOMENT, Keys, make_keys

from phitrail.errors import ConfigError, InputError
from phitrail.events.unprotect import unprotect
from phitrail.keys.key_file import make_key, name_of_file
from phitrail.keys.local_vault import LocalVault
from phitrail.keys.names import WRAPPING, KeyId, KeyKind, kinds_of_keys
from phitrail.keys.register import (
    KeyEntry,
    Transition,
    add_version,
    check_fingerprints,
    move,
    replace_entry,
)
from phitrail.keys.ring import KeyRing
from phitrail.keys.states import KeyState

V1, V2 = KeyId("rater", 1), KeyId("rater", 2)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """Every key of a trail, and its register."""
    return make_keys(tmp_path)


def entry(key_id: KeyId, kind: KeyKind = KeyKind.MAC) -> KeyEntry:
    """Give the entry of a version that was just made."""
    return KeyEntry(
        name=key_id.name,
        version=key_id.version,
        kind=kind,
        state=KeyState.PRE_ACTIVATION,
        fingerprint="0" * 32,
        vault="local",
        created_at=LATER,
    )


# --- how it changes ---


def test_a_version_is_added_and_moved_with_its_dates(keys: Keys) -> None:
    """The dates say until when a version may have protected anything."""
    register, added = add_version(keys.register, entry(V2))
    register, activated = move(register, V2, KeyState.ACTIVE, LATER)
    register, replaced = move(register, V1, KeyState.DEACTIVATED, LATER)

    assert [added, activated, replaced] == [
        Transition(V2, None, KeyState.PRE_ACTIVATION),
        Transition(V2, KeyState.PRE_ACTIVATION, KeyState.ACTIVE),
        Transition(V1, KeyState.ACTIVE, KeyState.DEACTIVATED),
    ]
    assert [one.key_id for one in register.versions("rater")] == [V1, V2]
    assert register.active("rater") == register.entry(V2)
    assert register.entry(V2).activated_at == LATER
    assert register.entry(V1).activated_at == MOMENT
    assert register.entry(V1).deactivated_at == LATER
    assert register.states()[V1] is KeyState.DEACTIVATED
    assert keys.register.active("rater") == keys.register.entry(V1)


@pytest.mark.parametrize("version", [1, 3])
def test_a_version_is_never_skipped_or_made_twice(keys: Keys, version: int) -> None:
    """A gap would look like a version that somebody took away."""
    with pytest.raises(InputError, match="is not the next version"):
        add_version(keys.register, entry(KeyId("rater", version)))


def test_a_version_is_never_added_in_use(keys: Keys) -> None:
    """Taking it into use is a step of its own, on record."""
    active = msgspec.structs.replace(entry(V2), state=KeyState.ACTIVE)

    with pytest.raises(InputError, match="is not the next version"):
        add_version(keys.register, active)


def test_a_vault_may_count_its_own_key_for_others_too(keys: Keys) -> None:
    """A vault that several trails share skips numbers; none of them is ours to give."""
    register, _ = add_version(
        keys.register, entry(KeyId(WRAPPING, 7), kind=KeyKind.WRAP)
    )

    assert [one.version for one in register.versions(WRAPPING)] == [1, 7]
    with pytest.raises(InputError, match="is not the next version"):
        add_version(register, entry(KeyId(WRAPPING, 7), kind=KeyKind.WRAP))


def test_a_first_version_of_a_new_key_is_number_one(keys: Keys) -> None:
    """Keys of people are made long after the founding."""
    key_id = KeyId("rbac-user.u-1", 1)
    register, _ = add_version(keys.register, entry(key_id, KeyKind.SEAL))

    assert register.entry(key_id).state is KeyState.PRE_ACTIVATION
    assert register.active(key_id.name) is None
    assert register.in_use(key_id.name) is None


def test_a_suspension_that_is_lifted_keeps_the_first_date(keys: Keys) -> None:
    """How long a version protected counts from its first day."""
    register, _ = move(keys.register, V1, KeyState.SUSPENDED, LATER)
    suspended = register.entry(V1)
    register, _ = move(register, V1, KeyState.ACTIVE, "2026-11-23T00:00:00.000Z")

    assert (suspended.suspended_at, suspended.activated_at) == (LATER, MOMENT)
    assert register.entry(V1) == keys.register.entry(V1)


def test_a_suspended_version_is_still_the_one_in_use(keys: Keys) -> None:
    """A rotation gives it its successor, whatever it is suspected of."""
    register, _ = move(keys.register, V1, KeyState.SUSPENDED, LATER)

    assert register.active("rater") is None
    assert register.in_use("rater") == register.entry(V1)


def test_a_compromise_says_since_when(keys: Keys) -> None:
    """What lies in between is what somebody else may have read or made."""
    register, _ = move(
        keys.register, V1, KeyState.COMPROMISED, LATER, since="2026-11-20T00:00:00.000Z"
    )
    found = register.entry(V1)
    gone, _ = move(register, V1, KeyState.DESTROYED_COMPROMISED, LATER)

    assert found.compromised_at == LATER
    assert found.compromised_since == "2026-11-20T00:00:00.000Z"
    assert gone.entry(V1).destroyed_at == LATER


def test_a_copy_that_turns_up_after_the_end_keeps_the_day_of_the_end(
    keys: Keys,
) -> None:
    """Two dates: when we destroyed it, and when we learnt that somebody had it."""
    register, _ = move(keys.register, V1, KeyState.DESTROYED, MOMENT)
    register, _ = move(register, V1, KeyState.DESTROYED_COMPROMISED, LATER)

    found = register.entry(V1)
    assert (found.destroyed_at, found.compromised_at) == (MOMENT, LATER)


def test_a_version_that_nobody_made_is_named(keys: Keys) -> None:
    """A typing error must not read as a state."""
    with pytest.raises(InputError, match="rater:v9: is no key of this trail"):
        move(keys.register, KeyId("rater", 9), KeyState.ACTIVE, LATER)


def test_a_change_touches_one_version(keys: Keys) -> None:
    """All others stay what they were."""
    changed = replace_entry(
        keys.register, V1, lambda one: msgspec.structs.replace(one, vault="openbao")
    )

    assert changed.entry(V1).vault == "openbao"
    assert [one for one in changed.keys if one.key_id != V1] == [
        one for one in keys.register.keys if one.key_id != V1
    ]


# --- held against what is here ---


@pytest.mark.parametrize("name", list(kinds_of_keys()))
def test_each_wrong_key_is_named(keys: Keys, name: str) -> None:
    """With a wrong sealing or hashing key, entries would be lost or counted twice."""
    check_fingerprints(keys.register, keys.ring().fingerprints())
    wrong, _ = make_key(
        KeyId(name, 1),
        kinds_of_keys()[name],
        MOMENT,
        LocalVault.load(keys.directory),
        None,
    )
    keys.put(wrong)

    with pytest.raises(ConfigError, match=f"key {name} version 1 .* right key file"):
        check_fingerprints(keys.register, KeyRing.load(keys.directory).fingerprints())


def test_a_version_that_is_missing_or_not_listed_is_named(keys: Keys) -> None:
    """A lost version leaves entries closed; a planted one would seal from then on."""
    here = keys.ring().fingerprints()
    fewer = {key_id: one for key_id, one in here.items() if key_id != V1}

    with pytest.raises(ConfigError, match="key rater version 1"):
        check_fingerprints(keys.register, fewer)
    with pytest.raises(ConfigError, match="key rater version 2"):
        check_fingerprints(keys.register, here | {V2: "0" * 32})
    check_fingerprints(keys.register, fewer, may_lack=["rater"])
    with pytest.raises(ConfigError, match="key rater version 1"):
        check_fingerprints(keys.register, here | {V1: "0" * 32}, may_lack=["rater"])


@pytest.mark.drill
def test_a_destroyed_key_that_is_back_is_refused(keys: Keys) -> None:
    """A restored backup would bring back what was promised to be gone."""
    keys.rotate("rater")
    keys.move(V1, KeyState.DESTROYED, is_published=True)
    here = keys.ring().fingerprints()

    with pytest.raises(
        ConfigError, match="rater version 1 was destroyed, and its file"
    ):
        check_fingerprints(keys.register, here)
    (keys.directory / name_of_file(V1)).unlink()
    check_fingerprints(keys.register, keys.ring().fingerprints())


def test_a_signing_key_without_its_private_half_is_not_asked_for(keys: Keys) -> None:
    """After a succession the old pair is a public key in the register, and no file."""
    register = replace_entry(
        keys.register,
        KeyId("audit-promise", 1),
        lambda one: msgspec.structs.replace(one, private_destroyed_at=LATER),
    )
    here = keys.ring().fingerprints()
    del here[KeyId("audit-promise", 1)]

    check_fingerprints(register, here)


def test_a_fingerprint_shows_nothing_of_the_key(keys: Keys) -> None:
    """The register stands outside the key directory, so it must be worth nothing."""
    ring, written = keys.ring(), keys.place.read_text()

    for name, kind in kinds_of_keys().items():
        if kind is not KeyKind.SIGN:
            assert unprotect(ring.newest(name)[1]).hex()[:8] not in written
