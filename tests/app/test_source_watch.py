"""What goes wrong with a source is recorded, once, by whoever watches."""

from datetime import timedelta
from pathlib import Path

from tests.app.sourced import MINUTE, look, opened, program, register
from tests.trails import NOW, read_leaves

from phitrail.app import clock
from phitrail.app.config import Policy, read_tenant, write_config
from phitrail.app.source_watch import SourceWatcher
from phitrail.events.audit import AuditEvent
from phitrail.events.codes import EventType

NEWS = (EventType.SOURCE_GAP, EventType.SOURCE_GAP_HEALED, EventType.SOURCE_SILENT)


def said(directory: Path) -> list[tuple[str, str | None, str | None, int | None]]:
    """List what was recorded about sources."""
    with opened(directory) as trail:
        return [
            (leaf.event_type, leaf.object_id, leaf.source_event_id, leaf.result_count)
            for leaf in read_leaves(trail)
            if isinstance(leaf, AuditEvent) and leaf.event_type in NEWS
        ]


def test_a_gap_is_told_once_and_healed_once(trail_dir: Path) -> None:
    """Told twice it is noise; told before it could be late it is a false alarm."""
    credential = register(trail_dir, "assistant", NOW)
    with program(trail_dir, credential, NOW) as one:
        epoch = one.source.epoch
        one.record(NOW)
        first, last = one.drop(3)
        one.beat(NOW + MINUTE)

        assert look(trail_dir, NOW + 2 * MINUTE) == 0  # it may still be late
        for at in (7, 8):
            one.beat(NOW + at * MINUTE)
        assert look(trail_dir, NOW + 8 * MINUTE) > 0
        assert look(trail_dir, NOW + 8 * MINUTE) == 0

        one.late(first + 1, NOW + 9 * MINUTE)
        assert look(trail_dir, NOW + 9.5 * MINUTE) == 1
        for number in (first, last):
            one.late(number, NOW + 10 * MINUTE)
        one.close(NOW + 10 * MINUTE)
    assert look(trail_dir, NOW + 11 * MINUTE) == 2

    assert look(trail_dir, NOW + timedelta(days=3)) == 0
    assert [one for one in said(trail_dir) if one[0] != "source_silent"] == [
        ("source_gap", "assistant", f"{epoch}:{first}-{last}", 3),
        ("source_gap_healed", "assistant", f"{epoch}:{first + 1}-{first + 1}", 1),
        ("source_gap_healed", "assistant", f"{epoch}:{first}-{first}", 1),
        ("source_gap_healed", "assistant", f"{epoch}:{last}-{last}", 1),
    ]


def test_each_silence_is_told_once(trail_dir: Path) -> None:
    """A second silence of one process is news; the same one an hour later is not."""
    credential = register(trail_dir, "assistant", NOW)
    with program(trail_dir, credential, NOW) as one:
        assert look(trail_dir, NOW + 2 * MINUTE) == 0
        assert look(trail_dir, NOW + 4 * MINUTE) == 1
        assert look(trail_dir, NOW + 60 * MINUTE) == 0
        one.beat(NOW + 61 * MINUTE)
        assert look(trail_dir, NOW + 62 * MINUTE) == 0
        assert look(trail_dir, NOW + 65 * MINUTE) == 1
        one.close(NOW + 66 * MINUTE)

    epoch = str(one.source.epoch)
    assert look(trail_dir, NOW + timedelta(days=1)) == 0
    assert said(trail_dir) == [("source_silent", "assistant", epoch, None)] * 2


def test_two_that_look_at_once_record_one_event(trail_dir: Path) -> None:
    """A lease that moves while somebody looks must not double what is said."""
    credential = register(trail_dir, "assistant", NOW)
    with program(trail_dir, credential, NOW) as one:
        one.drop(2)
        one.beat(NOW)
    now = NOW + 10 * MINUTE
    with opened(trail_dir) as trail, opened(trail_dir) as other:
        watchers = [
            SourceWatcher(t, is_publishing=lambda: True) for t in (trail, other)
        ]
        events = [watcher.news(now) for watcher in watchers]
        for part, given in zip((trail, other), events, strict=True):
            part.recorder.record_many(given, now)

    assert events[0] == events[1]
    assert [kind for kind, *_ in said(trail_dir)] == ["source_gap", "source_silent"]


def test_a_trail_without_sources_is_not_looked_at(trail_dir: Path) -> None:
    """A program without sources must not pay for DuckDB."""
    assert look(trail_dir, NOW) == 0
    assert not (trail_dir / "state" / "tables.lock").exists()


def test_the_thread_looks_where_this_process_publishes(trail_dir: Path) -> None:
    """Two processes that watch would do the work twice."""
    write_config(trail_dir, read_tenant(trail_dir), Policy(source_silent_after_s=0.001))
    credential = register(trail_dir, "assistant", NOW)
    with program(trail_dir, credential, NOW):
        pass
    with opened(trail_dir) as trail:
        idle = SourceWatcher(trail, is_publishing=lambda: False, look_every_s=0.01)
        busy = SourceWatcher(trail, is_publishing=lambda: True, look_every_s=0.01)
        idle.start()
        idle.close()
        assert not said(trail_dir)
        busy.start()
        deadline_us = clock.monotonic_us() + 20_000_000
        while not said(trail_dir):
            assert clock.monotonic_us() < deadline_us
        busy.close()

    assert busy.failure is None
    assert len(said(trail_dir)) == 1


def test_what_stops_the_watch_is_kept(trail_dir: Path) -> None:
    """A damaged file must not end the watch without a word."""
    with opened(trail_dir) as trail:
        (trail_dir / "sources.yaml").write_text("nonsense: 1\n")
        watcher = SourceWatcher(trail, is_publishing=lambda: True, look_every_s=0.01)
        watcher.start()
        deadline_us = clock.monotonic_us() + 20_000_000
        while watcher.failure is None:
            assert clock.monotonic_us() < deadline_us
        watcher.close()

    assert "sources.yaml" in str(watcher.failure)
