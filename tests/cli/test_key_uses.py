"""`phitrail key uses`, as whoever wants to let a key go meets it."""

from pathlib import Path

import pytest
from tests.cli.conftest import Command
from tests.trails import copy_trail, record_events

from phitrail.cli.exit_codes import ExitCode


@pytest.fixture
def trail(founded: Path, tmp_path: Path) -> Path:
    """Give a trail that was used."""
    directory = copy_trail(founded, tmp_path / "trail")
    record_events(directory, range(3))
    return directory


def test_each_version_has_a_column(phitrail: Command, trail: Path) -> None:
    """Before a version goes it must be seen beside the one that follows."""
    assert (
        phitrail(
            *("key", "rotate", "idempotency", "--reason", "yearly", "--trail", trail)
        ).code
        == ExitCode.OK
    )
    ran = phitrail("key", "uses", "idempotency", "--trail", trail)
    data = phitrail("key", "uses", "idempotency", "--trail", trail, "--json").data

    assert ran.code == ExitCode.OK
    head, *rows = ran.out.splitlines()
    assert head.split() == ["place", "what", "v1", "v2"]
    assert rows[-1].split()[:2] == ["in", "all"]
    old, new = data["versions"]
    assert data["key"] == "idempotency"
    assert (old["key"], new["key"]) == ("idempotency:v1", "idempotency:v2")
    assert old["total"] == sum(one["count"] for one in old["places"])
    assert {"place": "journal", "what": "quality events", "count": 0} in new["places"]
    assert rows[-1].split()[2:] == [str(old["total"]), str(new["total"])]


def test_one_version_is_shown_alone(phitrail: Command, trail: Path) -> None:
    """A script that asks about v1 must not add v2 to it."""
    ran = phitrail("key", "uses", "identity-index:v1", "--trail", trail, "--json")

    (one,) = ran.data["versions"]
    assert one["total"] > 0


def test_a_copy_that_policy_yaml_names_is_counted(
    phitrail: Command, trail: Path, tmp_path: Path
) -> None:
    """Backups are where old versions live longest."""
    for name in ("monday", "tuesday"):
        copy_trail(trail, tmp_path / name)
    with (trail / "policy.yaml").open("a", encoding="utf-8") as file:
        file.write("keys:\n  backups: [../monday]\n")
    ran = phitrail(
        *("key", "uses", "identity-seal", "--trail", trail),
        *("--backup", tmp_path / "tuesday", "--json"),
    )

    (one,) = ran.data["versions"]
    places = [place["place"] for place in one["places"] if place["count"]]
    assert places == [
        "identity map",
        f"backup {tmp_path / 'monday'}: identity map",
        f"backup {tmp_path / 'tuesday'}: identity map",
    ]


def test_counting_texts_is_on_record(phitrail: Command, trail: Path) -> None:
    """Whoever opens every entry of a log stands in it."""
    ran = phitrail("key", "uses", "text-hash", "--trail", trail, "--as", "officer-7")
    phitrail("key", "uses", "idempotency", "--trail", trail, "--as", "officer-8")
    entries = [
        line["entry"]
        for line in phitrail("log", "tail", "--trail", trail, "--json").lines
    ]

    assert ran.code == ExitCode.OK
    reads = [one for one in entries if one.get("reason_code") == "key_uses"]
    assert [one["user_id"] for one in reads] == ["officer-7"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("visitor",), ExitCode.USAGE),
        (("text-hash:v9",), ExitCode.USAGE),
        (("rater", "--backup", "/nowhere"), ExitCode.CONFIGURATION),
    ],
)
def test_what_is_not_there_is_not_counted_as_nothing(
    phitrail: Command, trail: Path, arguments: tuple[str, ...], code: ExitCode
) -> None:
    """A zero for a name that was spelled wrong would free a key."""
    assert phitrail("key", "uses", *arguments, "--trail", trail).code == code


def test_a_key_that_nothing_is_under_says_so(phitrail: Command, trail: Path) -> None:
    """An empty table looks like a fault."""
    ran = phitrail("key", "uses", "fpe-metadata", "--trail", trail)

    assert ran.code == ExitCode.OK
    assert "Nothing is protected" in ran.err
