"""Reading records into facts: plain dicts, FHIR R4 resources, and lists of both.

1. A dict with `resourceType` is FHIR: elements that identify nobody are passed over.
2. Any other dict is plain: a key that is not in `record_keys` is refused, because a key that
   is not understood would leave its values out of what may be released, unnoticed.
3. `None` and empty values are passed over; any value may be a list.
4. An error names the place and the rule, never a value; of an unknown key only its position
   (a key may itself be a name).

What the keys of the matcher are is for `phitrail.guard.record_context`.
"""

import contextlib
import re
from collections.abc import Mapping, Sequence

from phitrail.errors import InputError
from phitrail.events.codes import IdentifierClass
from phitrail.guard.found import PersonRole
from phitrail.guard.record_facts import (
    Facts,
    Number,
    Person,
    Phrase,
    PhraseKind,
)
from phitrail.guard.record_keys import KINDS, Kind, class_of_type, plain
from phitrail.guard.record_values import (
    Record,
    items,
    mapping,
    read_date,
    read_name,
    text_of,
    without_state,
)

_ZIP = re.compile(r"[0-9]{5}(?:-[0-9]{4})?")
_SHORTEST_ID = 4
_PERSON_ROLES = {
    "Patient": PersonRole.PATIENT,
    "Person": PersonRole.PATIENT,
    "RelatedPerson": PersonRole.RELATIVE,
    "Practitioner": PersonRole.PROVIDER,
    "PractitionerRole": PersonRole.PROVIDER,
}
_DATE_ELEMENTS = re.compile(r"(?:date|datetime|issued|instant|recorded|start|end)$")


def read_records(records: Sequence[Record]) -> Facts:
    """Read every record.

    Raises:
        InputError: a record does not have the form that its key asks for.
    """
    reader = _Reader()
    for at, record in enumerate(records):
        if not isinstance(record, Mapping):
            raise InputError.for_field(f"records[{at}]", "must be a dict")
        reader.record(record, f"records[{at}]")
    return reader.facts


class _Reader:
    """Gathers facts; holds nothing else than what it has gathered."""

    def __init__(self) -> None:
        self.facts = Facts()

    def record(self, record: Record, where: str) -> None:
        """Read one record, by its form."""
        kind = record.get("resourceType")
        if kind == "Bundle":
            for at, entry in enumerate(items(record.get("entry"))):
                inner = f"{where}.entry[{at}].resource"
                resource = mapping(mapping(entry, inner).get("resource"), inner)
                self.record(resource, inner)
        elif kind is None:
            self.person(record, PersonRole.PATIENT, where, is_fhir=False)
        elif kind in ("Organization", "Location"):
            self.institution(record, where)
        elif kind == "Encounter":
            self.encounter(record, where, is_fhir=True)
        elif kind == "Coverage":
            self.coverage(record, where)
        elif kind in _PERSON_ROLES:
            self.person(record, _PERSON_ROLES[str(kind)], where, is_fhir=True)
        else:
            self.clinical(record, where)

    def person(
        self, record: Record, role: PersonRole, where: str, *, is_fhir: bool
    ) -> None:
        """Read what belongs to one person."""
        person = Person(role)
        self.facts.people.append(person)
        for at, (key, value) in enumerate(record.items(), 1):
            kind, identifier_class = _kind(key, at, where, is_fhir=is_fhir)
            inner = f"{where}.{key}"
            for item in items(value):
                if kind == Kind.NAME:
                    read_name(person, item, inner)
                elif kind == Kind.GIVEN:
                    person.given += text_of(item, inner).split()
                elif kind == Kind.FAMILY:
                    person.family.append(text_of(item, inner))
                elif kind == Kind.CALLED:
                    person.called.append(text_of(item, inner))
                elif kind == Kind.RELATED:
                    self.around(item, PersonRole.RELATIVE, inner, is_fhir=is_fhir)
                elif kind == Kind.PROVIDERS:
                    self.around(item, PersonRole.PROVIDER, inner, is_fhir=is_fhir)
                elif kind == Kind.PATIENT and isinstance(item, Mapping):
                    self.person(item, PersonRole.PATIENT, inner, is_fhir=is_fhir)
                else:
                    self.fact(kind, identifier_class, item, inner, is_fhir=is_fhir)

    def around(
        self, item: object, role: PersonRole, where: str, *, is_fhir: bool
    ) -> None:
        """Read a relative or a practitioner: a dict, a FHIR reference, or a name alone."""
        if isinstance(item, str):
            item = {"name": item}
        record = mapping(item, where)
        for key in ("individual", "actor", "member"):
            record = mapping(record.get(key, record), where)
        if "display" in record:
            record = {"name": record["display"]}
        is_employer = record.get("relationship") == "employer"
        self.person(record, role, where, is_fhir=is_fhir or "resourceType" in record)
        if is_employer:
            for name in items(record.get("organization")):
                self.organisation(name, where, IdentifierClass.NAME)

    def fact(
        self,
        kind: Kind,
        identifier_class: IdentifierClass | None,
        item: object,
        where: str,
        *,
        is_fhir: bool = True,
    ) -> None:
        """Read one value that is no name."""
        if is_fhir and kind == Kind.NUMBER and isinstance(item, Mapping):
            self.reference(item)
        elif kind in _STRUCTURED:
            self.structured(kind, item, where)
        elif kind in (Kind.BIRTH, Kind.DATE):
            told = read_date(item, where)
            self.facts.dates.append(told)
            if kind == Kind.BIRTH:
                self.facts.births.append(told)
        elif kind in (Kind.EMAIL, Kind.URL):
            is_url = kind == Kind.URL
            told_of = self.facts.urls if is_url else self.facts.emails
            told_of.append(text_of(item, where))
        elif identifier_class is None:
            return
        elif kind == Kind.NUMBER:
            self.number(item, identifier_class, where)
        elif kind == Kind.PHONE:
            self.facts.phones.append(Number(text_of(item, where), identifier_class))
        elif kind == Kind.ORGANISATION:
            self.organisation(item, where, identifier_class)
        else:
            self.place(kind, item, where)

    def structured(self, kind: Kind, item: object, where: str) -> None:
        """Read one value that has parts of its own."""
        if kind == Kind.IDENTIFIERS:
            self.identifier(item, where)
        elif kind == Kind.TELECOM:
            self.telecom(mapping(item, where), where)
        elif kind == Kind.PERIOD:
            self.period(mapping(item, where), where)
        else:
            self.encounter(mapping(item, where), where, is_fhir=False)

    def place(self, kind: Kind, item: object, where: str) -> None:
        """Read an address or a part of one."""
        if kind == Kind.ADDRESS and isinstance(item, Mapping):
            if "name" in item or "display" in item:
                self.organisation(item, where, IdentifierClass.GEOGRAPHIC)
            for at, (key, value) in enumerate(item.items(), 1):
                part, _ = _kind(key, at, where, is_fhir=True)
                for each in items(value):
                    if part in (Kind.STREET, Kind.CITY, Kind.COUNTY, Kind.ZIP):
                        self.place(part, each, f"{where}.{key}")
            if "line" not in item and "street" not in item and item.get("text"):
                self.place(kind, item["text"], f"{where}.text")
        elif kind == Kind.ADDRESS:
            self.address_text(text_of(item, where))
        elif kind == Kind.ZIP:
            self.facts.zips.append(text_of(item, where))
        else:
            of = {Kind.CITY: PhraseKind.CITY, Kind.COUNTY: PhraseKind.COUNTY}
            phrase = Phrase(text_of(item, where), of.get(kind, PhraseKind.STREET))
            self.facts.phrases.append(phrase)

    def address_text(self, text: str) -> None:
        """Read an address in one line: street, then town; state and ZIP at the end."""
        parts = [part.strip() for part in re.split(r"[,\n]", text) if part.strip()]
        while len(parts) > 1:
            self.facts.zips += _ZIP.findall(parts[-1])
            rest = without_state(_ZIP.sub("", parts[-1]))
            parts[-1:] = [rest] if rest else []
            if rest:
                break
        for at, part in enumerate(parts):
            is_street = any("0" <= sign <= "9" for sign in part) or (
                at == 0 and len(parts) > 1
            )
            kind = PhraseKind.STREET if is_street else PhraseKind.CITY
            self.facts.phrases.append(Phrase(part, kind))

    def number(self, item: object, of: IdentifierClass, where: str) -> None:
        """Read an id; ids too short to mean anything are passed over."""
        text = text_of(item, where)
        if of != IdentifierClass.OTHER or len(text) >= _SHORTEST_ID:
            self.facts.numbers.append(Number(text, of))

    def reference(self, item: Record) -> None:
        """Read the id out of a FHIR Reference; an attachment has none."""
        told = item.get("reference")
        if isinstance(told, str) and "/" in told:
            self.number(told.rsplit("/", 1)[-1], IdentifierClass.OTHER, "reference")

    def identifier(self, item: object, where: str) -> None:
        """Read a FHIR Identifier, or `{type, value}`."""
        record = mapping(item, where)
        value = record.get("value")
        if value in (None, ""):
            return
        kind = record.get("type")
        told = [str(record.get("system") or "").rsplit("/", 1)[-1]]
        if isinstance(kind, Mapping):
            told.insert(0, str(kind.get("text") or ""))
            for coding in items(kind.get("coding")):
                told.insert(0, str(mapping(coding, where).get("code") or ""))
        elif kind is not None:
            told.insert(0, str(kind))
        other = IdentifierClass.OTHER
        classes = (class_of_type(each) for each in told if each)
        of = next((each for each in classes if each != other), other)
        self.number(value, of, f"{where}.value")

    def telecom(self, point: Record, where: str) -> None:
        """Read a FHIR ContactPoint."""
        value = point.get("value")
        if value in (None, ""):
            return
        text = text_of(value, f"{where}.value")
        system = point.get("system")
        if system == "email" or (system is None and "@" in text):
            self.facts.emails.append(text)
        elif system == "url":
            self.facts.urls.append(text)
        else:
            is_fax = system == "fax"
            of = IdentifierClass.FAX if is_fax else IdentifierClass.PHONE
            self.facts.phones.append(Number(text, of))

    def organisation(
        self, item: object, where: str, identifier_class: IdentifierClass
    ) -> None:
        """Read the name of an institution: text, a FHIR reference, or a dict."""
        if isinstance(item, Mapping):
            item = item.get("display") or item.get("name")
            if item is None:
                return
        name = text_of(item, where)
        phrase = Phrase(name, PhraseKind.ORGANISATION, identifier_class)
        self.facts.phrases.append(phrase)

    def institution(self, record: Record, where: str) -> None:
        """Read a FHIR Organization or Location."""
        for key in ("name", "alias"):
            for name in items(record.get(key)):
                self.organisation(name, f"{where}.{key}", IdentifierClass.GEOGRAPHIC)
        for key in ("address", "telecom", "identifier"):
            kind, of = KINDS[key]
            for item in items(record.get(key)):
                self.fact(kind, of, item, f"{where}.{key}")

    def period(self, period: Record, where: str) -> None:
        """Read a start and an end."""
        told = [
            read_date(period[key], f"{where}.{key}")
            for key in ("start", "end")
            if period.get(key) not in (None, "")
        ]
        self.facts.dates += told
        if len(told) == 2:  # noqa: PLR2004 - both ends
            self.facts.stays.append((told[0], told[1]))

    def encounter(self, record: Record, where: str, *, is_fhir: bool) -> None:
        """Read when and where a patient was seen, and by whom."""
        self.period(record, where)
        rest = {key: value for key, value in record.items() if key not in _ENDS}
        for at, (key, value) in enumerate(rest.items(), 1):
            kind, of = _kind(key, at, where, is_fhir=is_fhir)
            for item in items(value):
                if kind == Kind.PROVIDERS:
                    inner = f"{where}.{key}"
                    self.around(item, PersonRole.PROVIDER, inner, is_fhir=is_fhir)
                elif isinstance(item, Mapping) and "location" in item:
                    self.place(Kind.ADDRESS, item["location"], f"{where}.{key}")
                elif kind not in _OF_PEOPLE:
                    self.fact(kind, of, item, f"{where}.{key}", is_fhir=is_fhir)

    def coverage(self, record: Record, where: str) -> None:
        """Read the ids of a coverage; the payer is no identifier."""
        plan = IdentifierClass.HEALTH_PLAN
        for item in items(record.get("identifier")):
            value = mapping(item, where).get("value")
            if value not in (None, ""):
                self.number(value, plan, f"{where}.identifier")
        for item in items(record.get("subscriberId")):
            self.number(item, plan, f"{where}.subscriberId")
        for item in items(record.get("class")):
            value = mapping(item, where).get("value")
            if value not in (None, ""):
                self.number(value, plan, f"{where}.class")
        for item in items(record.get("period")):
            self.period(mapping(item, where), where)
        if record.get("id"):
            self.number(record["id"], IdentifierClass.OTHER, f"{where}.id")

    def clinical(self, record: Record, where: str) -> None:
        """Read ids and dates of any other FHIR resource."""
        for key, value in record.items():
            low = plain(str(key))
            if low in ("id", "identifier"):
                kind, of = KINDS[low]
                for item in items(value):
                    self.fact(kind, of, item, f"{where}.{low}")
            elif isinstance(value, str) and _DATE_ELEMENTS.search(low):
                with contextlib.suppress(InputError):
                    self.facts.dates.append(read_date(value, where))
            elif isinstance(value, Mapping) and low.endswith("period"):
                self.period(value, where)


_STRUCTURED = (Kind.IDENTIFIERS, Kind.TELECOM, Kind.PERIOD, Kind.ENCOUNTERS)
_ENDS = ("start", "end")
_OF_PEOPLE = (
    *(Kind.NAME, Kind.GIVEN, Kind.FAMILY, Kind.CALLED),
    *(Kind.RELATED, Kind.PATIENT),
)


def _kind(
    key: object, at: int, where: str, *, is_fhir: bool
) -> tuple[Kind, IdentifierClass | None]:
    meaning = KINDS.get(plain(key)) if isinstance(key, str) else None
    if meaning is not None:
        return meaning
    if is_fhir:
        return Kind.IGNORED, None
    raise InputError.for_field(
        where,
        f"key number {at} is not known; docs/guard-record-context.md lists the keys",
    )
