"""The two files of a tenant: read strictly, and never quoted."""

from pathlib import Path

import pytest

from phitrail.anchor.settings import DirectorySettings, MailSettings, WitnessSettings
from phitrail.app.config import (
    ANCHORS_FILE,
    TENANT_FILE,
    read_anchors,
    read_policy,
    read_tenant,
    write_anchors,
)
from phitrail.errors import ConfigError
from phitrail.events.codes import Log

CANARY = "Wilhelmina-Quux"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("tenant: ", "tenant: [", "not YAML"),
        ("tenant: ", f"tenant: !{CANARY} ", "not YAML"),
        ("tenant: ", f"\t{CANARY}: ", "not YAML"),
        ("tenant: ", f"tenant: {CANARY} ", "tenant does not fit"),
        ("tenant: ", f"{CANARY}: 1\ntenant: ", "unknown key number 1"),
        ("tenant: ", "other: ", "unknown key number 1"),
        ("- physician", f"- {CANARY} is ill", "vocabulary does not fit"),
        ("  roles:", f"  {CANARY}:", "list number 1 of the vocabulary"),
        ("actions: {}", f"actions: {{rag_query: {CANARY}}}", "actions does not fit"),
        ("actions: {}", "identity: {patient: 5}", "identity does not fit"),
    ],
)
def test_a_wrong_tenant_file_is_refused_without_a_word_of_it(
    trail_dir: Path, old: str, new: str, told: str
) -> None:
    """Operators paste the wrong thing; an error report must not carry it away."""
    place = trail_dir / TENANT_FILE
    text = place.read_text()
    assert old in text
    place.write_text(text.replace(old, new, 1))

    with pytest.raises(ConfigError, match=told) as caught:
        read_tenant(trail_dir)

    assert CANARY not in repr(caught.value)
    assert caught.value.__context__ is None


def test_a_file_that_is_not_utf_8_is_refused_without_a_word_of_it(
    trail_dir: Path,
) -> None:
    """The decoder's own error holds the whole file."""
    (trail_dir / TENANT_FILE).write_bytes(b"\xff" + CANARY.encode())

    with pytest.raises(ConfigError, match="not UTF-8") as caught:
        read_tenant(trail_dir)

    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "must hold keys"),
        ("publish_interval_s: 0\n", "publish_interval_s does not fit"),
        ("publish_interval_s: soon\n", "publish_interval_s does not fit"),
        ("identity_lookups_per_hour: 2.5\n", "identity_lookups_per_hour does not fit"),
    ],
)
def test_a_wrong_number_is_refused_by_name(
    trail_dir: Path, text: str, told: str
) -> None:
    """A default in the place of a mistyped number would be the wrong law."""
    (trail_dir / "policy.yaml").write_text(text)

    with pytest.raises(ConfigError, match=told):
        read_policy(trail_dir)


def test_missing_files_say_what_to_do(tmp_path: Path) -> None:
    """A wrong --trail is the most common mistake."""
    with pytest.raises(ConfigError, match=r"run `phitrail init`, or point --trail"):
        read_tenant(tmp_path)
    with pytest.raises(ConfigError, match=r"run `phitrail init`, or point --trail"):
        read_policy(tmp_path)


def test_anchors_read_back_as_they_were_written(tmp_path: Path) -> None:
    """A default that is lost on the way would send checkpoints elsewhere, or never."""
    anchors = (
        WitnessSettings(name="county", url="https://w.example", vkey="w+0+0"),
        DirectorySettings(name="share", path="/mnt/share", logs=(Log.AUDIT,)),
        MailSettings(
            name="officer", host="mx", sender="a@b", to=("c@d",), within_s=90_000.0
        ),
    )
    write_anchors(tmp_path, anchors)

    assert anchors == read_anchors(tmp_path)
    assert "starttls" not in (tmp_path / ANCHORS_FILE).read_text()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "must hold one key, anchors"),
        ("anchors: {}", "anchors must be a list"),
        (f"anchors: [{{kind: {CANARY}}}]", "anchor number 1: kind must be one of"),
        ("anchors: [{kind: []}]", "anchor number 1: kind must be one of"),
        (f"anchors: [{CANARY}]", "anchor number 1: kind must be one of"),
        ("anchors: [{kind: directory, name: a}]", "number 1: a required key"),
        (
            f"anchors: [{{kind: directory, name: a, path: /a, {CANARY}: 1}}]",
            "anchor number 1: unknown key number 3",
        ),
        (
            f"anchors: [{{kind: directory, name: {CANARY}, path: /a}}]",
            "anchor number 1: name does not fit",
        ),
        (
            f"anchors: [{{kind: witness, name: a, vkey: k, url: 'ftp://{CANARY}'}}]",
            "anchor number 1: url does not fit",
        ),
        (
            "anchors: [{kind: directory, name: a, path: /a, logs: []}]",
            "anchor number 1: logs does not fit",
        ),
        (
            "anchors: [{kind: directory, name: a, path: /a, within_s: 60}]",
            "anchor number 1: within_s must be more than every_s",
        ),
        (
            "anchors: [&one {kind: directory, name: a, path: /a}, *one]",
            "two anchors have one name",
        ),
    ],
)
def test_a_wrong_anchors_file_is_refused_without_a_word_of_it(
    tmp_path: Path, text: str, told: str
) -> None:
    """An anchor that is silently left out holds nothing."""
    (tmp_path / ANCHORS_FILE).write_text(text)

    with pytest.raises(ConfigError, match=told) as caught:
        read_anchors(tmp_path)

    assert CANARY not in repr(caught.value)
    assert caught.value.__context__ is None


def test_no_anchors_file_means_no_anchors(tmp_path: Path) -> None:
    """A trail without one works, and `status` says UNANCHORED."""
    assert read_anchors(tmp_path) == ()
