"""The one exception tree, split by who has to act.

PhitrailError
  InputError          the caller: change the request             (400, exit 2)
  ConflictError       the caller: same id, other content         (409)
  AccessDeniedError   the caller: ask for the right (404, as if absent; exit 77)
  RefusedError        policy: containment, no agreement, blocked (403, exit 77)
  StorageError        the operator: try again, then look         (503, exit 75)
    OutcomeUnknownError  ... kept or not, nobody knows: open again, same event id
    VaultError         ... the vault of the keys does not answer, or refuses
  ConfigError         the operator, at start                     (exit 78)
  IntegrityError      everyone: the log or a bundle does not verify; never
                      caught and passed over, always an event    (500, exit 1)
    OtherHistoryError    ... and a place outside holds another history of it
  UnverifiableError   the auditor: nothing contradicts the log, and nothing from
                      outside supports it                        (exit 3)

A message holds ids, sizes and places, never a value out of an event.
"""

from collections.abc import Mapping
from types import MappingProxyType


class PhitrailError(Exception):
    """Root of every error that this package raises on purpose."""


class InputError(PhitrailError):
    """The request does not fit its rule; the message names field and rule."""

    def __init__(self, message: str, *, field: str = "", rule: str = "") -> None:
        super().__init__(message)
        self.field = field
        self.rule = rule

    @classmethod
    def for_field(cls, field: str, rule: str) -> "InputError":
        """Build the error for one field: its name and its rule, never its value."""
        return cls(f"{field}: {rule}", field=field, rule=rule)


class ConflictError(PhitrailError):
    """The same event id came with other content; `event_id` says which.

    `stored` is the keyed hash of what stands there, for every id that seemed to conflict.
    """

    def __init__(
        self,
        message: str,
        *,
        event_id: str = "",
        stored: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        super().__init__(message)
        self.event_id = event_id
        self.stored = stored


class AccessDeniedError(PhitrailError):
    """The caller lacks the right; answered as if the thing were absent."""


class RefusedError(PhitrailError):
    """Policy refuses what the caller may otherwise ask for."""


class StorageError(PhitrailError):
    """A disk, lock or queue failed; nothing was acknowledged."""


class OutcomeUnknownError(StorageError):
    """A commit or sync failed half way; what is on disk is not known."""


class VaultError(StorageError):
    """The vault does not answer, or refuses (`is_refusal`); nothing was kept."""

    def __init__(self, message: str, *, is_refusal: bool = False) -> None:
        super().__init__(message)
        self.is_refusal = is_refusal


class ConfigError(PhitrailError):
    """A file that the operator owns is missing or wrong."""


class IntegrityError(PhitrailError):
    """The log or a bundle does not verify."""


class OtherHistoryError(IntegrityError):
    """A place outside holds another history; `evidence` is the note that shows it."""

    def __init__(self, message: str, *, evidence: bytes = b"") -> None:
        super().__init__(message)
        self.evidence = evidence


class UnverifiableError(PhitrailError):
    """Nothing contradicts the log, and nothing from outside it supports it."""
