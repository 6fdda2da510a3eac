"""`phitrail quality`: what models did, measured without their words."""

import typer

from phitrail.cli import quality_compare, quality_summary, quality_trend
from phitrail.cli.log import require_verb
from phitrail.cli.options import examples

app = typer.Typer(
    rich_markup_mode=None,
    epilog=examples(
        "phitrail quality summary --window 24h",
        "phitrail quality trend latency_p95 --by day --window 14d",
        "phitrail quality compare",
    ),
)


@app.callback(invoke_without_command=True)
def quality(context: typer.Context) -> None:
    """What models did, measured without their words."""
    require_verb(context)


quality_summary.add_to(app)
quality_trend.add_to(app)
quality_compare.add_to(app)
