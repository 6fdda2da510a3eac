"""`phitrail demo`: a made-up clinic at work, and attacks on copies of its trail.

What it does loads DuckDB and NumPy (`cli.demo_story`), so only when it runs.
"""

from pathlib import Path
from typing import Annotated

import typer

from phitrail.cli.options import AsJson

QUESTIONS = 3_000
REQUESTS = 20_000


def demo(
    directory: Annotated[
        Path | None,
        typer.Option(
            "--dir", metavar="DIR", help="Keep the trail here; must be new or empty."
        ),
    ] = None,
    questions: Annotated[
        int, typer.Option(metavar="N", min=10, help="How many the staff ask.")
    ] = QUESTIONS,
    notes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.jsonl", help="Answer over these notes: lines of id and text."
        ),
    ] = None,
    requests: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="How many requests of a rollout come before it.",
        ),
    ] = REQUESTS,
    seed: Annotated[int, typer.Option(metavar="N", help="Draws another clinic.")] = 1,
    as_json: AsJson = False,
) -> int:
    """Run the main job in a made-up clinic, then tamper with copies of its trail.

    Exit code 1 if the trail does not verify, or a tampering was not caught.
    """
    from phitrail.cli import demo_story  # noqa: PLC0415 - loads DuckDB

    wanted = demo_story.Wanted(directory, questions, notes, requests, seed)
    return demo_story.tell_story(wanted, as_json=as_json)
