"""`phitrail guard`: scan texts for PHI, and score the guard on labelled ones.

1. Texts come from files or standard input, never as an argument, which would stay in the
   history of the shell. What is found is told by place, class and rule. Text is printed
   where it was asked for: made safe (`--redact`), or the values found (`--show-values`),
   which a terminal alone gets.
2. The guard, NumPy with it, loads when a verb runs.
"""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.log import require_verb
from phitrail.cli.options import STANDARD_INPUT, AsJson, examples, option
from phitrail.cli.output import Output
from phitrail.errors import InputError

app = typer.Typer(
    rich_markup_mode=None,
    epilog=examples(
        "phitrail guard scan answer.txt --explain",
        "phitrail guard eval labelled.jsonl",
    ),
)

PolicyFile = Annotated[
    Path | None,
    option("--policy", "FILE", "A policy.yaml; its section guard holds."),
]
TrailPolicy = Annotated[
    Path | None,
    typer.Option(
        "--trail",
        metavar="DIR",
        envvar="PHITRAIL_TRAIL",
        help="A trail, for its policy.  [default: the policy's defaults]",
    ),
]


class Second(StrEnum):
    """Who may be asked beside the guard."""

    PRESIDIO = "presidio"


SecondOpinion = Annotated[
    Second | None,
    typer.Option(
        "--second-opinion", help="Ask it as well; needs phitrail[presidio]; slow."
    ),
]


@app.callback(invoke_without_command=True)
def guard(context: typer.Context) -> None:
    """Scan texts for PHI as answers are scanned, and score the guard."""
    require_verb(context)


@app.command(
    epilog=examples(
        "phitrail guard scan answer.txt --explain",
        "phitrail guard scan --redact - < answer.txt > safe.txt",
        "phitrail guard scan answers.jsonl --jsonl-field answer --json",
        "phitrail guard scan answer.txt --record record.json --use-case chart_qa",
    )
)
def scan(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE|-",
            help="Texts in UTF-8; - is standard input.  [default: -]",
            show_default=False,
        ),
    ] = None,
    redact: Annotated[
        bool, typer.Option("--redact", help="Print the text made safe.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Print each span: place, class, rule.")
    ] = False,
    show_values: Annotated[
        bool,
        typer.Option(
            "--show-values", help="With --explain, on a terminal: what was found."
        ),
    ] = False,
    jsonl_field: Annotated[
        str | None,
        option(
            "--jsonl-field", "NAME", "Files are JSON lines; this field is the text."
        ),
    ] = None,
    record: Annotated[
        Path | None,
        option("--record", "FILE", "JSON: records that the answer was made from."),
    ] = None,
    use_case: Annotated[
        str | None, option("--use-case", "TERM", "Of the access, for the policy.")
    ] = None,
    role: Annotated[
        str | None, option("--role", "TERM", "Of the reader, for the policy.")
    ] = None,
    policy: PolicyFile = None,
    trail: TrailPolicy = None,
    second_opinion: SecondOpinion = None,
    as_json: AsJson = False,
) -> int:
    """Find PHI in texts and judge it by a policy; print no values unless asked to.

    Nothing is recorded. Exit code 1: something was found that the policy redacts or
    blocks; with --redact: a text was blocked, and nothing safe could be printed.
    """
    from phitrail.app.guard_scanning import (  # noqa: PLC0415 - loads NumPy
        Scanner,
        load_guard,
        policy_for,
        read_context,
        read_texts,
        size_of,
    )
    from phitrail.cli.guard_tables import ScanPrinter  # noqa: PLC0415 - the same

    output = Output(as_json)
    inputs = files or [STANDARD_INPUT]
    _check_options(inputs, redact, explain, show_values, jsonl_field, as_json)
    scanner = Scanner(
        policy=policy_for(trail, policy),
        context=None if record is None else read_context(record),
        use_case=use_case,
        role=role,
        guard=load_guard(with_presidio=second_opinion is not None),
    )
    printer = ScanPrinter(
        output,
        json_field=jsonl_field,
        redact=redact,
        explain=explain,
        show_values=show_values,
    )
    if STANDARD_INPUT in inputs and sys.stdin.isatty():
        output.say("paste the text, then press Ctrl-D on a line of its own")
    total, done = size_of(inputs), 0
    with output.progress("bytes scanned") as progress:
        progress(0, total)
        for given in read_texts(inputs, jsonl_field):
            result = scanner.scan(given.text)
            done += given.size_bytes
            progress(done, max(total, done))
            printer.tell(given, result)
    printer.end()
    return ExitCode.OK if printer.has_passed else ExitCode.CHECK_FAILED


@app.command(
    "eval",
    epilog=examples(
        "phitrail guard eval labelled.jsonl",
        "phitrail guard eval letters.jsonl notes.jsonl --policy policy.yaml --json",
    ),
)
def evaluate(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="Labelled texts, as JSON lines."),
    ],
    explain: Annotated[
        bool,
        typer.Option("--explain", help="List what leaked and what went for nothing."),
    ] = False,
    policy: PolicyFile = None,
    trail: TrailPolicy = None,
    second_opinion: SecondOpinion = None,
    as_json: AsJson = False,
) -> int:
    """Score what the guard takes out of labelled texts; intervals are 95 %.

    A line is {"id", "text", "spans": [{"start", "end", "label", "phi"}], "genre"}; spans
    with phi false count neither way. Failures are listed by id and place, without text.
    """
    from phitrail.app.guard_scanning import (  # noqa: PLC0415 - loads NumPy
        evaluate_file,
        load_guard,
        policy_for,
    )
    from phitrail.cli.guard_tables import print_evaluation  # noqa: PLC0415 - the same

    output = Output(as_json)
    held = policy_for(trail, policy)
    loaded = load_guard(with_presidio=second_opinion is not None)
    for place in files:
        with output.progress(f"{place.name}: texts") as progress:
            found = evaluate_file(loaded, place, held, progress)
        print_evaluation(output, str(place), found, with_failures=explain)
    return ExitCode.OK


def _check_options(
    inputs: list[str],
    redact: bool,
    explain: bool,
    show_values: bool,
    jsonl_field: str | None,
    as_json: bool,
) -> None:
    if show_values and (not explain or as_json or not sys.stdout.isatty()):
        raise InputError.for_field(
            "--show-values", "goes with --explain, without --json, on a terminal only"
        )
    if redact and explain and not as_json:
        raise InputError.for_field("--redact, --explain", "give one, or --json as well")
    if redact and len(inputs) > 1 and jsonl_field is None and not as_json:
        raise InputError.for_field(
            "--redact", "takes one text, or several with --jsonl-field or --json"
        )
    if inputs.count(STANDARD_INPUT) > 1:
        raise InputError.for_field("FILE", "- may be given once")
