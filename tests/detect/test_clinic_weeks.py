"""The clinic weeks that recall is measured on: in the log's form, repeatable, labelled."""

import random
from functools import cache
from pathlib import Path

import msgspec
import pytest
from bench.clinic_weeks import Run, Size, make_weeks, print_scores, run_seed, score_runs
from bench.clinic_weeks_house import HOUR_US, make_house
from bench.clinic_weeks_judge import Told, judge, shipped_rules
from bench.clinic_weeks_misuse import SCENARIOS, Misuse
from bench.clinic_weeks_rows import INNOCENT, Made
from bench.clinic_weeks_scoring import score
from bench.clinic_weeks_shifts import local_us, make_rota

from phitrail.detect.rule import read_rules
from phitrail.detect.typed import Rule
from phitrail.events.audit import AuditLeaf
from phitrail.events.canonical import encode_leaf
from phitrail.events.codes import Log
from phitrail.events.ids import parse_time
from phitrail.events.quality import Rollout
from phitrail.events.security import SecurityEvent

SMALL = Size(users=40, weeks=1, each=1)
KINDS = {
    Log.AUDIT: (AuditLeaf, "phitrail/audit-event/v1"),
    Log.SECURITY: (SecurityEvent, "phitrail/security-event/v1"),
    Log.QUALITY: (Rollout, "phitrail/rollout/v1"),
}
GOLDEN = Path(__file__).parents[1] / "data" / "clinic_weeks" / "small.md"
PAGE = Path(__file__).parents[2] / "docs" / "detection-figures.md"
RULES = """
title: An access off shift
id: 5f1b5f0e-0f4f-4f0d-9a44-3c1f6a1d7a01
name: off_shift
logsource: {product: phitrail, service: audit}
detection:
  opening: {event_type: [phi_read, phi_write], on_shift: false}
  condition: opening
---
title: More than 4 accesses off shift within an hour by one user
id: 5f1b5f0e-0f4f-4f0d-9a44-3c1f6a1d7a02
correlation:
  type: value_count
  rules: [off_shift]
  group-by: [user_id]
  timespan: 1h
  condition: {field: access, gt: 4}
level: medium
---
title: An attempt to steer a model
id: 5f1b5f0e-0f4f-4f0d-9a44-3c1f6a1d7a03
name: steering
logsource: {product: phitrail, service: security}
detection:
  attempt: {event_type: ai_injection_attempt}
  condition: attempt
---
title: More than 10 attempts within 5 minutes
id: 5f1b5f0e-0f4f-4f0d-9a44-3c1f6a1d7a04
correlation:
  type: event_count
  rules: [steering]
  timespan: 5m
  condition: {gt: 10}
level: high
"""


def few_rules() -> tuple[Rule, ...]:
    """Read rules that change with this file alone."""
    return read_rules([("few.yml", RULES.encode())]).judged()


@cache
def made() -> tuple[list[Made], list[Misuse]]:
    """Make the small weeks once."""
    return make_weeks(1, SMALL)


@cache
def run() -> Run:
    """Judge the small weeks by the few rules, once."""
    return run_seed(1, SMALL, few_rules())


def _leaf(one: Made) -> bytes:
    kind, tag = KINDS[one.log]
    return encode_leaf(msgspec.convert({"schema": tag} | one.leaf, kind))


def test_every_row_is_a_leaf_that_the_log_would_hold() -> None:
    """Rules that are scored on fields that no event has would be scored on nothing."""
    rows, _ = made()

    assert all(_leaf(one) for one in rows)
    assert {one.log for one in rows} == set(Log)


def test_the_time_of_a_row_is_the_one_that_it_says() -> None:
    """Windows over another time than the row's own would shift every figure."""
    rows, _ = made()
    written = [parse_time(str(one.leaf["timestamp_utc"])) for one in rows]

    assert [one.at_us for one in rows] == [
        int(at.timestamp()) * 1_000_000 + at.microsecond for at in written
    ]


def test_one_seed_gives_the_same_rows_and_another_gives_others() -> None:
    """A figure that cannot be made again is none."""
    again, _ = make_weeks(1, SMALL)
    other, _ = make_weeks(2, SMALL)

    assert made()[0] == again
    assert [one.leaf for one in again] != [one.leaf for one in other]


def test_each_scenario_leaves_rows_of_its_label_by_people_of_its_own() -> None:
    """An instance without rows would count as missed, one with another's as caught."""
    rows, misuse = made()
    labels = {one.label for one in rows}
    users = [user for one in misuse for user in one.users]

    assert {one.scenario for one in misuse} == set(SCENARIOS)
    assert len(SCENARIOS) == 12
    assert labels == {INNOCENT, *range(12)}
    assert len(users) == len(set(users))


def test_most_accesses_of_innocent_weeks_are_explained_by_care() -> None:
    """Weeks in which care explains nothing would make every rule on relations look bad."""
    (week,) = run().weeks

    assert week.accesses > 1_000
    assert 0.84 <= week.explained <= 0.94


def test_innocent_weeks_owe_nothing_to_misuse() -> None:
    """An alert that stands there anyway is a false one, whoever it happens to name."""
    rows = [one for one in made()[0] if one.label == INNOCENT]
    judged = judge(few_rules(), rows)

    assert judged.alerts
    assert not any(one.is_owed or one.labels for one in judged.alerts)


def test_an_alert_is_owed_to_the_misuse_whose_rows_it_rests_on() -> None:
    """Recall would be luck if any alert in the same hour counted."""
    rows = {one.event_id: one.label for one in made()[0]}
    campaign = next(m for m in run().misuse if m.scenario == "injection campaign")
    owed = [one for one in run().judged.alerts if campaign.label in one.labels]

    assert owed
    assert all(one.is_owed for one in owed)
    assert all(one.alerted_us >= campaign.begins_us for one in owed)
    assert set(rows.values()) >= {campaign.label}


def test_what_comes_too_late_for_the_tail_is_counted() -> None:
    """Rows out of a spool are for history; a score that hides them says too much."""
    assert 0 < run().judged.beyond < run().judged.rows / 20


@pytest.mark.long
def test_tail_and_history_agree_on_the_shipped_rules() -> None:
    """The judge asserts it: another set of alerts in a backtest would stop here."""
    judged = judge(shipped_rules(), made()[0])

    assert judged.alerts


def test_a_missed_scenario_counts_as_missed() -> None:
    """Recall that leaves out what no rule saw is no recall."""
    scores = score([(run().judged, run().misuse)], SMALL.users)
    slow = next(one for one in scores.recalls if one.scenario == "self access")

    assert (slow.instances, slow.caught, slow.low) == (1, 0, 0.0)
    assert slow.median_s is None


def test_the_tables_are_the_same_to_the_letter(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Docs quote them; they change where rules or weeks do, and nowhere else."""
    print_scores([run()], SMALL, score_runs([run()], SMALL))
    told = capsys.readouterr().out

    assert told == GOLDEN.read_text(encoding="utf-8")


def test_a_shift_begins_at_the_local_hour_on_both_sides_of_a_clock_change() -> None:
    """Weeks that are an hour off after the change would blame the night shift."""
    before, after = local_us("main", 19, 7), local_us("main", 20, 7)
    elsewhere = local_us("mesa", 20, 7) - local_us("mesa", 19, 7)

    assert after - before == 23 * 3_600_000_000
    assert elsewhere == 24 * 3_600_000_000


def test_the_roster_says_who_is_at_work_and_nothing_of_who_is_in_none() -> None:
    """False for somebody who has no shifts at all would make every access one off shift."""
    house = make_house(random.Random(1), 80)
    rota = make_rota(random.Random(1), house.users, 1)
    shift = next(one for one in rota.shifts if one.is_in_roster)
    unlisted = next(one for one in house.users if not one.role.is_rostered)

    assert shift.user.role.is_rostered
    assert rota.is_on_shift(shift.user, shift.begin_us) is True
    assert rota.is_on_shift(shift.user, shift.begin_us - 1) is False
    assert rota.is_on_shift(unlisted, shift.begin_us) is None


def test_an_account_that_comes_back_is_told_once_and_labelled() -> None:
    """What phitrail itself tells of misuse must count for it, and not twice."""
    rows, misuse = made()
    dormant = next(one for one in misuse if one.scenario == "dormant revived")
    told = [one for one in rows if one.leaf.get("event_type") == "dormant_user_active"]

    assert [one.label for one in told].count(dormant.label) == 1
    assert {one.leaf["user_id"] for one in told} >= set(dormant.users)
    assert all(one.at_us > dormant.begins_us for one in told if one.label >= 0)


def test_an_emergency_that_nobody_reviews_is_told_three_days_later() -> None:
    """Misuse of emergency access shows in reviews that do not come."""
    rows, misuse = made()
    misused = next(one for one in misuse if one.scenario == "break-glass misuse")
    overdue = [one for one in rows if one.leaf.get("event_type") == "review_overdue"]
    begun = {
        one.event_id: one
        for one in rows
        if one.leaf.get("event_type") == "break_glass_started"
    }

    assert misused.label in {one.label for one in overdue}
    for one in overdue:
        waited_us = one.at_us - begun[str(one.leaf["object_id"])].arrives_us
        assert 72 * HOUR_US <= waited_us <= 72 * HOUR_US + 61 * 1_000_000


def test_copies_of_rows_come_later_and_change_nothing() -> None:
    """A row that comes twice is one event; weeks without copies would not show it."""
    rows, _ = make_weeks(3, SMALL)
    once: dict[str, Made] = {}
    copies = []
    for one in sorted(rows, key=lambda one: one.arrives_us):
        if one.event_id in once:
            copies.append(one)
        once.setdefault(one.event_id, one)

    assert copies
    assert all(one.leaf == once[one.event_id].leaf for one in copies)
    assert [key(a) for a in judge(few_rules(), rows).alerts] == [
        key(a) for a in judge(few_rules(), list(once.values())).alerts
    ]


def key(told: Told) -> tuple[str, tuple[str, ...], int]:
    """Say which alert it is."""
    return told.rule.head.rule_id, told.group, told.first_us


def test_what_calls_nobody_is_no_catch() -> None:
    """An informational alert on a neighbour does not find somebody who harvests records."""
    lower = RULES.replace("level: medium", "level: informational")
    rules = read_rules([("few.yml", lower.encode())]).judged()
    scores = score([(judge(rules, made()[0]), made()[1])], SMALL.users)
    night = next(one for one in scores.recalls if one.scenario == "night snooping")

    assert next(
        one.caught
        for one in score([(run().judged, run().misuse)], SMALL.users).recalls
        if one.scenario == "night snooping"
    )
    assert night.caught == 0
    assert [one.level for one in scores.levels] == [
        "low and above",
        "high",
        "informational",
    ]


def test_the_page_of_figures_names_rules_as_they_are_called() -> None:
    """A figure of a rule that is called otherwise now is a figure of nothing."""
    titles = {one.head.title for one in shipped_rules()}
    table = PAGE.read_text(encoding="utf-8").split("### Rules that tell")[1]
    named = [
        row.split("|")[1].strip() for row in table.splitlines() if row.count("|") == 6
    ]

    assert len(named) > 2
    assert {one for one in named if one not in {"rule", "---"}} <= titles
