"""What a vault logged of its keys becomes events, once, and names nobody.

The lines of OpenBao are real ones (`tests/vectors/openbao_audit.jsonl`); those of AWS have
the shape that its guide gives, since no double of AWS writes them as AWS does.
"""

import json
import shutil
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.capture.history.test_key_use import bound_to, record
from tests.trails import NOW
from tests.vaults import openbao
from tests.vectors.make_openbao_audit import AUDIT

from phitrail.app.importing_history import ImportedHistory, import_history
from phitrail.app.key_wiring import make_vault
from phitrail.app.running import run_trail
from phitrail.capture.history.form import HistoryForm
from phitrail.capture.importer import Imported
from phitrail.errors import VaultError
from phitrail.events.codes import Log
from phitrail.keys.key_file import key_context
from phitrail.keys.names import KeyKind
from phitrail.keys.vault import ToWrap, Wrapped

MOMENT = "2026-11-21T12:00:00.000Z"


def _import(trail: Path, file: Path, form: HistoryForm) -> ImportedHistory:
    with run_trail(trail) as running:
        return import_history(running, file, form, None, by="officer-7", now=NOW)


def _uses(trail: Path) -> list[dict[str, Any]]:
    with (
        run_trail(trail) as running,
        closing(running.parts.reader(Log.AUDIT)) as reader,
    ):
        leaves = [json.loads(leaf) for leaf in reader.entries(1, reader.size())]
    return [leaf for leaf in leaves if leaf.get("event_type") == "key_accessed"]


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    """Give a copy of the real log; refusals are written beside it."""
    return Path(shutil.copy(AUDIT, tmp_path / "audit.jsonl"))


def test_the_log_of_a_real_vault_is_taken_in_once(trail_dir: Path, audit: Path) -> None:
    """It is read in every night: no use may be there twice, and none be missing."""
    first = _import(trail_dir, audit, HistoryForm.VAULT_AUDIT)
    again = _import(trail_dir, audit, HistoryForm.VAULT_AUDIT)
    uses = _uses(trail_dir)

    assert first.counts == Imported(lines=18, recorded=18)
    assert again.counts == Imported(lines=18, already_there=18)
    assert first.report.passed_over == {"other": 8, "request": 27}
    assert first.report.left_out == {}
    assert len(uses) == 18
    assert {leaf["assurance"] for leaf in uses} == {"imported"}
    assert {leaf["source_ip"] for leaf in uses} == {"127.0.0.1"}


def test_who_used_which_key_and_how_it_ended(trail_dir: Path, audit: Path) -> None:
    """These are the questions after a theft of credentials."""
    _import(trail_dir, audit, HistoryForm.VAULT_AUDIT)
    uses = _uses(trail_dir)
    told = Counter(
        (leaf["reason_code"], leaf["object_id"], leaf["outcome"]) for leaf in uses
    )
    by_whom = Counter(leaf.get("user_id", "none")[:4] for leaf in uses)

    assert told["key_decrypt", "wrapping", "success"] == 1
    assert told["key_decrypt", "wrapping", "denied"] == 2
    assert told["key_decrypt", "wrapping", "failed"] == 1
    assert told["key_decrypt", "wrapping", "partly_released"] == 1
    assert told["key_export", "audit-checkpoint:v1", "failed"] == 1
    assert told["key_sign", "audit-checkpoint:v1", "success"] == 1
    assert told["key_delete", "audit-checkpoint:v1", "success"] == 1
    assert by_whom["key-"] == 16  # tokens, by the keyed hash of their accessor
    assert by_whom["none"] == 1  # refused without any token


def test_no_name_and_no_accessor_gets_into_the_log(
    trail_dir: Path, audit: Path
) -> None:
    """A vault writes names of people beside their tokens; an accessor revokes one."""
    lines = [json.loads(line) for line in audit.read_text().splitlines()]
    accessors = {
        line["auth"].get("accessor", "none") for line in lines if "auth" in line
    }
    _import(trail_dir, audit, HistoryForm.VAULT_AUDIT)
    written = json.dumps(_uses(trail_dir))

    assert any("Alice" in json.dumps(line) for line in lines)
    assert "alice" not in written.lower()
    assert "hmac-sha256" not in written
    assert not [one for one in accessors if one in written]


def test_a_line_that_does_not_fit_is_refused_and_the_others_are_kept(
    trail_dir: Path, audit: Path
) -> None:
    """A line that was cut by a full disk must not cost the night's log."""
    lines = audit.read_bytes().splitlines(keepends=True)
    audit.write_bytes(b"".join([lines[0], b'{"type": "resp\n', b"[]\n", *lines[1:]]))
    found = _import(trail_dir, audit, HistoryForm.VAULT_AUDIT)
    refusals = audit.with_name("audit.rejected.jsonl").read_text()

    assert found.counts == Imported(lines=20, recorded=18, rejected=2)
    assert [json.loads(line)["line"] for line in refusals.splitlines()] == [2, 3]


def test_a_use_in_aws_names_our_key_and_no_person(
    trail_dir: Path, tmp_path: Path
) -> None:
    """CloudTrail says by the encryption context which key of the trail was opened."""
    asked = {"encryptionContext": bound_to("text-hash", 2, KeyKind.MAC), "keyId": "k"}
    person = {
        "type": "IAMUser",
        "arn": "arn:aws:iam::111122223333:user/Alice",
        "userName": "Alice",
    }
    records = [
        record("Decrypt", requestParameters=asked, eventID="e-1"),
        record("Sign", userIdentity=person, eventID="e-2", errorCode="AccessDenied"),
        record("Sign", sourceIPAddress="AWS Internal", eventID="e-3"),
    ]
    file = tmp_path / "trail.json"
    file.write_text(json.dumps({"Records": records}))
    counts = [
        _import(trail_dir, file, HistoryForm.KMS_CLOUDTRAIL).counts for _ in range(2)
    ]
    first, second, third = _uses(trail_dir)

    assert counts == [Imported(lines=3, recorded=3), Imported(lines=3, already_there=3)]
    assert (first["object_id"], first["action"]) == ("text-hash:v2", "read")
    assert (first["source_event_id"], first["outcome"]) == ("e-1", "success")
    assert first["user_id"] == "AROAEXAMPLEID:i-0123456789abcdef0"
    assert (second["user_id"][:4], second["outcome"]) == ("key-", "denied")
    assert "Alice" not in json.dumps([first, second, third])
    assert "source_ip" not in third


@pytest.mark.long
def test_what_our_vault_did_is_found_in_the_log_of_a_real_server(
    trail_dir: Path, tmp_path: Path
) -> None:
    """The names that we give to keys there are those that the import knows."""
    context = key_context("text-hash", 1, KeyKind.MAC)
    with openbao(tmp_path) as server:
        settings = server.settings("clinic", tmp_path / "token")
        with closing(make_vault(trail_dir, settings, MOMENT)) as vault:
            (text,) = vault.wrap([ToWrap(bytes(32), context)])
            vault.unwrap([Wrapped(text, context)])
            made = vault.make_signing_key("audit-checkpoint-v2-0a1b2c3d", context)
            vault.sign(Wrapped(made.reference, context), b"head")
            server.revoke(Path(str(settings.token_file)).read_text().strip())
            with pytest.raises(VaultError):
                vault.unwrap([Wrapped(text, context)])
        _import(trail_dir, server.audit_log, HistoryForm.VAULT_AUDIT)
    told = {
        (leaf["reason_code"], leaf.get("object_id"), leaf["outcome"])
        for leaf in _uses(trail_dir)
    }

    assert {
        ("key_encrypt", "wrapping", "success"),
        ("key_decrypt", "wrapping", "success"),
        ("key_decrypt", "wrapping", "denied"),
        ("key_make", "audit-checkpoint:v2", "success"),
        ("key_sign", "audit-checkpoint:v2", "success"),
    } <= told
