"""Whatever is done to the keys, in any order: what the register, log and content must be."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.app.key_verbs import BY, WHY, changing, check_register_is_the_log_s
from tests.trails import NOW, check_whole, copy_trail, record_events

from phitrail.app.documents import DOCUMENTS, keep_document, open_document
from phitrail.app.key_compromise import compromise_key
from phitrail.app.key_destruction import destroy_key
from phitrail.app.key_rotation import rotate_key
from phitrail.app.key_states import create_key, lift_suspension, suspend_key
from phitrail.app.key_wiring import current_register
from phitrail.app.wiring import Trail
from phitrail.errors import InputError, RefusedError, StorageError
from phitrail.keys.names import KeyId
from phitrail.keys.register import KeyRegister
from phitrail.keys.sealing import read_header
from phitrail.keys.states import IS_GONE, OPENS, TRANSITIONS, KeyState

CANARY = "Mrs Canary of bed"
SEAL = "audit-seal"
NAMES = (SEAL, SEAL, "text-hash", "quality-seal", "rbac-department.cardiology")


def _create(trail: Trail, name: str, _version: int, now: datetime) -> None:
    create_key(trail, name, by=BY, reason=WHY, now=now)


def _rotate(trail: Trail, name: str, _version: int, now: datetime) -> None:
    rotate_key(trail, name, by=BY, reason=WHY, now=now)


def _suspend(trail: Trail, name: str, version: int, now: datetime) -> None:
    suspend_key(trail, f"{name}:v{version}", by=BY, reason=WHY, now=now)


def _lift(trail: Trail, name: str, version: int, now: datetime) -> None:
    lift_suspension(trail, f"{name}:v{version}", by=BY, reason=WHY, now=now)


def _compromise(trail: Trail, name: str, version: int, now: datetime) -> None:
    compromise_key(trail, f"{name}:v{version}", since=None, by=BY, reason=WHY, now=now)


def _destroy(trail: Trail, name: str, version: int, now: datetime) -> None:
    destroy_key(trail, f"{name}:v{version}", by=BY, reason=WHY, now=now)


Verb: TypeAlias = Callable[[Trail, str, int, datetime], None]
Step: TypeAlias = tuple[Verb, str, int]
VERBS: tuple[Verb, ...] = (
    _create,
    _rotate,
    _suspend,
    _lift,
    _compromise,
    _destroy,
)
STEPS = st.lists(
    st.tuples(st.sampled_from(VERBS), st.sampled_from(NAMES), st.integers(1, 3)),
    min_size=3,
    max_size=9,
)


SETTINGS = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@settings(SETTINGS, max_examples=4)
@given(steps=STEPS)
def test_any_sequence_of_verbs_leaves_what_it_should(
    founded: Path, memory_path: Path, steps: Sequence[Step]
) -> None:
    """Some order of two verbs that nobody thought of must not lose or open anything."""
    _live(founded, memory_path, steps)


@pytest.mark.long
@settings(SETTINGS, max_examples=40)
@given(steps=STEPS)
def test_many_sequences_of_verbs_leave_what_they_should(
    founded: Path, memory_path: Path, steps: Sequence[Step]
) -> None:
    """The same, as often as there is time for."""
    _live(founded, memory_path, steps)


def _live(founded: Path, memory_path: Path, steps: Sequence[Step]) -> None:
    with tempfile.TemporaryDirectory(dir=memory_path) as place:
        directory = copy_trail(founded, Path(place) / "trail")
        with changing(directory) as trail:
            kept: dict[str, str] = {}
            for number, (verb, name, version) in enumerate(steps):
                text = f"{CANARY} {number}"
                kept[keep_document(trail, text.encode())] = text
                before = current_register(directory)
                with suppress(InputError, RefusedError):
                    # decades apart, so that retention does not hide what comes after it
                    now = NOW + timedelta(days=2_500 * (number + 1))
                    verb(trail, name, version, now)
                after = current_register(directory)
                _check_register(before, after)
                for digest, text in kept.items():
                    _check_document(trail, after, digest, text)
        check_register_is_the_log_s(directory)
        _check_recording(directory)


def _check_register(before: KeyRegister, after: KeyRegister) -> None:
    """Each version went a legal way, and at most one of each key is in use."""
    states = before.states()
    for key_id, state in after.states().items():
        was = states.get(key_id, KeyState.PRE_ACTIVATION)
        assert state is was or state in TRANSITIONS[was], str(key_id)
    for name in {one.name for one in after.keys}:
        in_use = [
            one
            for one in after.versions(name)
            if one.state in {KeyState.ACTIVE, KeyState.SUSPENDED}
        ]
        assert len(in_use) <= 1, name


def _check_document(
    trail: Trail, register: KeyRegister, digest: str, text: str
) -> None:
    """It opens, or stands in quarantine and opens behind the glass; never is it lost."""
    envelope = (trail.directory / DOCUMENTS / digest).read_bytes()
    state = register.entry(KeyId(*read_header(envelope))).state
    assert state not in IS_GONE
    if state in OPENS:
        assert open_document(trail, digest) == text.encode()
        return
    assert state is KeyState.COMPROMISED
    with pytest.raises(RefusedError) as refused:
        open_document(trail, digest)
    assert CANARY not in str(refused.value)
    assert open_document(trail.behind_glass(), digest) == text.encode()


def _check_recording(directory: Path) -> None:
    """Recording goes on where every key that it needs is active; else it is refused."""
    register = current_register(directory)
    needed = (SEAL, "idempotency", "identity-index", "identity-seal")
    try:
        receipts = record_events(directory, [1])
    except StorageError:
        assert any(register.active(name) is None for name in needed)
        return
    assert all(register.active(name) is not None for name in needed)
    check_whole(directory).check_holds(receipts, directory)
