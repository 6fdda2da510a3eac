"""Identifiers out, surrogates in: what an event says of whom, on its way into a leaf.

Patients, records and `resource_id` are always exchanged; users where they stand as e-mail
addresses. An unknown patient (an empty identifier) stays empty, and the event says
`patient_unknown`.

One pass over an event exchanges what is known and lists what is not, so that the common
case costs one look-up for each identifier and the rare one (a new subject) one commit of
the identity map.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, get_args

from msgspec import Meta

from phitrail.errors import InputError
from phitrail.events.audit import CallerEvent
from phitrail.events.canonical import check_identifier
from phitrail.events.protected import Protected
from phitrail.events.shapes import CallerUserId
from phitrail.events.unprotect import unprotect
from phitrail.identity.map import SubjectKey


class KnowsSubjects(Protocol):
    """Who is known: the identity map, or the stand-in of a rehearsal."""

    @property
    def cached(self) -> Callable[[SubjectKey], str | None]:
        """Give the surrogate of a subject that is known, or `None`."""


@dataclass(frozen=True, slots=True)
class Systems:
    """Which identifier system names patients, records and users (tenant.yaml)."""

    patient: str = "mrn"
    record: str = "ehr"
    user: str = "workforce"


UNMET = "unmet"
_USER_RULE: Meta = get_args(CallerUserId)[1]
_AS_CALLERS_WRITE_IT = re.compile(_USER_RULE.pattern or "")


@dataclass(frozen=True, slots=True)
class Exchange:
    """Exchanges the identifiers of events; `unmet` subjects must be resolved first."""

    identity: KnowsSubjects
    systems: Systems

    def fields(self, event: CallerEvent, unmet: list[SubjectKey]) -> Mapping[str, Any]:
        """Return the fields of an event that name somebody, as surrogates.

        Subjects that this process has not met are appended to `unmet`; while there are
        any, the fields must not be used.

        Raises:
            InputError: an identifier is not protected, or `records` are no triples.
        """
        fields: dict[str, Any] = {}
        if event.records:
            records = self._records(event, unmet)
            fields["records"] = records
            if any(not patient for patient, _, _ in records):
                fields["patient_unknown"] = True
        if event.resource_id is not None:
            fields["resource_id"] = self._surrogate(
                self.systems.record, event.resource_id, unmet, "resource_id"
            )
        for field in ("user_id", "on_behalf_of"):
            user = getattr(event, field)
            if type(user) is str and "@" in user:
                if _AS_CALLERS_WRITE_IT.fullmatch(user) is None:
                    raise InputError.for_field(field, _USER_RULE.description or "")
                fields[field] = "usr-" + self._surrogate(
                    self.systems.user, Protected(user), unmet, field
                )
        return fields

    def _records(
        self, event: CallerEvent, unmet: list[SubjectKey]
    ) -> tuple[tuple[str, str, str], ...]:
        """Exchange the triples; an unknown patient stays empty."""
        of_patients, of_records = self.systems.patient, self.systems.record
        surrogate = self._surrogate
        try:
            return tuple(
                [
                    (
                        surrogate(of_patients, patient, unmet, "records")
                        if unprotect(patient)
                        else "",
                        surrogate(of_records, item, unmet, "records"),
                        resource_type,
                    )
                    for patient, item, resource_type in event.records
                ]
            )
        except (TypeError, ValueError):
            pass  # not raised in here: this error would go along as context
        raise InputError.for_field(
            "records",
            "each must be (patient, record, resource type), identifiers Protected",
        )

    def _surrogate(
        self, system: str, held: Protected[str], unmet: list[SubjectKey], field: str
    ) -> str:
        """Look one identifier up; while it is unmet, anything stands for it."""
        try:
            identifier = unprotect(held)
        except TypeError:
            raise InputError.for_field(field, "identifiers must be Protected") from None
        found = self.identity.cached((system, identifier))
        if found is not None:
            return found
        check_identifier(identifier, field)
        unmet.append((system, identifier))
        return UNMET
