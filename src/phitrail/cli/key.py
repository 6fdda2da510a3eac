"""`phitrail key`: the keys of a trail; each verb stands in a file of its kind."""

import typer

from phitrail.cli import key_listing, key_rotation, key_states
from phitrail.cli.log import require_verb
from phitrail.cli.options import examples

app = typer.Typer(
    rich_markup_mode=None,
    epilog=examples(
        "phitrail key show", "phitrail key rotate --all --recovery recovery.key"
    ),
)


@app.callback(invoke_without_command=True)
def key(context: typer.Context) -> None:
    """Replace the keys that sign checkpoints and promises, with the recovery key.

    What the old keys signed stays good after a rotation. Bring the recovery key for the
    one command and take it away again: phitrail keeps no copy.
    """
    require_verb(context)


key_rotation.add_to(app)
key_states.add_to(app)
key_listing.add_to(app)
