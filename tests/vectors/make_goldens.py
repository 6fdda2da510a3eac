"""Make the goldens of leaf v1 and of the trust root (ADR 0001, ADR 0002, ADR 0007).

Written from the ADRs and C2SP signed-note alone; imports nothing of phitrail. Keys
come from fixed seeds and are worthless. Run it to write `golden/`:

    python tests/vectors/make_goldens.py

Output, for each of the three logs: `<log>.genesis.json` (leaf 0), `<log>.leaf.json`
(leaf 1), `<log>.promise` and `<log>.checkpoint` over both, and `derived.json` with the
values that leaves are made of (surrogate, keyed hashes, leaf hashes, roots). For the audit
log also `audit.rotation.json` (leaf 2), `audit.compromise.json` (leaf 3), the checkpoint
over all four under the last key, and `keyring.json`.
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


def vkey(name: str, seed: str = "") -> str:
    """The verifier key of a fixed key pair; a later one has a seed of its own."""
    public = key(seed or name).public_key().public_bytes_raw()
    encoded = base64.b64encode(b"\x01" + public).decode()
    return f"{name}+{key_id(name, public).hex()}+{encoded}"


def signature(text: str, name: str, seed: str = "") -> str:
    """What stands behind the name in a signature line."""
    private = key(seed or name)
    identity = key_id(name, private.public_key().public_bytes_raw())
    return base64.b64encode(identity + private.sign(text.encode())).decode()


def note(text: str, name: str, seed: str = "") -> bytes:
    """A signed note with one Ed25519 signature."""
    return f"{text}\n\u2014 {name} {signature(text, name, seed)}\n".encode()


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


RECOVERY = f"{TENANT}/recovery"
AUDIT = f"{TENANT}/audit"


def signed(record: dict[str, object], *signers: tuple[str, str, str]) -> bytes:
    """A record with signatures: over its schema, LF, canonical record, LF (ADR 0007)."""
    text = f"{record['schema']}\n{canonical(record).decode()}\n"
    signatures = {field: signature(text, name, seed) for field, name, seed in signers}
    return canonical({**record, **signatures})


def pair(version: int) -> tuple[str, str]:
    """The checkpoint and the promise key of the audit log under a version."""
    seed = "" if version == 1 else f" v{version}"
    return (
        vkey(AUDIT, AUDIT + seed),
        vkey(f"{AUDIT}/promise", f"{AUDIT}/promise{seed}"),
    )


def succession(
    version: int, reason: str, head: tuple[int, bytes], trusted: tuple[int, bytes]
) -> bytes:
    """New signing keys for the audit log."""
    record: dict[str, object] = {
        "schema": "phitrail/succession/v1",
        "created_at": MOMENT,
        "event_id": event_id(18 + version),
        "head_root": head[1].hex(),
        "head_size": head[0],
        "key_version": version,
        "log": "audit",
        "log_vkey": pair(version)[0],
        "nonce": nonce(18 + version),
        "old_log_vkey": pair(version - 1)[0],
        "old_promise_vkey": pair(version - 1)[1],
        "origin": AUDIT,
        "promise_vkey": pair(version)[1],
        "reason": reason,
        "trusted_root": trusted[1].hex(),
        "trusted_size": trusted[0],
    }
    signers = [("recovery_signature", RECOVERY, "")]
    if reason == "rotation":
        signers.append(("old_signature", AUDIT, ""))
    return signed(record, *signers)


def listed(log: str, **fields: object) -> dict[str, object]:
    """One line of a keyring's table."""
    return {"log": log, "key_version": 1, "from_size": 0, **fields}


def keyring(successions: list[bytes]) -> bytes:
    """The keyring after a rotation at size 2 and a compromise at size 3, trusted to 2."""
    keys: list[dict[str, object]] = []
    times: list[dict[str, object]] = [
        {"from_size": 0, "to_size": 2, "trusted_size": 2, "ended": "rotation"},
        {"from_size": 3, "to_size": 3, "trusted_size": 2, "ended": "compromise"},
        {"from_size": 4},
    ]
    for log in LOGS:
        origin = f"{TENANT}/{log}"
        for version in (1, 2, 3) if log == "audit" else (1,):
            time = times[version - 1] if log == "audit" else {}
            vkeys = pair(version)
            if log != "audit":
                vkeys = (vkey(origin), vkey(f"{origin}/promise"))
            for role, written in zip(("checkpoint", "promise"), vkeys, strict=True):
                one = {"role": role, "vkey": written, "key_version": version, **time}
                keys.append(listed(log, **one))
        keys.append(listed(log, role="succession", vkey=vkey(RECOVERY)))
    record: dict[str, object] = {
        "schema": "phitrail/keyring/v1",
        "created_at": MOMENT,
        "keys": keys,
        "number": len(successions),
        "successions": [json.loads(leaf) for leaf in successions],
        "tenant": TENANT,
        "trail_id": TRAIL_ID,
    }
    return signed(record, ("recovery_signature", RECOVERY, "")) + b"\n"


def node(left: bytes, right: bytes) -> bytes:
    """RFC 6962 section 2.1: the hash of two nodes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def write_successions(leaves: list[bytes]) -> dict[str, object]:
    """Write leaves 2 and 3 of the audit log, what they lead to, and the keyring."""
    first, second = map(leaf_hash, leaves)
    two = (2, node(first, second))
    rotation = succession(2, "rotation", two, two)
    three = (3, node(two[1], leaf_hash(rotation)))
    compromise = succession(3, "compromise", three, two)
    root = node(two[1], node(leaf_hash(rotation), leaf_hash(compromise)))
    body = f"{AUDIT}\n4\n{base64.b64encode(root).decode()}\n"
    (GOLDEN / "audit.rotation.json").write_bytes(rotation)
    (GOLDEN / "audit.compromise.json").write_bytes(compromise)
    (GOLDEN / "audit.succeeded.checkpoint").write_bytes(
        note(body, AUDIT, f"{AUDIT} v3")
    )
    (GOLDEN / "keyring.json").write_bytes(keyring([rotation, compromise]))
    hashes = [leaf_hash(rotation).hex(), leaf_hash(compromise).hex()]
    return {"audit_succession_leaf_hashes": hashes, "audit_succeeded_root": root.hex()}


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
        if log == "audit":
            derived |= write_successions(leaves)
    text = json.dumps(derived, indent=1, sort_keys=True) + "\n"
    (GOLDEN / "derived.json").write_text(text)


if __name__ == "__main__":
    main()
