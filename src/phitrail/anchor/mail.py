"""A checkpoint by mail: the officer keeps it, and pastes it into `phitrail verify` later.

1. The mail holds the signed checkpoint and plain words on what to do with it; nothing else
   of the log. It was read back out of the finished mail before it is sent.
2. Nothing is said to the server before STARTTLS with a certificate that verifies; without
   it only to this host, and then nobody logs in.
3. It is held once the server has accepted it for every recipient. If it refuses one of
   them, the mail is not sent to the others either, so that a later try starts clean.
4. The same checkpoint has the same Message-ID: a mail that is sent again after an answer
   was lost shows as one.

A mail server that accepted a mail may still lose it; the officer's program shows whether it
came. The log's host can send false checkpoints, never take back one that was sent.
"""

import hashlib
import ipaddress
import re
import smtplib
import ssl
import stat
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Final

from phitrail.anchor.held import Held, Submission
from phitrail.errors import ConfigError, InputError, RefusedError, StorageError
from phitrail.tlog.pasted import read_pasted

SUFFIX: Final = "eml"
TIMEOUT_S: Final = 30.0

_POLICY = SMTP.clone(max_line_length=76)  # RFC 2045 section 6.7
_ADDRESS = re.compile(r"[!-?A-~]+@[!-?A-~]+")  # visible ASCII, one @
_READABLE_BY_OTHERS = 0o077
_ACCEPTED = 250  # RFC 5321 section 4.2.1, as is the next
_PERMANENT = 500
_TEXT = """\
This is a checkpoint of the log {origin}.
It says what the first {size} entries of that log were when this was sent.
It holds no patient data.

Please keep this mail where nobody who runs the log's host can change or
delete it. It shows later whether those entries are still the same.

To check: on the log's host, or on a copy of its directory, run

    phitrail verify --log {log} --checkpoint -

paste the whole text of this mail, and press Enter and Ctrl-D. "ok" and
"size {size}" say that nothing of them was changed or taken away. If it says
"failed", keep this mail, tell the security officer, and let nobody touch
that host.

{note}"""


@dataclass(frozen=True, slots=True)
class MailServer:
    """The server that takes mail for us.

    Attributes:
        starttls: encrypt before anything is said; off for this host only.
        ca_file: a PEM file that its certificate is checked against; without it, the
            certificates that this host trusts.
        username: who logs in; nobody does without.
        password_file: holds the password alone, in ASCII, readable for its owner alone.
        timeout_s: how long each answer may take.

    Raises:
        ConfigError: the settings would send mail or a password in clear.
    """

    host: str
    port: int = 587
    starttls: bool = True
    ca_file: Path | None = None
    username: str | None = None
    password_file: Path | None = None
    timeout_s: float = TIMEOUT_S

    def __post_init__(self) -> None:
        if not self.starttls and not _is_this_host(self.host):
            raise ConfigError(
                "mail starttls: may be off only for a server on this host"
            )
        if (self.username is None) != (self.password_file is None):
            raise ConfigError(
                "mail username: goes with password_file, and it with that"
            )
        if self.username is not None and not self.starttls:
            raise ConfigError("mail username: nobody logs in without starttls")

    @property
    def place(self) -> str:
        """Name the server in a message."""
        return f"the mail server {self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class MailedCheckpoint:
    """An anchor that mails each checkpoint.

    Attributes:
        server: takes the mail.
        sender: the address it comes from.
        recipients: the addresses it goes to, one or more.

    Raises:
        ConfigError: an address is none.
    """

    server: MailServer
    sender: str
    recipients: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.recipients:
            raise ConfigError("mail to: needs an address")
        for field, address in (
            ("sender", self.sender),
            *(("to", one) for one in self.recipients),
        ):
            if _ADDRESS.fullmatch(address) is None:
                raise ConfigError(
                    f"mail {field}: must be an address in ASCII, name@host"
                )

    def hold(self, submission: Submission, now: datetime) -> Held:
        """Mail a checkpoint; return the mail as it was sent.

        Raises:
            RefusedError: the server refused the mail for good, or the checkpoint would
                not come out of it again.
            StorageError: the server cannot be reached, or cannot take the mail now.
            ConfigError: the password or the certificates cannot be used.
        """
        mail = self.compose(submission, now)
        _check_readable(mail, submission.note)
        password = _read_password(self.server.password_file)
        context = _tls_context(self.server.ca_file) if self.server.starttls else None
        place = self.server.place
        try:
            self._send(mail, password, context)
        except smtplib.SMTPResponseException as error:
            is_login = isinstance(error, smtplib.SMTPAuthenticationError)
            what = "the login" if is_login else "the connection"
            raise _refused(place, error.smtp_code, what) from error
        except (smtplib.SMTPException, OSError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise StorageError(
                f"{place} did not take the checkpoint ({reason}); it is mailed again "
                "later"
            ) from error
        return Held(submission.size, mail, SUFFIX)

    def compose(self, submission: Submission, now: datetime) -> bytes:
        """Write the mail: the note, and what to do with it."""
        origin = hashlib.sha256(submission.origin.encode()).hexdigest()[:16]
        domain = self.sender.partition("@")[2]
        message = EmailMessage(_POLICY)
        message["From"] = self.sender
        message["To"] = ", ".join(self.recipients)
        message["Subject"] = (
            f"Checkpoint of {submission.origin}: {submission.size} entries"
        )
        message["Date"] = format_datetime(now)
        message["Message-ID"] = f"<checkpoint.{submission.size}.{origin}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no absence replies
        text = _TEXT.format(
            origin=submission.origin,
            size=submission.size,
            log=submission.log,
            note=submission.note.decode(),
        )
        message.set_content(text, cte="quoted-printable")
        return message.as_bytes()

    def _send(
        self, mail: bytes, password: str | None, context: ssl.SSLContext | None
    ) -> None:
        server = self.server
        smtp = smtplib.SMTP(server.host, server.port, timeout=server.timeout_s)
        try:
            if context is not None:
                smtp.starttls(context=context)
            if server.username is not None and password is not None:
                smtp.login(server.username, password)
            smtp.ehlo_or_helo_if_needed()
            self._require(smtp.mail(self.sender), "the sender")
            for number, recipient in enumerate(self.recipients, start=1):
                which = f"recipient {number} of {len(self.recipients)}"
                self._require(smtp.rcpt(recipient), which)
            self._require(smtp.data(mail), "the mail")
            with suppress(smtplib.SMTPException, OSError):
                smtp.quit()  # it has the mail, whatever it says now
        finally:
            smtp.close()

    def _require(self, answer: tuple[int, bytes], what: str) -> None:
        if answer[0] != _ACCEPTED:
            raise _refused(self.server.place, answer[0], what)


def _refused(place: str, code: int, what: str) -> StorageError | RefusedError:
    said = f"{place} refused {what} with code {code}"
    if code < _PERMANENT:
        return StorageError(f"{said}; it is mailed again later")
    return RefusedError(f"{said}; put the settings, or the server, right")


def _check_readable(mail: bytes, note: bytes) -> None:
    """Check that a reader gets exactly the checkpoint out of the mail.

    Raises:
        RefusedError: he would not.
    """
    try:
        found = [block.note for block in read_pasted(mail)]
    except InputError as error:
        raise RefusedError(f"the checkpoint cannot be mailed: {error}") from error
    if found != [note]:
        raise RefusedError("the checkpoint cannot be mailed: it would not read back")


def _read_password(place: Path | None) -> str | None:
    if place is None:
        return None
    try:
        if stat.S_IMODE(place.stat().st_mode) & _READABLE_BY_OTHERS:
            raise ConfigError(f"{place}: must be readable for its owner alone (0600)")
        password = place.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not ASCII"
        raise ConfigError(f"{place}: cannot be read ({reason})") from None
    return password.removesuffix("\n")


def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"{ca_file}: holds no certificates that can be read"
        ) from error


def _is_this_host(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
