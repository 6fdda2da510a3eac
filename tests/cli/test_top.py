"""init, status and verify, as an operator meets them."""

import io
import json
import shutil
import stat
from pathlib import Path

import pytest
from tests.cli.conftest import Command
from tests.trails import check_whole, record_events

from phitrail.app.pins import read_pins
from phitrail.cli.exit_codes import ExitCode
from phitrail.events.codes import Log
from phitrail.events.protected import Protected
from phitrail.keys.recovery import PREFIX, read_recovery_key


def test_init_hands_out_the_recovery_key_once(
    phitrail: Command, tmp_path: Path
) -> None:
    """The one key that mends a compromise must reach a person, and stay nowhere."""
    trail = tmp_path / "trail"
    ran = phitrail("init", "--tenant", "clinic.example", "--trail", trail)
    line = ran.out.strip()
    secret = line.rsplit(":", 1)[1].encode()

    assert ran.code == ExitCode.OK
    assert line.startswith(f"{PREFIX}:clinic.example:")
    assert "Move it off this host" in ran.err
    assert "audit/checkpoint" in ran.err
    for file in trail.rglob("*"):
        assert not file.is_file() or secret not in file.read_bytes()


def test_init_writes_the_recovery_key_to_a_file_of_ones_own(
    phitrail: Command, tmp_path: Path
) -> None:
    """A key on a screen is in a scroll buffer; a file can be moved into a safe."""
    trail, file = tmp_path / "trail", tmp_path / "recovery.key"
    ran = phitrail("init", "--trail", trail, "--recovery-out", file, "--json")

    assert ran.data["recovery_key"] is None
    assert ran.data["recovery_out"] == str(file)
    assert ran.data["origins"] == ["local/audit", "local/security", "local/quality"]
    assert file.read_text().startswith(f"{PREFIX}:local:")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_init_hands_the_recovery_key_out_in_shares(
    phitrail: Command, tmp_path: Path
) -> None:
    """Three people keep it; what is handed out must be enough for any two of them."""
    trail, file = tmp_path / "trail", tmp_path / "recovery.share"
    ran = phitrail(
        "init",
        *("--tenant", "clinic.example", "--trail", trail),
        *("--recovery-shares", "2of3", "--recovery-out", file, "--json"),
    )
    files = [Path(f"{file}.{number}") for number in (1, 2, 3)]
    pinned = read_pins(trail)[Log.AUDIT].recovery_key
    two = "\n".join(one.read_text() for one in files[1:])
    key = read_recovery_key(
        Protected(two), tenant="clinic.example", public_key=pinned.public_key
    )

    assert ran.data["recovery_out"] == [str(one) for one in files]
    assert ran.data["recovery_shares"] == []
    assert "Give each share to another person" in ran.err
    assert key.public_key().public_bytes_raw() == pinned.public_key
    assert {stat.S_IMODE(one.stat().st_mode) for one in files} == {0o600}


def test_init_shows_three_shares_where_no_file_is_named(
    phitrail: Command, tmp_path: Path
) -> None:
    """A share that is not shown is lost: nothing keeps it."""
    ran = phitrail("init", "--trail", tmp_path / "trail", "--recovery-shares", "2of3")
    shares = ran.out.strip().split("\n\n")

    assert [len(share.split()) for share in shares] == [33, 33, 33]


def test_init_leaves_no_share_where_one_could_not_be_written(
    phitrail: Command, tmp_path: Path
) -> None:
    """A trail without its whole recovery key must not come to be, nor stray shares."""
    trail, file = tmp_path / "trail", tmp_path / "recovery.share"
    Path(f"{file}.3").write_text("another")
    ran = phitrail(
        "init",
        *("--trail", trail, "--recovery-shares", "2of3", "--recovery-out", file),
    )

    assert ran.code == ExitCode.USAGE
    assert not trail.exists()
    assert [Path(f"{file}.3")] == sorted(tmp_path.glob("recovery.share*"))


def test_init_overwrites_nothing(phitrail: Command, tmp_path: Path) -> None:
    """A second init must cost neither the keys of a trail nor another file."""
    trail, file = tmp_path / "trail", tmp_path / "recovery.key"
    file.write_text("another")
    refused = phitrail("init", "--trail", trail, "--recovery-out", file)
    first = phitrail("init", "--trail", trail)
    again = phitrail("init", "--trail", trail, "--recovery-out", tmp_path / "new")

    assert (refused.code, first.code, again.code) == (2, 0, 78)
    assert file.read_text() == "another"
    assert not (tmp_path / "new").exists()


def test_init_refuses_a_bad_name_before_it_makes_anything(
    phitrail: Command, tmp_path: Path
) -> None:
    """A half-made trail would stand in the way of the next try."""
    trail = tmp_path / "trail"
    ran = phitrail("init", "--tenant", "Bad Name", "--trail", trail)

    assert ran.code == ExitCode.USAGE
    assert "tenant" in ran.err
    assert not trail.exists()


def test_status_tells_sizes_and_that_nothing_stands_outside(
    phitrail: Command, trail_dir: Path
) -> None:
    """An operator must see the lag and the missing anchor at a glance, unrecorded."""
    record_events(trail_dir, range(5))
    before = check_whole(trail_dir).leaves
    ran = phitrail("status", "--trail", trail_dir, "--json")
    told = phitrail("status", "--trail", trail_dir)
    audit = ran.data["logs"][0]

    assert (audit["size"], audit["published_size"], audit["lag"]) == (6, 6, 0)
    assert audit["checkpoint_age_s"] >= 0
    assert not audit["is_anchored"]
    assert ran.data["is_published_now"] is False
    assert told.out.count("UNANCHORED") == 3
    assert before == check_whole(trail_dir).leaves


def test_status_needs_no_key_and_sees_an_anchor(
    phitrail: Command, trail_dir: Path
) -> None:
    """Whoever watches the disk must not hold the keys."""
    shutil.copy(trail_dir / "public/audit/checkpoint", trail_dir / "state/outside/a")
    shutil.rmtree(trail_dir / "keys")
    logs = phitrail("status", "--trail", trail_dir, "--json").data["logs"]

    assert [log["is_anchored"] for log in logs] == [True, False, False]
    assert logs[0]["outside_size"] == 1


def test_verify_alone_is_consistent_with_itself_only(
    phitrail: Command, trail_dir: Path
) -> None:
    """Without anything from outside, "ok" would be more than is known."""
    ran = phitrail("verify", "--trail", trail_dir)

    assert ran.code == ExitCode.UNVERIFIABLE
    assert "Consistent with itself only" in ran.out


def test_verify_holds_a_log_to_a_checkpoint_from_outside(
    phitrail: Command, trail_dir: Path, tmp_path: Path
) -> None:
    """The one verdict that a rewritten history cannot get."""
    kept = tmp_path / "kept"
    shutil.copy(trail_dir / "public/audit/checkpoint", kept)
    record_events(trail_dir, range(5))
    on = ("--trail", trail_dir, "--checkpoint", kept)
    whole = phitrail("verify", *on, "--json")
    narrowed = phitrail("verify", *on, "--log", "audit", "--json")

    assert (whole.code, whole.data["verdict"]) == (3, "unanchored")
    assert [log["verdict"] for log in whole.data["logs"]] == [
        "ok",
        "unanchored",
        "unanchored",
    ]
    assert (narrowed.code, narrowed.data["verdict"]) == (0, "ok")
    assert narrowed.data["logs"][0]["held_to"] == 1


def test_verify_reads_a_checkpoint_from_a_pipe(
    phitrail: Command, trail_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint on another host comes through ssh, not through a file."""
    note = (trail_dir / "public/audit/checkpoint").read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(note)))
    ran = phitrail(
        "verify", "--trail", trail_dir, "--log", "audit", "--checkpoint", "-"
    )

    assert ran.code == ExitCode.OK


def test_verify_works_on_a_copy_without_keys(
    phitrail: Command, trail_dir: Path
) -> None:
    """An auditor gets no keys, and cannot read with what he gets."""
    record_events(trail_dir, range(300))
    shutil.rmtree(trail_dir / "keys")
    kept = trail_dir / "public/audit/checkpoint"
    on = ("--trail", trail_dir)
    verified = phitrail("verify", *on, "--log", "audit", "--checkpoint", kept, "--json")
    read = phitrail("log", "show", "1", *on)

    assert (verified.code, verified.data["logs"][0]["mode"]) == (0, "tiles only")
    assert (read.code, read.out) == (78, "")


def test_verify_says_what_it_found(phitrail: Command, trail_dir: Path) -> None:
    """A person needs the place, and a sentence that says what to do."""
    record_events(trail_dir, range(300))
    tile = trail_dir / "public/audit/tile/0/000"
    data = bytearray(tile.read_bytes())
    data[40] ^= 1
    tile.write_bytes(data)
    told = phitrail("verify", "--trail", trail_dir)
    ran = phitrail("verify", "--trail", trail_dir, "--json")

    assert (told.code, ran.code) == (1, 1)
    assert "found: audit" in told.out
    assert "keep this copy as evidence" in told.out
    assert ran.data["logs"][0]["verdict"] == "failed"
    assert all(
        {"log", "check", "where", "message"} == set(f) for f in ran.data["findings"]
    )


def test_verify_names_a_checkpoint_that_it_cannot_read(
    phitrail: Command, trail_dir: Path, tmp_path: Path
) -> None:
    """A missing file must not pass as a missing anchor."""
    ran = phitrail("verify", "--trail", trail_dir, "--checkpoint", tmp_path / "none")

    assert ran.code == ExitCode.USAGE
    assert "--checkpoint" in ran.err


def test_the_trail_comes_from_the_environment_too(
    phitrail: Command, trail_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service sets it once for every command."""
    monkeypatch.setenv("PHITRAIL_TRAIL", str(trail_dir))

    assert json.loads(phitrail("status", "--json").out)["trail"] == str(trail_dir)
