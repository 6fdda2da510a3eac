"""`phitrail key uses`: what still stands under each version of a key."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from phitrail.app import clock
from phitrail.app.config import read_policy
from phitrail.app.key_uses import (
    OPENS_ENTRIES,
    Progress,
    Uses,
    backups_of,
    count_versions,
    read_uses,
)
from phitrail.app.key_wiring import current_register, open_reading_ring
from phitrail.app.reading import system_user
from phitrail.app.running import run_trail
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.options import (
    DEFAULT_TRAIL,
    AsJson,
    Reader,
    TrailDirectory,
    examples,
)
from phitrail.cli.output import Output
from phitrail.keys.names import KeyId, parse_key_id


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        epilog=examples(
            "phitrail key uses identity-index",
            "phitrail key uses text-hash:v1 --backup /mnt/backup/phitrail --json",
        )
    )(uses)


def uses(
    key: Annotated[
        str,
        typer.Argument(
            metavar="KEY[:vN]",
            help="Which key, or which version of it.",
            show_default=False,
        ),
    ],
    backup: Annotated[
        list[Path] | None,
        typer.Option(
            "--backup",
            metavar="DIR",
            help="Count in this copy of the trail's directory too; may be repeated.",
        ),
    ] = None,
    trail: TrailDirectory = DEFAULT_TRAIL,
    by: Reader = None,
    as_json: AsJson = False,
) -> int:
    """Count what still stands under each version of a key, place by place.

    Copies of the trail that keys.backups of policy.yaml names are counted too. For
    text-hash and rater entries are opened: that is recorded in the audit log.
    """
    name, version = parse_key_id(key)
    register = current_register(trail)
    if version is not None:
        register.entry(KeyId(name, version))
    copies = backups_of(trail, read_policy(trail), backup or ())
    output = Output(as_json)
    with output.progress("looked at") as progress:
        found = _count(trail, name, copies, by or system_user(), progress)
    shown = [one for one in found if version in (None, one.key_id.version)]
    if as_json:
        output.data({"key": name, "versions": [_object(one) for one in shown]})
        return ExitCode.OK
    output.table(
        ("place", "what", *(f"v{one.key_id.version}#" for one in shown)),
        [*_rows(shown), ("in all", "", *(one.total for one in shown))],
    )
    if not any(one.places for one in shown):
        output.say("Nothing is protected by a key of this name yet.")
    return ExitCode.OK


def _count(
    trail: Path, name: str, copies: Sequence[Path], by: str, progress: Progress
) -> tuple[Uses, ...]:
    if name not in OPENS_ENTRIES:
        with closing(open_reading_ring(trail)) as ring:
            return count_versions(trail, ring, name, backups=copies, progress=progress)
    with run_trail(trail) as running:
        return read_uses(
            running.parts,
            name,
            backups=copies,
            by=by,
            now=clock.now(),
            progress=progress,
        )


def _rows(shown: Sequence[Uses]) -> list[tuple[object, ...]]:
    return [
        (row[0].place, row[0].what, *(one.count for one in row))
        for row in zip(*(one.places for one in shown), strict=True)
    ]


def _object(one: Uses) -> dict[str, Any]:
    return {
        "key": str(one.key_id),
        "total": one.total,
        "places": [msgspec.to_builtins(place) for place in one.places],
    }
