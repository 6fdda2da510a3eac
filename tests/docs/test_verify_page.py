"""docs/verify.md knows every verdict, every check and every drill."""

from tests.docs.pages import DOCS, first_cells

from phitrail.app.receipt_checks import ReceiptVerdict
from phitrail.app.verification import Verdict
from phitrail.cli.receipts import CODE_OF_RECEIPT
from phitrail.cli.verify import _CODE_OF_VERDICT
from phitrail.demo.drill import ATTACKS
from phitrail.evidence.findings import KEPT_OF_A_CHECK, Check
from phitrail.sdk.promise_review import KEPT_ENTRIES

PAGE = DOCS / "verify.md"


def test_every_verdict_is_on_the_page_with_its_exit_code() -> None:
    """A verdict that is not explained is believed too much, or not at all."""
    page = PAGE.read_text(encoding="utf-8")

    assert {one.value for one in Verdict} == set(
        first_cells(PAGE, "## What a verdict means")[1:]
    )
    for verdict, code in _CODE_OF_VERDICT.items():
        assert f"| `{verdict}` | {code.value} |" in page


def test_every_verdict_of_a_receipt_is_on_the_page_with_its_exit_code() -> None:
    """Whoever holds a receipt must learn what its verdict does not say."""
    page = PAGE.read_text(encoding="utf-8")

    assert [one.value for one in ReceiptVerdict] == first_cells(
        PAGE, "## What a program was promised"
    )[1:]
    for verdict, code in CODE_OF_RECEIPT.items():
        assert f"| `{verdict}` | {code.value} |" in page
    assert f"newest {KEPT_ENTRIES:,} of each log" in page


def test_every_check_is_on_the_page() -> None:
    """A finding whose check is not explained cannot be acted on."""
    page = PAGE.read_text(encoding="utf-8")

    assert [one.value for one in Check] == first_cells(PAGE, "## What is checked")[1:]
    assert f"the first {KEPT_OF_A_CHECK} of each check" in page


def test_every_drill_is_on_the_page() -> None:
    """What the demo shows must be what the page explains."""
    assert [one.name for one in ATTACKS] == first_cells(PAGE, "## The tamper drill")[1:]
