"""Every verb of `phitrail key`, on a trail whose keys are in a vault off this host.

OpenBao is the real server. AWS KMS is played by ministack, which rotates no key: what needs
that is shown by `tests.keys.test_aws_kms` on moto.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
import yaml
from tests.cli.conftest import Command
from tests.kms import Ministack, ministack
from tests.trails import phi_read
from tests.vaults import OpenBao, openbao

from phitrail.app import clock
from phitrail.app.running import run_trail
from phitrail.cli.exit_codes import ExitCode
from phitrail.keys.settings import VaultSettings

pytestmark = pytest.mark.long
TENANT = "clinic.example"
WHY = ("--reason", "a drill")


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """Give a real OpenBao, unsealed."""
    with openbao(tmp_path_factory.mktemp("openbao")) as running:
        yield running


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    """Give a server of ministack."""
    with ministack(tmp_path_factory.mktemp("ministack")) as running:
        yield running


def in_openbao(bao: OpenBao, place: Path) -> VaultSettings:
    """Give the settings of keys of their own in OpenBao."""
    return bao.settings(f"k{abs(hash(place))}", place / "token")


def in_kms(stack: Ministack) -> VaultSettings:
    """Give the settings of a wrapping key of its own in KMS."""
    return stack.settings(str(stack.admin.create_key()["KeyMetadata"]["KeyId"]))


def vault_file(place: Path, settings: VaultSettings) -> Path:
    """Write what `--vault` takes."""
    place.write_text(yaml.safe_dump(msgspec.to_builtins(settings)))
    return place


@dataclass(frozen=True, slots=True)
class Officer:
    """Runs commands on one trail, and holds its recovery key in three shares."""

    phitrail: Command
    trail: Path

    def run(self, *arguments: object, code: ExitCode = ExitCode.OK) -> str:
        """Run one command on the trail; give what it printed."""
        ran = self.phitrail(*arguments, "--trail", self.trail)
        assert ran.code == code, ran.err
        return ran.out

    def shares(self, *numbers: int) -> list[str]:
        """Name shares as options."""
        options: list[str] = []
        for number in numbers:
            options += ["--recovery", f"{self.trail.parent}/share.{number}"]
        return options

    def record(self, *numbers: int) -> None:
        """Record and publish, as a program does."""
        with run_trail(self.trail) as running:
            events = [phi_read(number) for number in numbers]
            running.parts.recorder.record_many(events, clock.now())

    def verify(self) -> None:
        """Verify everything, every entry and the register of keys too."""
        self.run("verify", "--deep", code=ExitCode.UNVERIFIABLE)
        self.run("key", "list", "--check")


def found(phitrail: Command, place: Path, settings: VaultSettings) -> Officer:
    """Found a trail in a vault."""
    chosen = vault_file(place / "vault.yaml", settings)
    ran = phitrail(
        *("init", "--tenant", TENANT, "--trail", place / "trail", "--vault", chosen),
        *("--recovery-shares", "2of3", "--recovery-out", place / "share"),
    )
    assert ran.code == ExitCode.OK, ran.err
    return Officer(phitrail, place / "trail")


@pytest.fixture(params=["openbao", "aws-kms"])
def officer(
    request: pytest.FixtureRequest, phitrail: Command, tmp_path: Path
) -> Officer:
    """Give an officer of a trail in each vault."""
    if request.param == "openbao":
        settings = in_openbao(request.getfixturevalue("bao"), tmp_path)
    else:
        settings = in_kms(request.getfixturevalue("stack"))
    return found(phitrail, tmp_path, settings)


def test_keys_are_made_rotated_counted_and_shown(officer: Officer) -> None:
    """The ordinary years of a trail: each verb does on a vault what it does here."""
    officer.record(1, 2)
    officer.run("key", "create", "fpe-metadata", *WHY)
    officer.run("key", "create", "text-hash", "--later", *WHY)
    officer.run("key", "rotate", "--all-secrets", *WHY)
    officer.record(3)
    officer.run("key", "rotate", "--all", *officer.shares(1, 3))
    officer.record(4)
    uses = officer.run("key", "uses", "audit-seal")
    shown = officer.run("key", "show", "text-hash")
    listed = officer.run("key", "list")

    assert {"v1", "v2"} <= set(uses.split())
    assert "text-hash:v2" in shown
    assert "audit-checkpoint:v2" in listed
    officer.run("key", "due")
    officer.run("log", "tail")
    officer.verify()


def test_a_key_is_suspended_lifted_and_destroyed(officer: Officer) -> None:
    """What is suspended stops the record with 75, and what is destroyed is gone."""
    officer.record(1)
    officer.run("key", "suspend", "audit-seal:v1", *WHY)
    officer.run("log", "tail", code=ExitCode.TRY_AGAIN)
    officer.run("key", "suspend", "audit-seal:v1", "--lift", *WHY)
    officer.run("key", "destroy", "audit-seal:v1", "--yes", *WHY, code=ExitCode.USAGE)
    officer.run("key", "create", "text-hash", "--later", *WHY)
    officer.run("key", "destroy", "text-hash:v2", "--yes", *WHY)
    officer.record(2)

    officer.verify()


def test_stolen_keys_are_replaced(officer: Officer) -> None:
    """A stolen sealing key is quarantined; stolen signing keys give way."""
    officer.record(1)
    good = officer.trail.parent / "good"
    good.write_bytes((officer.trail / "public/audit/checkpoint").read_bytes())
    officer.run("key", "compromise", "audit-seal:v1", *WHY)
    officer.run(
        *("key", "compromise", "--log", "audit", "--last-good-checkpoint", good),
        *officer.shares(2, 3),
    )
    officer.record(2)
    listed = officer.run("key", "list")

    assert "compromised" in listed
    officer.run("verify", "--log", "audit", "--checkpoint", good)
    officer.verify()


def test_the_key_of_openbao_is_rotated_and_retired(
    phitrail: Command, bao: OpenBao, tmp_path: Path
) -> None:
    """The vault's own key rotates under every file, and its old versions end."""
    officer = found(phitrail, tmp_path, in_openbao(bao, tmp_path))
    officer.record(1)
    officer.run("key", "rotate", "wrapping", "--retire", *WHY)
    officer.record(2)
    listed = officer.run("key", "list")

    assert "wrapping:v2" in listed
    officer.verify()


@pytest.mark.drill
def test_keys_come_back_from_shares_when_the_vault_is_lost(
    phitrail: Command, tmp_path: Path
) -> None:
    """The vault burnt down: two officers bring identities and records back in another."""
    old, new = tmp_path / "old", tmp_path / "new"
    for place in (old, new):
        place.mkdir()
    with openbao(old) as lost:
        officer = found(phitrail, tmp_path, in_openbao(lost, tmp_path))
        officer.record(1, 2, 3)
        officer.run("key", "recover", "--rehearse", *officer.shares(1, 2))
    officer.run("log", "tail", code=ExitCode.TRY_AGAIN)
    with openbao(new) as other:
        chosen = vault_file(tmp_path / "new-vault.yaml", in_openbao(other, new))
        officer.run("key", "recover", "--vault", chosen, *officer.shares(1, 3))
        officer.record(4)

        officer.verify()
