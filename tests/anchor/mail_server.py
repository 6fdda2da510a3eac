"""A real SMTP server on this host, in a thread, whose answers a test may choose."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from tests.anchor.authority import Certified

HOST = "127.0.0.1"


@dataclass
class Mailboxes:
    """What the server got, and what it answers.

    Attributes:
        mails: those that it accepted, each with its recipients.
        rcpt: a code for a recipient instead of 250.
        data: a code for the mail instead of 250.
        drops: closes the connection when it has got the whole mail.
        password: what who logs in must know.
        logins: how many have.
        commands: how many recipients were named.
    """

    mails: list[tuple[bytes, tuple[str, ...]]] = field(default_factory=list)
    rcpt: dict[str, int] = field(default_factory=dict)
    data: int = 250
    drops: bool = False
    password: bytes = b""
    logins: int = 0
    commands: int = 0

    async def handle_RCPT(  # noqa: N802 - the name is the server's
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        """Take a recipient or refuse it."""
        del server, session, options
        self.commands += 1
        code = self.rcpt.get(address, 250)
        if code == 250:
            envelope.rcpt_tos.append(address)
        return f"{code} {address}"

    async def handle_DATA(  # noqa: N802 - the name is the server's
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Take the mail or refuse it."""
        del session
        if self.drops:
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
            return "421 gone"
        content = envelope.content
        assert isinstance(content, bytes)
        if self.data == 250:
            self.mails.append((content, tuple(envelope.rcpt_tos)))
        return f"{self.data} said"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, how: str, who: Any
    ) -> AuthResult:
        """Let somebody in who knows the password."""
        del server, session, envelope, how
        is_known = isinstance(who, LoginPassword) and who.password == self.password
        self.logins += is_known
        return AuthResult(success=is_known, handled=False)


@contextmanager
def mail_server(
    boxes: Mailboxes, certified: Certified | None, directory: Path
) -> Iterator[int]:
    """Run a server on a port of this host until the block ends."""
    context = None
    if certified is not None:
        chain, key = directory / "server.pem", directory / "server.key"
        chain.write_bytes(certified.pem)
        key.write_bytes(certified.key_pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
    loop = asyncio.new_event_loop()

    def serve() -> SMTP:
        return SMTP(
            boxes,
            hostname="mail.example",
            require_starttls=context is not None,
            tls_context=context,
            auth_required=bool(boxes.password),
            authenticator=boxes.authenticate,
            loop=loop,
        )

    server = loop.run_until_complete(loop.create_server(serve, HOST, 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _stop(server: asyncio.AbstractServer) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
