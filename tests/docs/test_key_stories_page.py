"""docs/key-stories.md runs as it stands: beside a local keyring, and with OpenBao."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
import yaml
from tests.docs.pages import DOCS
from tests.docs.stories import is_what_stands, run_commands, steps_of, write_file
from tests.trails import read_leaves
from tests.vaults import OpenBao, openbao

from phitrail.app.config import read_policy
from phitrail.app.wiring import open_trail
from phitrail.cli.exit_codes import ExitCode
from phitrail.events.audit import AuditEvent
from phitrail.keys.settings import OpenBaoSettings

PAGE = DOCS / "key-stories.md"
KEY = "clinic"
LOST = "rm -r vault-disk"


@pytest.fixture(autouse=True)
def beside_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a directory of the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PHITRAIL_TRAIL", raising=False)


def check_identities(trail: Path) -> None:
    """Hold every surrogate of the log against the map: one for each patient, no other."""
    with closing(open_trail(trail)) as opened:
        leaves = read_leaves(opened.behind_glass())
        known = {
            written: opened.identity.find(("mrn", written))
            for written in ("mrn-77", "mrn-78")
        }
    named = [
        patient
        for leaf in leaves
        if isinstance(leaf, AuditEvent)
        for patient, *_ in leaf.records or ()
    ]

    assert [known["mrn-77"], known["mrn-78"], known["mrn-77"]] == named


def test_every_step_runs_as_it_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever has such a day copies these lines, and compares."""
    printed, shown = "", 0
    for step in steps_of(PAGE.read_text(encoding="utf-8")):
        if step.file:
            write_file(step)
        elif step.kind == "sh":
            printed = run_commands(step.text, capsys)
        else:
            shown += 1
            assert is_what_stands(step.text, printed), printed

    assert shown > 10
    check_identities(tmp_path / "phitrail")


@pytest.fixture
def two_servers(tmp_path: Path) -> Iterator[tuple[OpenBao, OpenBao]]:
    """Serve the vault that is lost, and the one that takes its place."""
    places = [tmp_path / "lost", tmp_path / "new"]
    for place in places:
        place.mkdir()
    with openbao(places[0]) as lost, openbao(places[1]) as new:
        yield lost, new


def write_settings(file: str, server: OpenBao, token: Path) -> OpenBaoSettings:
    """Write the file of a vault, as `--vault` takes it."""
    settings = server.settings(KEY, token)
    plain = {
        name: value
        for name, value in msgspec.to_builtins(settings).items()
        if value is not None
    }
    Path(file).write_text(yaml.safe_dump(plain))
    return settings


@pytest.mark.long
def test_every_step_runs_with_openbao_whose_storage_is_deleted(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    two_servers: tuple[OpenBao, OpenBao],
) -> None:
    """A vault that burns down is a server, not a file; the same lines must do."""
    lost, new = two_servers
    chosen = None

    def lose(line: str) -> bool:
        if line != LOST:
            return False
        lost.kill()
        shutil.rmtree(lost.directory / "data")
        return True

    for step in steps_of(PAGE.read_text(encoding="utf-8")):
        if step.file == "vault.yaml":
            write_settings(step.file, lost, tmp_path / "token")
        elif step.file == "new-vault.yaml":
            chosen = write_settings(step.file, new, tmp_path / "new-token")
        elif step.file:
            write_file(step)
        elif step.kind == "sh":
            run_commands(step.text, capsys, lose, (ExitCode.TRY_AGAIN,))

    assert read_policy(tmp_path / "phitrail").keys.vault == chosen
    check_identities(tmp_path / "phitrail")
