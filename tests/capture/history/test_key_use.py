"""Which key of ours a vault's log speaks of, and what of a line is taken in."""

import base64
import io
import json
from typing import Any

import pytest

from phitrail.capture.history.entry import ForeignEntry, Unreadable
from phitrail.capture.history.key_use import KeyUse, our_key
from phitrail.capture.history.kms_trail import read_kms_trail
from phitrail.capture.history.source import Source
from phitrail.capture.history.vault_audit import read_vault_audit
from phitrail.events.codes import Outcome
from phitrail.keys.key_file import key_context
from phitrail.keys.names import KeyKind

MOMENT = "2026-11-21T12:00:00Z"
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
ARN = f"arn:aws:kms:us-east-1:111122223333:key/{KEY_ID}"


def record(event_name: str, **more: Any) -> dict[str, Any]:
    """Write a record in the shape of the examples in the AWS KMS developer guide."""
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLEID:i-0123456789abcdef0",
            "arn": "arn:aws:sts::111122223333:assumed-role/phitrail/i-0123456789abcdef0",
            "accountId": "111122223333",
        },
        "eventTime": MOMENT,
        "eventSource": "kms.amazonaws.com",
        "eventName": event_name,
        "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.10",
        "userAgent": "Boto3/1.44.5",
        "requestParameters": {"keyId": ARN, "encryptionAlgorithm": "SYMMETRIC_DEFAULT"},
        "responseElements": None,
        "additionalEventData": {"keyMaterialId": "12" * 32},
        "requestID": "e0eb83e3-63bc-11e4-bc2b-4198b6150d5c",
        "eventID": "a9dea4f9-8395-46c0-942c-f509c02c2b71",
        "readOnly": True,
        "resources": [{"accountId": "111122223333", "ARN": ARN}],
        "eventType": "AwsApiCall",
        "managementEvent": True,
        **more,
    }


def bound_to(name: str, version: int, kind: KeyKind) -> dict[str, str]:
    """Write the encryption context of our vault."""
    context = base64.urlsafe_b64encode(key_context(name, version, kind))
    return {"phitrail": context.decode().rstrip("=")}


def read_records(*records: dict[str, Any]) -> Source:
    """Read records of CloudTrail from a document."""
    text = json.dumps({"Records": records}).encode()
    return read_kms_trail(io.BufferedReader(io.BytesIO(text)))


def read_lines(*lines: dict[str, Any]) -> Source:
    """Read lines of an audit device."""
    text = "".join(json.dumps(line) + "\n" for line in lines).encode()
    return read_vault_audit(io.BufferedReader(io.BytesIO(text)))


def fields_of(source: Source) -> dict[str, Any]:
    """Give the fields of the one entry."""
    (entry,) = source.entries
    assert isinstance(entry, ForeignEntry)
    return dict(entry.fields)


def line(kind: str = "response", **request: Any) -> dict[str, Any]:
    """Write a line of an audit device."""
    return {
        "time": MOMENT,
        "type": kind,
        "auth": {"accessor": "hmac-sha256:00", "entity_id": "e-1"},
        "request": {
            "id": "r-1",
            "operation": "update",
            "mount_type": "transit",
            "mount_point": "transit/",
            "path": "transit/decrypt/phitrail-wrapping",
            "remote_address": "192.0.2.10",
            **request,
        },
        "response": {"mount_type": "transit", "data": {"plaintext": "hmac-sha256:00"}},
    }


# --- which key ---


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("phitrail-wrapping", "wrapping"),
        ("a-clinic-wrapping", "wrapping"),
        ("phitrail-audit-checkpoint-v1-0a1b2c3d", "audit-checkpoint:v1"),
        ("a-b-security-promise-v12-00000000", "security-promise:v12"),
        ("phitrail-text-hash-v1-0a1b2c3d", None),  # no key of the vault: it is wrapped
        ("phitrail-audit-checkpoint-v1", None),
        ("phitrail-audit-checkpoint-v0-0a1b2c3d", None),
        ("", None),
    ],
)
def test_our_keys_are_told_by_their_name_in_the_vault(
    name: str, expected: str | None
) -> None:
    """An auditor asks for audit-checkpoint:v1, and the vault knows it by another name."""
    assert our_key(name) == expected


def test_a_name_that_is_no_id_goes_in_as_a_keyed_hash() -> None:
    """Somebody may have called a key after a patient."""
    entry = KeyUse("r", MOMENT, "key_read", Outcome.SUCCESS, key="Zoe's key").as_entry(
        1
    )

    assert ("keyname" in entry.fields, "key" in entry.fields) == (True, False)


def test_the_encryption_context_says_which_key() -> None:
    """One KMS key wraps them all; which one was opened is what matters."""
    asked = {"encryptionContext": bound_to("text-hash", 2, KeyKind.MAC), "keyId": ARN}
    fields = fields_of(read_records(record("Decrypt", requestParameters=asked)))

    assert fields["key"] == "text-hash:v2"
    assert fields["what"] == "key_decrypt"


@pytest.mark.parametrize(
    "context",
    [
        {"phitrail": "!"},
        {"phitrail": ""},
        {"phitrail": "cGhpdHJhaWwva2V5LWZpbGUvdjF8em9lfDF8bWFj"},
        {"other": "x"},
        {"phitrail": 7},
    ],
)
def test_a_context_that_names_no_key_of_a_trail_is_passed_over(
    context: dict[str, Any],
) -> None:
    """Anybody who may encrypt may write anything there: a name of a patient, too."""
    asked = {"encryptionContext": context, "keyId": ARN}
    fields = fields_of(read_records(record("Decrypt", requestParameters=asked)))

    assert fields["key"] == KEY_ID


# --- what was done, and how it ended ---


@pytest.mark.parametrize(
    ("name", "more", "expected"),
    [
        ("Encrypt", {}, "key_encrypt"),
        ("GenerateDataKey", {}, "key_encrypt"),
        ("ReEncrypt", {"requestParameters": {"destinationKeyId": ARN}}, "key_rewrap"),
        ("Sign", {}, "key_sign"),
        ("GetPublicKey", {}, "key_read"),
        ("DescribeKey", {"requestParameters": {"keyId": KEY_ID}}, "key_read"),
        ("RotateKeyOnDemand", {"readOnly": False}, "key_rotate"),
        ("RotateKey", {"requestParameters": None, "readOnly": False}, "key_rotate"),
        ("DisableKey", {"readOnly": False}, "key_change"),
        ("PutKeyPolicy", {"readOnly": False}, "key_change"),
        ("ScheduleKeyDeletion", {"readOnly": False}, "key_delete"),
    ],
)
def test_what_aws_calls_it_becomes_a_code(
    name: str, more: dict[str, Any], expected: str
) -> None:
    """A call that is not known is still a look or a change, and is never lost."""
    fields = fields_of(read_records(record(name, **more)))

    assert (fields["what"], fields["key"]) == (expected, KEY_ID)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (None, "success"),
        ("AccessDenied", "denied"),
        ("AccessDeniedException", "denied"),
        ("DisabledException", "failed"),
        ("InvalidCiphertextException", "failed"),
    ],
)
def test_an_error_of_aws_is_denied_or_failed(code: str | None, expected: str) -> None:
    """Somebody who was refused is looked for by that word."""
    fields = fields_of(read_records(record("Decrypt", errorCode=code)))

    assert fields["outcome"] == expected


def test_an_alias_of_ours_names_the_signing_key() -> None:
    """The id of a KMS key says nothing to an auditor."""
    asked = {
        "aliasName": "alias/phitrail-audit-promise-v3-0a1b2c3d",
        "targetKeyId": "k",
    }
    fields = fields_of(read_records(record("CreateAlias", requestParameters=asked)))

    assert fields["key"] == "audit-promise:v3"


def test_other_services_are_passed_over_and_counted() -> None:
    """One trail of AWS holds the calls of all of them."""
    source = read_records(
        record("GetObject", eventSource="s3.amazonaws.com"), record("Decrypt")
    )

    assert len(list(source.entries)) == 1
    assert source.passed_over == {"other": 1}


@pytest.mark.parametrize(
    ("path", "operation", "expected"),
    [
        ("transit/encrypt/phitrail-wrapping", "update", ("key_encrypt", "wrapping")),
        ("transit/sign/theirs/sha2-256", "update", ("key_sign", "theirs")),
        ("transit/datakey/plaintext/theirs", "update", ("key_encrypt", "theirs")),
        ("transit/export/hmac-key/theirs/1", "read", ("key_export", "theirs")),
        ("transit/keys/theirs", "update", ("key_make", "theirs")),
        ("transit/keys/theirs", "read", ("key_read", "theirs")),
        ("transit/keys/theirs", "delete", ("key_delete", "theirs")),
        ("transit/keys/theirs/rotate", "update", ("key_rotate", "theirs")),
        ("transit/keys/theirs/trim", "update", ("key_change", "theirs")),
        ("transit/keys/", "list", ("key_read", None)),
    ],
)
def test_a_path_of_the_engine_becomes_a_code_and_a_key(
    path: str, operation: str, expected: tuple[str, str | None]
) -> None:
    """The path is all that says what was asked: data are hashes."""
    fields = fields_of(read_lines(line(path=path, operation=operation)))

    assert (fields["what"], fields.get("key")) == expected


@pytest.mark.parametrize(
    "request_of_another",
    [
        {"mount_type": "kv", "mount_point": "kv/", "path": "kv/decrypt/x"},
        {"path": "transit/random/32"},
        {"path": None},
        {"mount_type": None, "path": "sys/audit/test"},
    ],
)
def test_what_uses_no_key_is_passed_over_and_counted(
    request_of_another: dict[str, Any],
) -> None:
    """A vault's log holds everything that anybody does there."""
    source = read_lines(line(**request_of_another))

    assert not list(source.entries)
    assert source.passed_over == {"other": 1}


def test_a_mount_of_another_name_is_the_engine_too() -> None:
    """Settings admit any mount, so the log shows any."""
    moved = line(mount_point="keys/of/clinic/", path="keys/of/clinic/sign/theirs")

    assert fields_of(read_lines(moved))["what"] == "key_sign"


def test_a_request_without_a_response_is_counted_and_no_event() -> None:
    """The vault answers after it wrote: without that line nothing was given out."""
    source = read_lines(line("request"), line("request", id="r-2"), line(id="r-2"))

    assert len(list(source.entries)) == 1
    assert source.passed_over == {"request": 2, "request without a response": 1}


@pytest.mark.parametrize(
    "wrong", [{"type": "other"}, {"request": {}}, {"request": "x"}, {"request": None}]
)
def test_a_line_that_is_none_of_a_device_is_refused(wrong: dict[str, Any]) -> None:
    """Another file under this form must not become an empty import that looks well."""
    (read,) = read_lines({**line(), **wrong}).entries

    assert isinstance(read, Unreadable)
    assert read.error.field == "type"


def test_a_batch_with_an_item_that_failed_is_taken_as_partly_given_out() -> None:
    """The line does not tell what came out; to call it nothing would hide a secret."""
    batch = line()
    batch["response"]["data"] = {"http_raw_body": "x", "http_status_code": 400}

    assert fields_of(read_lines(batch))["outcome"] == "partly_released"


def test_a_raw_accessor_never_stands_in_a_field_of_its_own() -> None:
    """A device with hmac_accessor=false writes what revokes the token."""
    bare = line()
    bare["auth"] = {"accessor": "s.4RX0cP6kCo5XQV"}
    fields = fields_of(read_lines(bare))

    assert fields["caller"] == "s.4RX0cP6kCo5XQV"  # keyed by the map
    assert "who" not in fields
