"""What the log is told of an episode: moves that follow from rows alone."""

from phitrail.detect.alert_marks import entry_of, ref_of
from phitrail.detect.alerts import AlertBook, Cause
from phitrail.detect.rule import read_rules
from phitrail.detect.tail import Tail
from phitrail.events.alert import Alert
from phitrail.events.codes import AlertState, Disposition, Log

SECOND = 1_000_000
BEGIN = 1_800_000_000 * SECOND
RULES = """
title: A read
id: 11111111-1111-4111-8111-111111111111
name: read
logsource: {product: phitrail, service: audit}
detection:
  read: {event_type: phi_read}
  condition: read
level: low
---
title: Two reads
id: 22222222-2222-4222-8222-222222222222
correlation:
  type: event_count
  rules: [read]
  group-by: [user_id]
  timespan: 10s
  condition: {gte: 2}
  generate: false
level: high
"""


class Told:
    """A tail and its book, fed by hand."""

    def __init__(self, text: str = RULES) -> None:
        rules = read_rules([("rules.yml", text.encode())]).judged()
        self.tail = Tail(rules)
        self.book = AlertBook("trail", update_after_us=3_600 * SECOND)
        self.alerts: list[Alert] = []
        self.clock = BEGIN
        self.number = 0

    def read(self, second: float, *, event_id: str = "", is_part: bool = False) -> None:
        """Let an event come that happened so many seconds after the beginning."""
        self.number += 1
        at = BEGIN + int(second * SECOND)
        self.clock = max(self.clock, at)
        row = {"event_type": "phi_read", "user_id": "u1", "patient": ("p1",)}
        name = event_id or f"e{self.number}"
        ref = ref_of(Log.AUDIT, self.number)
        changed = self.tail.take(Log.AUDIT, at, name, row, is_part=is_part, ref=ref)
        self.alerts += self.book.told(changed, self.clock, Cause(at, self.clock, row))

    def states(self) -> list[AlertState]:
        """List the moves."""
        return [one.state for one in self.alerts]


def test_two_episodes_that_become_one_leave_one_alert() -> None:
    """A late row that joins two alerts must not leave the second one open for ever."""
    told = Told()
    for second in (0, 1, 14, 15):
        told.read(second)
    told.read(8)

    early, late, *rest = told.alerts
    assert (early.state, late.state) == (AlertState.OPEN, AlertState.OPEN)
    (closed,) = [one for one in rest if one.state == AlertState.CLOSE]
    assert closed.alert_id == late.alert_id
    assert closed.disposition == Disposition.DUPLICATE
    assert told.book.open_count == 1


def test_an_id_stays_when_an_episode_turns_out_to_begin_earlier() -> None:
    """An alert that changes its name was assigned to somebody under the old one."""
    told = Told()
    for second in (20, 21, 12, 13, 22, 22.5):
        told.read(second)

    assert len({one.alert_id for one in told.alerts}) == 1


def test_parts_of_one_event_are_one_alert() -> None:
    """A read of a thousand records is one read."""
    told = Told(RULES.split("---", maxsplit=1)[0])
    for _ in range(3):
        told.read(0, event_id="one", is_part=True)
    told.read(1)

    assert told.states() == [AlertState.OPEN, AlertState.OPEN]
    assert [one.patient for one in told.alerts] == ["p1", "p1"]


def test_who_judges_the_same_rows_writes_the_same_events() -> None:
    """A replay after a crash is told from a second alert by this alone."""
    runs = []
    for _ in range(2):
        told = Told()
        for second in (0, 1, 2, 3, 9, 30, 31):
            told.read(second)
        told.alerts += told.book.advance(BEGIN + 60 * SECOND, told.clock)
        runs.append(told.alerts)

    assert runs[0] == runs[1]
    assert len({one.event_id for one in runs[0]}) == len(runs[0])


def test_evidence_names_entries() -> None:
    """What an alert rests on is found again by log and index."""
    told = Told()
    for second in (0, 30, 31):
        told.read(second)

    assert [one.evidence for one in told.alerts] == [("audit:2", "audit:3")]
    assert [entry_of(ref_of(log, 7)) for log in Log] == [f"{log}:7" for log in Log]


def test_an_alert_names_whom_it_is_about_whatever_its_rules_call_it() -> None:
    """The critical alert about somebody who has left must say who that is."""
    left = """
title: Somebody left
id: 33333333-3333-4333-8333-333333333333
name: left
logsource: {product: phitrail, service: audit}
detection:
  left: {event_type: user_left}
  condition: left
---
title: A read after leaving
id: 44444444-4444-4444-8444-444444444444
correlation:
  type: temporal_ordered
  rules: [left, read]
  aliases: {who: {left: object_id, read: user_id}}
  group-by: [who]
  timespan: 10s
x_containment: [user_id]
"""
    told = Told(RULES + "---" + left)
    row = {"event_type": "user_left", "object_id": "u1"}
    told.tail.take(Log.AUDIT, BEGIN, "gone", row, ref=ref_of(Log.AUDIT, 99))
    told.read(1)

    (alert,) = told.alerts
    assert alert.user_id == "u1"
