"""Lists of tenant.yaml in rules: read strictly, and again when they change."""

from pathlib import Path

import pytest
from tests.app.test_detect_warm import wait_for
from tests.app.test_detecting import MANY, judging, refusal
from tests.trails import NOW

from phitrail.app import clock
from phitrail.app.config import read_tenant
from phitrail.app.detecting import RULES_EVERY_US
from phitrail.app.rules import own_files, rules_of, signature_of
from phitrail.detect.digest import digest_of
from phitrail.errors import ConfigError, InputError
from phitrail.sdk.connect import connect

RULE = f"""
title: A refusal of somebody who is watched
id: {MANY}
logsource: {{product: phitrail, service: security}}
detection:
  refused: {{event_type: session_denied, 'user_id|expand': '%watched%'}}
  condition: refused
level: high
"""
OF_NUMBERS = RULE.replace("user_id|expand", "local_hour|expand")


def with_lists(directory: Path, lists: str, rule: str = RULE) -> Path:
    """Write a rule and the lists that it names."""
    (directory / "rules").mkdir(exist_ok=True)
    (directory / "rules" / "house.yml").write_text(rule)
    place = directory / "tenant.yaml"
    text = place.read_text().split("\nlists:")[0].rstrip()
    place.write_text(f"{text}\nlists: {lists}\n")
    return place


def test_a_rule_asks_for_one_of_a_list(trail_dir: Path) -> None:
    """Who is watched changes from day to day; the rule does not."""
    with_lists(trail_dir, "{watched: [u1, 'vip-*']}")
    with judging(trail_dir, own_files(trail_dir)) as one:
        for number, user in enumerate(("u1", "u2", "vip-7", "VIP-8")):
            one.record([refusal(number, NOW, user)], NOW)
        one.look(NOW)

        assert [alert.user_id for alert in one.alerts()] == ["u1", "vip-7", "VIP-8"]


@pytest.mark.parametrize(
    ("lists", "rule", "said"),
    [
        ("{other: [u1]}", RULE, "names a placeholder that has no list in tenant.yaml"),
        (
            "{watched: ['7', 'secret']}",
            OF_NUMBERS,
            "local_hour: value number 1 of its list: the field holds whole numbers",
        ),
    ],
)
def test_a_list_that_does_not_fit_is_refused_with_its_place(
    trail_dir: Path, lists: str, rule: str, said: str
) -> None:
    """Who keeps the list needs field and number, and nobody its values."""
    with_lists(trail_dir, lists, rule)
    with pytest.raises(InputError, match=r"rules/house\.yml:6:") as caught:
        rules_of(own_files(trail_dir))

    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("lists", ["{watched: []}", "{watched: [1]}", "[u1]"])
def test_a_list_that_is_none_is_refused_with_the_file(
    trail_dir: Path, lists: str
) -> None:
    """An empty list would silence a rule, and nobody would know why."""
    with_lists(trail_dir, lists)
    with pytest.raises(ConfigError, match="lists does not fit"):
        read_tenant(trail_dir)


def test_a_list_is_part_of_what_its_rule_means_and_of_no_other(trail_dir: Path) -> None:
    """A rule that watches others is another rule; the rest must keep what they know."""

    def digests() -> dict[str, str]:
        rules = rules_of(own_files(trail_dir)).set.rules
        return {rule.head.rule_id: digest_of(rule) for rule in rules}

    with_lists(trail_dir, "{watched: [u1]}")
    before, seen = digests(), signature_of(trail_dir)
    with_lists(trail_dir, "{watched: [u1, u2]}")
    after = digests()

    assert signature_of(trail_dir) != seen
    assert {one for one in after if after[one] != before[one]} == {MANY}


@pytest.mark.timeout(60)
def test_lists_are_changed_under_a_program_that_runs(
    trail_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is on call tonight must count tonight, and a slip must not stop detection."""
    monkeypatch.setattr("phitrail.app.detecting.RULES_EVERY_US", RULES_EVERY_US // 100)
    monkeypatch.setattr("phitrail.app.detecting.REPORT_EVERY_US", 1)
    place = with_lists(trail_dir, "{watched: [u1]}")
    with connect(trail_dir) as trail:
        trail.record(refusal(0, clock.now(), "u2"))
        first = wait_for(lambda one: MANY in one.coverage, trail_dir)

        right = place.read_text()
        place.write_text("tenant: [")
        broken = wait_for(lambda one: bool(one.standing.rules_error), trail_dir)
        assert "tenant.yaml" in broken.standing.rules_error
        place.write_text(right)
        wait_for(lambda one: not one.standing.rules_error, trail_dir)

        with_lists(trail_dir, "{watched: [u1, u2]}")
        digest = first.coverage[MANY].digest
        wait_for(lambda one: one.coverage[MANY].digest != digest, trail_dir)
        trail.record(refusal(1, clock.now(), "u2"))

    with judging(trail_dir, own_files(trail_dir)) as one:
        assert [alert.user_id for alert in one.alerts()] == ["u2"]
