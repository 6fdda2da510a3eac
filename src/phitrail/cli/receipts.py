"""What `phitrail verify --receipt` prints, and what it comes to."""

from collections.abc import Sequence

from phitrail.app.receipt_checks import ReceiptCheck, ReceiptVerdict
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.output import Output

CODE_OF_RECEIPT = {
    ReceiptVerdict.KEPT: ExitCode.OK,
    ReceiptVerdict.BROKEN: ExitCode.CHECK_FAILED,
    ReceiptVerdict.REFUSED: ExitCode.CHECK_FAILED,
    ReceiptVerdict.UNPUBLISHED: ExitCode.UNVERIFIABLE,
    ReceiptVerdict.UNPROVEN: ExitCode.UNVERIFIABLE,
}


def print_receipt_checks(output: Output, checks: Sequence[ReceiptCheck]) -> None:
    """Print a line for each promise, and both notes of each broken one."""
    if not checks:
        return
    output.table(
        ("receipt", "log", "entry#", "verdict"),
        [
            (one.source, one.log, "" if one.index is None else one.index, one.verdict)
            for one in checks
        ],
    )
    for one in checks:
        output.line(f"{one.source}: {one.verdict}: {one.says}")
        if one.verdict is ReceiptVerdict.BROKEN:
            for what, note in (("promised", one.promised), ("shown", one.shown)):
                output.line(f"--- {what}, signed by {one.log} ---")
                output.line(note.rstrip("\n"))
            output.line("---")


def code_with_receipts(code: ExitCode, checks: Sequence[ReceiptCheck]) -> ExitCode:
    """Give the exit code of a verification and its receipts: a failure, else a doubt."""
    codes = {code, *(CODE_OF_RECEIPT[one.verdict] for one in checks)}
    for worse in (ExitCode.CHECK_FAILED, ExitCode.UNVERIFIABLE):
        if worse in codes:
            return worse
    return code
