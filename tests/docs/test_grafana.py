"""The Grafana files that are shipped ask for what phitrail exposes, and for nothing else."""

import json
import re
from pathlib import Path

import yaml
from scripts.make_grafana import DASHBOARD, written

from phitrail.quality.exposition import (
    COUNTS,
    HISTOGRAMS,
    RATINGS,
    STREAM,
    VERDICT,
)

ROOT = Path(__file__).parents[2]
EXPOSED = {
    VERDICT,
    *(f"{one.name}_total" for one in (*COUNTS, RATINGS)),
    *(f"{one.name}_{end}" for one in HISTOGRAMS for end in ("bucket", "count", "sum")),
}
LABELS = {
    *STREAM,
    "le",
    "state",
    *(one.label for one in (*COUNTS, RATINGS)),
    *(one.extra[0] for one in HISTOGRAMS if one.extra),
}


def test_the_dashboard_is_made_of_what_is_exposed_today() -> None:
    """A dashboard of yesterday's names shows empty panels; run `make docs`."""
    assert DASHBOARD.read_text(encoding="utf-8") == written()


def test_every_expression_asks_for_exposed_names_and_labels() -> None:
    """A panel of a misspelt name says "no data", which looks like "no problem"."""
    board = json.loads(written())
    expressions = [t["expr"] for panel in board["panels"] for t in panel["targets"]]
    assert expressions
    for one in expressions:
        names = set(re.findall(r"\b((?:gen_ai|phitrail)_\w+)[{\[]", one))
        assert names, one
        assert names <= EXPOSED, one
        assert set(re.findall(r"(\w+)(?:=~|!=|=)\"", one)) <= LABELS, one


def test_the_provisioning_file_is_of_the_form_that_grafana_reads() -> None:
    """A provider without its path provisions nothing, silently."""
    place = ROOT / "deploy/grafana/provisioning/dashboards/phitrail.yaml"
    said = yaml.safe_load(place.read_text(encoding="utf-8"))
    assert said["apiVersion"] == 1
    (provider,) = said["providers"]
    assert provider["type"] == "file"
    assert provider["options"]["path"].endswith(f"/{DASHBOARD.parent.name}")
    assert json.loads(written())["uid"] == "phitrail-quality"
