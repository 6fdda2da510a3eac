"""Keys that another process changed are taken into use whole, and never hold anybody up."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.keys.rings import Keys, TimedVault, make_keys

from phitrail.errors import (
    ConfigError,
    IntegrityError,
    PhitrailError,
    StorageError,
    VaultError,
)
from phitrail.keys.names import KeyId, kinds_of_keys
from phitrail.keys.ring import KeyRing
from phitrail.keys.states import KeyState


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """Every key of a trail, and its register."""
    return make_keys(tmp_path)


def timed(keys: Keys) -> tuple[KeyRing, TimedVault]:
    """Open the keys with a vault that a test may stop."""
    vault = TimedVault.load(keys.directory)
    assert isinstance(vault, TimedVault)
    return keys.ring(vault), vault


def beside(work: Callable[[], object]) -> None:
    """Let another thread do something, to its end."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert not thread.is_alive(), "it was held up"


def test_a_rotation_elsewhere_is_taken_up_within_a_second(keys: Keys) -> None:
    """Nobody restarts a clinic for a new key."""
    ring = keys.ring()
    for name in kinds_of_keys():
        keys.rotate(name)
    keys.wait_s(0.9)
    assert {ring.newest_version(name) for name in kinds_of_keys()} == {1}
    keys.wait_s(0.1)

    assert {ring.newest_version(name) for name in kinds_of_keys()} == {2}


def test_what_is_new_is_unwrapped_before_it_is_used(keys: Keys) -> None:
    """The first who records under a new version must not wait for the vault."""
    ring, vault = timed(keys)
    keys.rotate("rater")
    keys.wait_s(1)
    ring.versions()
    vault.error = VaultError("the vault does not answer")

    assert ring.newest("rater")[0] == 2


def test_files_without_their_register_protect_nothing(keys: Keys) -> None:
    """Half of a change is no change: the register is put in place last."""
    ring = keys.ring()
    keys.add("rater")
    keys.wait_s(1)

    assert ring.newest_version("rater") == keys.ring().newest_version("rater") == 1
    keys.move(KeyId("rater", 2), KeyState.ACTIVE, is_published=True)
    keys.wait_s(1)
    assert ring.newest_version("rater") == 2


def test_a_version_that_was_just_made_elsewhere_opens_at_once(keys: Keys) -> None:
    """What another process sealed a moment ago must be readable here."""
    ring = keys.ring()
    keys.rotate("rater")

    assert ring.newest_version("rater") == 1
    assert ring.secret("rater", 2) == keys.ring().secret("rater", 2)
    assert ring.newest_version("rater") == 2
    with pytest.raises(ConfigError, match="version 3 is not here"):
        ring.secret("rater", 3)


def test_one_answer_comes_from_one_state_of_the_keys(keys: Keys) -> None:
    """A version that ends between two questions must not fail whoever records."""
    ring = keys.ring()
    keys.rotate("rater")
    keys.move(KeyId("rater", 1), KeyState.DESTROYED, is_published=True)
    first = ring.newest("rater")
    keys.after_tick = lambda: keys.wait_s(
        2
    )  # whoever looked twice would see the change

    assert ring.newest("rater") == first == (1, first[1])
    assert ring.newest("rater") == keys.ring().newest("rater")


# --- what cannot be read ---


def lose_a_file(keys: Keys) -> Callable[[], None]:
    """Have a key file damaged; return what puts it right."""
    place = keys.directory / "text-hash.v1.json"
    data = place.read_bytes()
    place.write_bytes(data[:-9])

    def put_right() -> None:
        place.write_bytes(data)

    return put_right


def spoil_the_register(keys: Keys) -> Callable[[], None]:
    """Have the register damaged; return what puts it right."""
    keys.place.write_text("{")
    return keys.publish


@pytest.mark.parametrize("harm", [lose_a_file, spoil_the_register])
def test_a_change_that_cannot_be_read_is_tried_again_then_refused(
    keys: Keys, harm: Callable[[Keys], Callable[[], None]]
) -> None:
    """A moment of disorder costs nobody an event; a lasting one is not passed over."""
    ring = keys.ring()
    keys.rotate("rater")
    put_right = harm(keys)
    for _ in range(2):
        keys.wait_s(1)
        assert ring.newest("rater")[0] == 1
    keys.wait_s(1)

    for _ in range(2):
        with pytest.raises(StorageError, match="could not be read in several tries"):
            ring.newest("rater")
    with pytest.raises(StorageError, match="nothing opened"):
        ring.secret("rater", 1)
    put_right()
    keys.wait_s(0.9)
    with pytest.raises(StorageError, match="could not be read"):
        ring.newest("rater")
    keys.wait_s(0.1)
    assert ring.newest("rater")[0] == 2


def test_a_directory_that_is_away_changes_nothing(keys: Keys) -> None:
    """While its disk is gone a program goes on hashing texts, for its spool."""
    ring = keys.ring()
    away = keys.place.rename(keys.place.with_suffix(".away"))
    for _ in range(5):
        keys.wait_s(1)
        assert ring.newest("rater")[0] == 1
    with pytest.raises(ConfigError, match="version 2 is not here"):
        ring.secret("rater", 2)
    away.unlink()
    keys.rotate("rater")
    keys.wait_s(1)

    assert ring.newest("rater")[0] == 2


def test_a_register_that_comes_back_as_it_was_ends_the_refusal(keys: Keys) -> None:
    """What was put right by hand needs no restart."""
    ring = keys.ring()
    good = keys.place.rename(keys.place.with_suffix(".good"))
    keys.place.write_text("{")
    told = []
    for _ in range(3):
        keys.wait_s(1)
        told.append(refusal(ring))
    assert "could not be read" in told[2]
    good.rename(keys.place)
    keys.wait_s(1)

    assert ring.newest_version("rater") == 1


def test_a_directory_that_goes_away_does_not_end_a_refusal(keys: Keys) -> None:
    """A key that may have been suspended stays out of use until that can be read."""
    ring = keys.ring()
    keys.place.write_text("{")
    for _ in range(3):
        keys.wait_s(1)
        refusal(ring)
    keys.place.unlink()
    keys.wait_s(1)

    assert "could not be read" in refusal(ring)


def refusal(ring: KeyRing) -> str:
    """Say why nothing is protected; empty where it is."""
    try:
        ring.newest("rater")
    except PhitrailError as error:
        return str(error)
    return ""


def test_a_vault_that_is_away_during_a_change_is_asked_again(keys: Keys) -> None:
    """The old version goes on for a moment; a vault that stays away is no reason to."""
    ring, vault = timed(keys)
    keys.rotate("rater")
    vault.error = VaultError("the vault does not answer")
    told = []
    for _ in range(3):
        keys.wait_s(1)
        told.append(refusal(ring))
    assert told[:2] == ["", ""]
    assert "the vault does not answer" in told[2]
    vault.error = None
    keys.wait_s(1)

    assert ring.newest("rater")[0] == 2


def test_looking_for_a_lost_version_does_not_use_up_the_tries(keys: Keys) -> None:
    """Many questions in one moment of disorder are one try, not many."""
    ring = keys.ring()
    keys.rotate("rater")
    put_right = lose_a_file(keys)
    for _ in range(9):
        with pytest.raises(ConfigError, match="version 2 is not here"):
            ring.secret("rater", 2)

    assert ring.newest("rater")[0] == 1
    put_right()
    assert ring.secret("rater", 2) == ring.newest("rater")[1]


@pytest.mark.drill
def test_a_register_that_somebody_else_signed_is_refused_at_once(keys: Keys) -> None:
    """Whoever can write the directory could call an old key active again."""
    ring = keys.ring()
    keys.rotate("rater")
    keys.forged = True
    keys.wait_s(1)

    for _ in range(2):
        with pytest.raises(IntegrityError, match="not signed by the keys"):
            ring.newest("rater")
    keys.forged = False
    keys.wait_s(1)
    assert ring.newest("rater")[0] == 2


def test_an_explicit_reading_says_what_is_wrong(keys: Keys) -> None:
    """Whoever changed the keys must learn that they cannot be read, now."""
    ring = keys.ring()
    lose_a_file(keys)

    with pytest.raises(ConfigError, match=r"text-hash\.v1\.json is damaged"):
        ring.refresh()
    assert ring.newest("rater")[0] == 1


# --- beside each other ---


def test_nobody_waits_for_who_reads_the_keys_anew(keys: Keys) -> None:
    """One thread reads; whoever records meanwhile goes on with what is known."""
    ring, vault = timed(keys)
    keys.rotate("rater")
    keys.wait_s(1)
    seen: list[int] = []

    def record_meanwhile() -> None:
        vault.on_unwrap = None
        beside(lambda: seen.append(ring.newest("rater")[0]))

    vault.on_unwrap = record_meanwhile  # in the midst of the reading
    assert ring.newest("rater")[0] == 2

    assert seen == [1]


def test_two_threads_that_are_due_read_the_keys_once(keys: Keys) -> None:
    """The second has waited for nothing and reads nothing again."""
    ring, vault = timed(keys)
    keys.rotate("rater")
    keys.wait_s(1)
    asked = vault.asked
    # Another thread looks right after this one has read its clock.
    keys.after_tick = lambda: beside(lambda: ring.newest_version("rater"))

    assert ring.newest("rater")[0] == 2
    assert vault.asked == asked + 1


def test_threads_that_need_one_secret_ask_the_vault_once(keys: Keys) -> None:
    """A hundred writers whose secret ended must not be a hundred calls."""
    ring, vault = timed(keys)
    keys.wait_s(10)
    asked, seen = vault.asked, []
    second = threading.Thread(target=lambda: seen.append(ring.secret("rater", 1)))

    def another_needs_it() -> None:
        vault.on_unwrap = None
        second.start()

    vault.on_unwrap = another_needs_it
    first = ring.secret("rater", 1)
    second.join(10)

    assert seen == [first]
    assert vault.asked == asked + 1


class SeenLock:
    """A lock that tells when somebody waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.is_awaited = threading.Event()

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self.is_awaited.set()
            self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_a_vault_that_does_not_answer_is_waited_for_once(keys: Keys) -> None:
    """A hundred writers must not wait a hundred times as long, one after the other."""
    ring, vault = timed(keys)
    unwrapped = ring._shared.unwrapped
    assert unwrapped is not None
    lock = SeenLock()
    unwrapped._lock = lock  # type: ignore[assignment]  # a lock all the same
    keys.wait_s(10)
    asked, failures = vault.asked, []

    def need() -> None:
        with pytest.raises(VaultError) as caught:
            ring.secret("rater", 1)
        failures.append(str(caught.value))

    second = threading.Thread(target=need)

    def another_waits() -> None:
        second.start()
        assert lock.is_awaited.wait(10)

    vault.on_unwrap, vault.error = another_waits, VaultError("it does not answer")
    need()
    second.join(10)
    vault.on_unwrap, vault.error = None, None

    assert failures == ["it does not answer"] * 2
    assert vault.asked == asked + 1
    assert ring.secret("rater", 1) == ring.newest("rater")[1]
