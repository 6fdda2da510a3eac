"""Keys are rotated by one process while another one records: nothing waits, nothing is lost.

A process with the trail open looks at the register once a second. Until then it protects
under the versions that it knows, and they open still; from then on under the new ones.
"""

import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from tests.faults.processes import Writer, writing
from tests.faults.texts_writer import SECOND, answer_of
from tests.trails import Whole, check_whole, phi_read

from phitrail.app import clock
from phitrail.app.key_rotation import rotate_key, rotate_keys
from phitrail.app.key_wiring import current_register
from phitrail.app.matching import Side, match_text
from phitrail.app.pins import JOURNAL
from phitrail.app.running import run_trail
from phitrail.app.verification import Verdict, verify_trail
from phitrail.app.wiring import open_trail
from phitrail.durable.database import open_database
from phitrail.events.codes import Log
from phitrail.events.protected import Protected
from phitrail.keys.names import IDEMPOTENCY, KeyKind, kinds_of_keys

ROTATED = [name for name, kind in kinds_of_keys().items() if kind is not KeyKind.SIGN]
TAKEN_UP_WITHIN_S = 3.0
"""Once a second, and a busy host."""
BY = "officer-7"
MODULE = "tests.faults.texts_writer"


def rotate_each(directory: Path, writer: Writer, rounds: int) -> None:
    """Rotate every key so often, one by one; the writer goes on after each."""
    with closing(open_trail(directory)) as trail:
        for _ in range(rounds):
            for name in ROTATED:
                rotate_key(trail, name, by=BY, reason="a test", now=clock.now())
                writer.read(3)


def await_version(directory: Path, writer: Writer, version: int) -> float:
    """Read receipts until one was hashed under a version; say how long that took."""
    began = time.monotonic()
    with closing(open_database(directory / JOURNAL, read_only=True)) as journal:
        while time.monotonic() - began < 10 * TAKEN_UP_WITHIN_S:
            writer.read(1)
            place = list(writer.receipts.values())[-1].positions[0]
            (mac,) = journal.execute(
                "SELECT mac FROM event WHERE log = ? AND idx = ?",
                (place.log, place.index),
            ).fetchone()
            if int.from_bytes(mac[:2]) == version:
                return time.monotonic() - began
    raise AssertionError("the writer never took the new version up")


def check_each_once(whole: Whole, writer: Writer, directory: Path) -> None:
    """Every receipt holds, and no event stands twice."""
    whole.check_holds(writer.receipts.values(), directory)
    for log in Log:
        counted = Counter(whole.event_ids(log.value))
        assert set(counted.values()) <= {1}
    numbers = sorted(number for number in writer.receipts if number < SECOND)
    assert len(numbers) == len(set(numbers))


def run(directory: Path, rounds: int) -> Writer:
    """Record in one process, rotate in another, and check all of it."""
    with writing(directory, 0, MODULE) as writer:
        writer.read(9)
        rotate_each(directory, writer, rounds)
        versions = {
            one.name: one.version
            for one in current_register(directory).keys
            if one.name in ROTATED
        }
        assert versions == dict.fromkeys(ROTATED, rounds + 1)
        took_s = await_version(directory, writer, rounds + 1)
        assert took_s < TAKEN_UP_WITHIN_S
        writer.read(12)
        writer.stop()
    check_each_once(check_whole(directory), writer, directory)
    verified = verify_trail(directory, deep=True)
    assert (verified.verdict, verified.findings) == (Verdict.UNANCHORED, ())
    return writer


def check_answers_are_found(directory: Path, writer: Writer) -> None:
    """Answers that were recorded first, last and in between are found by their text."""
    answers = sorted(n - SECOND for n in writer.receipts if n >= SECOND)
    with run_trail(directory) as running:
        for number in {answers[0], answers[len(answers) // 2], answers[-1]}:
            text = Protected(answer_of(number))
            found = match_text(running, text, Side.ANSWER, by=BY, now=clock.now())
            assert len(found.entries) == 1


def test_a_writer_goes_on_while_every_key_is_rotated(trail_dir: Path) -> None:
    """A clinic must not stop for a rotation, nor be started anew for one."""
    writer = run(trail_dir, 2)

    check_answers_are_found(trail_dir, writer)


@pytest.mark.long
def test_a_writer_goes_on_through_twenty_rotations_of_every_key(
    trail_dir: Path,
) -> None:
    """Twenty years of yearly rotations, in one process's life."""
    writer = run(trail_dir, 20)

    check_answers_are_found(trail_dir, writer)


@pytest.mark.long
def test_a_writer_goes_on_while_all_keys_are_rotated_at_once(trail_dir: Path) -> None:
    """One change with many new versions is taken up whole."""
    with writing(trail_dir, 0, MODULE) as writer:
        with closing(open_trail(trail_dir)) as trail:
            for _ in range(3):
                rotate_keys(trail, ROTATED, by=BY, reason="a test", now=clock.now())
                writer.read(6)
        await_version(trail_dir, writer, 4)
        writer.stop()

    check_each_once(check_whole(trail_dir), writer, trail_dir)


def test_a_retry_in_another_process_is_known_again(trail_dir: Path) -> None:
    """Who rotated and who retries need not be the same process."""
    with (
        closing(open_trail(trail_dir)) as first,
        closing(open_trail(trail_dir)) as other,
    ):
        rotate_key(first, IDEMPOTENCY, by=BY, reason="a test", now=clock.now())
        under_new = first.recorder.record(phi_read(1), clock.now())
        under_old = other.recorder.record(phi_read(2), clock.now())
        again = other.recorder.record(phi_read(1), clock.now())

        assert again.positions == under_new.positions
        assert first.recorder.record(phi_read(2), clock.now()).positions == (
            under_old.positions
        )
