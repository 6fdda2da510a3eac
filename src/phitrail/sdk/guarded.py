"""What the guard knows of one access: its records, and whom to ask about other patients.

An access makes one of these where its trail has a guard. What a caller says of the records
stays in here and goes with the access. The aliases of its patients are kept by the place where
the log is, durable before the records are used; while that place is down none are kept, nobody
is looked up, and the event of the scan says so.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from phitrail.capture.access import Triple
from phitrail.capture.gates import Gate, gate_of
from phitrail.capture.guarding import AccessRecords, Asked, Guarding, IsOtherPatient
from phitrail.capture.verdict import Verdict
from phitrail.events.codes import IdentifierClass
from phitrail.identity.aliases import Alias
from phitrail.sdk import clock
from phitrail.sdk.backend import Backend


class Guarded:
    """One access, as far as the guard is concerned."""

    def __init__(
        self, guarding: Guarding, backend: Backend, who: Mapping[str, Any]
    ) -> None:
        self._guarding = guarding
        self._backend = backend
        self._use_case = who.get("use_case")
        self._role = who.get("user_role")
        self._records = AccessRecords()

    def prepare(
        self, records: Sequence[Triple], identifiers: object
    ) -> tuple[AccessRecords, list[Alias]]:
        """Say what is known with these records, and which aliases to keep first.

        Raises:
            InputError: `identifiers` is no list of dicts, or names the key that is wrong.
        """
        return self._guarding.known(self._records, records, identifiers, clock.now())

    def remember(self, aliases: Sequence[Alias]) -> None:
        """Keep aliases; durable on return.

        Raises:
            StorageError: not kept; the records must not be used.
        """
        if aliases:
            self._backend.remember(aliases)

    async def remember_async(self, aliases: Sequence[Alias]) -> None:
        """Do as `remember`, on the running event loop.

        Raises:
            StorageError: not kept; the records must not be used.
        """
        if aliases:
            await self._backend.remember_async(aliases)

    def keep(self, known: AccessRecords) -> None:
        """Know these records from now on: their opening is durable."""
        self._records = known

    def scan(self, text: str) -> Verdict:
        """Scan the answer; never raises, never hangs."""
        return self._guarding.scan(text, self._asked())

    async def scan_async(self, text: str) -> Verdict:
        """Do as `scan`, on the running event loop."""
        return await self._guarding.scan_async(text, self._asked())

    def gate(self) -> Gate:
        """Make the gate for a stream of this access."""
        return gate_of(self._guarding, self._asked())

    def _asked(self) -> Asked:
        return Asked(
            context=self._records.context,
            use_case=self._use_case,
            role=self._role,
            is_other_patient=self._look_up(),
        )

    def _look_up(self) -> IsOtherPatient | None:
        """Give the look-up; none where it is not known whom the access is about."""
        known = self._records
        find = self._backend.other_patients()
        if find is None or known.has_unknown_patient or not known.patients:
            return None
        patients = [(self._guarding.patient_system, one) for one in known.patients]

        def is_other(kind: IdentifierClass, value: str) -> bool:
            return find(kind, value, patients)

        return is_other
