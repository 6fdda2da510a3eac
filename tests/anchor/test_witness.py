"""Our client believes only what verifies, whatever a server answers."""

import pytest
from tests.anchor.histories import LOG_KEY, NOW, History
from tests.anchor.test_witness_state import Pure
from tests.anchor.witnesses import SIGNER, answering, request

from phitrail.anchor.held import Held
from phitrail.anchor.witness import Witness
from phitrail.errors import (
    ConfigError,
    OtherHistoryError,
    RefusedError,
    StorageError,
)
from phitrail.tlog.note import (
    SignedNote,
    cosign_note,
    parse_note,
    print_note,
    print_signature,
)

OURS = History(40)
FORK = History(40, changed=5)
VKEY = str(SIGNER.cosigner_vkey)
NOW_S = int(NOW.timestamp())


def line(size: int, *, history: History = OURS, time_s: int = NOW_S) -> bytes:
    """Give the cosignature that a witness would answer with."""
    text = parse_note(history.note(size)).text
    return print_signature(cosign_note(text, SIGNER, time_s=time_s)).encode()


def hold(url: str, size: int, *, held_size: int = 0) -> Held:
    """Hand a checkpoint of our history over."""
    return Witness(url, VKEY).hold(OURS.submission(size, held_size=held_size), NOW)


def test_a_cosigned_note_comes_back_with_both_signatures() -> None:
    """The evidence must stand alone: body, the log's signature, the witness's."""
    with answering((200, line(9))) as (url, asked):
        held = hold(url, 9, held_size=7)

    assert (held.size, held.suffix) == (9, "note")
    assert held.evidence == OURS.note(9) + line(9)
    assert asked == [
        (
            "/add-checkpoint",
            request(7, OURS.submission(9).prove(7), OURS.note(9)),
        )
    ]


def test_other_lines_beside_the_cosignature_are_left_out() -> None:
    """A witness may add signatures that we do not know, to keep clients honest."""
    other = line(9).replace(b"county", b"number")
    with answering((200, other + line(9))) as (url, _):
        held = hold(url, 9)

    assert held.evidence == OURS.note(9) + line(9)


def test_after_409_the_proof_starts_at_the_size_that_it_told() -> None:
    """An answer that was lost, or a witness that was restored, must heal by itself."""
    with answering((409, b"4\n"), (200, line(9))) as (url, asked):
        held = hold(url, 9, held_size=7)

    assert held.size == 9
    assert asked[1][1] == request(4, OURS.submission(9).prove(4), OURS.note(9))


def test_after_409_with_our_own_size_it_is_asked_to_repeat() -> None:
    """Its answer was lost on the way; the same checkpoint needs no proof."""
    with answering((409, b"9\n"), (200, line(9))) as (url, asked):
        held = hold(url, 9, held_size=7)

    assert held.size == 9
    assert asked[1][1] == request(9, (), OURS.note(9))


@pytest.mark.drill
@pytest.mark.parametrize(
    ("answers", "held_size"),
    [
        ([(409, b"12\n")], 7),
        ([(409, b"9\n")], 9),
        ([(409, b"9\n"), (409, b"9\n")], 7),
        ([(422, b"no\n")], 7),
    ],
)
def test_another_history_is_said_with_what_shows_it(
    answers: list[tuple[int, bytes]], held_size: int
) -> None:
    """The log's own signature on the other history needs no trust in the witness."""
    cosigned = FORK.note(12) + line(12, history=FORK)
    with (
        answering(*answers, (200, cosigned)) as (url, asked),
        pytest.raises(OtherHistoryError, match="another history") as caught,
    ):
        hold(url, 9, held_size=held_size)

    assert caught.value.evidence == cosigned
    assert asked[-1][0].endswith("/checkpoint")


def test_another_history_without_evidence_is_said_all_the_same() -> None:
    """A witness that shows what the log never signed proves nothing and still alarms."""
    text = parse_note(FORK.note(12)).text
    alone = print_note(SignedNote(text, (cosign_note(text, SIGNER, time_s=NOW_S),)))
    with (
        answering((422, b""), (200, alone)) as (url, _),
        pytest.raises(OtherHistoryError) as caught,
    ):
        hold(url, 9)

    assert caught.value.evidence == b""


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        (400, RefusedError, "malformed"),
        (403, RefusedError, "add-log"),
        (404, RefusedError, "does not watch"),
        (409, StorageError, "409"),
        (302, StorageError, "302"),
        (500, StorageError, "500"),
        (503, StorageError, "503"),
    ],
)
def test_each_refusal_says_who_must_act(
    status: int, kind: type[Exception], told: str
) -> None:
    """A wrong key at the witness never heals by trying again; a full disk may."""
    with (
        answering((status, b"no\n")) as (url, _),
        pytest.raises(kind, match=told),
    ):
        hold(url, 9)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"not a line\n",
        line(9)[:-1],
        line(9).replace(b"county", b"number"),
        b"\n" + line(9),
        b"x" * 100_000,
    ],
)
def test_an_answer_without_its_cosignature_is_no_success(body: bytes) -> None:
    """200 from a server that is no witness, or another one, holds nothing."""
    with answering((200, body)) as (url, _), pytest.raises(StorageError):
        hold(url, 9)


@pytest.mark.drill
@pytest.mark.parametrize("forged", [line(8), line(9, history=FORK)])
def test_a_cosignature_of_something_else_does_not_verify(forged: bytes) -> None:
    """A line that is taken from another checkpoint must not pass for this one."""
    with (
        answering((200, forged)) as (url, _),
        pytest.raises(StorageError, match="not one of this checkpoint"),
    ):
        hold(url, 9)


@pytest.mark.parametrize("off_s", [-301, 301])
def test_a_cosignature_of_another_time_is_not_kept(off_s: int) -> None:
    """Its time is what an auditor will read; a wrong clock there is worth nothing."""
    with (
        answering((200, line(9, time_s=NOW_S + off_s))) as (url, _),
        pytest.raises(StorageError, match="clock"),
    ):
        hold(url, 9)


def test_a_little_skew_is_normal() -> None:
    """Two hosts never agree to the second."""
    with answering((200, line(9, time_s=NOW_S + 299))) as (url, _):
        assert hold(url, 9).size == 9


def test_nobody_there_is_a_storage_error() -> None:
    """The witness's host is down: the caller tries again and counts the time."""
    with answering((200, b"")) as (url, _):
        pass
    with pytest.raises(StorageError, match="cannot be reached"):
        hold(url, 9)


def test_only_this_host_is_asked_in_the_clear() -> None:
    """A mistyped scheme must not pass unnoticed; on purpose it may be."""
    with pytest.raises(ConfigError, match="plain_http"):
        Witness("http://witness.example", VKEY)
    Witness("http://witness.example", VKEY, plain_http=True)
    Witness("http://localhost:1", VKEY)
    Witness("https://witness.example", VKEY)


@pytest.mark.parametrize("vkey", ["none", str(LOG_KEY.vkey)])
def test_a_key_that_is_no_witness_is_refused(vkey: str) -> None:
    """The log's own key in the place of the witness's would witness itself."""
    with pytest.raises(ConfigError, match="vkey"):
        Witness("https://witness.example", vkey)


def test_what_it_sends_is_what_a_witness_takes() -> None:
    """Client and state machine agree on the form, from the first contact on."""
    pure = Pure()
    with answering((500, b"")) as (url, asked):
        for size, held_size in ((7, 0), (9, 7), (9, 9), (40, 9)):
            with pytest.raises(StorageError):
                hold(url, size, held_size=held_size)

    statuses = [pure.answer(body).status for _, body in asked]
    assert statuses == [200, 200, 200, 200]
    assert pure.log.head is not None
    assert pure.log.head.size == 40
