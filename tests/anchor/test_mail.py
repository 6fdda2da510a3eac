"""A checkpoint reaches the officer's mailbox whole, and comes out of it again."""

import email
import email.policy
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.anchor.authority import Certified, make_authority, make_server
from tests.anchor.histories import LOG_KEY, NOW, History
from tests.anchor.mail_server import HOST, Mailboxes, mail_server

from phitrail.anchor.held import Submission
from phitrail.anchor.mail import MailedCheckpoint, MailServer
from phitrail.errors import (
    ConfigError,
    PhitrailError,
    RefusedError,
    StorageError,
)
from phitrail.tlog.checkpoint import open_checkpoint
from phitrail.tlog.pasted import read_pasted

OFFICERS = ("officer@clinic.example", "deputy@clinic.example")


@dataclass(frozen=True, slots=True)
class Post:
    """A server, what it got, and the anchor that speaks to it."""

    boxes: Mailboxes
    anchor: MailedCheckpoint

    def hold(self) -> bytes:
        """Mail the checkpoint of 300 entries and return what was kept of it."""
        held = self.anchor.hold(submission(), NOW)
        assert (held.size, held.suffix) == (300, "eml")
        return held.evidence


@pytest.fixture(scope="module")
def authority() -> Certified:
    """Make an authority that no host trusts."""
    return make_authority()


@pytest.fixture
def post(authority: Certified, tmp_path: Path) -> Iterator[Post]:
    """Run a server that asks for STARTTLS, under that authority."""
    boxes = Mailboxes()
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(authority.pem)
    with mail_server(boxes, make_server(authority), tmp_path) as port:
        server = MailServer(HOST, port, ca_file=trusted, timeout_s=10)
        yield Post(boxes, MailedCheckpoint(server, "phitrail@clinic.example", OFFICERS))


def submission(size: int = 300) -> Submission:
    """Give a checkpoint on its way."""
    return History().submission(size)


def text_of(mail: bytes) -> str:
    """Show a mail as a mail program does."""
    content: str = email.message_from_bytes(
        mail, policy=email.policy.default
    ).get_content()
    return content.replace("\r\n", "\n")


def test_the_mail_arrives_whole_for_every_officer(post: Post) -> None:
    """The evidence that we keep must be what the officers have."""
    evidence = post.hold()

    [(arrived, recipients)] = post.boxes.mails
    assert arrived == evidence
    assert recipients == OFFICERS
    note = History().note(300)
    assert [block.note for block in read_pasted(arrived)] == [note]
    assert [block.note for block in read_pasted(text_of(arrived).encode())] == [note]
    assert open_checkpoint(note, [LOG_KEY.vkey]).size == 300


def test_the_mail_says_what_to_do_and_nothing_of_the_log(post: Post) -> None:
    """An officer who gets a mail that he does not understand deletes it."""
    text = text_of(post.hold())

    assert "phitrail verify --log audit --checkpoint -" in text
    assert "keep this mail" in text
    assert text.endswith(History().note(300).decode())
    assert max(map(len, text.split("\n\n")[0].splitlines())) < 80


def test_the_message_id_follows_from_origin_and_size(post: Post) -> None:
    """A mail that is sent twice must show as one, and two checkpoints as two."""

    def message_id(of: Submission) -> str:
        mail = email.message_from_bytes(post.anchor.compose(of, NOW))
        return str(mail["Message-ID"])

    ids = [
        message_id(submission()),
        message_id(submission(301)),
        message_id(History(origin="clinic.example/security").submission(300)),
    ]
    assert ids[0] == message_id(submission())
    assert len(set(ids)) == 3
    assert ids[0].endswith("@clinic.example>")


@pytest.mark.parametrize("officer", OFFICERS)
@pytest.mark.parametrize(
    ("code", "error", "advice"),
    [(550, RefusedError, "put the settings"), (451, StorageError, "again later")],
)
def test_one_refused_recipient_refuses_the_mail_for_all(
    post: Post, officer: str, code: int, error: type[PhitrailError], advice: str
) -> None:
    """A checkpoint that only some officers have must not count as held by all."""
    post.boxes.rcpt[officer] = code

    with pytest.raises(error, match=f"recipient .* of 2 .*{code}.*{advice}") as no:
        post.hold()
    assert officer not in str(no.value)
    assert post.boxes.mails == []
    post.boxes.rcpt.clear()
    post.hold()
    assert len(post.boxes.mails) == 1


@pytest.mark.parametrize(("code", "error"), [(554, RefusedError), (452, StorageError)])
def test_a_refused_mail_is_not_held(
    post: Post, code: int, error: type[PhitrailError]
) -> None:
    """A full mailbox or a filter refuses after it has got everything."""
    post.boxes.data = code

    with pytest.raises(error, match=f"refused the mail with code {code}"):
        post.hold()


def test_a_dropped_connection_is_not_held(post: Post) -> None:
    """Whether the server took it is not known: it is mailed again, under the same id."""
    post.boxes.drops = True

    with pytest.raises(StorageError, match="did not take the checkpoint"):
        post.hold()
    post.boxes.drops = False
    assert post.boxes.mails == []
    post.hold()


def test_a_server_that_is_gone_is_named(post: Post) -> None:
    """The operator needs host and port."""
    with socket.socket() as unheard:
        unheard.bind((HOST, 0))
        port = unheard.getsockname()[1]
        anchor = replace(post.anchor, server=replace(post.anchor.server, port=port))

        with pytest.raises(StorageError, match=f"127.0.0.1:{port} did not take"):
            anchor.hold(submission(), NOW)


def test_a_certificate_of_another_authority_ends_it(post: Post, tmp_path: Path) -> None:
    """Whoever stands between must not get the mail, and not the password."""
    other = tmp_path / "other.pem"
    other.write_bytes(make_authority("root").pem)
    server = replace(post.anchor.server, ca_file=other)

    with pytest.raises(StorageError, match="CERTIFICATE_VERIFY_FAILED"):
        replace(post.anchor, server=server).hold(submission(), NOW)
    assert post.boxes.commands == 0


def test_a_certificate_for_another_name_ends_it(
    authority: Certified, tmp_path: Path
) -> None:
    """A certificate of the right authority for another server is no better."""
    boxes = Mailboxes()
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(authority.pem)
    with mail_server(boxes, make_server(authority, "127.0.0.9"), tmp_path) as port:
        server = MailServer(HOST, port, ca_file=trusted, timeout_s=10)
        anchor = MailedCheckpoint(server, "phitrail@clinic.example", OFFICERS)

        with pytest.raises(StorageError, match="CERTIFICATE_VERIFY_FAILED"):
            anchor.hold(submission(), NOW)
    assert boxes.commands == 0


def test_a_server_without_starttls_gets_nothing_unless_admitted(tmp_path: Path) -> None:
    """Somebody who strips STARTTLS from the answer must not get the mail in clear."""
    boxes = Mailboxes()
    with mail_server(boxes, None, tmp_path) as port:
        server = MailServer(HOST, port, timeout_s=10)
        anchor = MailedCheckpoint(server, "phitrail@clinic.example", OFFICERS)

        with pytest.raises(StorageError, match="SMTPNotSupportedError"):
            anchor.hold(submission(), NOW)
        assert boxes.commands == 0
        plain = replace(anchor, server=replace(server, starttls=False))
        evidence = plain.hold(submission(), NOW).evidence
        assert boxes.mails == [(evidence, OFFICERS)]


def test_who_logs_in_reads_the_password_from_a_private_file(
    authority: Certified, tmp_path: Path
) -> None:
    """A password that others may read is one that others have."""
    boxes = Mailboxes(password=b"pass word")
    trusted, secret = tmp_path / "ca.pem", tmp_path / "password"
    trusted.write_bytes(authority.pem)
    secret.write_text("pass word\n", encoding="utf-8")
    secret.chmod(0o600)
    with mail_server(boxes, make_server(authority), tmp_path) as port:
        server = MailServer(
            HOST,
            port,
            ca_file=trusted,
            username="phitrail",
            password_file=secret,
            timeout_s=10,
        )
        anchor = MailedCheckpoint(server, "phitrail@clinic.example", OFFICERS)
        anchor.hold(submission(), NOW)
        secret.write_text("another", encoding="utf-8")
        with pytest.raises(RefusedError, match="refused the login with code 535"):
            anchor.hold(submission(), NOW)
        secret.write_text("p\u00e4ss", encoding="utf-8")
        with pytest.raises(
            ConfigError, match=r"cannot be read \(not ASCII\)"
        ) as caught:
            anchor.hold(submission(), NOW)
        assert caught.value.__cause__ is None
        secret.chmod(0o640)
        with pytest.raises(
            ConfigError, match=r"password: must be readable for its own"
        ):
            anchor.hold(submission(), NOW)
        secret.unlink()
        with pytest.raises(ConfigError, match=r"password: cannot be read \(No such"):
            anchor.hold(submission(), NOW)
    assert (boxes.logins, len(boxes.mails)) == (1, 1)


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"starttls": False}, "only for a server on this host"),
        ({"username": "a"}, "goes with password_file"),
        ({"password_file": Path("a")}, "goes with password_file"),
        (
            {
                "host": "localhost",
                "starttls": False,
                "username": "a",
                "password_file": Path("a"),
            },
            "nobody logs in without",
        ),
    ],
)
def test_settings_that_would_show_a_secret_are_refused(
    settings: dict[str, object], rule: str
) -> None:
    """Nobody should find out from a network trace that a password went in clear."""
    with pytest.raises(ConfigError, match=rule):
        MailServer(**{"host": "mail.example"} | settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("address", ["", "officer", "a b@c", "a@b@c", "a@b\nBcc: c@d"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    """A line break in an address would add headers of somebody else's."""
    server = MailServer("mail.example")
    with pytest.raises(ConfigError, match="mail to: must be an address"):
        MailedCheckpoint(server, "phitrail@clinic.example", (address,))
    with pytest.raises(ConfigError, match="mail sender: must be an address"):
        MailedCheckpoint(server, address, OFFICERS)
    with pytest.raises(ConfigError, match="mail to: needs an address"):
        MailedCheckpoint(server, "phitrail@clinic.example", ())


def test_a_file_without_certificates_is_named(post: Post, tmp_path: Path) -> None:
    """A wrong path must be put right by the operator, not tried again for ever."""
    empty = tmp_path / "empty.pem"
    empty.write_bytes(b"nothing")
    server = replace(post.anchor.server, ca_file=empty)

    with pytest.raises(ConfigError, match="holds no certificates"):
        replace(post.anchor, server=server).hold(submission(), NOW)


@pytest.mark.parametrize(
    "note", [History().note(300).partition(b"\n\n")[0] + b"\n", b"no note\n"]
)
def test_a_note_that_would_not_read_back_is_not_mailed(post: Post, note: bytes) -> None:
    """A mail that the officer cannot use later is worse than one that is late."""
    with pytest.raises(RefusedError, match="cannot be mailed"):
        post.anchor.hold(replace(submission(), note=note), NOW)
    assert post.boxes.commands == 0
