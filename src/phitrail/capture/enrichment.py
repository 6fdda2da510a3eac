"""What the house's own lists say of an event, put into it at the door.

1. It is stored with the event, so that a rule which is judged in two years sees what was true
   at the time, whatever the lists say by then.
2. It is looked up by the time of the event, and by the names that stand in the leaf.
3. What the caller gave stays: only fields that it left out are filled.
4. It is no part of what the caller sent: a retry is compared without it.
5. It never stops a record. Who looks up says what cannot be told by leaving it out.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from phitrail.events.canonical import CallerRecord


class Enriches(Protocol):
    """Who knows the house's lists: `app.facts`, or the stand-in where there are none."""

    def fields(
        self, record: CallerRecord, added: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Return the fields of a leaf that the lists fill.

        Args:
            record: what the caller gave.
            added: what takes its place in the leaf: time, surrogates.
        """


class NoFacts:
    """Knows nothing of the house."""

    def fields(
        self, record: CallerRecord, added: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Return nothing."""
        del record, added
        return {}
