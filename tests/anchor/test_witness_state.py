"""A witness answers as C2SP tlog-witness says and never cosigns two histories."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.anchor.histories import LOG_KEY, ORIGIN, History
from tests.anchor.witnesses import SIGNER, request
from tests.tlog.trees import FEW, MANY, damaged, make_signer

from phitrail.anchor.witness_state import (
    SIZE_TEXT,
    Answer,
    WitnessedHead,
    WitnessedLog,
    answer_request,
)
from phitrail.tlog.checkpoint import Checkpoint, open_checkpoint, verified_cosigners
from phitrail.tlog.hashing import EMPTY_ROOT, Hash
from phitrail.tlog.note import cosign_note, parse_note, print_signature, sign_note
from phitrail.tlog.spelling import print_base64

SIZE = 24
OURS = History(SIZE)
FORK = History(SIZE, changed=5)
TIME_S = 1_790_000_000


class Pure:
    """The state machine with a head in memory."""

    def __init__(self, head: WitnessedHead | None = None) -> None:
        self.log = WitnessedLog((LOG_KEY.vkey,), head)
        self.time_s = TIME_S

    def answer(self, body: bytes) -> Answer:
        """Answer a request, and keep the head that comes of it."""
        logs = {ORIGIN: self.log}
        answer = answer_request(body, logs.get, SIGNER, time_s=self.time_s)
        if answer.head is not None:
            self.log = replace(self.log, head=answer.head)
        return answer

    def at(self, size: int, history: History = OURS) -> "Pure":
        """Bring the head to a size of a history."""
        assert self.answer(add(0, size, history)).status == HTTPStatus.OK
        return self


def add(old_size: int, size: int, history: History = OURS) -> bytes:
    """Write a request that is right for a history, whoever is asked."""
    return request(old_size, proof(history, old_size, size), note(history, size))


@cache
def proof(history: History, old_size: int, size: int) -> Sequence[Hash]:
    """Prove growth, where there is any."""
    return history.submission(size).prove(old_size) if 0 < old_size <= size else ()


@cache
def note(history: History, size: int) -> bytes:
    """Give the checkpoint of a size."""
    return history.note(size)


def test_the_first_checkpoint_is_cosigned_over_its_body_at_this_time() -> None:
    """The line must verify as anybody's who knows the key, with the time inside."""
    answer = Pure().answer(add(0, 7))
    cosigned = OURS.note(7) + answer.body
    (cosigner,) = verified_cosigners(
        parse_note(cosigned), [LOG_KEY.vkey, SIGNER.cosigner_vkey]
    )

    assert answer.status == HTTPStatus.OK
    assert (cosigner.key, cosigner.time_s) == (SIGNER.cosigner_vkey, TIME_S)
    assert answer.head is not None
    assert answer.head.note == cosigned


@pytest.mark.parametrize(
    ("held", "body", "status"),
    [
        (0, add(0, 7), HTTPStatus.OK),
        (7, add(7, 9), HTTPStatus.OK),
        (7, add(7, 7), HTTPStatus.OK),
        (7, add(0, 9), HTTPStatus.CONFLICT),
        (7, add(6, 9), HTTPStatus.CONFLICT),
        (7, add(0, 7), HTTPStatus.CONFLICT),
        (0, add(7, 9), HTTPStatus.CONFLICT),
        (7, request(7, (), OURS.note(6)), HTTPStatus.BAD_REQUEST),
        (7, request(9, (), OURS.note(8)), HTTPStatus.BAD_REQUEST),
        (7, add(7, 7, FORK), HTTPStatus.UNPROCESSABLE_ENTITY),
        (7, add(7, 9, FORK), HTTPStatus.UNPROCESSABLE_ENTITY),
        (7, request(7, (), OURS.note(9)), HTTPStatus.UNPROCESSABLE_ENTITY),
        (0, request(0, [bytes(32)], OURS.note(9)), HTTPStatus.UNPROCESSABLE_ENTITY),
        (7, request(7, [bytes(32)], OURS.note(7)), HTTPStatus.UNPROCESSABLE_ENTITY),
    ],
)
def test_each_request_gets_its_code(held: int, body: bytes, status: HTTPStatus) -> None:
    """Clients of other makers act on these codes."""
    witness = Pure().at(held) if held else Pure()
    before = witness.log
    answer = witness.answer(body)

    assert answer.status == status
    assert (answer.head is not None) == (status == HTTPStatus.OK)
    assert (answer.refused != b"") == (status == HTTPStatus.UNPROCESSABLE_ENTITY)
    assert status == HTTPStatus.OK or witness.log == before


def test_a_conflict_tells_the_size_in_its_own_type() -> None:
    """It is what a client goes on with after it lost an answer."""
    answer = Pure().at(7).answer(add(3, 9))

    assert (answer.body, answer.content_type) == (b"7\n", SIZE_TEXT)


def test_an_unknown_log_and_an_unknown_key_are_told_apart() -> None:
    """One operator made a mistake of a name, the other of a key."""
    stranger = History(SIZE, origin="other.example/audit")
    thief = make_signer(ORIGIN, bytes(32))
    forged = sign_note(parse_note(OURS.note(7)).text, [thief])
    altered = OURS.note(7).replace(b"\n7\n", b"\n8\n")

    assert Pure().answer(add(0, 7, stranger)).status == HTTPStatus.NOT_FOUND
    assert Pure().answer(request(0, (), forged)).status == HTTPStatus.FORBIDDEN
    assert Pure().answer(request(0, (), altered)).status == HTTPStatus.FORBIDDEN


def test_an_empty_tree_has_the_empty_root() -> None:
    """A signed size 0 with another root is a lie of the log, not a slip of the form."""
    lie = f"{ORIGIN}\n0\n{print_base64(bytes(32))}\n"
    empty = Checkpoint(ORIGIN, 0, EMPTY_ROOT).body()
    refused = Pure().answer(request(0, (), sign_note(lie, [LOG_KEY])))
    cosigned = Pure().answer(request(0, (), sign_note(empty, [LOG_KEY])))

    assert refused.status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert cosigned.status == HTTPStatus.OK


def test_a_second_key_of_the_log_may_take_over() -> None:
    """A log that changed its key goes on, and the old key is still known."""
    successor = make_signer(ORIGIN, bytes(range(7, 39)))
    witness = Pure().at(7)
    text = parse_note(OURS.note(9)).text
    body = request(7, OURS.submission(9).prove(7), sign_note(text, [successor]))
    before = witness.answer(body)
    witness.log = replace(witness.log, keys=(LOG_KEY.vkey, successor.vkey))
    after = witness.answer(body)

    assert (before.status, after.status) == (HTTPStatus.FORBIDDEN, HTTPStatus.OK)


def test_only_the_signatures_of_the_log_are_kept() -> None:
    """What a caller adds to a note must not come back under the witness's roof."""
    stranger = make_signer("stranger.example", bytes(range(9, 41)))
    text = parse_note(OURS.note(7)).text
    junk = cosign_note(text, SIGNER, time_s=5)
    crowded = sign_note(text, [stranger, LOG_KEY])
    body = request(0, (), crowded + print_signature(junk).encode())
    answer = Pure().answer(body)

    assert answer.head is not None
    assert answer.head.note == OURS.note(7) + answer.body


def test_a_fork_is_evidence_even_with_a_wrong_old_size() -> None:
    """The code is 409 by the specification; the proof must not get lost with it."""
    witness = Pure().at(7)
    forked = witness.answer(add(0, 7, FORK))
    stale = witness.answer(add(0, 7, OURS))

    assert (forked.status, stale.status) == (HTTPStatus.CONFLICT, HTTPStatus.CONFLICT)
    assert forked.refused == FORK.note(7)
    assert stale.refused == b""


def test_a_clock_that_went_back_cosigns_nothing() -> None:
    """A smaller time on a larger tree would contradict the cosignature before."""
    witness = Pure().at(7)
    witness.time_s -= 1
    answer = witness.answer(add(7, 9))
    witness.time_s += 1

    assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert witness.answer(add(7, 9)).status == HTTPStatus.OK


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n",
        OURS.note(7),
        add(0, 7).replace(b"old 0", b"old 00"),
        add(0, 7).replace(b"old 0", b"old -1"),
        add(0, 7).replace(b"old 0", b"old  0"),
        add(0, 7).replace(b"old 0", b"Old 0"),
        add(0, 7).replace(b"old 0", b"old 0 "),
        add(0, 7).replace(b"old 0", b"old 0\r"),
        add(0, 7).replace(b"old 0\n", b"old 0\nAAAA\n"),
        add(0, 7).replace(b"old 0\n", b"old 0\n\n"),
        request(0, [bytes(32)] * 64, OURS.note(7)),
        add(0, 7)[:-1],
        add(0, 7) + b"\n",
        add(0, 7) + b"x" * 70_000,
        add(0, 7).replace(b"old 0", "old \u0660".encode()),
    ],
)
def test_a_malformed_request_is_400(body: bytes) -> None:
    """What is lax here is a second spelling of the same request elsewhere."""
    assert Pure().answer(body).status == HTTPStatus.BAD_REQUEST


@FEW
@given(st.binary(max_size=300))
def test_random_bytes_are_400(body: bytes) -> None:
    """Nothing that anybody sends may end in an exception."""
    assert Pure().answer(body).status == HTTPStatus.BAD_REQUEST


@MANY
@given(damaged(add(7, 9)))
def test_a_damaged_request_changes_nothing_or_is_the_same_statement(
    body: bytes,
) -> None:
    """A flipped bit must not be cosigned as something that the log did not sign."""
    witness = Pure().at(7)
    before = witness.log
    answer = witness.answer(body)

    if answer.status == HTTPStatus.OK:
        assert witness.log.head is not None
        assert witness.log.head.root == root(9, OURS)
    else:
        assert witness.log == before


@cache
def root(size: int, history: History) -> Hash:
    """Give the root of a size."""
    return open_checkpoint(history.note(size), [LOG_KEY.vkey]).root


_REQUESTS = st.tuples(
    st.integers(0, SIZE),
    st.integers(1, SIZE),
    st.sampled_from([OURS, FORK]),
    st.sampled_from([OURS, FORK]),
    st.integers(-2, 2),
)


@pytest.mark.drill
@MANY
@given(st.lists(_REQUESTS, max_size=12))
def test_no_sequence_of_requests_makes_it_cosign_two_histories(
    requests: list[tuple[int, int, History, History, int]],
) -> None:
    """Forks, stale and repeated requests in any order: one line of growing trees."""
    witness = Pure()
    cosigned: dict[int, Hash] = {}
    sizes: list[int] = []
    for old_size, size, history, prover, shift in requests:
        witness.time_s += shift
        growth = proof(prover, old_size, size)
        answer = witness.answer(request(old_size, growth, note(history, size)))
        if answer.head is not None:
            sizes.append(size)
            cosigned.setdefault(size, answer.head.root)
            assert cosigned[size] == answer.head.root

    one_history = [
        all(root(size, history) == found for size, found in cosigned.items())
        for history in (OURS, FORK)
    ]
    assert any(one_history)
    assert sizes == sorted(sizes)
