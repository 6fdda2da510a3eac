"""Where a log's files stand below the trail's directory, and what binds sealed ones.

`public/<log>/` can be served to anyone: hash tiles, checkpoint, genesis. Sealed entry
bundles stand apart, in `state/bundles/<log>/`, under the same tlog-tiles paths (ADR 0002).
"""

from phitrail.tlog.tile import TILE_WIDTH, bundle_path, tile_path


def public_tile(log: str, level: int, index: int, width: int = TILE_WIDTH) -> str:
    """Place of a hash tile."""
    return f"public/{log}/{tile_path(level, index, width)}"


def sealed_bundle(log: str, index: int, width: int = TILE_WIDTH) -> str:
    """Place of a sealed entry bundle."""
    return f"state/bundles/{log}/{bundle_path(index, width)}"


def public_checkpoint(log: str) -> str:
    """Place of the newest checkpoint."""
    return f"public/{log}/checkpoint"


def public_cosigned(log: str) -> str:
    """Place of the newest checkpoint that a witness cosigned."""
    return f"public/{log}/checkpoint.cosigned"


def public_genesis(log: str) -> str:
    """Place of the clear copy of leaf 0."""
    return f"public/{log}/genesis.json"


def bundle_context(origin: str, index: int, width: int) -> bytes:
    """Bind a sealed bundle to its log, index and width."""
    return f"phitrail/bundle/v1|{origin}|{index}|{width}".encode()


def segment_context(origin: str, first: int) -> bytes:
    """Bind a sealed journal segment to its log and first index."""
    return f"phitrail/segment/v1|{origin}|{first}".encode()
