"""Our code writes the goldens byte for byte, and the goldens are what their script makes.

A difference here means that new logs would not be readable as old ones: never regenerate
these files to make a test pass (ADR 0001, ADR 0002).
"""

import base64
import hashlib
import hmac
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from phitrail.capture.text_hash import TextHasher
from phitrail.events.canonical import decode_leaf, encode_leaf
from phitrail.events.codes import Log
from phitrail.identity.surrogate import (
    compute_surrogate,
    subject_bytes,
    written_surrogate,
)
from phitrail.keys.spelling import base64url
from phitrail.tlog.checkpoint import Checkpoint, open_checkpoint
from phitrail.tlog.genesis import read_genesis
from phitrail.tlog.hashing import Hash, hash_leaf
from phitrail.tlog.keyring import read_line, sign_keyring
from phitrail.tlog.merkle import RightEdge
from phitrail.tlog.note import Signer, sign_note
from phitrail.tlog.succession import walk

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
DERIVED: dict[str, Any] = json.loads((GOLDEN / "derived.json").read_text())


def load_script() -> ModuleType:
    """Load the script that made the goldens; it imports nothing of ours."""
    spec = importlib.util.spec_from_file_location("goldens", HERE / "make_goldens.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = load_script()


def golden(name: str) -> bytes:
    """Read one golden."""
    return (GOLDEN / name).read_bytes()


def test_the_script_makes_the_files_that_stand_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A golden that was edited by hand is no golden."""
    monkeypatch.setattr(SCRIPT, "GOLDEN", tmp_path)

    SCRIPT.main()

    made = {place.name: place.read_bytes() for place in tmp_path.iterdir()}
    assert made == {place.name: place.read_bytes() for place in GOLDEN.iterdir()}


@pytest.mark.parametrize("log", list(Log))
@pytest.mark.parametrize("kind", ["genesis", "leaf"])
def test_leaves_are_read_and_written_byte_for_byte(log: Log, kind: str) -> None:
    """Leaf v1 cannot change once logs exist."""
    leaf = golden(f"{log}.{kind}.json")

    record = decode_leaf(leaf)

    assert encode_leaf(record) == leaf
    assert hash_leaf(leaf).hex() in DERIVED[f"{log}_leaf_hashes"]


@pytest.mark.parametrize("log", list(Log))
def test_a_record_built_in_python_gives_the_golden_leaf(log: Log) -> None:
    """Not only what was read prints the same: what is constructed does, too."""
    leaf = golden(f"{log}.leaf.json")
    fields = {
        name: value for name, value in json.loads(leaf).items() if name != "schema"
    }
    kind: Any = type(decode_leaf(leaf))
    plain = {
        name: tuple(tuple(v) if isinstance(v, list) else v for v in value)
        if isinstance(value, list)
        else value
        for name, value in fields.items()
    }

    assert encode_leaf(kind(**plain)) == leaf


@pytest.mark.parametrize("log", list(Log))
@pytest.mark.parametrize(
    ("form", "suffix"), [("checkpoint", ""), ("promise", "/promise")]
)
def test_promises_and_checkpoints_are_signed_byte_for_byte(
    log: Log, form: str, suffix: str
) -> None:
    """The same body, two keys of two names."""
    origin = f"{SCRIPT.TENANT}/{log}"
    edge = RightEdge()
    edge.extend(hash_leaf(golden(f"{log}.{kind}.json")) for kind in ("genesis", "leaf"))
    private = SCRIPT.key(origin + suffix)
    public = private.public_key().public_bytes_raw()
    signer = Signer(origin + suffix, public, private.sign)

    made = sign_note(Checkpoint(origin, edge.size, edge.root()).body(), [signer])

    assert made == golden(f"{log}.{form}")
    assert edge.root().hex() == DERIVED[f"{log}_root"]


@pytest.mark.parametrize("log", list(Log))
def test_the_pinned_keys_open_the_golden_notes(log: Log) -> None:
    """Genesis is where a verifier gets its keys from."""
    pinned = read_genesis(golden(f"{log}.genesis.json"), log)
    origin = f"{SCRIPT.TENANT}/{log}"

    checkpoint = open_checkpoint(golden(f"{log}.checkpoint"), [pinned.log_key])
    promise = open_checkpoint(
        golden(f"{log}.promise"), [pinned.promise_key], origin=origin
    )

    assert checkpoint == promise
    assert checkpoint.root == Hash(bytes.fromhex(DERIVED[f"{log}_root"]))


def test_the_golden_successions_are_read_and_written_byte_for_byte() -> None:
    """Who may speak for a log must be readable as long as the log (ADR 0007)."""
    leaves = [golden(f"audit.{reason}.json") for reason in ("rotation", "compromise")]
    pinned = read_genesis(golden("audit.genesis.json"), Log.AUDIT)
    records = [decode_leaf(leaf) for leaf in leaves]
    recovery = SCRIPT.key(SCRIPT.RECOVERY)
    signer = Signer(
        SCRIPT.RECOVERY, recovery.public_key().public_bytes_raw(), recovery.sign
    )
    pins = {log: read_genesis(golden(f"{log}.genesis.json"), log) for log in Log}
    keyring = sign_keyring(pins, records, signer, SCRIPT.MOMENT)  # type: ignore[arg-type]  # both are successions, as walk() says

    assert [encode_leaf(record) for record in records] == leaves
    assert [hash_leaf(leaf).hex() for leaf in leaves] == DERIVED[
        "audit_succession_leaf_hashes"
    ]
    assert read_line(golden("keyring.json"), pinned) == walk(pinned, leaves)
    assert keyring == golden("keyring.json")


def test_the_golden_keyring_opens_old_checkpoints_and_new_ones() -> None:
    """A rotation must cost no checkpoint that was kept before it."""
    pinned = read_genesis(golden("audit.genesis.json"), Log.AUDIT)
    line = read_line(golden("keyring.json"), pinned)

    assert line.open_checkpoint(golden("audit.checkpoint")).size == 2
    assert line.open_promise(golden("audit.promise")).size == 2
    newest = line.open_checkpoint(golden("audit.succeeded.checkpoint"))
    assert newest.root.hex() == DERIVED["audit_succeeded_root"]
    assert [line.is_disowned(size) for size in (2, 3, 4)] == [False, True, False]


def test_surrogates_and_text_hashes_are_those_of_the_adr() -> None:
    """What a leaf says of a patient and of a question can be recomputed by anybody."""
    subject = subject_bytes(SCRIPT.TENANT, "mrn", "MRN-1")
    made = written_surrogate(compute_surrogate(SCRIPT.SALT, subject))

    def written(data: bytes) -> str:
        digest = hmac.new(SCRIPT.TEXT_KEY, data, hashlib.sha256).digest()
        return f"hmac-sha256:1:{base64url(digest)}"

    hashes = TextHasher(written).hash(SCRIPT.QUESTION, "query")

    assert made == DERIVED["surrogate_mrn_MRN-1"]
    assert hashes.exact == DERIVED["query_hash"]
    assert hashes.normalised == DERIVED["query_hash_norm"]
    assert hashes.chars == len(SCRIPT.QUESTION)


def test_a_leaf_can_be_read_with_any_json_tool() -> None:
    """Six years on, our code may be gone."""
    leaf = json.loads(golden("audit.leaf.json"))

    assert leaf["schema"] == "phitrail/audit-event/v1"
    assert len(base64.urlsafe_b64decode(leaf["records"][0][0] + "=")) == 32
    assert msgspec.json.decode(golden("audit.leaf.json")) == leaf
