"""Leaf 0: how a log begins and how its pins are read back (ADR 0002)."""

from dataclasses import dataclass

from phitrail.errors import InputError, IntegrityError
from phitrail.events.canonical import decode_leaf
from phitrail.events.codes import Log
from phitrail.events.genesis import Genesis
from phitrail.tlog.note import VerifierKey, parse_vkey
from phitrail.tlog.receipt import promise_name


def origin_of(tenant: str, log: Log) -> str:
    """Name a log: `<tenant>/<log>`."""
    return f"{tenant}/{log}"


def recovery_name(tenant: str) -> str:
    """Name the recovery key of a tenant."""
    return f"{tenant}/recovery"


@dataclass(frozen=True, slots=True)
class Pinned:
    """What a genesis leaf pins."""

    genesis: Genesis
    log_key: VerifierKey
    promise_key: VerifierKey
    recovery_key: VerifierKey


def read_genesis(leaf: bytes, log: Log) -> Pinned:
    """Read leaf 0 of a log and check that its names belong together.

    1. It is a genesis of this log, of origin `<tenant>/<log>`.
    2. The checkpoint key has the origin's name, the promise key its own, the recovery key
       the tenant's; no two of them are one key.

    Raises:
        IntegrityError: names the step that failed.
    """
    record = decode_leaf(leaf)
    if (
        not isinstance(record, Genesis)
        or record.log != log
        or record.origin != origin_of(record.tenant, log)
    ):
        raise IntegrityError(f"step 1: leaf 0 is not the genesis of {log}")
    try:
        pinned = Pinned(
            record,
            parse_vkey(record.log_vkey),
            parse_vkey(record.promise_vkey),
            parse_vkey(record.recovery_vkey),
        )
    except InputError as error:
        raise IntegrityError(
            f"step 2: a key that {log} pins is none: {error}"
        ) from error
    names = (pinned.log_key.name, pinned.promise_key.name, pinned.recovery_key.name)
    keys = {
        pinned.log_key.public_key,
        pinned.promise_key.public_key,
        pinned.recovery_key.public_key,
    }
    expected = (
        record.origin,
        promise_name(record.origin),
        recovery_name(record.tenant),
    )
    if names != expected or len(keys) < len(names):
        raise IntegrityError(f"step 2: the keys that {log} pins are not its own")
    return pinned
