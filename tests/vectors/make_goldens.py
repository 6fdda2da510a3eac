"""Make the goldens of leaf v1 and of the trust root (ADR 0001, ADR 0002).

Written from the two ADRs and C2SP signed-note alone; imports nothing of phitrail. Keys
come from fixed seeds and are worthless. Run it to write `golden/`:

    python tests/vectors/make_goldens.py

Output, for each of the three logs: `<log>.genesis.json` (leaf 0), `<log>.leaf.json`
(leaf 1), `<log>.promise` and `<log>.checkpoint` over both, and `derived.json` with the
values that leaves are made of (surrogate, keyed hashes, leaf hashes, roots).
"""

import base64
import hashlib
import hmac
import json
import pathlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

GOLDEN = pathlib.Path(__file__).parent / "golden"
TENANT = "golden.example"
LOGS = ("audit", "security", "quality")
TRAIL_ID = "019b0000-0000-7000-8000-000000000000"
TEXT_KEY = hashlib.sha256(b"golden text-hash key").digest()
SALT = hashlib.sha256(b"golden salt of one subject").digest()
MOMENT = "2026-11-21T09:00:00.000Z"


def b64url(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def canonical(value: object) -> bytes:
    """RFC 8785 for flat objects of ASCII strings, small integers and arrays."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def key(name: str) -> Ed25519PrivateKey:
    """A key pair from a fixed seed."""
    seed = hashlib.sha256(b"golden key " + name.encode()).digest()
    return Ed25519PrivateKey.from_private_bytes(seed)


def key_id(name: str, public: bytes) -> bytes:
    """The first four bytes that C2SP signed-note gives an Ed25519 key."""
    return hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4]


def vkey(name: str) -> str:
    """The verifier key of a fixed key pair."""
    public = key(name).public_key().public_bytes_raw()
    encoded = base64.b64encode(b"\x01" + public).decode()
    return f"{name}+{key_id(name, public).hex()}+{encoded}"


def note(text: str, name: str) -> bytes:
    """A signed note with one Ed25519 signature."""
    private = key(name)
    identity = key_id(name, private.public_key().public_bytes_raw())
    signature = base64.b64encode(identity + private.sign(text.encode())).decode()
    return f"{text}\n\u2014 {name} {signature}\n".encode()


def leaf_hash(leaf: bytes) -> bytes:
    """RFC 6962 section 2.1."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def root_of_two(leaves: list[bytes]) -> bytes:
    """The root of a tree of two leaves."""
    left, right = map(leaf_hash, leaves)
    return hashlib.sha256(b"\x01" + left + right).digest()


def surrogate(system: str, identifier: str) -> str:
    """A subject's commitment under the one golden salt."""
    subject = canonical(["phitrail/subject/v1", TENANT, system, identifier])
    return b64url(hmac.digest(SALT, subject, "sha256"))


def keyed(form: str, text: str) -> str:
    """A keyed hash of a text, as it is written in a leaf."""
    data = form.encode() + b"|" + text.encode()
    return f"hmac-sha256:1:{b64url(hmac.digest(TEXT_KEY, data, 'sha256'))}"


def event_id(number: int) -> str:
    """A fixed UUIDv7."""
    return f"019b0000-0000-7000-8000-{number:012x}"


def nonce(number: int) -> str:
    """A fixed nonce of 16 bytes."""
    return b64url(hashlib.sha256(b"golden nonce %d" % number).digest()[:16])


def genesis(number: int, log: str) -> bytes:
    """Leaf 0 of a log (ADR 0002)."""
    origin = f"{TENANT}/{log}"
    return canonical(
        {
            "schema": "phitrail/genesis/v1",
            "created_at": MOMENT,
            "event_id": event_id(number),
            "log": log,
            "log_vkey": vkey(origin),
            "nonce": nonce(number),
            "origin": origin,
            "promise_vkey": vkey(f"{origin}/promise"),
            "recovery_vkey": vkey(f"{TENANT}/recovery"),
            "tenant": TENANT,
            "trail_id": TRAIL_ID,
        }
    )


QUESTION = "What did  the last NOTE say?"
QUESTION_NORMALISED = "what did the last note say?"
LEAVES: dict[str, dict[str, object]] = {
    "audit": {
        "schema": "phitrail/audit-event/v1",
        "access_id": event_id(90),
        "action": "retrieve",
        "assurance": "enforced",
        "department": "cardiology",
        "event_id": event_id(10),
        "event_type": "phi_read",
        "nonce": nonce(10),
        "patient_unknown": False,
        "phi_fields_accessed": ["name", "birth_date"],
        "purpose_of_use": "treatment",
        "query_chars": len(QUESTION),
        "query_hash": keyed("exact", QUESTION),
        "query_hash_norm": keyed("normalised", QUESTION_NORMALISED),
        "received_at": MOMENT,
        "records": [
            [
                surrogate("mrn", "MRN-1"),
                surrogate("ehr", "note/7"),
                "DocumentReference",
            ],
            ["", surrogate("ehr", "note/8"), "Observation"],
        ],
        "timestamp_utc": "2026-11-21T08:59:59.999Z",
        "use_case": "chart_qa",
        "user_id": "dr-0012",
        "user_role": "physician",
    },
    "security": {
        "schema": "phitrail/security-event/v1",
        "decision": "redact",
        "event_id": event_id(11),
        "event_type": "guard_decided",
        "identifier_classes": ["name", "mrn"],
        "identifier_counts": [2, 1],
        "nonce": nonce(11),
        "received_at": MOMENT,
        "score_e6": 731250,
        "timestamp_utc": MOMENT,
    },
    "quality": {
        "schema": "phitrail/quality-entry/v1",
        "cache_hit": False,
        "event_id": event_id(12),
        "finish_reason": "stop",
        "input_tokens": 812,
        "latency_us": 1250000,
        "model_id": "extractive-demo",
        "model_version": "1.0.0",
        "nonce": nonce(12),
        "output_tokens": 97,
        "received_at": MOMENT,
        "request_id": "req-000001",
        "retrieval_scores_e6": [910000, -20000],
        "timestamp_utc": MOMENT,
        "top_retrieval_score_e6": 910000,
        "use_case": "chart_qa",
    },
}


def main() -> None:
    """Write every golden."""
    GOLDEN.mkdir(exist_ok=True)
    derived: dict[str, object] = {
        "surrogate_mrn_MRN-1": surrogate("mrn", "MRN-1"),
        "query_hash": keyed("exact", QUESTION),
        "query_hash_norm": keyed("normalised", QUESTION_NORMALISED),
    }
    for number, log in enumerate(LOGS, start=1):
        leaves = [genesis(number, log), canonical(LEAVES[log])]
        root = root_of_two(leaves)
        body = f"{TENANT}/{log}\n2\n{base64.b64encode(root).decode()}\n"
        (GOLDEN / f"{log}.genesis.json").write_bytes(leaves[0])
        (GOLDEN / f"{log}.leaf.json").write_bytes(leaves[1])
        (GOLDEN / f"{log}.promise").write_bytes(note(body, f"{TENANT}/{log}/promise"))
        (GOLDEN / f"{log}.checkpoint").write_bytes(note(body, f"{TENANT}/{log}"))
        derived[f"{log}_leaf_hashes"] = [leaf_hash(leaf).hex() for leaf in leaves]
        derived[f"{log}_root"] = root.hex()
    text = json.dumps(derived, indent=1, sort_keys=True) + "\n"
    (GOLDEN / "derived.json").write_text(text)


if __name__ == "__main__":
    main()
