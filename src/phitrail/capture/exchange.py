"""Identifiers out, surrogates in: what an event says of whom, on its way into a leaf.

Patients, records and `resource_id` are always exchanged; users where they stand as e-mail
addresses. An unknown patient (an empty identifier) stays empty, and the event says
`patient_unknown`.

One pass over an event exchanges what is known and lists what is not, so that the common
case costs one look-up for each identifier and the rare one (a new subject) one commit of
the identity map.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phitrail.errors import InputError
from phitrail.events.audit import CallerEvent
from phitrail.events.protected import Protected
from phitrail.events.unprotect import unprotect
from phitrail.identity.map import IdentityMap, SubjectKey


@dataclass(frozen=True, slots=True)
class Systems:
    """Which identifier system names patients, records and users (tenant.yaml)."""

    patient: str = "mrn"
    record: str = "ehr"
    user: str = "workforce"


@dataclass(frozen=True, slots=True)
class Exchange:
    """Exchanges the identifiers of events; `unmet` subjects must be resolved first."""

    identity: IdentityMap
    systems: Systems

    def fields(self, event: CallerEvent, unmet: list[SubjectKey]) -> Mapping[str, Any]:
        """Return the fields of an event that name somebody, as surrogates.

        Subjects that this process has not met are appended to `unmet`; while there are
        any, the fields must not be used.

        Raises:
            InputError: an identifier is not protected, or `records` are no triples.
        """
        known, systems = self.identity.cached, self.systems
        fields: dict[str, Any] = {}

        def surrogate(system: str, held: Protected[str], field: str = "records") -> str:
            if not isinstance(held, Protected):
                raise InputError.for_field(field, "identifiers must be Protected")
            key = (system, unprotect(held))
            found = known(key)
            if found is None:
                unmet.append(key)
                return ""
            return found

        if event.records:
            records: list[tuple[str, str, str]] = []
            try:
                for patient, item, resource_type in event.records:
                    if patient == _NOBODY:
                        fields["patient_unknown"] = True
                    records.append(
                        (
                            ""
                            if patient == _NOBODY
                            else surrogate(systems.patient, patient),
                            surrogate(systems.record, item),
                            resource_type,
                        )
                    )
            except (TypeError, ValueError):
                raise InputError.for_field(
                    "records", "each must be (patient, record, resource type)"
                ) from None
            fields["records"] = tuple(records)
        if event.resource_id is not None:
            fields["resource_id"] = surrogate(
                systems.record, event.resource_id, "resource_id"
            )
        for field in ("user_id", "on_behalf_of"):
            user = getattr(event, field)
            if isinstance(user, str) and "@" in user:
                fields[field] = "usr-" + surrogate(systems.user, Protected(user), field)
        return fields


_NOBODY = Protected("")
