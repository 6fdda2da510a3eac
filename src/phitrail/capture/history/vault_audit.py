"""The file audit device of OpenBao and HashiCorp Vault: one JSON object a line.

1. A request has two lines, `request` and `response`. The second says all that the first does
   and how it ended, also where it was refused; so it is the event. The first is passed over
   and counted, and so are requests without a second: nothing was given out for those.
2. Lines of the transit engine that use, show or change a key are events, whatever the
   engine's mount is called; everything else is passed over and counted (`other`).
3. Denied is what the vault calls a permission denied; any other error is a failure, also
   one that stands in the answer alone. A batch of which an item failed says so by a status
   and no more: whether the others came out cannot be seen, so it is taken that they did
   (`partly_released`).

The device writes tokens, accessors and data as keyed hashes of its own, if it is not told
otherwise; if it is, they are not taken in all the same (`key_use`).

Source: https://openbao.org/docs/audit/ (schema), transit API, lines of OpenBao 2.7.2.
"""

import io
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from phitrail.capture.history.entry import Read, Unreadable
from phitrail.capture.history.json_lines import read_json_lines
from phitrail.capture.history.key_use import KeyUse
from phitrail.capture.history.source import Source
from phitrail.errors import InputError
from phitrail.events.codes import Outcome

ENGINE = "transit"
MOST_WAITING = 10_000
"""Requests whose answer is still to come; in a whole log they are few."""
_REQUESTS, _UNANSWERED, _OTHER = "request", "request without a response", "other"
_DENIED = "permission denied"
_FIRST_ERROR = 400
"""Status of HTTP from which on an answer is none."""

_USES: Mapping[str, tuple[str, int]] = {
    "encrypt": ("key_encrypt", 1),
    "decrypt": ("key_decrypt", 1),
    "rewrap": ("key_rewrap", 1),
    "sign": ("key_sign", 1),
    "hmac": ("key_sign", 1),
    "verify": ("key_verify", 1),
    "datakey": ("key_encrypt", 2),
    "export": ("key_export", 2),
    "byok-export": ("key_export", 2),
    "backup": ("key_export", 1),
    "restore": ("key_make", 1),
}
"""First word of a path beneath the mount -> what it is, and which word names the key."""
_CHANGES: Mapping[str, str] = {"rotate": "key_rotate", "import": "key_make"}


def read_vault_audit(stream: io.BufferedReader) -> Source:
    """Read the lines of an audit device."""
    beside: Counter[str] = Counter()
    return Source(_uses(read_json_lines(stream), beside), "line", beside)


def _uses(lines: Iterator[Read], beside: Counter[str]) -> Iterator[Read]:
    waiting: set[str] = set()
    for read in lines:
        if isinstance(read, Unreadable):
            yield read
            continue
        line = read.plain or {}
        request = _part(line, "request")
        request_id, kind = request.get("id"), line.get("type")
        if kind not in ("request", "response") or not isinstance(request_id, str):
            rule = "must be request or response, with an id of the request"
            yield Unreadable(read.number, InputError.for_field("type", rule))
        elif kind == "request":
            beside[_REQUESTS] += 1
            if len(waiting) < MOST_WAITING and _what(request) is not None:
                waiting.add(request_id)
        else:
            waiting.discard(request_id)
            use = _use(line, request, request_id)
            if use is None:
                beside[_OTHER] += 1
            else:
                yield use.as_entry(read.number)
    if waiting:
        beside[_UNANSWERED] += len(waiting)


def _use(
    line: Mapping[str, Any], request: Mapping[str, Any], request_id: str
) -> KeyUse | None:
    found = _what(request)
    if found is None:
        return None
    auth = _part(line, "auth")
    return KeyUse(
        event_id=request_id,
        time=line.get("time"),
        what=found[0],
        key=found[1],
        outcome=_outcome(line),
        who=auth.get("entity_id"),
        caller=auth.get("accessor") or auth.get("display_name"),
        address=request.get("remote_address"),
    )


def _what(request: Mapping[str, Any]) -> tuple[str, str | None] | None:
    """Say what was asked of which key; None where it was no key of the engine."""
    path, mount = request.get("path"), request.get("mount_point")
    if request.get("mount_type") != ENGINE or not isinstance(path, str):
        return None
    words = path.removeprefix(str(mount)).strip("/").split("/")
    if words[0] in _USES:
        what, at = _USES[words[0]]
        return what, words[at] if len(words) > at else None
    if words[0] != "keys":
        return None
    name = words[1] if len(words) > 1 else None
    if len(words) > 2:  # noqa: PLR2004 - keys/<name>/<what is changed>
        return _CHANGES.get(words[2], "key_change"), name
    made = {"read": "key_read", "list": "key_read", "delete": "key_delete"}
    return made.get(str(request.get("operation")), "key_make"), name


def _outcome(line: Mapping[str, Any]) -> Outcome:
    error = line.get("error")
    if isinstance(error, str) and error:
        return Outcome.DENIED if _DENIED in error else Outcome.FAILED
    answer = _part(_part(line, "response"), "data")
    status = answer.get("http_status_code")
    if isinstance(status, int) and status >= _FIRST_ERROR:
        return Outcome.PARTLY_RELEASED
    return Outcome.FAILED if "error" in answer else Outcome.SUCCESS


def _part(line: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = line.get(name)
    return found if isinstance(found, dict) else {}
