"""The digest of a rule is of what it means."""

import pytest

from phitrail.detect.digest import digest_of
from phitrail.detect.rule import read_rules

RULES = """
title: Read
id: 00000000-0000-4000-8000-000000000001
name: read
logsource: {product: phitrail, service: audit}
detection:
  a: {event_type: phi_read, user_role: [nurse, physician]}
  b: {facility_id: main}
  condition: a and not b
---
title: Written
id: 00000000-0000-4000-8000-000000000002
name: written
logsource: {product: phitrail, service: audit}
detection:
  a: {event_type: phi_write}
  condition: a
---
title: Many
id: 00000000-0000-4000-8000-000000000003
description: first words
correlation:
  type: event_count
  rules: [read, written]
  group-by: [user_id, facility_id]
  timespan: 1h
  condition: {gt: 5, lte: 9}
level: low
"""


def digest(text: str) -> str:
    """Digest the last rule of a file."""
    return digest_of(read_rules([("rules.yml", text.encode())]).rules[-1])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("title: Many", "title: Very many"),
        ("description: first words", "description: other words"),
        ("level: low", "level: high"),
        ("8000-000000000003", "8000-000000000009"),
        ("timespan: 1h", "timespan: 60m"),
        ("{gt: 5, lte: 9}", "{lte: 9, gt: 5}"),
        ("rules: [read, written]", "rules: [written, read]"),
        ("[nurse, physician]", "[physician, nurse]"),
        ("user_role: [nurse, physician]", "user_role: [NURSE, Physician]"),
        ("a and not b", "not b and (a)"),
        ("name: written", "name: wrote\ntags: [x]"),
    ],
)
def test_other_words_are_the_same_rule(old: str, new: str) -> None:
    """A rule that loses its state for a corrected title alerts twice."""
    other = RULES.replace(old, new)
    if "name: wrote" in new:
        other = other.replace("[read, written]", "[read, wrote]")

    assert other != RULES
    assert digest(RULES) == digest(other)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("timespan: 1h", "timespan: 61m"),
        ("gt: 5", "gt: 6"),
        ("gt: 5", "gte: 5"),
        ("event_count", "temporal"),
        ("[user_id, facility_id]", "[facility_id, user_id]"),
        ("[user_id, facility_id]", "[user_id]"),
        ("rules: [read, written]", "rules: [read]"),
        ("phi_write", "phi_export"),
        ("a and not b", "a and b"),
        ("a and not b", "a or not b"),
        ("facility_id: main", "facility_id|cased: Main"),
        ("facility_id: main", "facility_id|contains: main"),
        ("facility_id: main", "facility_id: null"),
        (
            "timespan: 1h",
            "aliases: {user_id: {written: on_behalf_of}}\n  timespan: 1h",
        ),
    ],
)
def test_another_meaning_is_another_rule(old: str, new: str) -> None:
    """State of the old meaning would make alerts that the new one does not."""
    other = RULES.replace(old, new)
    if new == "temporal":
        other = other.replace("  condition: {gt: 5, lte: 9}\n", "")

    assert other != RULES
    assert digest(RULES) != digest(other)


def test_the_digest_is_fixed() -> None:
    """Alert ids are made of it: another form of the same meaning is another version."""
    expected = "c42006bc322d1c79009371ff8701d7405ef6873558fff4721ee8445b8a0d9ea2"

    assert expected == digest(RULES)
