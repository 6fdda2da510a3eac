"""Leaves of a made-up hospital, straight as canonical bytes, for benchmarks of reading.

One access is four events: a read of one to three records, a prompt, the closing, and in one
of eight an output that was flagged, a denial or a read of the log. Times run through a year
from `START`; patients and users are drawn with a skew. The bytes are what `encode_leaf`
writes (a test of the benchmark decodes some), without the cost of the door.
"""

import base64
import hashlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from phitrail.events.ids import format_time

START = datetime(2026, 1, 1, tzinfo=UTC)
YEAR_S = 365 * 86_400
BLOCK = 4_096
PATIENTS = 200_000
USERS = 5_000
USE_CASES = (
    "chart_qa", "summarization", "coding", "triage", "patient_message", "guideline_qa"
)  # fmt: skip
DEPARTMENTS = (
    "emergency", "internal_medicine", "cardiology", "oncology", "pediatrics", "surgery",
    "radiology", "pharmacy",
)  # fmt: skip
RESOURCES = ("DocumentReference", "Observation", "Condition", "MedicationRequest")
MODELS = (("extractive-demo", "1"), ("extractive-demo", "2"), ("gpt-x", "2026-03-01"))
OUTCOMES = ("released",) * 18 + ("not_released", "blocked")


def surrogate_of(number: int, kind: bytes) -> str:
    """Make a surrogate for a number: 43 characters."""
    digest = hashlib.sha256(kind + number.to_bytes(8, "big")).digest()
    return base64.urlsafe_b64encode(digest)[:43].decode()


def patient(number: int) -> str:
    """Return the surrogate of a patient."""
    return surrogate_of(number, b"patient")


def user(number: int) -> str:
    """Return the id of a user."""
    return f"user-{number:05d}"


def leaves(first: int, last: int, of: int, seed: int = 1) -> Iterator[bytes]:
    """Yield the leaves [first, last) of a log of `of` events; a block is one seed."""
    block = first // BLOCK
    while block * BLOCK < last:
        low = block * BLOCK
        made = _block(block, of, seed)
        yield from made[max(first - low, 0) : last - low]
        block += 1


def _block(block: int, of: int, seed: int) -> list[bytes]:
    draw = random.Random(f"{seed}/{block}")
    made: list[bytes] = []
    while len(made) < BLOCK:
        made += _access(draw, block * BLOCK + len(made), of)
    return made[:BLOCK]


def _uuid7(milliseconds: int, draw: random.Random) -> str:
    tail = f"{draw.getrandbits(74):019x}"
    stamp = f"{milliseconds:012x}"
    return (
        f"{stamp[:8]}-{stamp[8:]}-7{tail[:3]}-{'89ab'[int(tail[3], 16) & 3]}{tail[4:7]}"
        f"-{tail[7:19]}"
    )


def _access(draw: random.Random, at: int, of: int) -> list[bytes]:
    moment = START + timedelta(milliseconds=int(at * YEAR_S * 1000 / of))
    milliseconds = int(moment.timestamp() * 1000)
    time = format_time(moment)
    access = _uuid7(milliseconds, draw)
    who = user(int(USERS * draw.random() ** 2))
    person = patient(int(PATIENTS * draw.random() ** 1.5))
    use_case = draw.choice(USE_CASES)
    department = draw.choice(DEPARTMENTS)
    model, version = draw.choice(MODELS)
    session = f"s-{draw.getrandbits(32):08x}"
    ip = f"10.1.{draw.getrandbits(4)}.{draw.getrandbits(8)}"
    head = f'{{"access_id":"{access}","action":"%s",'
    model_part = f'"ai_model_id":"{model}","ai_model_version":"{version}",'
    tail = (
        f'"purpose_of_use":"treatment",%s"received_at":"{time}",%s'
        f'"request_id":"r-{access[-12:]}",%s'
        f'"schema":"phitrail/audit-event/v1","service_component":"assistant",'
        f'"session_id":"{session}","source_ip":"{ip}","timestamp_utc":"{time}",'
        f'"use_case":"{use_case}","user_id":"{who}","user_role":"physician"}}'
    )

    def middle(kind: str) -> str:
        event = _uuid7(milliseconds, draw)
        return (
            f'"assurance":"enforced","attribution_basis":"verified_token",'
            f'"department":"{department}","event_id":"{event}","event_type":"{kind}",'
        )

    def nonce() -> str:
        return f'"nonce":"{_token(draw, 22)}",'

    records = ",".join(
        f'["{person}","{_token(draw, 43)}","{draw.choice(RESOURCES)}"]'
        for _ in range(draw.choice((1, 1, 2, 3)))
    )
    query_hash = f'"query_hash":"hmac-sha256:1:{_token(draw, 43)}",'
    query = f'"query_chars":{draw.randrange(20, 200)},{query_hash}'
    answer = f'"response_hash":"hmac-sha256:1:{_token(draw, 43)}",'
    lines = [
        (head % "retrieve") + middle("phi_read") + nonce()
        + tail % (query, f'"records":[{records}],', ""),
        (head % "infer") + model_part + middle("ai_inference_with_phi") + nonce()
        + tail % (query_hash, "", '"resource_type":"ai_prompt",'),
        (head[:-len('"action":"%s",')]) + model_part + middle("access_closed")
        + f'"input_tokens":{draw.randrange(200, 3000)},'
        f'"latency_us":{draw.randrange(80_000, 4_000_000)},' + nonce()
        + f'"outcome":"{draw.choice(OUTCOMES)}","output_tokens":{draw.randrange(10, 500)},'
        + tail % ("", f'"released_chars":{draw.randrange(10, 2000)},', answer),
    ]  # fmt: skip
    return [line.encode() for line in lines] + _extra(
        draw, milliseconds, time, who, person
    )


def _extra(
    draw: random.Random, milliseconds: int, time: str, who: str, person: str
) -> list[bytes]:
    kind = draw.choice(("flagged", "denied", "read", *("",) * 21))
    if not kind:
        return []
    what = {
        "flagged": '"event_type":"ai_phi_output_detected","guard_decision":"redact",',
        "denied": '"event_type":"phi_access_denied",',
        "read": '"event_type":"audit_log_read",',
    }[kind]
    denied = '"outcome":"denied",' if kind == "denied" else ""
    named = f'"records":[["{person}","{_token(draw, 43)}","Observation"]],'
    named = "" if kind == "read" else named
    return [
        (
            f'{{"event_id":"{_uuid7(milliseconds, draw)}",{what}'
            f'"nonce":"{_token(draw, 22)}",{denied}"received_at":"{time}",{named}'
            f'"schema":"phitrail/audit-event/v1","timestamp_utc":"{time}",'
            f'"user_id":"{who}"}}'
        ).encode()
    ]


def _token(draw: random.Random, characters: int) -> str:
    return base64.urlsafe_b64encode(draw.randbytes(33)).decode()[:characters]
