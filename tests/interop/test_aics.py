"""A verifier and a witness that others wrote accept our logs, and refuse altered ones.

They need Python >= 3.12 and live in an environment of their own, which `make test-all`
makes (`PHITRAIL_PY312` names the interpreter). Without it these tests skip and say so.
"""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from phitrail.app import clock
from phitrail.app.export import ExportFormat, export_log
from phitrail.app.founding import found_trail
from phitrail.app.pins import read_pins
from phitrail.app.running import run_trail
from phitrail.events.codes import EventType, Log
from phitrail.sdk import AuditEvent, connect
from phitrail.tlog.checkpoint import open_checkpoint, verified_cosigners
from phitrail.tlog.note import parse_note, parse_vkey
from phitrail.tlog.proof import consistency_proof
from phitrail.tlog.spelling import print_base64
from phitrail.tlog.tile import node_reader, tile_path

ORACLES = Path(__file__).parents[2] / ".venv" / "oracles" / "bin"
TENANT = "interop.example"
AUDIT_WITH_AICS = """
import sys
from pathlib import Path
from aics_tlog.checkpoint import checkpoint_from_note
from aics_tlog.tiles import FileSystemTileReader
from aics_tlog.verified import audit_tiles

directory = Path(sys.argv[1])
checkpoint, _ = checkpoint_from_note((directory / "checkpoint").read_bytes())
print(audit_tiles(FileSystemTileReader(directory), checkpoint.size, checkpoint.root))
"""

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not (ORACLES / "aics-tlog").exists(),
        reason="no Python >= 3.12 for aics-tlog: set PHITRAIL_PY312, run make test-all",
    ),
]


def record(trail_directory: Path, count: int) -> None:
    """Append events and publish them."""
    with connect(trail_directory) as trail:
        for _ in range(count // 100):
            trail.record_many(
                [
                    AuditEvent(event_type=EventType.PHI_READ, user_id="dr-1")
                    for _ in range(100)
                ]
            )
        trail.publish()


def export(trail_directory: Path, out: Path) -> Path:
    """Write the audit log as a plain tlog-tiles directory."""
    with run_trail(trail_directory) as trail:
        export_log(
            trail, Log.AUDIT, ExportFormat.C2SP, out, by="auditor", now=clock.now()
        )
    return out


@pytest.fixture(scope="module")
def trail_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trail with enough entries for three levels of partial tiles."""
    directory = tmp_path_factory.mktemp("interop") / "trail"
    found_trail(directory, TENANT, clock.now())
    record(directory, 1300)
    return directory


@pytest.fixture(scope="module")
def exported(trail_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its audit log in C2SP form."""
    return export(trail_directory, tmp_path_factory.mktemp("out") / "c2sp")


@pytest.fixture(scope="module")
def vkey_file(trail_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log's verifier key, in a file outside the export."""
    place = tmp_path_factory.mktemp("vkey") / "audit.vkey"
    place.write_text(f"log {read_pins(trail_directory)[Log.AUDIT].log_key}\n")
    return place


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a program of the other environment."""
    return subprocess.run(
        [str(argument) for argument in arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def audit(directory: Path) -> subprocess.CompletedProcess[str]:
    """Let aics-tlog re-derive every tile and bundle."""
    return run(ORACLES / "python", "-c", AUDIT_WITH_AICS, directory)


def test_aics_tlog_accepts_the_export_whole(exported: Path, vkey_file: Path) -> None:
    """Checkpoint, every tile, every bundle, and the inclusion of single entries."""
    tlog = ORACLES / "aics-tlog"
    source = ("--tiles", exported, "--vkey-file", vkey_file)

    whole = audit(exported)
    checkpoint = run(tlog, "verify-checkpoint", *source)
    inclusions = [
        run(tlog, "verify-inclusion", *source, "--index", index)
        for index in (0, 255, 256, 1299)
    ]

    assert whole.returncode == 0, whole.stderr
    assert checkpoint.returncode == 0, checkpoint.stderr
    assert [one.returncode for one in inclusions] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "pattern", ["tile/entries/002", "tile/0/003", "tile/1/000.p/*", "checkpoint"]
)
def test_aics_tlog_refuses_one_flipped_bit(
    exported: Path, vkey_file: Path, tmp_path: Path, pattern: str
) -> None:
    """A verifier that accepts anything would prove nothing."""
    copy = tmp_path / "copy"
    shutil.copytree(exported, copy)
    (damaged,) = copy.glob(pattern)  # the width of a partial tile is the log's size
    data = bytearray(damaged.read_bytes())
    data[len(data) // 3] ^= 1
    damaged.write_bytes(bytes(data))
    source = ("--tiles", copy, "--vkey-file", vkey_file)

    verdicts = [
        audit(copy).returncode,
        run(ORACLES / "aics-tlog", "verify-checkpoint", *source).returncode,
    ]

    assert any(verdicts)


@pytest.fixture
def witness(tmp_path: Path, vkey_file: Path) -> Iterator[tuple[int, str]]:
    """A running aics-witness that trusts our log: its port and verifier key."""
    log_vkey = vkey_file.read_text().split()[1]
    with running_witness(tmp_path, f"{TENANT}/audit", log_vkey) as running:
        yield running


@contextmanager
def running_witness(
    place: Path, origin: str, log_vkey: str
) -> Iterator[tuple[int, str]]:
    """Run an aics-witness that watches one log: its port and verifier key."""
    program, config = ORACLES / "aics-witness", place / "witness.json"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    listen = f"127.0.0.1:{port}"
    made = run(
        program, "init", "-c", config, "--name", "w.example/1", "--listen", listen
    )
    added = run(
        program, "add-log", "-c", config, "--origin", origin, "--vkey", log_vkey
    )
    assert (made.returncode, added.returncode) == (0, 0), made.stderr + added.stderr
    vkey = next(word for word in made.stdout.split() if word.startswith("w.example/1+"))
    server = subprocess.Popen(
        [program, "serve", "-c", config],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        while not is_listening(port):
            assert time.monotonic() < deadline, "the witness did not start"
        yield port, vkey
    finally:
        server.terminate()
        server.wait(timeout=10)


def is_listening(port: int) -> bool:
    """Say whether somebody accepts connections on a loopback port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def ask(port: int, body: bytes) -> tuple[int, bytes]:
    """Send an add-checkpoint request (c2sp.org/tlog-witness)."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", "/add-checkpoint", body=body)
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    return response.status, answer


def request(old_size: int, proof: list[bytes], note: bytes) -> bytes:
    """Write an add-checkpoint request."""
    lines = "".join(f"{print_base64(each)}\n" for each in proof)
    return f"old {old_size}\n{lines}\n".encode() + note


def test_aics_witness_cosigns_our_growth_and_no_fork(
    witness: tuple[int, str], trail_directory: Path, tmp_path: Path
) -> None:
    """First contact, growth with our consistency proof, then a log that went back."""
    port, vkey = witness
    log_key = read_pins(trail_directory)[Log.AUDIT].log_key
    first = export(trail_directory, tmp_path / "first")
    old_note = (first / "checkpoint").read_bytes()
    record(trail_directory, 400)
    second = export(trail_directory, tmp_path / "second")
    new_note = (second / "checkpoint").read_bytes()
    old, new = (open_checkpoint(note, [log_key]) for note in (old_note, new_note))

    def read_tile(level: int, index: int, width: int) -> bytes:
        return (second / tile_path(level, index, width)).read_bytes()

    node = node_reader(read_tile, new.size)
    proof = list(consistency_proof(old.size, new.size, node))

    first_answer = ask(port, request(0, [], old_note))
    grown = ask(port, request(old.size, [bytes(p) for p in proof], new_note))
    gone_back = ask(port, request(old.size, [], old_note))
    forged = ask(port, request(new.size, [], new_note.replace(b"\n\n", b"x\n\n")))

    assert (first_answer[0], grown[0]) == (200, 200), json.dumps(str(grown[1]))
    assert gone_back[0] in {400, 409, 422}
    assert forged[0] in {400, 403}
    cosigned = parse_note(new_note.rstrip(b"\n") + b"\n" + grown[1])
    (cosigner,) = verified_cosigners(cosigned, [parse_vkey(vkey)])
    assert cosigner.key.name == "w.example/1"
