"""`phitrail witness`: made, told of a log, and what its operator sees."""

from contextlib import closing
from pathlib import Path

import pytest
from tests.anchor.histories import LOG_KEY, ORIGIN, History
from tests.anchor.witnesses import request
from tests.cli.conftest import Command

from phitrail.anchor.witness_store import WitnessStore
from phitrail.app import clock
from phitrail.app.witnessing import STATE_FILE, read_signer
from phitrail.cli.exit_codes import ExitCode
from phitrail.tlog.note import COSIGNATURE_V1, parse_vkey


def test_a_witness_is_made_and_watches_a_log(phitrail: Command, tmp_path: Path) -> None:
    """Two commands, and the key to hand out is the one line of data."""
    place = ("--dir", tmp_path / "w")
    made = phitrail("witness", "init", "--name", "county.example/w", *place)
    added = phitrail("witness", "add-log", "--vkey", LOG_KEY.vkey, *place, "--json")
    listed = phitrail("witness", "list", *place, "--json")

    key = parse_vkey(made.out.strip())
    assert (key.name, key.kind) == ("county.example/w", COSIGNATURE_V1)
    assert added.data == {"origin": ORIGIN}
    assert (listed.code, listed.data) == (
        0,
        {"logs": [{"origin": ORIGIN, "size": 0, "refused": 0}]},
    )


def test_a_refused_history_fails_the_list(phitrail: Command, tmp_path: Path) -> None:
    """The operator of a witness is the first who can know; a timer must tell him."""
    place = tmp_path / "w"
    phitrail("witness", "init", "--name", "w", "--dir", place)
    phitrail("witness", "add-log", "--vkey", LOG_KEY.vkey, "--dir", place)
    with closing(WitnessStore(place / STATE_FILE, read_signer(place))) as store:
        now_s = int(clock.now().timestamp())
        store.answer(request(0, (), History(9).note(9)), time_s=now_s)
        store.answer(request(9, (), History(9, changed=2).note(9)), time_s=now_s)
    listed = phitrail("witness", "list", "--dir", place)

    assert listed.code == ExitCode.CHECK_FAILED
    assert ORIGIN in listed.out


@pytest.mark.parametrize("listen", ["8181", ":8181", "host:", "host:99999", "host:x"])
def test_an_address_is_host_and_port(
    phitrail: Command, tmp_path: Path, listen: str
) -> None:
    """A witness that listens elsewhere than was meant is not there."""
    phitrail("witness", "init", "--name", "w", "--dir", tmp_path / "w")
    place = ("--dir", tmp_path / "w")
    ran = phitrail("witness", "serve", "--listen", listen, *place)

    assert ran.code == ExitCode.USAGE
    assert "HOST:PORT" in ran.err


def test_a_certificate_needs_its_key(phitrail: Command, tmp_path: Path) -> None:
    """Serving in the clear because a flag was forgotten would go unnoticed."""
    phitrail("witness", "init", "--name", "w", "--dir", tmp_path / "w")
    serve = ("witness", "serve", "--dir", tmp_path / "w", "--certificate", "/absent")
    alone = phitrail(*serve)
    absent = phitrail(*serve, "--key", "/absent")
    nothing = phitrail("witness", "serve", "--dir", tmp_path / "none")

    assert (alone.code, absent.code, nothing.code) == (2, 78, 78)
