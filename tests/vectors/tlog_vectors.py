"""Read tlog.json: known answers for the log's hashes, proofs, tiles and notes."""

import base64
import json
from pathlib import Path
from typing import Any

from phitrail.tlog.hashing import Hash

TLOG_JSON = Path(__file__).with_name("tlog.json")


def load_group(name: str) -> dict[str, Any]:
    """Give one group of the file; SOURCES.md says where each is from."""
    groups: dict[str, dict[str, Any]] = json.loads(TLOG_JSON.read_text("utf-8"))
    return groups[name]


def load_cases(name: str) -> list[dict[str, Any]]:
    """Give the proof cases of one group."""
    cases: list[dict[str, Any]] = load_group(name)["cases"]
    return cases


def load_tessera_files() -> dict[str, bytes]:
    """Give the files of the Tessera test log by their names."""
    files = load_group("tessera_log15")["files_b64"]
    return {name: base64.b64decode(data) for name, data in files.items()}


def decode_hash(text: str | None) -> Hash:
    """Read a hash as the proof cases write it; absent stands for no bytes."""
    return Hash(base64.b64decode(text or ""))
