"""Rows in the log's own form: the fields of a leaf, as a dict, with a label beside it.

1. What the house's lists say of user and patient at that time (`user_state`, `on_shift`,
   `care_relationship`, `relations`, `unexplained_relations`, `local_offset_s`) is put on a row
   as it is at the door, the same for innocent accesses and for misuse.
2. A row has a time by its source's clock and one at which the log has it: most come at once,
   some late, a few from a spool, and one source's clock is wrong for a week.
3. A label is the number of the misuse that a row belongs to; `INNOCENT` is none. No rule
   sees it.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo

from bench.clinic_weeks_encounters import Encounters
from bench.clinic_weeks_house import (
    DAY_US,
    FACILITY_ZONES,
    HOUR_US,
    MINUTE_US,
    SECOND_US,
    START_US,
    House,
    Patient,
    User,
)
from bench.clinic_weeks_shifts import Rota
from phitrail.events.codes import Log

INNOCENT = -1
LATE = 0.02
MOST_LATE_S = 100
TWICE = 0.001
SPOOL_HOURS = 3
SKEWED_WEEK, SKEW_S = 2, 45
"""In which week the clock of radiology at the second facility is how much ahead."""
PHI_FIELDS = (
    "name",
    "birth_date",
    "diagnosis",
    "medication",
    "lab_result",
    "note_text",
)


@dataclass(slots=True)
class Made:
    """One row: when it happened, when the log has it, where it stands, and whose it is."""

    at_us: int
    arrives_us: int
    log: Log
    leaf: dict[str, object]
    label: int = INNOCENT

    @property
    def event_id(self) -> str:
        """Return the event's own id."""
        return str(self.leaf["event_id"])


@dataclass(frozen=True, slots=True)
class Clinic:
    """What rows are about: people, shifts, care."""

    house: House
    rota: Rota
    encounters: Encounters
    weeks: int

    @property
    def end_us(self) -> int:
        """Say when the weeks end."""
        return START_US + self.weeks * 7 * DAY_US


@dataclass(frozen=True, slots=True)
class Told:
    """What an access says beside who and whose; what is None follows from the user."""

    event_type: str = "phi_read"
    address: str | None = None
    facility: str | None = None
    purpose: str | None = None
    use_case: str | None = None
    destination: str | None = None
    user_state: str | None = None
    sensitivity: tuple[str, ...] | None = None
    resource: str | None = None
    access_id: str | None = None
    session: str | None = None
    fields: tuple[str, ...] = ()


NOTHING_TOLD = Told()


@dataclass(slots=True)
class Ledger:
    """Writes rows of one label."""

    clinic: Clinic
    draw: random.Random
    label: int = INNOCENT
    rows: list[Made] = field(default_factory=list)

    def access(
        self,
        user: User,
        at_us: int,
        patients: Sequence[Patient],
        told: Told = NOTHING_TOLD,
    ) -> Made:
        """Write the opening of an access to records of patients."""
        kind = told.event_type
        leaf = self._of_user(user, at_us, told)
        leaf["event_type"] = kind
        leaf["action"] = _ACTIONS[kind]
        leaf["purpose_of_use"] = told.purpose or user.role.purpose
        leaf["records"] = tuple(self.draw.choice(one.records) for one in patients)
        leaf["phi_fields_accessed"] = told.fields or PHI_FIELDS[: 1 + at_us % 5]
        if told.use_case is not None:
            leaf["use_case"] = told.use_case
        if told.destination is not None:
            leaf["destination"] = told.destination
        if told.resource is not None:
            leaf["resource_id"] = told.resource
        leaf["outcome"] = "denied" if kind == "phi_access_denied" else "success"
        sensitivity = told.sensitivity
        if sensitivity is None and any(one.is_vip for one in patients):
            sensitivity = ("vip",)
        if sensitivity:
            leaf["sensitivity"] = sensitivity
        self._relate(leaf, user, patients, at_us)
        return self.add(Log.AUDIT, at_us, leaf, access_id=told.access_id)

    def answer(
        self, opening: Made, *, version: str, finding: str | None = None
    ) -> None:
        """Write what follows an inference: its closing, and what the guard found."""
        leaf = opening.leaf
        leaf |= {"ai_model_id": "extractive-demo", "ai_model_version": version}
        same = {
            name: leaf[name]
            for name in ("user_id", "facility_id", "local_offset_s", "use_case",
                         "ai_model_id", "ai_model_version", "session_id")
            if name in leaf
        }  # fmt: skip
        at_us = opening.at_us + int(self.draw.uniform(0.3, 6) * SECOND_US)
        access_id = str(leaf["access_id"])
        if finding is not None:
            found = {"event_type": "ai_phi_output_detected", "reason_code": finding,
                     "guard_decision": "redact", "records": leaf["records"]}  # fmt: skip
            self.add(Log.AUDIT, at_us - 1_000, same | found, access_id=access_id)
        closed = {"event_type": "access_closed", "outcome": "released"}
        self.add(Log.AUDIT, at_us, same | closed, access_id=access_id)

    def plain(self, kind: str, at_us: int, user: User | None, **fields: object) -> Made:
        """Write an event of the audit log that is no access."""
        leaf: dict[str, object] = {}
        if user is not None:
            leaf = self._of_user(user, at_us, NOTHING_TOLD)
        leaf |= {"event_type": kind, **fields}
        return self.add(Log.AUDIT, at_us, leaf)

    def security(self, kind: str, at_us: int, **fields: object) -> Made:
        """Write an event of the security log."""
        facility = str(fields.get("facility_id", "main"))
        leaf: dict[str, object] = {
            "event_type": kind,
            "facility_id": facility,
            "local_offset_s": offset_s(facility, at_us // HOUR_US),
            **fields,
        }
        return self.add(Log.SECURITY, at_us, leaf)

    def rollout(self, at_us: int, version: str, use_case: str) -> Made:
        """Write that a version begins to serve."""
        leaf: dict[str, object] = {
            "model_id": "extractive-demo",
            "model_version": version,
            "use_case": use_case,
        }
        return self.add(Log.QUALITY, at_us, leaf)

    def add(
        self,
        log: Log,
        at_us: int,
        leaf: dict[str, object],
        *,
        access_id: str | None = None,
    ) -> Made:
        """Write a row, with its ids and times."""
        at_us -= at_us % 1_000
        arrives_us = at_us + int(self.draw.expovariate(4) * SECOND_US)
        if self.draw.random() < LATE:
            arrives_us += int(self.draw.uniform(1, MOST_LATE_S) * SECOND_US)
        if _is_skewed(leaf, at_us):
            at_us += SKEW_S * SECOND_US
        if log is not Log.QUALITY:
            if access_id is None and leaf["event_type"] in _ACTIONS:
                access_id = self.new_id(at_us)
            if access_id is not None:
                leaf["access_id"] = access_id
        leaf["event_id"] = self.new_id(at_us)
        leaf["timestamp_utc"] = time_text(at_us)
        made = Made(at_us, arrives_us, log, leaf, self.label)
        self.rows.append(made)
        return made

    def new_id(self, at_us: int) -> str:
        """Make a UUIDv7 of what was drawn."""
        bits = self.draw.getrandbits(76)
        stamp, low = f"{at_us // 1_000:012x}", f"{bits:019x}"
        return (
            f"{stamp[:8]}-{stamp[8:]}-7{low[:3]}-{'89ab'[int(low[3], 16) & 3]}{low[4:7]}"
            f"-{low[7:]}"
        )

    # --- what the lists say ---

    def _of_user(self, user: User, at_us: int, told: Told) -> dict[str, object]:
        facility = told.facility or user.facility
        leaf: dict[str, object] = {
            "user_id": user.user_id,
            "user_role": user.role.name,
            "department": user.department,
            "actor_type": "human",
            "attribution_basis": "verified_token",
            "facility_id": facility,
            "local_offset_s": offset_s(facility, at_us // HOUR_US),
            "source_ip": told.address or user.addresses[0],
            "service_component": "ehr",
            "assurance": "enforced",
        }
        if told.session is not None:
            leaf["session_id"] = told.session
        on_shift = self.clinic.rota.is_on_shift(user, at_us)
        if on_shift is not None:
            leaf["on_shift"] = on_shift
        away = self.clinic.rota.is_on_leave(user, at_us)
        leaf["user_state"] = told.user_state or ("on_leave" if away else "employed")
        return leaf

    def _relate(
        self,
        leaf: dict[str, object],
        user: User,
        patients: Sequence[Patient],
        at_us: int,
    ) -> None:
        house, encounters = self.clinic.house, self.clinic.encounters
        known = [encounters.is_known(user, one, at_us) for one in patients]
        count = sum(known)
        leaf["care_relationship"] = (
            "none" if not count else "all" if count == len(known) else "some"
        )
        relations = [house.relations(user, one) for one in patients]
        every = sorted({code for held in relations for code in held})
        if every:
            leaf["relations"] = tuple(every)
        unexplained = sorted(
            {
                code
                for held, is_known in zip(relations, known, strict=True)
                if not is_known
                for code in held
            }
        )
        if unexplained:
            leaf["unexplained_relations"] = tuple(unexplained)


_ACTIONS = {
    "phi_read": "read",
    "phi_write": "write",
    "phi_export": "export",
    "ai_inference_with_phi": "infer",
    "phi_access_denied": "deny",
}


def deliver(draw: random.Random, rows: list[Made]) -> list[Made]:
    """Let some rows come twice, and those of a few hours at one site out of a spool."""
    spooled = sorted(one.at_us for one in rows if one.leaf.get("facility_id") == "mesa")
    down_us = draw.choice(spooled)
    up_us = down_us + SPOOL_HOURS * HOUR_US
    copies = []
    for one in rows:
        if one.leaf.get("facility_id") == "mesa" and down_us <= one.at_us < up_us:
            one.arrives_us = up_us + int(draw.uniform(1, 30) * SECOND_US)
        elif draw.random() < TWICE:
            again_us = one.arrives_us + int(draw.uniform(0, 20) * SECOND_US)
            copies.append(replace(one, arrives_us=again_us))
    return rows + copies


def _is_skewed(leaf: dict[str, object], at_us: int) -> bool:
    return (
        leaf.get("department") == "radiology"
        and leaf.get("facility_id") == "mesa"
        and (at_us - START_US) // (7 * DAY_US) == SKEWED_WEEK
    )


@cache
def offset_s(facility: str, hour: int) -> int:
    """Say how far a facility's clock is ahead of UTC in an hour since 1970."""
    moment = datetime.fromtimestamp(hour * 3_600, UTC)
    offset = moment.astimezone(ZoneInfo(FACILITY_ZONES[facility])).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def time_text(at_us: int) -> str:
    """Write an instant as leaves do."""
    minute, rest = divmod(at_us, MINUTE_US)
    seconds, within = divmod(rest, SECOND_US)
    return f"{_minute_text(minute)}{seconds:02d}.{within // 1_000:03d}Z"


@cache
def _minute_text(minute: int) -> str:
    return datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%M:")
