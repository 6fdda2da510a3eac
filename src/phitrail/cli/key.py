"""`phitrail key`: the keys of a trail; each verb stands in a file of its kind."""

import typer

from phitrail.cli import (
    key_compromise,
    key_creation,
    key_destruction,
    key_due,
    key_listing,
    key_recovery,
    key_rotation,
    key_showing,
    key_states,
    key_uses,
)
from phitrail.cli.log import require_verb
from phitrail.cli.options import examples

app = typer.Typer(
    rich_markup_mode=None,
    epilog=examples(
        "phitrail key list",
        "phitrail key rotate text-hash",
        "phitrail key rotate --all --recovery recovery.key",
    ),
)


@app.callback(invoke_without_command=True)
def key(context: typer.Context) -> None:
    """Keep the keys of a trail: those that sign, seal, hash and wrap.

    What an old version signed, sealed or hashed stays good after a rotation. Replacing a
    key that signs takes the recovery key: bring it for the one command and take it away
    again, phitrail keeps no copy. docs/keys.md says which keys there are.
    """
    require_verb(context)


key_listing.add_to(app)
key_showing.add_to(app)
key_due.add_to(app)
key_uses.add_to(app)
key_creation.add_to(app)
key_rotation.add_to(app)
key_states.add_to(app)
key_compromise.add_to(app)
key_destruction.add_to(app)
key_recovery.add_to(app)
