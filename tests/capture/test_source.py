"""Numbers of a source: none missing without a reason, none given by a stranger."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.trails import NOW, TENANT, event_id, phi_read, read_leaves

from phitrail.app.wiring import Trail, open_trail
from phitrail.capture.exchange import Systems
from phitrail.capture.recorder import Recorder
from phitrail.capture.source import Source, check_opening, source_name
from phitrail.errors import ConflictError, InputError, IntegrityError, StorageError
from phitrail.events.audit import AuditEvent
from phitrail.events.codes import Assurance, EventType, Log
from phitrail.events.protected import Protected
from phitrail.events.quality import Feedback
from phitrail.events.security import SecurityEvent
from phitrail.events.unprotect import unprotect
from phitrail.keys import names
from phitrail.keys.mac import Mac
from phitrail.keys.source_credential import (
    make_source_credential,
    read_source_credential,
)
from phitrail.tlog.note import ED25519, Signer, VerifierKey

TRAIL_ID = "01989d2f-0000-7000-8000-000000000000"
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NAME = source_name(TENANT, "assistant")
SIGNER = Signer(NAME, PRIVATE.public_key().public_bytes_raw(), PRIVATE.sign)
KEY = VerifierKey.derive(NAME, ED25519, PRIVATE.public_key().public_bytes_raw())


@pytest.fixture
def trail(trail_dir: Path) -> Iterator[Trail]:
    """An open trail without a source."""
    opened = open_trail(trail_dir)
    yield opened
    opened.close()


def recorder_of(trail: Trail, source: Source | None) -> Recorder:
    """Make a second door of a trail, for one source; two sources are registered."""
    return Recorder(
        appender=trail.appender,
        identity=trail.identity,
        vocabulary=trail.tenant.terms(),
        systems=Systems(),
        actions={},
        idempotency=Mac(trail.keys, names.IDEMPOTENCY),
        source=source,
        registered=("assistant", "gateway"),
    )


def numbers_of(trail: Trail, *logs: Log) -> list[int]:
    """List the numbers that stand in logs, in the order of each."""
    return [
        number
        for log in logs
        for leaf in read_leaves(trail, log)
        if (number := getattr(leaf, "source_seq", None)) is not None
    ]


def source_of(epoch: int = 7) -> Source:
    """Begin an epoch of the assistant, as if its opening were in the log."""
    source = Source("assistant", SIGNER, TRAIL_ID, epoch)
    source.is_begun = True
    return source


def test_every_event_of_any_log_has_the_next_number(trail: Trail) -> None:
    """One sequence over all logs: a hole in any of them shows."""
    source = source_of()
    recorder = recorder_of(trail, source)

    recorder.record(source.opening(NOW), NOW)
    recorder.record_many(
        (
            phi_read(1, patients=1),
            SecurityEvent(event_type=EventType.GUARD_DECIDED, event_id=event_id(2)),
            Feedback(request_id="q-1", event_id=event_id(3)),
        ),
        NOW,
    )
    recorder.record(source.closing(NOW), NOW)

    assert numbers_of(trail, Log.AUDIT) == [0, 1, 4]
    assert numbers_of(trail, Log.SECURITY, Log.QUALITY) == [2, 3]
    assert source.given == 5


def test_the_parts_of_one_event_share_its_number(trail: Trail) -> None:
    """A large event counted as several would look like several events."""
    many = tuple((f"{n}", f"{n}") for n in range(450))
    event = msgspec.structs.replace(
        phi_read(1),
        records=tuple((Protected(p), Protected(r), "Patient") for p, r in many),
    )

    recorder_of(trail, source_of()).record(event, NOW)

    assert numbers_of(trail, Log.AUDIT) == [0, 0, 0]


def test_no_number_is_lost_on_what_the_log_does_not_take(trail: Trail) -> None:
    """Refusals, retries and conflicts must not look like events that got lost."""
    source = source_of()
    recorder = recorder_of(trail, source)
    draw = random.Random(5)
    for step in range(120):
        match draw.randrange(5):
            case 0:  # refused by its field policy, after the number was taken
                event: Any = phi_read(step)
                with pytest.raises(InputError):
                    recorder.record(
                        msgspec.structs.replace(event, request_id="not admitted !"), NOW
                    )
            case 1:  # a retry, if it stands there with this content
                with suppress(ConflictError):
                    recorder.record(phi_read(draw.randrange(step + 1)), NOW)
            case 2:  # the same id with other content
                with suppress(ConflictError):
                    recorder.record(
                        msgspec.structs.replace(
                            phi_read(draw.randrange(step + 1)), user_id=f"u-{step}"
                        ),
                        NOW,
                    )
            case _:
                recorder.record(phi_read(step), NOW)

    numbers = numbers_of(trail, Log.AUDIT, Log.SECURITY)

    assert sorted(numbers) == list(range(max(numbers) + 1))


def test_a_log_that_is_down_takes_no_number(trail: Trail) -> None:
    """Nothing was kept, so nothing may be reported missing."""
    source = source_of()
    recorder = recorder_of(trail, source)
    recorder.record(phi_read(1), NOW)
    trail.stop_writing()

    with pytest.raises(StorageError):
        recorder.record(phi_read(2), NOW)

    assert (source.given, source.take()) == (1, 1)


def test_threads_share_one_sequence(trail: Trail) -> None:
    """Two events with one number, or a hole, would be a false alarm in every report."""
    recorder = recorder_of(trail, source_of())
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: recorder.record(phi_read(n), NOW), range(200)))

    assert sorted(numbers_of(trail, Log.AUDIT)) == list(range(200))


@pytest.mark.parametrize("bound", [None, "assistant"])
def test_nobody_numbers_for_another(trail: Trail, bound: str | None) -> None:
    """A bypassing program must not fill the holes that it leaves."""
    recorder = recorder_of(trail, source_of() if bound else None)
    named: Any = AuditEvent(event_type=EventType.PHI_READ, source_id="gateway")
    numbered: Any = AuditEvent(
        event_type=EventType.PHI_READ, source_id=bound, source_epoch=7, source_seq=3
    )
    for event, field in ((named, "source_id"), (numbered, "source_seq")):
        with pytest.raises(InputError) as caught:
            recorder.record(event, NOW)

        assert caught.value.field == field
    assert not numbers_of(trail, Log.AUDIT)


def test_imported_history_keeps_the_numbers_of_its_own_source(trail: Trail) -> None:
    """What an old system numbered is evidence; only names of ours are out of its reach."""
    event: Any = AuditEvent(
        event_type=EventType.PHI_READ,
        source_id="old-system",
        source_epoch=1,
        source_seq=4711,
        assurance=Assurance.IMPORTED,
    )
    recorder = recorder_of(trail, None)
    recorder.record(event, NOW)

    assert numbers_of(trail, Log.AUDIT) == [4711]
    with pytest.raises(InputError, match=r"^source_id: "):
        recorder.record(msgspec.structs.replace(event, source_id="gateway"), NOW)


def test_an_epoch_is_opened_by_the_credential_alone(trail: Trail) -> None:
    """Whoever has the log's keys but not the source's cannot begin an epoch for it."""
    stranger = Ed25519PrivateKey.from_private_bytes(bytes(32))
    forged = Signer(NAME, stranger.public_key().public_bytes_raw(), stranger.sign)
    for signer, epoch in ((SIGNER, 7), (forged, 8)):
        source = Source("assistant", signer, TRAIL_ID, epoch)
        recorder_of(trail, source).record(source.opening(NOW), NOW)
    true, false = [
        leaf
        for leaf in read_leaves(trail)
        if isinstance(leaf, AuditEvent)
        and leaf.event_type == EventType.SOURCE_EPOCH_OPENED
    ]

    check_opening(true, TRAIL_ID, KEY)
    moved = msgspec.structs.replace(true, source_epoch=9)
    bare = msgspec.structs.replace(true, source_proof=None)
    for event in (false, moved, bare):
        with pytest.raises(IntegrityError):
            check_opening(event, TRAIL_ID, KEY)
    with pytest.raises(IntegrityError):
        check_opening(true, event_id(1), KEY)


def test_a_credential_comes_back_as_it_was_handed_out() -> None:
    """A source that cannot open its epoch cannot record."""
    public, line = make_source_credential(TENANT, "assistant")
    source_id, private = read_source_credential(line, tenant=TENANT)

    assert source_id == "assistant"
    assert private.public_key().public_bytes_raw() == public


@pytest.mark.parametrize(
    "damage",
    [
        lambda line: line[:-1],
        lambda line: line.replace("assistant", "assist:ant"),
        lambda line: line.replace(TENANT, "another.example"),
        lambda line: "phitrail-recovery-v1" + line[len("phitrail-source-v1") :],
        lambda line: line[:-3] + "!!!",
        lambda _: "",
    ],
)
def test_a_damaged_credential_is_refused_and_not_shown(damage: Any) -> None:
    """The rule is named, the secret never."""
    _, line = make_source_credential(TENANT, "assistant")
    written = damage(unprotect(line))

    with pytest.raises(InputError, match=r"^source: ") as caught:
        read_source_credential(Protected(written), tenant=TENANT)

    assert len(written) < 40 or written[-20:-4] not in str(caught.value)
