"""A time stamp authority made of `openssl ts`, behind HTTP on this host."""

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from tests.anchor.authority import Certified

OPENSSL = shutil.which("openssl")
POLICY = "1.2.3.4.1"
REPLY = "application/timestamp-reply"

_SETTINGS = """\
[tsa]
default_tsa = stamper
[stamper]
dir = {directory}
serial = {directory}/serial
crypto_device = builtin
signer_cert = {directory}/stamper.pem
certs = {directory}/between.pem
signer_key = {directory}/stamper.key
signer_digest = {signer_digest}
default_policy = {policy}
digests = sha256, sha512
accuracy = {accuracy}
"""


@dataclass
class Stamper:
    """An authority whose answers a test may choose.

    Attributes:
        directory: where its files are.
        certified: the certificate that it signs under.
        between: certificates that it sends along.
        accuracy: what it says of its clock.
        status: of its HTTP answers.
        kind: of its HTTP answers.
        answer: makes the answer of a request; by default, openssl does.
        requests: what it was asked.
    """

    directory: Path
    certified: Certified
    between: tuple[Certified, ...] = ()
    accuracy: str = "secs:1, millisecs:500, microsecs:100"
    status: int = 200
    kind: str = REPLY
    answer: Callable[[bytes], bytes] | None = None
    requests: list[bytes] = field(default_factory=list)

    def stamp(self, request: bytes) -> bytes:
        """Answer a request as `openssl ts` does."""
        assert OPENSSL is not None
        here = self.directory
        here.mkdir(exist_ok=True)
        (here / "stamper.pem").write_bytes(self.certified.pem)
        (here / "stamper.key").write_bytes(self.certified.key_pem)
        (here / "between.pem").write_bytes(b"".join(one.pem for one in self.between))
        settings = _SETTINGS.format(
            directory=here,
            policy=POLICY,
            accuracy=self.accuracy,
            signer_digest="sha256",
        )
        if not self.between:
            settings = settings.replace("certs =", "# certs =")
        if not self.accuracy:
            settings = settings.replace("accuracy =", "# accuracy =")
        (here / "settings").write_text(settings, encoding="utf-8")
        (here / "request").write_bytes(request)
        subprocess.run(
            [
                *(OPENSSL, "ts", "-reply", "-config", here / "settings"),
                *("-queryfile", here / "request", "-out", here / "response"),
            ],
            check=True,
            capture_output=True,
        )
        return (here / "response").read_bytes()


@contextmanager
def time_stamp_server(stamper: Stamper) -> Iterator[str]:
    """Serve an authority on a port of this host until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            request = self.rfile.read(length)
            assert self.headers["Content-Type"] == "application/timestamp-query"
            stamper.requests.append(request)
            body = (stamper.answer or stamper.stamp)(request)
            self.send_response(stamper.status)
            self.send_header("Content-Type", stamper.kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            del format, arguments

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/tsr"
        finally:
            server.shutdown()
            thread.join()
