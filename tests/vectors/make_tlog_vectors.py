"""Compute our own part of tlog.json: the log of 70,000 entries, paths and shapes.

It imports nothing of ours, so that the vectors do not repeat a mistake of the code that
they test. It prints JSON: the groups of tlog.json that SOURCES.md calls ours.

    python tests/vectors/make_tlog_vectors.py
"""

import base64
import hashlib
import json
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SIZE = 70_000
ROOT_SIZES = (1, 2, 3, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, SIZE)
ORIGIN, WITNESS = "audit.example/hosp-a", "witness.example/w1"
LOG_SEED, WITNESS_SEED = bytes(range(32)), bytes(range(32, 64))
COSIGN_TIME = 1_795_288_600


def sha256(data: bytes) -> bytes:
    """Hash with SHA-256."""
    return hashlib.sha256(data).digest()


def b64(data: bytes) -> str:
    """Spell bytes in base64."""
    return base64.b64encode(data).decode()


def root(leaves: list[bytes]) -> bytes:
    """Compute MTH of RFC 6962 level by level; a node without a sibling moves up."""
    while len(leaves) > 1:
        pairs = zip(leaves[::2], leaves[1::2], strict=False)
        above = [sha256(b"\x01" + left + right) for left, right in pairs]
        leaves = above + leaves[len(above) * 2 :]
    return leaves[0]


def group_path(number: int) -> str:
    """Write an index in groups of three digits, all but the last with an x."""
    path = f"{number % 1000:03d}"
    while number := number // 1000:
        path = f"x{number % 1000:03d}/{path}"
    return path


def make_files(entries: list[bytes], leaves: list[bytes]) -> dict[str, bytes]:
    """Lay the log out as tiles and bundles."""
    files = {}
    for at in range(0, len(entries), 256):
        some = entries[at : at + 256]
        partial = f".p/{len(some)}" if len(some) < 256 else ""
        framed = b"".join(len(entry).to_bytes(2, "big") + entry for entry in some)
        files[f"tile/entries/{group_path(at // 256)}{partial}"] = framed
    level, hashes = 0, leaves
    while hashes:
        above = []
        for at in range(0, len(hashes), 256):
            some = hashes[at : at + 256]
            partial = f".p/{len(some)}" if len(some) < 256 else ""
            files[f"tile/{level}/{group_path(at // 256)}{partial}"] = b"".join(some)
            if not partial:
                above.append(root(some))
        level, hashes = level + 1, above
    return files


def key_of(name: str, kind: int, seed: bytes) -> tuple[Ed25519PrivateKey, bytes, str]:
    """Give the private key, the key id and the vkey."""
    private = Ed25519PrivateKey.from_private_bytes(seed)
    key = bytes([kind]) + private.public_key().public_bytes_raw()
    key_id = sha256(name.encode() + b"\n" + key)[:4]
    return private, key_id, f"{name}+{key_id.hex()}+{b64(key)}"


def make_own_log() -> dict[str, object]:
    """Compute the group own_log70000."""
    entries = [b"entry-%d" % number for number in range(SIZE)]
    leaves = [sha256(b"\x00" + entry) for entry in entries]
    files = make_files(entries, leaves)
    log_key, log_id, log_vkey = key_of(ORIGIN, 1, LOG_SEED)
    witness_key, witness_id, witness_vkey = key_of(WITNESS, 4, WITNESS_SEED)
    body = f"{ORIGIN}\n{SIZE}\n{b64(root(leaves))}\n"
    cosigned = f"cosignature/v1\ntime {COSIGN_TIME}\n{body}"
    cosignature = COSIGN_TIME.to_bytes(8, "big") + witness_key.sign(cosigned.encode())
    shown = ["0/000", "0/272", "0/273.p/112", "1/000", "1/001.p/17", "2/000.p/1"]
    shown += ["entries/000", "entries/273.p/112"]
    return {
        "log_seed_hex": LOG_SEED.hex(),
        "witness_seed_hex": WITNESS_SEED.hex(),
        "log_vkey": log_vkey,
        "witness_vkey": witness_vkey,
        "roots": {str(size): root(leaves[:size]).hex() for size in ROOT_SIZES},
        "tile_sha256": {
            f"tile/{name}": sha256(files[f"tile/{name}"]).hex() for name in shown
        },
        "tile_L2_000_p1_hex": files["tile/2/000.p/1"].hex(),
        "entries_000_first_32_bytes_hex": files["tile/entries/000"][:32].hex(),
        "checkpoint_body": body,
        "log_signature_line": (
            f"\u2014 {ORIGIN} {b64(log_id + log_key.sign(body.encode()))}\n"
        ),
        "cosign_time": COSIGN_TIME,
        "cosignature_line": f"\u2014 {WITNESS} {b64(witness_id + cosignature)}\n",
        "cosign_message": cosigned,
    }


def main() -> None:
    """Print our groups."""
    numbers = (0, 5, 999, 1000, 1_234_067, 123_456_789)
    full, partial = SIZE // 256, SIZE % 256
    shape = {
        "L0_full": full,
        "L0_partial": partial,
        "L1_full": full // 256,
        "L1_partial": full % 256,
        "L2_partial": full // 256,
    }
    groups = {
        "own_log70000": make_own_log(),
        "tile_paths": {str(number): group_path(number) for number in numbers},
        "partial_shape_70000": shape,
    }
    json.dump(groups, sys.stdout, indent=1, ensure_ascii=False)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
