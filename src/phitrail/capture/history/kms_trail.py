"""AWS CloudTrail, for AWS KMS alone: who used which key of ours, as AWS saw it.

A trail holds the calls of every service; those of KMS become events, the others are passed
over and counted (`other`). `cloudtrail` reads the records of other services.

1. The encryption context of our vault says which of our keys was wrapped or unwrapped
   (`keys.aws_kms`): it stands in clear in the record, by the design of AWS.
2. A signing key is named by the alias that we gave it where the call names it so, else by
   its id in KMS, as are keys of others.
3. Denied is an error code of AWS that says so; any other code is a failure.

Source: AWS KMS developer guide, "Examples of AWS KMS log entries"; CloudTrail record contents.
"""

import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from phitrail.capture.history.cloudtrail import LIST, read_numbered
from phitrail.capture.history.entry import Read, Unreadable
from phitrail.capture.history.json_document import PEEK_BYTES, has_lines
from phitrail.capture.history.json_lines import read_json_lines
from phitrail.capture.history.key_use import KeyUse
from phitrail.capture.history.source import Source
from phitrail.errors import InputError
from phitrail.events.codes import Outcome
from phitrail.keys.names import KeyId, parse_key_id
from phitrail.keys.spelling import parse_base64url

SERVICE = "kms.amazonaws.com"
_OTHER = "other"
_CONTEXT = re.compile(r"phitrail/key-file/v1\|([^|]+)\|([1-9][0-9]{0,4})\|[a-z]+")
_DENIED = ("AccessDenied", "UnauthorizedOperation", "Unrecognized", "ExpiredToken")
_USES: Mapping[str, str] = {
    "encrypt": "key_encrypt",
    "generatedatakey": "key_encrypt",
    "generatedatakeypair": "key_encrypt",
    "generatedatakeypairwithoutplaintext": "key_encrypt",
    "generatedatakeywithoutplaintext": "key_encrypt",
    "decrypt": "key_decrypt",
    "reencrypt": "key_rewrap",
    "sign": "key_sign",
    "generatemac": "key_sign",
    "verify": "key_verify",
    "verifymac": "key_verify",
    "createkey": "key_make",
    "createalias": "key_make",
    "importkeymaterial": "key_make",
    "rotatekey": "key_rotate",
    "rotatekeyondemand": "key_rotate",
    "schedulekeydeletion": "key_delete",
    "deletekey": "key_delete",
    "deleteimportedkeymaterial": "key_delete",
}


def read_kms_trail(stream: io.BufferedReader) -> Source:
    """Read records of CloudTrail, as lines or as a document."""
    beside: Counter[str] = Counter()
    if has_lines(stream.peek(PEEK_BYTES), LIST):
        return Source(_uses(read_json_lines(stream), beside), "line", beside)
    found = read_numbered(stream, LIST, lambda _: None)
    return Source(_uses(found, beside), "entry", beside)


def _uses(records: Iterator[Read], beside: Counter[str]) -> Iterator[Read]:
    for read in records:
        if isinstance(read, Unreadable):
            yield read
            continue
        record = read.plain or {}
        if record.get("eventSource") != SERVICE:
            beside[_OTHER] += 1
        else:
            yield _use(record).as_entry(read.number)


def _use(record: Mapping[str, Any]) -> KeyUse:
    who = _part(record, "userIdentity")
    asked = _part(record, "requestParameters")
    return KeyUse(
        event_id=record.get("eventID"),
        request_id=record.get("requestID"),
        time=record.get("eventTime"),
        what=_what(record),
        outcome=_outcome(record.get("errorCode")),
        who=who.get("principalId") or who.get("invokedBy"),
        caller=who.get("arn"),
        key=_key(record, asked),
        own_key=_own_key(asked),
        address=record.get("sourceIPAddress"),
    )


def _what(record: Mapping[str, Any]) -> str:
    found = _USES.get(str(record.get("eventName")).casefold())
    if found is not None:
        return found
    return "key_read" if record.get("readOnly") is True else "key_change"


def _outcome(code: object) -> Outcome:
    if not isinstance(code, str) or not code:
        return Outcome.SUCCESS
    is_denied = any(word in code for word in _DENIED)
    return Outcome.DENIED if is_denied else Outcome.FAILED


def _own_key(asked: Mapping[str, Any]) -> str | None:
    """Read which key of ours a call was bound to."""
    for name in ("encryptionContext", "sourceEncryptionContext"):
        bound = _part(asked, name).get("phitrail")
        if not isinstance(bound, str):
            continue
        with suppress(ValueError):
            match = _CONTEXT.fullmatch(parse_base64url(bound).decode("ascii"))
            if match is not None:
                return _checked(match[1], int(match[2]))
    return None


def _checked(name: str, version: int) -> str | None:
    """Admit a key that a trail can have: the context is what somebody wrote there."""
    key_id = str(KeyId(name, version))
    with suppress(InputError):
        parse_key_id(key_id)
        return key_id
    return None


def _key(record: Mapping[str, Any], asked: Mapping[str, Any]) -> str | None:
    """Read how AWS calls the key: an alias where one was named, else the id."""
    alias = asked.get("aliasName")
    if isinstance(alias, str):
        return alias.removeprefix("alias/")
    named = asked.get("keyId") or asked.get("destinationKeyId")
    if not isinstance(named, str):
        resources = record.get("resources")
        first = resources[0] if isinstance(resources, list) and resources else {}
        named = first.get("ARN") if isinstance(first, dict) else None
    if not isinstance(named, str):
        return None
    return named.rpartition(":")[2].removeprefix("key/").removeprefix("alias/")


def _part(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = record.get(name)
    return found if isinstance(found, dict) else {}
