"""The whole guard against texts that nobody would write, and some that somebody would.

Held here, over `Guard.scan` and `GuardStream`: no text raises; places lie in the text and
apart; the same text gives the same answer; what was made safe stays as it is; nothing of a
text shows in what is printed, logged or raised; work grows with the length of the text.
"""

import json
import logging
import sys
import time
import unicodedata
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phitrail.errors import RefusedError
from phitrail.events.codes import GuardDecision, IdentifierClass
from phitrail.guard.decide import Judged, decide
from phitrail.guard.found import Found
from phitrail.guard.policy import GuardPolicy
from phitrail.guard.propagation import name_words
from phitrail.guard.record_context import RecordContext
from phitrail.guard.redact import Redactor
from phitrail.guard.result import GuardResult
from phitrail.guard.scan import Guard
from phitrail.guard.stream import GuardStream
from phitrail.guard.tagger import Tagger

CANARY = "Zyxwquist"
NUMBER = "4471-2209"
SEED = bytes(32)
CONTEXT = RecordContext.from_records(
    [
        {
            "name": f"Ayodele {CANARY}",
            "birth_date": "1961-04-02",
            "mrn": NUMBER,
            "phone": "606-555-0142",
        }
    ]
)
POLICIES = [
    GuardPolicy(),
    GuardPolicy(redaction="mask"),
    GuardPolicy(redaction="surrogate"),
    GuardPolicy(provider_names="release"),
]
NUMERALS = tuple(
    sign
    for sign in map(chr, range(sys.maxunicode + 1))
    if unicodedata.category(sign) in {"Nd", "Nl", "No"}
)
KNOWN = (
    f"Ayodele {CANARY}|Mrs. Brandvold|Dr. Okonjo|MRN {NUMBER}|SSN 219-09-9998|12 Feb 2025|"
    "04/02/1961|(606) 555-0142|a.quist@brandvold.example|http://p.example/u/4471|192.0.2.7|"
    "[NAME-1]|[[NAME-1]]|[MRN-|NAME-1]|[DATE|&#52;|%34%35|\\u0034|NDQ3MS0yMjA5|34343731|**|"
    "five five five oh one two three|5 5 5 0 1 4 2|turns 93|in her late nineties|\n|, |: |(|)|"
    '"name": "Jo Quist"|{|}|[|]|+1|ext 3|/|-|.|@|PID|1||x|BRANDVOLD^ADA'
).split("|")
ODD = (
    "\ud800|\udfff|\u202e|\u2066|\u200b|\u200d|\ufeff|\u00ad|\ufe0f|\u20e3|"
    "e\u0301\u0301\u0301|\u0130|"
    "\ufb01|\U0001fa7a|\U0001d7d8|\U0001d49c|\U000e0031|\U0010ffff|\x00|\u2028|\uff14\uff14\uff17|"
    "\u05d0\u05d1\u05d2|\u0645\u062d\u0645\u062f 123|\u738b\u5c0f\u660e|"
    "\u0410\u043d\u043d\u0430|\u03a3\u03bf\u03c6\u03af\u03b1|\u0928\u092e\u0938\u094d\u0924\u0947|\U0001f468\u200d\U0001f469"
).split("|")
PIECES = (
    st.sampled_from(KNOWN)
    | st.sampled_from(ODD)
    | st.text(st.sampled_from(NUMERALS), min_size=1, max_size=10)
    | st.sampled_from(KNOWN).map(json.dumps)
    | st.text(max_size=12)
)
TEXTS = st.builds(
    str.join, st.sampled_from(("", " ", " ", "\n")), st.lists(PIECES, max_size=16)
)


@pytest.fixture(scope="module")
def guard() -> Guard:
    """One guard serves all tests: it keeps nothing of a text."""
    return Guard()


def streamed(
    guard: Guard, text: str, sizes: Sequence[int], context: RecordContext | None = None
) -> tuple[str, tuple[Judged, ...]]:
    """Send a text through a stream in pieces of these sizes, again and again."""
    policy = GuardPolicy()

    def judge(_: str, found: Found) -> Judged | None:
        judged = decide((found,), policy, has_context=context is not None).spans
        return judged[0] if judged else None

    stream = GuardStream(
        lambda part, known: guard.find(part, context, known),
        lambda part, found: sorted(name_words(part, found)),
        judge,
        Redactor(policy.redaction, SEED).replacement,
    )
    out, at, turn = [], 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        out.append(stream.feed(text[at : at + size]))
        at, turn = at + size, turn + 1
    out.append(stream.finish())
    return "".join(out), stream.spans


@settings(max_examples=250, deadline=None)
@given(
    text=TEXTS,
    context=st.sampled_from((None, CONTEXT)),
    policy=st.sampled_from(POLICIES),
)
def test_places_lie_in_any_text_and_apart_and_come_again(
    guard: Guard, text: str, context: RecordContext | None, policy: GuardPolicy
) -> None:
    """A text that raises withholds an answer; a place outside it cuts the wrong words."""
    one, other = (guard.scan(text, context, policy, seed=SEED) for _ in range(2))
    last = 0
    for span in one.spans:
        assert last <= span.start < span.end <= len(text)
        last = span.end

    assert one == other
    assert policy.redaction != "mask" or len(one.safe_text) == len(text)


@settings(max_examples=250, deadline=None)
@given(text=TEXTS)
def test_what_was_made_safe_stays_as_it_is(guard: Guard, text: str) -> None:
    """A guard behind a guard, or a text that is saved and read again, must not change it."""
    safe = guard.scan(text).safe_text
    again = guard.scan(safe)

    assert again.safe_text == safe
    assert not again.is_phi_output


@settings(max_examples=100, deadline=None)
@given(text=TEXTS)
def test_what_was_made_safe_with_records_shows_nobody_else(
    guard: Guard, text: str
) -> None:
    """What a record explains may stay; everything that may not is gone the first time."""
    safe = guard.scan(text, CONTEXT).safe_text

    assert guard.scan(safe, CONTEXT).safe_text == safe


@settings(max_examples=100, deadline=None)
@given(
    text=st.lists(TEXTS, max_size=8).map(" ".join),
    sizes=st.lists(st.integers(1, 400), min_size=1, max_size=5),
)
def test_a_stream_is_the_same_however_it_is_cut(
    guard: Guard, text: str, sizes: list[int]
) -> None:
    """What leaks must not depend on how a model's words come in."""
    assert streamed(guard, text, [len(text) + 1]) == streamed(guard, text, sizes)


@pytest.mark.parametrize(
    "canary",
    [
        "219-09-9998",
        "(606) 555-0142",
        "a.quist@brandvold.example",
        "1EG4-TE5-MK73",
        "1M8GDM9AXKP042788",
        "04/02/1961",
        "March 4, 1961",
        "https://portal.example.org/p/4471zz9",
        "2001:db8:85a3::8a2e:370:7334",
        "&#50;&#49;&#57;-09-9998",
        "219\u200b-09-\u00ad9998",
        "\uff12\uff11\uff19-\uff10\uff19-\uff19\uff19\uff19\uff18",
        "\u0662\u0661\u0669-\u0660\u0669-\u0669\u0669\u0669\u0668",
    ],
)
@pytest.mark.parametrize("fill", [0, 190, 250, 255, 256, 257, 300, 700])
def test_an_identifier_is_held_back_wherever_a_stream_is_cut(
    guard: Guard, canary: str, fill: int
) -> None:
    """The cut of a stream is where others let a number out in two halves."""
    text = ("stable, no pain. " * 60)[:fill].rpartition(" ")[0] + f"\n{canary} noted.\n"
    text += "He eats well. " * 30
    for size in (1, 7, 64):
        out, _ = streamed(guard, text, [size])
        assert canary not in out
    assert canary not in guard.scan(text).safe_text


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n", "\ud800", "\x00", CANARY, "219-09-9998", "a" * 5000, "7" * 5000],
)
def test_a_text_of_one_thing_is_scanned(guard: Guard, text: str) -> None:
    """An empty answer, or one that is only a number, is an answer too."""
    result = guard.scan(text)

    assert result.original_length == len(text)
    assert (result.decision == GuardDecision.RELEASE) == (result.safe_text == text)


def test_offsets_count_code_points_behind_astral_characters(guard: Guard) -> None:
    """A consumer that cuts at the places must cut the identifier, not its neighbour."""
    text = "\U0001fa7a\U0001f1fa\U0001f1f8 e\u0301 SSN 219-09-9998; \U0001fa7a."
    found = {text[span.start : span.end] for span in guard.scan(text).spans}

    assert "219-09-9998" in found


def test_a_placeholder_hides_nothing_that_stands_in_or_beside_it(guard: Guard) -> None:
    """Whoever can write brackets must not be able to carry a number past the guard."""
    for text in (
        "[NAME-1]219-09-9998[SSN-1]",
        "[SSN-219-09-9998]",
        "[[SSN-1]219-09-9998]",
        "[NAME-1 219-09-9998]",
        "[SSN]: 219-09-9998",
        "\\[SSN-1\\] 219-09-9998",
    ):
        safe = guard.scan(text).safe_text
        assert "219-09-9998" not in safe
        assert "[SSN" in safe or "[NAME" in safe


def test_a_number_is_found_through_the_escapes_of_json(guard: Guard) -> None:
    """Answers carry JSON in JSON; a model's tool call is one."""
    inner = json.dumps({"ssn": "219-09-9998", "name": "Odile Brandvold"})
    for text in (inner, json.dumps({"body": inner}), json.dumps(json.dumps(inner))):
        safe = guard.scan(text).safe_text
        assert "9998" not in safe
        assert "Brandvold" not in safe


def test_a_link_with_the_patients_number_and_anothers_is_not_the_patients(
    guard: Guard,
) -> None:
    """A link may go on because it is the patient's; a stranger's number may not go with it."""
    own = "https://portal.example.org/p/44712209"
    other = "https://portal.example.org/p/44712209?with=88120034"
    mailed = "https://portal.example.org/p/44712209?to=o.brandvold@mail.example"

    assert own in guard.scan(f"See {own} now.", CONTEXT).safe_text
    assert "8812" not in guard.scan(f"See {other} now.", CONTEXT).safe_text
    assert "brandvold" not in guard.scan(f"See {mailed} now.", CONTEXT).safe_text
    assert "randvold" not in guard.scan(f"See {own}?x=Brandvold", CONTEXT).safe_text
    assert "odile" not in guard.scan(f"To odile.{CANARY}@x.example", CONTEXT).safe_text


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Guard:
    """A guard whose tagger fails in the middle of its work."""
    tagger = Tagger()

    def tag(*_: object) -> None:
        raise ValueError("the model could not be applied")

    monkeypatch.setattr(tagger, "tag", tag)
    return Guard(tagger)


def test_nothing_of_a_text_shows_in_what_is_printed_or_logged(
    guard: Guard, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A log line or a representation is where others lost what they had just hidden."""
    caplog.set_level(logging.DEBUG)
    text = f"Mr. Ayodele {CANARY}, MRN {NUMBER}."
    result = guard.scan(text, CONTEXT, seed=SEED)
    safe, spans = streamed(guard, text, [5], CONTEXT)
    shown = "".join(
        [
            *(repr(result), str(result), repr(spans), repr(guard), repr(CONTEXT)),
            *(repr(guard.find(text, CONTEXT)), repr(vars(guard)), caplog.text),
            *capfd.readouterr(),
        ]
    )

    assert isinstance(result, GuardResult)
    assert CANARY in safe
    for value in (CANARY, "Ayodele", NUMBER, "44712209"):
        assert value not in shown


def _raised(act: Callable[[], object]) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whichever it is
        act()
    return caught.value


def test_nothing_of_a_text_shows_in_what_is_raised(broken: Guard) -> None:
    """An error travels further than an answer: into logs, tickets and chats."""
    text = f"Mr. Ayodele {CANARY}, MRN {NUMBER}."

    def opinion(_: str) -> Sequence[Found]:
        raise KeyError("recogniser")

    def other(_: IdentifierClass, __: str) -> bool:
        raise OSError("the index cannot be read")

    raised = [
        _raised(lambda: broken.scan(text, CONTEXT)),
        _raised(lambda: Guard(second_opinion=opinion).scan(text)),
        _raised(
            lambda: Guard().scan(
                "MRN 8812-0034", CONTEXT, is_other_patient=other, seed=SEED
            )
        ),
        _raised(lambda: RecordContext.from_records([{CANARY: NUMBER}])),
        _raised(lambda: RecordContext.from_records([{"mrn": [[{"x": CANARY}]]}])),
        _raised(lambda: RecordContext.from_records([{"birth_date": CANARY}])),
    ]
    for error in raised:
        chain: BaseException | None = error
        while chain is not None:
            assert CANARY not in f"{chain!r} {chain}"
            assert NUMBER not in f"{chain!r} {chain}"
            chain = chain.__cause__ or chain.__context__


def test_a_stream_that_failed_once_gives_nothing_any_more(broken: Guard) -> None:
    """A caller that catches and goes on must not get the rest of an unscanned answer."""
    stream = GuardStream(
        lambda part, known: broken.find(part, None, known),
        lambda _, __: (),
        lambda _, __: None,
        lambda _, __: "",
    )
    with pytest.raises(ValueError, match="model"):
        stream.feed("word " * 200)

    with pytest.raises(RefusedError):
        stream.feed("more")


@pytest.mark.long
@pytest.mark.parametrize(
    "unit",
    "a|A |1|1 |1/|1-|1.|@|a@|a.|a@b.|http://|/a|::|(|((1|+1|MRN |MRN: |Dr. A|A. |O'|[|"
    '[NAME-1] |{"a":|"|\\u0034|&#52;|%34|*|_|five |a b |5 5 5 |May |on the 3rd |3/4 |3/4-|'
    "12:|a:b:|x.x|X1|aGVsbG8|34|\n|- |\u0301|a\u0301|\u200b|\uff11|\u0663|\ud800|\ufdfa|\u0130|"
    "age 9|93 |DOB |=|ninety |<b>|<|&|#|plate A|12345 |219-09-9998 |Jo Quist |16 Elm St |"
    "serial |a.jpg |E11.9, |J Smith, MD, |signed by |4 4 7 1 |zero |-|\u00bd|\u2460|^A|"
    "PID|PID,|https://p.example/44712209 ".split("|"),
)
def test_the_work_for_a_repeated_text_grows_with_its_length(
    guard: Guard, unit: str
) -> None:
    """One answer of 200 KB must not hold a worker for minutes."""

    def cost(size: int) -> float:
        text = (unit * (size // len(unit) + 1))[:size]
        began = time.process_time()
        guard.scan(text, CONTEXT)
        return time.process_time() - began

    small = max(min(cost(50_000) for _ in range(2)), 0.05)

    assert cost(200_000) / small < 4 * 3
