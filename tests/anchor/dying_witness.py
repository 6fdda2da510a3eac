"""A witness that dies after it wrote what it cosigned and before anybody sees it.

python -m tests.anchor.dying_witness DIR
"""

import os
import signal
import socket
import sys
from pathlib import Path

from phitrail.anchor.witness_server import WitnessServer, serve
from phitrail.anchor.witness_state import Answer
from phitrail.anchor.witness_store import WitnessStore
from phitrail.app import clock
from phitrail.app.witnessing import STATE_FILE, read_signer


def main(directory: Path) -> None:
    """Serve until the first cosignature."""
    store = WitnessStore(directory / STATE_FILE, read_signer(directory))

    def answer_and_die(body: bytes) -> Answer:
        answer = store.answer(body, time_s=int(clock.now().timestamp()))
        if answer.head is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    listener = socket.create_server(("127.0.0.1", 0))
    sys.stderr.write(f"answering at http://127.0.0.1:{listener.getsockname()[1]}\n")
    sys.stderr.flush()
    serve(WitnessServer(answer_and_die, store.newest, print), listener)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
