"""Which versions of its keys a trail has for what is taken in from files.

The version in use goes first; what stands in the log already is looked for under the others
(`capture.known_lines`).
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial

from phitrail.app.wiring import Trail
from phitrail.capture.known_lines import ImportKeys
from phitrail.capture.text_hash import TextHasher
from phitrail.events.ids import uuid_bytes
from phitrail.keys import names
from phitrail.keys.mac import Mac

_FIRST_PART = b"\x00\x00"


def import_keys(trail: Trail) -> ImportKeys:
    """List the versions that a file may have come under.

    Raises:
        StorageError: no version is in use.
    """
    ids, texts = Mac(trail.keys, names.IDEMPOTENCY), Mac(trail.keys, names.TEXT_HASH)
    return ImportKeys(
        {one: partial(ids.digest_under, one) for one in versions_in_order(ids)},
        {
            one: TextHasher(partial(texts.written_under, one))
            for one in versions_in_order(texts)
        },
        trail.keys.gone(names.IDEMPOTENCY),
    )


def versions_in_order(mac: Mac) -> Sequence[int]:
    """List the versions of a key that are here: the one in use, then from the newest on.

    Raises:
        StorageError: no version is in use.
    """
    in_use = mac.version_in_use()
    return [in_use, *(one for one in reversed(mac.versions()) if one != in_use)]


def stored_hashes(trail: Trail) -> Callable[[Sequence[str]], Mapping[str, bytes]]:
    """Give what asks the journal for the keyed hashes of the events that it holds."""

    def ask(event_ids: Sequence[str]) -> dict[str, bytes]:
        keys = {uuid_bytes(one) + _FIRST_PART: one for one in event_ids}
        with closing(trail.journal()) as journal:
            found = journal.find_events(list(keys))
        return {keys[key]: stored.mac for key, stored in found.items()}

    return ask
