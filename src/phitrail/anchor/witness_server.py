"""A witness over HTTP: a bare ASGI application (C2SP tlog-witness).

`POST /add-checkpoint` and `GET /<SHA-256 of the origin in hex>/checkpoint`; everything else
is 404. A body that is too long, or that does not arrive in time, is 400. What is said is
decided and made durable by `witness_store`, on threads, so that a slow disk does not keep
other callers from being heard.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, TypeAlias

import uvicorn

from phitrail.anchor.witness_state import MAX_REQUEST_BYTES, PLAIN_TEXT, Answer
from phitrail.errors import PhitrailError

READ_WITHIN_S = 10.0
CALLERS_AT_MOST = 256

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

_NEWEST = re.compile(r"/([0-9a-f]{64})/checkpoint")


class WitnessServer:
    """The ASGI application; `add` and `newest` answer, each on a thread."""

    def __init__(
        self,
        add: Callable[[bytes], Answer],
        newest: Callable[[str], Answer],
        complain: Callable[[str], None],
    ) -> None:
        self._add = add
        self._newest = newest
        self._complain = complain

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            answer = await self._answer(scope["method"], scope["path"], receive)
        except PhitrailError as error:
            self._complain(f"error: {error}")
            answer = Answer(
                HTTPStatus.SERVICE_UNAVAILABLE,
                b"this witness cannot write; see there\n",
            )
        headers = [(b"content-type", answer.content_type.encode())]
        headers.append((b"content-length", str(len(answer.body)).encode()))
        await send(
            {
                "type": "http.response.start",
                "status": int(answer.status),
                "headers": headers,
            }
        )
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, method: str, path: str, receive: Receive) -> Answer:
        newest = _NEWEST.fullmatch(path)
        if newest is not None and method in {"GET", "HEAD"}:
            return await asyncio.to_thread(self._newest, newest[1])
        if path != "/add-checkpoint":
            return Answer(HTTPStatus.NOT_FOUND, b"POST /add-checkpoint\n", PLAIN_TEXT)
        if method != "POST":
            return Answer(HTTPStatus.METHOD_NOT_ALLOWED, b"POST /add-checkpoint\n")
        try:
            body = await asyncio.wait_for(_read(receive), READ_WITHIN_S)
        except TimeoutError:
            return Answer(HTTPStatus.BAD_REQUEST, b"the body did not arrive in time\n")
        answer = await asyncio.to_thread(self._add, body)
        if answer.refused:
            self._complain(
                f"REFUSED: {answer.origin} signed a checkpoint that does not continue "
                "the history that was cosigned; it is kept as evidence"
            )
        return answer


async def _read(receive: Receive) -> bytes:
    """Read a body; of one that is too long, only as much as shows it."""
    body = b""
    while len(body) <= MAX_REQUEST_BYTES:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return body


def serve(
    application: WitnessServer,
    listener: socket.socket,
    *,
    certificate: str | None = None,
    key: str | None = None,
) -> None:
    """Serve until the process is told to stop.

    Args:
        application: what answers.
        listener: a bound socket.
        certificate: a PEM file, for TLS; without it the answers go out in the clear.
        key: the PEM file of its private key.
    """
    config = uvicorn.Config(
        application,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=5,
        limit_concurrency=CALLERS_AT_MOST,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    uvicorn.Server(config).run(sockets=[listener])
