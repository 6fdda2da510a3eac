"""Witnesses to test with: their keys, requests to them, and one at work in a process."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from tests.tlog.trees import make_signer

from phitrail.anchor.witness_store import WitnessStore
from phitrail.app import clock
from phitrail.app.witnessing import make_witness, read_signer, watch_log
from phitrail.tlog.note import Signer, VerifierKey
from phitrail.tlog.spelling import print_base64

NAME = "county.example/witness"
SIGNER = make_signer(NAME, bytes(range(64, 96)))
ROOT = Path(__file__).parents[2]


def request(old_size: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """Write an add-checkpoint request (c2sp.org/tlog-witness)."""
    lines = "".join(f"{print_base64(each)}\n" for each in proof)
    return f"old {old_size}\n{lines}\n".encode() + note


@dataclass(frozen=True, slots=True)
class Said:
    """What a server answered."""

    status: int
    content_type: str
    body: bytes


def ask(url: str, method: str, path: str, body: bytes = b"") -> Said:
    """Send one request."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=20)
    try:
        connection.request(method, path, body=body)
        response = connection.getresponse()
        return Said(
            response.status,
            response.getheader("content-type") or "",
            response.read(),
        )
    finally:
        connection.close()


@dataclass(frozen=True, slots=True)
class AtWork:
    """A witness that answers at `url`, in a process of its own."""

    directory: Path
    vkey: VerifierKey
    url: str
    process: subprocess.Popen[str]


@contextmanager
def witness_at_work(directory: Path, logs: Sequence[VerifierKey]) -> Iterator[AtWork]:
    """Make a witness of these logs where there is none yet, and serve it."""
    if not directory.exists():
        make_witness(directory, NAME)
    for key in logs:
        watch_log(directory, str(key), None)
    with served(directory) as at_work:
        yield at_work


@contextmanager
def served(directory: Path, *options: str) -> Iterator[AtWork]:
    """Serve a witness as its operator does."""
    words = ("phitrail", "witness", "serve", "--dir", str(directory))
    with _running(directory, *words, "--listen", "127.0.0.1:0", *options) as at_work:
        yield at_work


@contextmanager
def dying(directory: Path) -> Iterator[AtWork]:
    """Serve a witness that dies between its first write and the answer."""
    with _running(directory, "tests.anchor.dying_witness", str(directory)) as at_work:
        yield at_work


@contextmanager
def _running(directory: Path, *module: str) -> Iterator[AtWork]:
    process = subprocess.Popen(
        [sys.executable, "-m", *module],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        assert process.stderr is not None
        words = process.stderr.readline().split()
        assert words[:2] == ["answering", "at"], words
        yield AtWork(directory, read_signer(directory).cosigner_vkey, words[2], process)
    finally:
        process.terminate()
        process.communicate(timeout=20)


@dataclass(frozen=True, slots=True)
class Nearby:
    """A witness that answers at `url`, on threads of this process."""

    vkey: VerifierKey
    url: str


@contextmanager
def witness_nearby(
    place: Path, logs: Sequence[VerifierKey], *, signer: Signer = SIGNER
) -> Iterator[Nearby]:
    """Serve the real state of a witness, its own HTTP server left out."""
    with closing(WitnessStore(place, signer)) as store:
        for key in logs:
            store.add_log(key.name, key)

        def answer(path: str, body: bytes) -> tuple[int, bytes]:
            if path == "/add-checkpoint":
                said = store.answer(body, time_s=int(clock.now().timestamp()))
            else:
                said = store.newest(path.split("/")[1])
            return int(said.status), said.body

        with _listening(answer) as url:
            yield Nearby(signer.cosigner_vkey, url)


@contextmanager
def answering(
    *answers: tuple[int, bytes], until: threading.Event | None = None
) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Serve these answers in turn, the last one for ever; note what was asked.

    Args:
        answers: status and body of each.
        until: nobody is answered before this is set.
    """
    asked: list[tuple[str, bytes]] = []

    def answer(path: str, body: bytes) -> tuple[int, bytes]:
        asked.append((path, body))
        if until is not None:
            until.wait(30)
        return answers[min(len(asked), len(answers)) - 1]

    with _listening(answer) as url:
        try:
            yield url, asked
        finally:
            if until is not None:
                until.set()


@contextmanager
def _listening(answer: Callable[[str, bytes], tuple[int, bytes]]) -> Iterator[str]:
    """Answer on loopback, each request on a thread."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            status, body = answer(self.path, self.rfile.read(length))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            """Answer."""
            self._answer()

        def do_GET(self) -> None:
            """Answer."""
            self._answer()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
