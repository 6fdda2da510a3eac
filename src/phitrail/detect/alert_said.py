"""What the log says of alerts already: gone on with, or closed where the rule is another one.

1. A rule that begins where rows stand looks for the alerts that the log has of it.
2. An alert whose rule is gone, or means something else, is closed. What the tail remembered of
   it may be older than what the log was told before a crash: the newest of both counts.
3. Only moves that detection made of episodes are touched: not those of people, of quality
   tests, or of single events, which are over when they are told.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from phitrail.detect.alert_marks import JOINED, MATCHED, RULE_CHANGED, marks_of, us_of
from phitrail.detect.tail_state import Told
from phitrail.events.alert import Alert
from phitrail.events.codes import AlertState


@dataclass(slots=True)
class Said:
    """What the log holds of one alert: its newest move, how many, where its windows began."""

    newest: Alert
    moves: int
    starts: set[int]


def sort_said(moves: Iterable[Alert]) -> list[Said]:
    """Sort moves of detection by their alerts; those that others took in are left out."""
    known: dict[str, Said] = {}
    for move in moves:
        one = known.setdefault(move.alert_id, Said(move, 0, set()))
        one.newest, one.moves = move, one.moves + 1
        one.starts.add(us_of(move.window_start))
    return [one for one in known.values() if one.newest.reason_codes != (JOINED,)]


def close_orphans(
    told: Iterable[Told], said: Iterable[Alert], digests: Mapping[str, str]
) -> list[Alert]:
    """Close alerts whose rules are gone, or mean something else now.

    Args:
        told: what was told of their episodes, as far as that was kept.
        said: what the log holds since, of all rules.
        digests: what each rule means now, by its id.
    """
    newest = {one.alert.alert_id: one.alert for one in told}
    for move in said:
        if _is_of_episode(move) and digests.get(move.rule_id) != move.rule_digest:
            newest[move.alert_id] = move
    return [
        _close_orphan(one) for one in newest.values() if one.state != AlertState.CLOSE
    ]


def _is_of_episode(move: Alert) -> bool:
    """Say whether detection told it of an episode; others are nobody's to close here."""
    is_ours = move.note_digest is None and move.metric is None
    return (
        is_ours and move.rule_digest is not None and move.reason_codes[:1] != (MATCHED,)
    )


def _close_orphan(alert: Alert) -> Alert:
    return replace(
        alert,
        state=AlertState.CLOSE,
        reason_codes=(RULE_CHANGED,),
        received_at=None,
        nonce=None,
        **marks_of(alert.alert_id, "close", us_of(alert.timestamp_utc)),
    )
