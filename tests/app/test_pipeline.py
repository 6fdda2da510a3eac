"""What runs beside the writers: it publishes, waits, repairs itself, or says why not."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.faults.steps import Fault, FaultyFiles, Kind
from tests.keys.rings import TimedVault
from tests.trails import NOW, check_whole, phi_read, plain_event

from phitrail.app.config import Policy, read_tenant, write_config
from phitrail.app.key_wiring import KEYS
from phitrail.app.pins import JOURNAL
from phitrail.app.pipeline import Pipeline
from phitrail.app.wiring import OUTSIDE, Trail, open_trail
from phitrail.durable.files import DurableFiles
from phitrail.errors import (
    ConfigError,
    IntegrityError,
    OutcomeUnknownError,
    StorageError,
    VaultError,
)
from phitrail.keys.ring import KeyRing
from phitrail.tlog.journal import Journal
from phitrail.tlog.publisher import Publisher

SELDOM = Policy(publish_interval_s=3600.0)


@pytest.fixture
def trail(trail_dir: Path) -> Iterator[Trail]:
    """Give an open trail that publishes only when asked."""
    write_config(trail_dir, read_tenant(trail_dir), SELDOM)
    opened = open_trail(trail_dir)
    yield opened
    opened.close()


@pytest.fixture
def pipeline(trail: Trail) -> Iterator[Pipeline]:
    """Give a pipeline that ticks."""
    started = Pipeline(trail)
    started.start()
    yield started
    started.close()


def size(trail: Trail) -> int:
    """Read the size of the newest checkpoint of the audit log."""
    journal = trail.journal()
    newest = journal.newest_checkpoint("audit")
    journal.close()
    assert newest is not None
    return newest[0]


def test_a_round_that_is_asked_for_covers_what_was_durable(
    trail: Trail, pipeline: Pipeline
) -> None:
    """The round under way may have begun too early: the next one must be waited for."""
    for number in range(20):
        trail.recorder.record(plain_event(number), NOW)
        pipeline.publish_now(20.0)

        assert size(trail) == number + 2


def test_closing_publishes_once_more(trail: Trail, trail_dir: Path) -> None:
    """A program that ends leaves nothing unpublished."""
    pipeline = Pipeline(trail)
    pipeline.start()
    pipeline.publish_now(20.0)
    trail.recorder.record(phi_read(1), NOW)
    pipeline.close()
    trail.close()

    assert check_whole(trail_dir).checkpoints["audit"][-1] == 2


def test_whoever_has_not_the_lease_waits_and_gets_it(trail: Trail) -> None:
    """Two publishers would fork; a dead one must be replaced."""
    first, second = Pipeline(trail), Pipeline(trail)
    first.start()
    first.publish_now(20.0)
    second.start()
    trail.recorder.record(plain_event(1), NOW)
    second.publish_now(20.0)
    before = size(trail)
    first.close()
    trail.recorder.record(plain_event(2), NOW)
    second.publish_now(20.0)
    second.close()

    assert before == 1
    assert size(trail) == 3
    assert (first.failure, second.failure) == (None, None)


def test_a_refusal_to_sign_ends_it_for_good(trail: Trail, pipeline: Pipeline) -> None:
    """Trying again until it works would pass over an integrity error."""
    pipeline.publish_now(20.0)
    bad = trail.directory / OUTSIDE / "bad"
    bad.write_bytes(b"x")
    trail.recorder.record(plain_event(1), NOW)
    with pytest.raises(IntegrityError, match="bad is no checkpoint"):
        pipeline.publish_now(20.0)
    bad.unlink()
    with pytest.raises(IntegrityError, match="bad is no checkpoint"):
        pipeline.publish_now(20.0)

    assert isinstance(pipeline.failure, IntegrityError)
    assert size(trail) == 1


def test_whatever_else_stops_it_is_kept_and_said(trail: Trail) -> None:
    """A thread that dies without a word would leave callers waiting."""
    aside = (trail.directory / JOURNAL).rename(trail.directory / "aside.db")
    pipeline = Pipeline(trail)
    pipeline.start()
    with pytest.raises(ConfigError, match="there is no"):
        pipeline.publish_now(20.0)
    pipeline.close()
    aside.rename(trail.directory / JOURNAL)


@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_it_goes_on_after_one_failed_step(
    trail: Trail, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """A passing fault of the disk must cost one round, whatever was its outcome."""
    fault = Fault(Kind.LOST, step)

    def publisher(_: Trail) -> Publisher:
        return Publisher(
            Journal.open(trail.directory / JOURNAL),
            FaultyFiles(trail.directory, fault),
            trail.log_keys,
            trail.directory / OUTSIDE,
        )

    monkeypatch.setattr(Trail, "publisher", publisher)
    trail.recorder.record(plain_event(1), NOW)
    pipeline = Pipeline(trail)
    pipeline.start()
    pipeline.publish_now(20.0)
    pipeline.close()

    assert fault.was_reached
    assert size(trail) == 2
    assert pipeline.last_error is None


def test_a_disk_that_keeps_failing_is_said(
    trail: Trail, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asked must learn it, and the error goes once the disk is well."""

    def failing(_: DurableFiles, __: list[Path]) -> None:
        raise OSError(5, "Input/output error")

    pipeline.publish_now(20.0)
    trail.recorder.record(plain_event(1), NOW)
    with monkeypatch.context() as patched:
        patched.setattr(DurableFiles, "sync", failing)
        with pytest.raises(OutcomeUnknownError, match="syncing"):
            pipeline.publish_now(20.0)
    pipeline.publish_now(20.0)

    assert pipeline.last_error is None
    assert size(trail) == 2


def test_a_round_that_does_not_end_in_time_is_said(
    trail: Trail, pipeline: Pipeline
) -> None:
    """A journal that another process holds must not hang those who ask for a round."""
    pipeline.publish_now(20.0)
    trail.recorder.record(plain_event(1), NOW)
    other = Journal.open(trail.directory / JOURNAL)
    other.database.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match=r"within 0\.01 s"):
        pipeline.publish_now(0.01)
    other.database.execute("ROLLBACK")
    other.close()
    pipeline.publish_now(20.0)

    assert size(trail) == 2


def test_a_pipeline_that_never_ran_closes(trail: Trail) -> None:
    """An opening that failed half way must be able to clean up."""
    Pipeline(trail).close()

    assert size(trail) == 1


def test_each_round_renews_what_the_vault_admits(trail_dir: Path) -> None:
    """Whoever records would wait for the vault when a secret's time is over."""
    keys = trail_dir / KEYS
    elapsed = [0]
    vault = TimedVault.load(keys)
    assert isinstance(vault, TimedVault)
    trail = replace(
        open_trail(trail_dir),
        keys=KeyRing.load(keys, vault, elapsed_us=lambda: elapsed[0]),
    )
    pipeline = Pipeline(trail)
    pipeline.start()
    pipeline.publish_now(20.0)
    first = vault.asked
    elapsed[0] = int(vault.unwrap_cache_s * 600_000)  # six tenths of its time
    pipeline.publish_now(20.0)
    renewed = vault.asked
    trail.keys.newest("rater")
    vault.error = VaultError("the vault does not answer")
    elapsed[0] *= 2
    with pytest.raises(VaultError, match="does not answer"):
        pipeline.publish_now(20.0)
    vault.error = None
    pipeline.publish_now(20.0)
    pipeline.close()
    trail.close()

    assert (first, renewed) == (1, 2)
    assert pipeline.failure is None
