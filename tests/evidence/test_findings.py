"""Findings are counted in full, told in part, and ordered from cause to consequence."""

from phitrail.evidence.findings import KEPT_OF_A_CHECK, Check, Findings


def test_a_check_keeps_its_first_findings_and_counts_all() -> None:
    """A thousand lines of one cause would hide the one line of another."""
    findings = Findings("audit")
    for number in range(KEPT_OF_A_CHECK + 5):
        findings.add(Check.TILE, f"tile/0/{number:03}", "is missing")

    assert len(findings.kept) == KEPT_OF_A_CHECK
    assert findings.counts == {Check.TILE: KEPT_OF_A_CHECK + 5}


def test_findings_of_ranges_add_up_under_the_same_limit() -> None:
    """Processes find apart; memory must stay flat when they are put together."""
    findings = Findings("audit")
    for _ in range(3):
        more = Findings("audit")
        for number in range(10):
            more.add(Check.BUNDLE, f"bundle {number}", "is missing")
        findings.extend(more)

    assert len(findings.kept) == KEPT_OF_A_CHECK
    assert findings.counts == {Check.BUNDLE: 30}


def test_causes_come_before_what_follows_from_them() -> None:
    """The first line is what a person acts on."""
    findings = Findings("audit")
    findings.add(Check.KEPT, "kept checkpoint 3", "had another root")
    findings.add(Check.BUNDLE, "entry 2", "was altered")

    assert [str(found) for found in findings.kept] == [
        "audit entry 2: was altered",
        "audit kept checkpoint 3: had another root",
    ]
