"""Every verb of `phitrail key` over a trail whose keys are in AWS KMS.

Played on moto and ministack together (`tests.kms.both`): what wraps is moto's, what signs
ministack's. What follows from the states of keys is in `test_aws_kms_trail`.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.app.key_verbs import check_register_is_the_log_s
from tests.kms import Both, both
from tests.trails import NOW, TENANT, record_events

from phitrail.app.founding import found_trail
from phitrail.app.key_wiring import KEYS, current_register
from phitrail.app.verification import verify_trail
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.main import main
from phitrail.events.unprotect import unprotect
from phitrail.keys.names import WRAPPING
from phitrail.keys.states import KeyState

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def kms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Serve KMS."""
    with both(tmp_path_factory.mktemp("kms")) as server:
        yield server


@pytest.fixture
def recovery(tmp_path: Path) -> Path:
    """Say where the recovery key goes."""
    return tmp_path / "recovery.key"


@pytest.fixture
def trail(kms: Both, tmp_path: Path, recovery: Path) -> Path:
    """Give a trail in KMS with some events."""
    place = tmp_path / "trail"
    founded = found_trail(place, TENANT, NOW, vault=kms.settings(kms.wrapping_key()))
    recovery.touch(mode=0o600)
    recovery.write_text(unprotect(founded.recovery[0]) + "\n")
    record_events(place, range(4))
    return place


def key(trail: Path, *words: str) -> int:
    """Run a verb of `phitrail key`."""
    return main(["key", *words, "--trail", str(trail)])


def _states(trail: Path, name: str) -> dict[int, KeyState]:
    return {one.version: one.state for one in current_register(trail).versions(name)}


def test_secrets_are_rotated_suspended_compromised_and_destroyed(trail: Path) -> None:
    """A verb that works with files alone is no verb for a hospital's vault."""
    for words in (
        ("rotate", "text-hash", "audit-seal"),
        ("create", "fpe-metadata"),
        ("suspend", "fpe-metadata:v1", "--reason", "why"),
        ("suspend", "fpe-metadata:v1", "--lift", "--reason", "why"),
        ("rotate", "identity-index", "identity-seal"),
        ("compromise", "audit-seal:v2", "--reason", "why"),
        ("uses", "audit-seal"),
        ("due",),
        ("list", "--check"),
    ):
        assert key(trail, *words) == ExitCode.OK, words
    record_events(trail, range(4, 8))

    assert _states(trail, "audit-seal") == {
        1: KeyState.DEACTIVATED,
        2: KeyState.COMPROMISED,
        3: KeyState.ACTIVE,
    }
    assert not verify_trail(trail, deep=True).findings
    check_register_is_the_log_s(trail)


def test_signing_keys_are_rotated_inside_kms(trail: Path, recovery: Path) -> None:
    """The old private half ends in KMS, and what it signed verifies on."""
    assert key(trail, "rotate", "--all", "--recovery", str(recovery)) == ExitCode.OK
    record_events(trail, range(4, 8))

    assert not verify_trail(trail, deep=True).findings
    assert not list((trail / KEYS).glob("audit-checkpoint.v1.json"))
    check_register_is_the_log_s(trail)


def test_the_wrapping_key_is_rotated_and_its_versions_stay(
    trail: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """AWS keeps them; the register must not say that they are gone."""
    assert key(trail, "rotate", WRAPPING) == ExitCode.OK
    record_events(trail, range(4, 8))
    capsys.readouterr()

    assert key(trail, "rotate", WRAPPING, "--retire") != ExitCode.OK
    assert "AWS KMS keeps every version" in capsys.readouterr().err
    assert KeyState.DESTROYED not in _states(trail, WRAPPING).values()
    assert not verify_trail(trail, deep=True).findings


def test_keys_are_brought_back_under_another_kms_key(
    kms: Both, trail: Path, recovery: Path, tmp_path: Path
) -> None:
    """This is how old versions are got rid of, and how an account is left."""
    assert key(trail, "rotate", WRAPPING) == ExitCode.OK
    vault = tmp_path / "vault.yaml"
    settings = msgspec.to_builtins(kms.settings(kms.wrapping_key()))
    vault.write_bytes(msgspec.yaml.encode(settings))
    given = ("--recovery", str(recovery))

    assert key(trail, "recover", "--rehearse", *given) == ExitCode.OK
    assert key(trail, "recover", *given, "--vault", str(vault)) == ExitCode.OK
    record_events(trail, range(4, 8))
    assert not verify_trail(trail, deep=True).findings
    check_register_is_the_log_s(trail)
