"""Times as old systems write them, into our one form; nothing is guessed.

1. A time names its offset from UTC, or the map names the zone that it was written in. A
   time with neither is refused: a guess would move a night shift into the day.
2. In a zone that changes its clock, an hour of the year comes twice and one never. Such a
   time is refused unless the map says which reading is meant (`fold`).
3. Fractions beyond milliseconds are cut off, as our own form has three digits.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal

from phitrail.capture.history.entry import Value
from phitrail.errors import InputError
from phitrail.events.ids import format_time

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE_CHARS = 10
FIELD = "timestamp_utc"


@dataclass(frozen=True, slots=True)
class TimeReader:
    """Reads times.

    Attributes:
        form: `iso`, `epoch_s`, `epoch_ms`, or a pattern of `strptime`.
        zone: of times that name no offset.
        fold: which reading of an hour that comes twice.
    """

    form: str = "iso"
    zone: tzinfo | None = None
    fold: Literal["earlier", "later"] | None = None

    def read(self, value: Value) -> str:
        """Read a time; return it as RFC 3339 in UTC with milliseconds.

        Raises:
            InputError: it is not in that form, or says no offset and no zone is known.
        """
        try:
            moment = self._parse(value)
            if moment is not None:
                return format_time(self._placed(moment))
        except (ValueError, OverflowError, TypeError):
            pass  # not raised in here: these errors quote what they could not read
        raise InputError.for_field(FIELD, f"must be a time in the form {self._words()}")

    def _words(self) -> str:
        named = {
            "iso": "ISO 8601, such as 2026-03-02T08:00:00+00:00",
            "epoch_s": "of seconds since 1970",
            "epoch_ms": "of milliseconds since 1970",
        }
        return named.get(self.form, "that the map gives")

    def _parse(self, value: Value) -> datetime | None:
        if self.form in ("epoch_s", "epoch_ms"):
            return _since_epoch(value, self.form)
        if not isinstance(value, str):
            return None
        text = value.strip()
        if self.form != "iso":
            return datetime.strptime(text, self.form)  # noqa: DTZ007 - `_placed` does
        return datetime.fromisoformat(text) if len(text) > _DATE_CHARS else None

    def _placed(self, moment: datetime) -> datetime:
        """Give a time without offset the zone of the map."""
        if moment.utcoffset() is not None:
            return moment.astimezone(UTC)
        if self.zone is None:
            raise InputError.for_field(
                FIELD, "names no offset from UTC; say `zone` under `time` in the map"
            )
        early, late = (
            moment.replace(tzinfo=self.zone, fold=fold).astimezone(UTC)
            for fold in (0, 1)
        )
        if early == late:
            return early
        if self.fold is None or late < early:
            raise InputError.for_field(
                FIELD,
                "falls in the hour that a change of the clock skips or repeats; "
                "say `fold` under `time` in the map",
            )
        return early if self.fold == "earlier" else late


def _since_epoch(value: Value, form: str) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    number = float(value) if isinstance(value, str) else value
    milliseconds = number * 1000 if form == "epoch_s" else number
    return _EPOCH + timedelta(milliseconds=round(milliseconds))
