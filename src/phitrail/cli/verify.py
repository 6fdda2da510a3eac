"""`phitrail verify`: the verdict of each log, what was found, and one plain sentence."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from phitrail.app.brought import Named, notes_in_directory, notes_in_text
from phitrail.app.receipt_checks import (
    check_receipts,
    kept_promises,
    named_logs,
    read_receipt_files,
)
from phitrail.app.table_checks import TableCheck, verify_tables
from phitrail.app.verification import Verdict, Verification, verify_trail
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.options import (
    DEFAULT_TRAIL,
    STANDARD_INPUT,
    AsJson,
    TrailDirectory,
)
from phitrail.cli.output import Output
from phitrail.cli.receipts import code_with_receipts, print_receipt_checks
from phitrail.cli.statement import check_statements, statements_object
from phitrail.errors import InputError
from phitrail.events.codes import Log
from phitrail.evidence.findings import Finding
from phitrail.evidence.verify import LogVerdict, Mode
from phitrail.tlog.note import COSIGNATURE_V1, VerifierKey, parse_vkey

NAMED_AT_MOST = 3

_CODE_OF_VERDICT = {
    Verdict.OK: ExitCode.OK,
    Verdict.FAILED: ExitCode.CHECK_FAILED,
    Verdict.UNANCHORED: ExitCode.UNVERIFIABLE,
}


def verify(
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(
            "--checkpoint",
            metavar="FILE|DIR|-",
            help="Checkpoints kept outside this host, mails too; may be repeated.",
        ),
    ] = None,
    witness: Annotated[
        list[str] | None,
        typer.Option(
            "--witness",
            metavar="VKEY",
            help="The key of a witness, not from this host; may be repeated.",
        ),
    ] = None,
    timestamp: Annotated[
        list[Path] | None,
        typer.Option(
            "--timestamp",
            metavar="FILE",
            help="A time stamp of a checkpoint (RFC 3161); may be repeated.",
        ),
    ] = None,
    tsa_certificate: Annotated[
        list[Path] | None,
        typer.Option(
            "--tsa-certificate",
            metavar="PEM",
            help="Whom time stamps are believed; not from this host.",
        ),
    ] = None,
    receipt: Annotated[
        list[str] | None,
        typer.Option(
            "--receipt",
            metavar="FILE",
            help="A receipt, or the evidence of a broken promise; may be repeated.",
        ),
    ] = None,
    statement: Annotated[
        list[Path] | None,
        typer.Option(
            "--statement",
            metavar="FILE",
            help="A completeness statement; may be repeated.",
        ),
    ] = None,
    log: Annotated[
        list[Log] | None,
        typer.Option(
            "--log", metavar="LOG", help="Verify this log only; may be repeated."
        ),
    ] = None,
    deep: Annotated[
        bool,
        typer.Option(
            "--deep",
            help="Check each entry, the identity map and the register of keys as well.",
        ),
    ] = False,
    without_keys: Annotated[
        bool,
        typer.Option(
            "--without-keys",
            help="Ask no vault and open no entry, as in a copy without keys.",
        ),
    ] = False,
    tables: Annotated[
        bool,
        typer.Option(
            "--tables", help="Check the tables' files as well; needs the keys."
        ),
    ] = False,
    processes: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="How many share the work."),
    ] = None,
    trail: TrailDirectory = DEFAULT_TRAIL,
    as_json: AsJson = False,
) -> int:
    """Derive everything anew and hold it to what was kept outside.

    A log without a checkpoint from outside can only be consistent with itself: exit code
    3, unless --log names logs that have one. A copy without keys can be verified too.

    With --receipt alone, only the logs that receipts name are verified. With --statement
    alone, who signed it and the roots of the logs are checked, and nothing is derived.
    """
    output = Output(as_json)
    checked = check_statements(output, trail, statement or [])
    if checked and not any(
        (log, checkpoint, witness, timestamp, receipt, deep, tables)
    ):
        if as_json:
            output.data({"statements": statements_object(checked)})
        return ExitCode.OK
    outside = [note for source in checkpoint or () for note in read_brought(source)]
    stamped, amiss = read_stamped(
        trail, timestamp or (), tsa_certificate or (), outside
    )
    promises = read_receipt_files(
        (one, read_checkpoint(one, "--receipt")) for one in receipt or ()
    )
    receipts = check_receipts(trail, promises)
    outside += kept_promises(receipts)
    if not (log or checkpoint or witness or timestamp):
        log = named_logs(receipts)
    with output.progress("entries") as progress:
        found = verify_trail(
            trail,
            logs=tuple(dict.fromkeys(log)) if log else tuple(Log),
            outside=[*outside, *stamped],
            amiss=amiss,
            witnesses=[read_witness_vkey(vkey) for vkey in witness or ()],
            deep=deep,
            with_keys=not without_keys,
            processes=processes,
            progress=progress,
        )
    checks = verify_tables(trail) if tables else ()
    if as_json:
        more: dict[str, object] = {"tables": checks} if tables else {}
        more |= {"receipts": receipts} if receipt else {}
        more |= {"statements": statements_object(checked)} if checked else {}
        output.data(verification_object(found) | more)
    else:
        print_verification(output, found)
        print_table_checks(output, checks)
        print_receipt_checks(output, receipts)
    if any(check.findings for check in checks):
        return ExitCode.CHECK_FAILED
    return code_with_receipts(_CODE_OF_VERDICT[found.verdict], receipts)


def read_brought(source: str) -> list[Named]:
    """Read checkpoints from a file, a directory, or standard input.

    Raises:
        InputError: it cannot be read, or holds a part of a checkpoint.
    """
    if source != STANDARD_INPUT and Path(source).is_dir():
        return notes_in_directory(Path(source))
    return notes_in_text(source, read_checkpoint(source))


def read_stamped(
    trail: Path,
    stamps: Sequence[Path],
    certificates: Sequence[Path],
    brought: Sequence[Named],
) -> tuple[list[Named], list[Finding]]:
    """Find the checkpoints that time stamps are of, and what is wrong with the others.

    Raises:
        InputError: a file cannot be used, or one of the two options stands alone.
    """
    if bool(stamps) != bool(certificates):
        raise InputError.for_field(
            "--timestamp", "goes with --tsa-certificate, and that with it"
        )
    if not stamps:
        return [], []
    from phitrail.app.time_stamped import match_time_stamps, read_certificates

    trusted = read_certificates(certificates)
    found, wrong = match_time_stamps(trail, stamps, trusted, brought)
    return [stamped.named for stamped in found], wrong


def read_checkpoint(source: str, option: str = "--checkpoint") -> bytes:
    """Read what an option names: a file, or standard input.

    Raises:
        InputError: it cannot be read.
    """
    if source == STANDARD_INPUT:
        return sys.stdin.buffer.read()
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise InputError.for_field(
            option, f"{source} cannot be read ({error.strerror})"
        ) from None


def read_witness_vkey(text: str) -> VerifierKey:
    """Read the key of a witness.

    Raises:
        InputError: it is none.
    """
    try:
        key = parse_vkey(text)
    except InputError as error:
        raise InputError.for_field("--witness", error.rule) from None
    if key.kind != COSIGNATURE_V1:
        raise InputError.for_field(
            "--witness", "must be a key of cosignatures (type 4)"
        )
    return key


def print_verification(output: Output, found: Verification) -> None:
    """Print a table of the logs, the findings, and the sentence."""
    output.table(
        ("log", "verdict", "entries#", "looked at", "held to"),
        [
            (
                one.log,
                verdict_of(one),
                one.size,
                one.mode,
                "nothing outside"
                if one.held_to is None
                else f"size {one.held_to} ({_some(one.held_by)})",
            )
            for one in found.logs
        ],
    )
    for finding in found.findings:
        output.line(f"found: {finding}")
    output.line(sentence(found))


def print_table_checks(output: Output, checks: Sequence[TableCheck]) -> None:
    """Print what a check of the tables found."""
    for check in checks:
        for finding in check.findings:
            output.line(f"tables: {finding}")
    if checks and not any(check.findings for check in checks):
        output.line("The tables' files are those that were made from the logs.")


def verdict_of(log: LogVerdict) -> Verdict:
    """Say what came of one log."""
    if log.findings:
        return Verdict.FAILED
    return Verdict.UNANCHORED if log.held_to is None else Verdict.OK


def sentence(found: Verification) -> str:
    """Say in one sentence what a verification came to."""
    if found.verdict is Verdict.OK:
        unopened = any(one.mode is Mode.TILES for one in found.logs)
        return (
            "Every log verifies, and continues the history that was seen outside up to "
            "the size it is held to."
            + (" Its entries were not opened: no keys were used." * unopened)
        )
    if found.verdict is Verdict.UNANCHORED:
        alone = [one.log for one in found.logs if one.held_to is None]
        return (
            f"Consistent with itself only: nothing from outside supports {_and(alone)}; "
            "give --checkpoint FILE or --witness VKEY, or narrow with --log."
        )
    failed = [one.log for one in found.logs if one.findings]
    return (
        f"This does not verify ({_and(failed) or 'checkpoints from outside'}): keep this "
        "copy as evidence, restore from the archive, and find out who had access."
    )


def verification_object(found: Verification) -> dict[str, object]:
    """Write a verification as a JSON object."""
    return {
        "verdict": found.verdict,
        "sentence": sentence(found),
        "logs": [
            {**_log_object(one), "verdict": verdict_of(one)} for one in found.logs
        ],
        "findings": list(found.findings),
    }


def _log_object(one: LogVerdict) -> dict[str, object]:
    return {
        "log": one.log,
        "origin": one.origin,
        "mode": one.mode,
        "size": one.size,
        "entries": one.entries,
        "kept": one.kept,
        "held_to": one.held_to,
        "held_by": one.held_by,
        "counts": one.counts,
    }


def _some(names: Sequence[str]) -> str:
    """Name the last few of many, which reach farthest."""
    more = len(names) - NAMED_AT_MOST
    named = ", ".join(names[-NAMED_AT_MOST:])
    return f"{named} and {more} more" if more > 0 else named


def _and(logs: Sequence[Log]) -> str:
    return " and ".join(filter(None, (", ".join(logs[:-1]), *logs[-1:])))
