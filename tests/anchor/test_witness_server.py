"""A witness in a process of its own, asked over HTTP by our client and by hand."""

import hashlib
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.anchor.authority import make_authority, make_server
from tests.anchor.histories import LOG_KEY, ORIGIN, History
from tests.anchor.witnesses import (
    NAME,
    ROOT,
    AtWork,
    Said,
    ask,
    dying,
    request,
    served,
    witness_at_work,
)

from phitrail.anchor.witness import Witness
from phitrail.app.witnessing import (
    KEY_FILE,
    list_witnessed,
    make_witness,
    watch_log,
)
from phitrail.errors import ConfigError, InputError, OtherHistoryError, StorageError
from phitrail.tlog.note import ED25519, VerifierKey

OURS = History(40)
FORKS = [History(40, changed=number) for number in range(8)]
BY_ORIGIN = f"/{hashlib.sha256(ORIGIN.encode()).hexdigest()}/checkpoint"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the witness of this file lives."""
    return tmp_path_factory.mktemp("witness") / "state"


@pytest.fixture(scope="module")
def at_work(directory: Path) -> Iterator[AtWork]:
    """A witness that has cosigned size 9 of our history through our client."""
    with witness_at_work(directory, [LOG_KEY.vkey]) as witness:
        client = Witness(witness.url, str(witness.vkey))
        client.hold(OURS.submission(7), datetime.now(UTC))
        client.hold(OURS.submission(9, held_size=7), datetime.now(UTC))
        yield witness


def test_it_shows_what_it_cosigned_last(at_work: AtWork) -> None:
    """Whoever doubts a log asks its witness by the log's name."""
    shown = ask(at_work.url, "GET", BY_ORIGIN)

    assert shown.status == 200
    assert shown.body.startswith(OURS.note(9))
    assert f"\u2014 {NAME} ".encode() in shown.body


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("POST", "/add-checkpoint", b"junk", (400, "text/plain; charset=utf-8")),
        ("POST", "/add-checkpoint", b"x" * 200_000, (400, "text/plain; charset=utf-8")),
        (
            *("POST", "/add-checkpoint", request(0, (), OURS.note(9))),
            (409, "text/x.tlog.size"),
        ),
        (
            *("POST", "/add-checkpoint", request(9, (), FORKS[2].note(9))),
            (422, "text/plain; charset=utf-8"),
        ),
        ("GET", "/add-checkpoint", b"", (405, "text/plain; charset=utf-8")),
        ("GET", "/", b"", (404, "text/plain; charset=utf-8")),
        ("GET", f"/{'0' * 64}/checkpoint", b"", (404, "text/plain; charset=utf-8")),
    ],
)
def test_codes_and_types_are_those_of_the_specification(
    at_work: AtWork, method: str, path: str, body: bytes, said: tuple[int, str]
) -> None:
    """What the state machine says must arrive as it was said."""
    answer = ask(at_work.url, method, path, body)

    assert (answer.status, answer.content_type) == said


def test_a_log_that_went_back_is_told_so_with_evidence(at_work: AtWork) -> None:
    """A restored backup at the log's host is found at the next contact."""
    client = Witness(at_work.url, str(at_work.vkey))
    with pytest.raises(OtherHistoryError) as caught:
        client.hold(OURS.submission(8, held_size=8), datetime.now(UTC))

    assert caught.value.evidence == ask(at_work.url, "GET", BY_ORIGIN).body


def test_a_caller_who_never_finishes_keeps_nobody_waiting(at_work: AtWork) -> None:
    """One stuck connection must not silence a witness."""
    host, port = at_work.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as stuck:
        stuck.sendall(
            b"POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: 90\r\n\r\nold"
        )
        answer = ask(at_work.url, "GET", BY_ORIGIN)

    assert answer.status == 200


def test_forks_that_come_at_once_get_one_cosignature(tmp_path: Path) -> None:
    """Over the wire too, only one of many first histories may win."""
    said: list[Said] = []
    with witness_at_work(tmp_path / "w", [LOG_KEY.vkey]) as witness:
        barrier = threading.Barrier(len(FORKS))

        def add(fork: History) -> None:
            body = request(0, (), fork.note(20))
            barrier.wait(20)
            said.append(ask(witness.url, "POST", "/add-checkpoint", body))

        threads = [threading.Thread(target=add, args=(fork,)) for fork in FORKS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert sorted(one.status for one in said) == [200] + [409] * 7


def test_killed_after_it_wrote_it_is_bound_by_what_nobody_saw(tmp_path: Path) -> None:
    """Between state and answer there is no moment in which a fork gets through."""
    place = tmp_path / "w"
    make_witness(place, NAME)
    watch_log(place, str(LOG_KEY.vkey), None)
    with dying(place) as witness:
        client = Witness(witness.url, str(witness.vkey))
        with pytest.raises(StorageError):
            client.hold(OURS.submission(9), datetime.now(UTC))
        killed_by = witness.process.wait(20)
    with served(place) as again:
        fork = ask(
            again.url, "POST", "/add-checkpoint", request(0, (), FORKS[1].note(9))
        )
        forked = ask(
            again.url, "POST", "/add-checkpoint", request(9, (), FORKS[1].note(9))
        )
        held = Witness(again.url, str(again.vkey)).hold(
            OURS.submission(9), datetime.now(UTC)
        )

    assert killed_by == -signal.SIGKILL
    assert (fork.status, fork.body, forked.status) == (409, b"9\n", 422)
    assert held.size == 9
    assert list_witnessed(place) == [(ORIGIN, 9, 1)]  # the same fork, twice


def test_its_key_is_its_own(tmp_path: Path) -> None:
    """A key that others may read witnesses for them."""
    make_witness(tmp_path / "w", NAME)
    key = tmp_path / "w" / KEY_FILE

    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match="there already"):
        make_witness(tmp_path / "w", NAME)
    key.chmod(0o644)
    with pytest.raises(ConfigError, match="readable by others"):
        watch_log(tmp_path / "w", str(LOG_KEY.vkey), None)
    key.chmod(0o600)
    key.write_bytes(b"{}")
    with pytest.raises(ConfigError, match="is damaged"):
        watch_log(tmp_path / "w", str(LOG_KEY.vkey), None)
    with pytest.raises(ConfigError, match="witness init"):
        watch_log(tmp_path / "absent", str(LOG_KEY.vkey), None)


def test_only_a_log_can_be_watched(tmp_path: Path) -> None:
    """A witness's key in the place of a log's would let witnesses make logs."""
    vkey = make_witness(tmp_path / "w", NAME)

    own = VerifierKey.derive(NAME, ED25519, vkey.public_key)
    with pytest.raises(InputError, match="type 1"):
        watch_log(tmp_path / "w", str(vkey), None)
    with pytest.raises(InputError, match="key of this witness"):
        watch_log(tmp_path / "w", str(own), None)
    with pytest.raises(InputError, match="--origin"):
        watch_log(tmp_path / "w", str(LOG_KEY.vkey), "two\nlines")
    with pytest.raises(InputError, match="key name"):
        make_witness(tmp_path / "v", "two words")


def test_it_loads_no_part_of_a_trail() -> None:
    """A second host runs a small program: nothing of journals, tables or identities."""
    code = (
        "import sys, phitrail.app.witnessing\n"
        "parts = ('phitrail.app.wiring', 'phitrail.capture', 'phitrail.identity',"
        " 'phitrail.projection', 'duckdb', 'pyarrow', 'httpx')\n"
        "print([name for name in parts if name in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=ROOT,
    )

    assert ran.stdout == "[]\n"


def test_an_address_that_is_taken_says_so(at_work: AtWork, tmp_path: Path) -> None:
    """Two witnesses on one port: the second must not seem to serve."""
    make_witness(tmp_path / "w", NAME)
    address = at_work.url.removeprefix("http://")
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "phitrail", "witness", "serve"),
            *("--dir", str(tmp_path / "w"), "--listen", address),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=ROOT,
    )

    assert ran.returncode == 75
    assert "cannot listen" in ran.stderr


def test_https_is_believed_under_the_certificates_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between hosts a witness speaks TLS, and a server that nobody vouches for is none."""
    authority = make_authority()
    server = make_server(authority)
    files = {
        "ca.pem": authority.pem,
        "server.pem": server.pem,
        "server.key": server.key_pem,
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    place = tmp_path / "w"
    make_witness(place, NAME)
    watch_log(place, str(LOG_KEY.vkey), None)
    tls = ("--certificate", tmp_path / "server.pem", "--key", tmp_path / "server.key")
    with served(place, *map(str, tls)) as witness:
        stranger = Witness(witness.url, str(witness.vkey))
        with pytest.raises(StorageError, match="cannot be reached"):
            stranger.hold(OURS.submission(9), datetime.now(UTC))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        held = Witness(witness.url, str(witness.vkey)).hold(
            OURS.submission(9), datetime.now(UTC)
        )

    assert witness.url.startswith("https://")
    assert held.size == 9
