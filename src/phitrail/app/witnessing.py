"""A witness on a host of its own: made, told of logs, and served.

A directory holds its key and its state and nothing of any trail; this module loads no part
of one either. What a witness may say is decided in `anchor.witness_state`.
"""

import socket
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from phitrail.anchor.witness_server import WitnessServer, serve
from phitrail.anchor.witness_store import WitnessStore
from phitrail.app import clock
from phitrail.errors import ConfigError, InputError, StorageError
from phitrail.events.ids import format_time
from phitrail.keys.witness_key import make_witness_key, read_witness_key
from phitrail.tlog.note import ED25519, Signer, VerifierKey, parse_vkey
from phitrail.tlog.spelling import is_line

KEY_FILE = "witness.key"
STATE_FILE = "witness.db"


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a witness answers."""

    host: str
    port: int
    scheme: str

    @property
    def url(self) -> str:
        """What stands before `/add-checkpoint`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def make_witness(directory: Path, name: str) -> VerifierKey:
    """Make a witness; return the key that its cosignatures verify under.

    Raises:
        InputError: the name is no key name.
        ConfigError: there is a witness already.
        StorageError: a file cannot be written.
    """
    VerifierKey.derive(name, ED25519, bytes(32))  # is it a name?
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make {directory}: {error.strerror}") from error
    created_at = format_time(clock.now())
    make_witness_key(directory / KEY_FILE, name, created_at=created_at)
    signer = read_signer(directory)
    WitnessStore(directory / STATE_FILE, signer).close()
    return signer.cosigner_vkey


def watch_log(directory: Path, vkey: str, origin: str | None) -> str:
    """Let a witness watch a log; return its origin.

    Args:
        directory: the witness's.
        vkey: the key that signs the log's checkpoints.
        origin: the first line of its checkpoints, where it is not the key's name.

    Raises:
        InputError: this is no key of a log, or no origin.
        ConfigError: there is no witness.
        StorageError: it was not kept.
    """
    key = parse_vkey(vkey)
    if key.kind != ED25519:
        raise InputError.for_field("--vkey", "must be an Ed25519 key of a log (type 1)")
    named = key.name if origin is None else origin
    if not is_line(named):
        raise InputError.for_field("--origin", "must be a line of text")
    if key.public_key == read_signer(directory).public_key:
        raise InputError.for_field("--vkey", "must not be the key of this witness")
    with closing(_open(directory)) as store:
        store.add_log(named, key)
    return named


def serve_witness(
    directory: Path,
    host: str,
    port: int,
    *,
    ready: Callable[[Listening], None],
    complain: Callable[[str], None],
    tls: tuple[Path, Path] | None = None,
) -> None:
    """Serve a witness until the process is told to stop.

    Args:
        directory: the witness's.
        host: the address to listen on.
        port: 0 for any that is free.
        ready: told where it listens, before the first request is answered.
        complain: told what the operator of the witness should see.
        tls: certificate and key, PEM; without them the answers go out in the clear.

    Raises:
        ConfigError: there is no witness, or no such certificate.
        StorageError: the address cannot be had.
    """
    for place in tls or ():
        if not place.is_file():
            raise ConfigError(f"there is no {place}; give a PEM file, or serve without")
    with closing(_open(directory)) as store:
        try:
            listener = socket.create_server(
                (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
            )
        except OSError as error:
            raise StorageError(
                f"cannot listen on {host} port {port}: {error.strerror}"
            ) from error
        with listener:
            certificate, key = map(str, tls) if tls is not None else (None, None)
            bound = listener.getsockname()[1]
            ready(Listening(host, bound, "http" if tls is None else "https"))
            serve(
                WitnessServer(
                    lambda body: store.answer(
                        body, time_s=int(clock.now().timestamp())
                    ),
                    partial(WitnessStore.newest, store),
                    complain,
                ),
                listener,
                certificate=certificate,
                key=key,
            )


def list_witnessed(directory: Path) -> list[tuple[str, int, int]]:
    """List the logs that a witness watches: origin, size, and how many were refused.

    Raises:
        ConfigError: there is no witness.
        StorageError: its state cannot be read.
    """
    with closing(_open(directory)) as store:
        return [
            (origin, size, len(store.refused(origin))) for origin, size in store.heads()
        ]


def read_signer(directory: Path) -> Signer:
    """Read the key of a witness.

    Raises:
        ConfigError: there is none, or others may read it.
    """
    name, key = read_witness_key(directory / KEY_FILE)
    return Signer(name, key.public_key().public_bytes_raw(), key.sign)


def _open(directory: Path) -> WitnessStore:
    return WitnessStore(directory / STATE_FILE, read_signer(directory))
