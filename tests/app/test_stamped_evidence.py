"""A time stamp is kept with the note that it is of, and goes with it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from phitrail.anchor.held import Held
from phitrail.app.anchor_standing import Shelf, Standing, held_file
from phitrail.events.codes import Log
from phitrail.events.ids import format_time

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_a_time_stamp_and_its_note_stay_and_go_together(tmp_path: Path) -> None:
    """A stamp whose note was thrown away is of nothing that anybody can show."""
    shelf, before = Shelf(tmp_path, "tsa", Log.AUDIT), Standing()
    for size, minutes in ((5, 0), (6, 30), (7, 59), (8, 60)):
        held = Held(size, b"stamp %d" % size, "tsr", stamped=b"note %d" % size)
        after = Standing(
            held_size=size,
            held_at=format_time(NOON + timedelta(minutes=minutes)),
            held_file=held_file(held),
        )
        shelf.write_held(before, after, held, is_cosigned=False)
        before = after

    kept = {
        place.name: place.read_bytes()
        for place in (tmp_path / shelf.directory).iterdir()
        if place.suffix != ".json"
    }
    assert kept == {
        f"{size:020d}.{suffix}": b"%s %d" % (what, size)
        for size in (7, 8)
        for suffix, what in (("tsr", b"stamp"), ("note", b"note"))
    }
