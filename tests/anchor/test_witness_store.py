"""What a witness cosigned is on disk first, whoever asks at the same time."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import closing
from http import HTTPStatus
from pathlib import Path

import pytest
from tests.anchor.histories import LOG_KEY, ORIGIN, History
from tests.anchor.test_witness_state import TIME_S, add
from tests.anchor.witnesses import SIGNER, request

from phitrail.anchor.witness_state import Answer
from phitrail.anchor.witness_store import WitnessStore

OURS = History(40)
FORKS = [History(40, changed=number) for number in range(12)]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the state of a witness lies that watches our log."""
    with closing(WitnessStore(tmp_path / "witness.db", SIGNER)) as store:
        store.add_log(ORIGIN, LOG_KEY.vkey)
    return tmp_path / "witness.db"


@pytest.fixture
def store(place: Path) -> Iterator[WitnessStore]:
    """Give it, open."""
    with closing(WitnessStore(place, SIGNER)) as opened:
        yield opened


@pytest.mark.drill
def test_it_goes_on_where_it_was_after_a_restart(place: Path) -> None:
    """A witness that forgets would cosign any history."""
    with closing(WitnessStore(place, SIGNER)) as store:
        store.answer(add(0, 7, OURS), time_s=TIME_S)
    with closing(WitnessStore(place, SIGNER)) as store:
        forked = store.answer(add(0, 7, FORKS[3]), time_s=TIME_S)
        grown = store.answer(add(7, 9, OURS), time_s=TIME_S)

    assert forked.status == HTTPStatus.CONFLICT
    assert grown.status == HTTPStatus.OK


@pytest.mark.drill
def test_forks_at_once_get_one_cosignature(place: Path) -> None:
    """Two stores on one file are two processes: only one of the forks may win."""
    barrier = threading.Barrier(len(FORKS))
    answers: list[Answer] = []

    def ask(fork: History) -> None:
        with closing(WitnessStore(place, SIGNER)) as store:
            barrier.wait(20)
            answers.append(store.answer(add(0, 20, fork), time_s=TIME_S))

    threads = [threading.Thread(target=ask, args=(fork,)) for fork in FORKS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    statuses = sorted(answer.status for answer in answers)
    assert [HTTPStatus.OK] + [HTTPStatus.CONFLICT] * (len(FORKS) - 1) == statuses


def test_the_newest_cosigned_checkpoint_is_found_by_its_log(
    store: WitnessStore,
) -> None:
    """Whoever checks a log asks the witness itself, not the log's host."""
    name = hashlib.sha256(ORIGIN.encode()).hexdigest()
    before = store.newest(name)
    cosigned = store.answer(add(0, 7, OURS), time_s=TIME_S)
    after = store.newest(name)

    assert before.status == HTTPStatus.NOT_FOUND
    assert after.body == OURS.note(7) + cosigned.body
    assert store.heads() == [(ORIGIN, 7)]


@pytest.mark.drill
def test_a_signed_fork_is_kept_as_evidence_once(store: WitnessStore) -> None:
    """The log convicts itself with it; repeating it must not fill the disk."""
    store.answer(add(0, 7, OURS), time_s=TIME_S)
    for _ in range(3):
        store.answer(request(7, (), FORKS[2].note(7)), time_s=TIME_S)

    assert store.refused(ORIGIN) == [FORKS[2].note(7)]
