"""What stands with each kind of anchor shows a history that its host rewrote whole.

The trail, its keys and `state/` are the attacker's (`demo.forger`). What the officers have
is not: a directory on other storage, a mail, and a time stamp with its note.
"""

import io
import shutil
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from tests.anchor.authority import make_authority, make_server, make_time_stamper
from tests.anchor.mail_server import HOST, Mailboxes, mail_server
from tests.anchor.openssl_authority import OPENSSL, Stamper, time_stamp_server
from tests.cli.conftest import Command
from tests.trails import copy_trail, record_events

from phitrail.anchor.watched_directory import find_notes
from phitrail.app.anchor_keeping import run_anchors
from phitrail.app.anchor_standing import ANCHORS
from phitrail.app.anchoring import Came
from phitrail.app.wiring import open_trail
from phitrail.cli.exit_codes import ExitCode
from phitrail.demo.drill import ATTACKS
from phitrail.tlog.pasted import read_pasted

pytestmark = pytest.mark.skipif(
    OPENSSL is None, reason="there is no openssl here to stamp with"
)
HELD = 31
REWRITES = {attack.name: attack for attack in ATTACKS}
WAYS = ("directory", "mail", "time stamp")


@dataclass(frozen=True, slots=True)
class Kept:
    """A trail of 51 audit entries, and what was carried out at 31.

    Attributes:
        trail: it belongs to whoever attacks.
        usb: the watched directory.
        mail: the mail as it arrived.
        stamp: the time stamp, with its note beside it, both carried out.
        root: whom time stamps are believed.
    """

    trail: Path
    usb: Path
    mail: bytes
    stamp: Path
    root: Path

    def on(self, way: str, monkeypatch: pytest.MonkeyPatch) -> tuple[object, ...]:
        """Give the options of a verification in one way; a mail is pasted."""
        if way == "directory":
            return ("--checkpoint", self.usb)
        if way == "time stamp":
            return ("--timestamp", self.stamp, "--tsa-certificate", self.root)
        pasted = b"Dear officer,\n\n" + self.mail.split(b"\r\n\r\n", 1)[1]
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(pasted)))
        return ("--checkpoint", "-")


@pytest.fixture(scope="module")
def kept(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """Run a directory, a mail server and an authority, and anchor a trail with them."""
    here = tmp_path_factory.mktemp("anchored")
    trail, usb, root = here / "trail", here / "usb", make_authority()
    copy_trail(founded, trail)
    usb.mkdir()
    (trail / "root.pem").write_bytes(root.pem)
    boxes = Mailboxes()
    stamper = Stamper(here / "stamper", make_time_stamper(root), (root,))
    with ExitStack() as stack:
        port = stack.enter_context(mail_server(boxes, make_server(root), here))
        url = stack.enter_context(time_stamp_server(stamper))
        write_anchors(trail, usb, port, url)
        record_events(trail, range(10))
        record_events(trail, range(10, HELD - 1))
        assert set(run(trail).values()) == {Came.HELD}
        record_events(trail, range(HELD - 1, HELD + 19))
    [(mail, _)] = boxes.mails
    officer = shutil.copytree(trail / ANCHORS / "tsa" / "audit", here / "officer")
    [stamp] = officer.glob("*.tsr")
    shutil.copy(trail / "root.pem", officer)
    return Kept(trail, usb, mail, stamp, officer / "root.pem")


def write_anchors(trail: Path, usb: Path, port: int, url: str) -> None:
    """Configure the three."""
    anchors: list[dict[str, object]] = [
        {"kind": "directory", "path": str(usb), "may_share_device": True},
        {
            "kind": "mail",
            "host": HOST,
            "port": port,
            "sender": "phitrail@clinic.example",
            "to": ["officer@clinic.example"],
            "ca_file": "root.pem",
        },
        {"kind": "rfc3161", "url": url, "certificate": "root.pem"},
    ]
    for anchor, name in zip(anchors, ("usb", "officer", "tsa"), strict=True):
        anchor.update(name=name, logs=["audit"])
    text = yaml.safe_dump({"anchors": anchors})
    (trail / "anchors.yaml").write_text(text, encoding="utf-8")


def run(trail: Path, *names: str) -> dict[str, Came]:
    """Hand the newest checkpoint over, and say what came of it."""
    with closing(open_trail(trail)) as opened:
        attempts = run_anchors(opened, names, lambda _: None)
    return {attempt.name: attempt.came for attempt in attempts}


@pytest.mark.parametrize("way", WAYS)
def test_an_honest_log_is_held_to_what_was_anchored(
    kept: Kept, way: str, phitrail: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept outside must be of use on the day that somebody asks."""
    on = ("--trail", kept.trail, "--log", "audit", *kept.on(way, monkeypatch))
    ran = phitrail("verify", *on, "--json")

    audit = ran.data["logs"][0]
    assert (ran.code, audit["held_to"]) == (ExitCode.OK, HELD)
    assert (" (before 20" in audit["held_by"][0]) == (way == "time stamp")


@pytest.mark.drill
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["full_rewrite", "cut_tail"])
def test_a_rewritten_log_is_caught(
    kept: Kept,
    name: str,
    way: str,
    tmp_path: Path,
    phitrail: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Hashes, seals and signatures are all made anew; only what is outside is not."""
    copy = copy_trail(kept.trail, tmp_path / "copy")
    REWRITES[name].carry_out(copy, HELD)
    shutil.rmtree(copy / ANCHORS)
    on = ("--trail", copy, "--log", "audit", "--json")
    alone = phitrail("verify", *on)
    held = phitrail("verify", *on, *kept.on(way, monkeypatch))

    assert alone.code == ExitCode.UNVERIFIABLE
    assert held.code == ExitCode.CHECK_FAILED
    assert "outside_checkpoint" in {each["check"] for each in held.data["findings"]}


@pytest.mark.drill
def test_the_directory_notices_at_the_next_hand_over(
    kept: Kept, tmp_path: Path
) -> None:
    """Nobody has to verify anything for a cut or rewritten log to be noticed."""
    for name in ("full_rewrite", "cut_tail"):
        copy = copy_trail(kept.trail, tmp_path / name)
        REWRITES[name].carry_out(copy, HELD)
        shutil.rmtree(copy / ANCHORS)

        assert run(copy, "usb") == {"usb": Came.OTHER_HISTORY}
        assert len(find_notes(kept.usb)) == 1


@pytest.mark.drill
def test_a_time_stamp_without_its_note_fails_a_rewritten_log(
    kept: Kept, tmp_path: Path, phitrail: Command
) -> None:
    """The checkpoint that it is of is gone from a log whose checkpoints are new."""
    copy = copy_trail(kept.trail, tmp_path / "copy")
    stamp = tmp_path / "alone.tsr"
    shutil.copy(kept.stamp, stamp)
    on = ("--trail", copy, "--log", "audit", "--json")
    given = ("--timestamp", stamp, "--tsa-certificate", kept.root)
    honest = phitrail("verify", *on, *given)
    REWRITES["full_rewrite"].carry_out(copy, HELD)
    rewritten = phitrail("verify", *on, *given)

    assert (honest.code, honest.data["logs"][0]["held_to"]) == (ExitCode.OK, HELD)
    assert rewritten.code == ExitCode.CHECK_FAILED
    assert "of no checkpoint" in rewritten.data["findings"][0]["message"]


def test_a_copy_of_public_alone_is_held_to_a_time_stamp(
    kept: Kept, tmp_path: Path, phitrail: Command
) -> None:
    """Whoever checks from outside has neither keys nor journal, and needs neither."""
    copy = tmp_path / "copy"
    shutil.copytree(kept.trail / "public", copy / "public")
    ran = phitrail(
        *("verify", "--trail", copy, "--log", "audit", "--json"),
        *("--timestamp", kept.stamp, "--tsa-certificate", kept.root),
    )

    assert (ran.code, ran.data["logs"][0]["held_to"]) == (ExitCode.OK, HELD)


def test_a_time_stamp_of_a_checkpoint_on_the_host_counts_from_its_time_on(
    kept: Kept, tmp_path: Path, phitrail: Command
) -> None:
    """The same note supports nothing by itself: its owner could have planted it."""
    copy = copy_trail(kept.trail, tmp_path / "copy")
    [block] = read_pasted(kept.mail)
    (copy / "state/outside/planted").write_bytes(block.note)
    on = ("--trail", copy, "--log", "audit")
    alone = phitrail("verify", *on)
    told = phitrail(
        *("verify", *on, "--timestamp", kept.stamp, "--tsa-certificate", kept.root)
    )

    assert alone.code == ExitCode.UNVERIFIABLE
    assert told.code == ExitCode.OK
    assert f"size {HELD} (" in told.out
    assert "(before 20" in told.out
