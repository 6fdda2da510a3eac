"""Which identifiers of which patient an access brought along: for the aliases of patients.

What a caller passes with its records is read here for one thing: MRN, SSN, member id, e-mail
address and phone number of the patients of the access. `guard.record_context` reads the same
for everything else that an answer may show.

1. A plain dict and a FHIR Patient hold identifiers of one person, under the keys of `KEYS`,
   in `identifier` and in `telecom`; a Coverage holds the member id; a Bundle, and `patient` of
   a plain dict, hold records. Other resources are about people who are no patients here, and
   so are contacts and practitioners.
2. A person is the patient of the access who has its MRN or its id. Where one patient was read
   and one person came along, it is that one.
3. A Coverage is of the person that its `beneficiary` names.
4. Whose identifiers cannot be told are left out: a number under a wrong patient is worse
   than none.

Source: FHIR R4 Patient, Coverage; HL7 table 0203 (types of identifiers).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from phitrail.errors import InputError
from phitrail.events.codes import IdentifierClass
from phitrail.guard.record_keys import class_of_type, plain
from phitrail.identity.aliases import Alias
from phitrail.identity.spelling import spell

KEYS: Final[Mapping[str, IdentifierClass]] = {
    plain(key): kind
    for kind, keys in {
        IdentifierClass.MRN: "mrn medical_record_number hospital_number",
        IdentifierClass.SSN: "ssn social_security_number",
        IdentifierClass.HEALTH_PLAN: "member_id subscriber_id medicare_id medicaid_id mbi",
        IdentifierClass.EMAIL: "email emails",
        IdentifierClass.PHONE: "phone phones mobile cell telephone home_phone work_phone",
    }.items()
    for key in keys.split()
}
"""Which key holds what; a value is a text, a number, or a list of them."""

_IDS: Final = frozenset({"id", "fhirid", "patientid"})
_BY_TYPE: Final = frozenset(
    {IdentifierClass.MRN, IdentifierClass.SSN, IdentifierClass.HEALTH_PLAN}
)
_OF_TELECOM: Final = {
    "phone": IdentifierClass.PHONE,
    "sms": IdentifierClass.PHONE,
    "email": IdentifierClass.EMAIL,
}
_SSN_OID: Final = "2.16.840.1.113883.4.1"
_DEEPEST: Final = 3


@dataclass(frozen=True, slots=True)
class _Item:
    """One person or coverage: its names, and what it says of whom."""

    is_person: bool
    names: frozenset[str] = field(repr=False)
    of: str | None = field(repr=False)
    held: tuple[tuple[IdentifierClass, str], ...] = field(repr=False)


def check_identifiers(identifiers: object) -> tuple[Mapping[str, Any], ...]:
    """Take what a caller passes for the identifiers of its records.

    Raises:
        InputError: it is no list of dicts; says which one by its place.
    """
    rule = "must be a list of plain dicts or FHIR resources"
    if isinstance(identifiers, Mapping | str) or not isinstance(identifiers, Sequence):
        raise InputError.for_field("identifiers", rule)
    for place, one in enumerate(identifiers, start=1):
        if not isinstance(one, Mapping):
            raise InputError.for_field("identifiers", f"{rule}; number {place} is none")
    return tuple(identifiers)


def find_aliases(
    identifiers: Sequence[Mapping[str, Any]],
    patients: Collection[str],
    system: str,
    *,
    is_by_mrn: bool,
) -> list[Alias]:
    """List the identifiers of an access's patients, each under its patient.

    Args:
        identifiers: what the caller passed.
        patients: the patients whose records were read, as the records name them.
        system: the identifier system of patients.
        is_by_mrn: that system names patients by their MRN.
    """
    mrn = IdentifierClass.MRN
    named = [Alias((system, one), mrn, one) for one in patients if is_by_mrn]
    items = [item for one in identifiers for item in _items(one, 0)]
    owners = _owners(items, patients)
    return named + [
        Alias((system, owner), kind, value)
        for item, owner in zip(items, owners, strict=True)
        if owner is not None
        for kind, value in item.held
    ]


def _owners(items: Sequence[_Item], patients: Collection[str]) -> list[str | None]:
    by_form = {_form(patient): patient for patient in patients}
    people = [item for item in items if item.is_person]
    is_plain = len(set(patients)) == 1 and len(people) == 1
    owner_of_name: dict[str, str] = {}
    owners: dict[int, str] = {}
    for item in people:
        owner = next((by_form[n] for n in item.names if n in by_form), None)
        if owner is None and is_plain:
            (owner,) = set(patients)
        if owner is not None:
            owners[id(item)] = owner
            owner_of_name.update(dict.fromkeys(item.names, owner))
    for item in items:
        if not item.is_person and item.of is not None:
            owner = by_form.get(item.of) or owner_of_name.get(item.of)
            if owner is not None:
                owners[id(item)] = owner
    return [owners.get(id(item)) for item in items]


def _items(one: Mapping[str, Any], depth: int) -> Iterator[_Item]:
    """Give the people and coverages of one record, and of records inside it."""
    inner: list[object] = []
    match one.get("resourceType"):
        case None:
            yield _person(one)
            inner = [
                value for key, value in one.items() if plain(str(key)) == "patient"
            ]
        case "Patient":
            yield _person(one)
        case "Coverage":
            yield _coverage(one)
        case "Bundle":
            inner = [entry.get("resource") for entry in _list(one.get("entry"))]
        case _:
            pass  # about nobody who is a patient here
    for record in inner:
        if isinstance(record, Mapping) and depth < _DEEPEST:
            yield from _items(record, depth + 1)


def _person(one: Mapping[str, Any]) -> _Item:
    held: list[tuple[IdentifierClass, str]] = []
    named: list[str] = []
    for key, value in one.items():
        low = plain(str(key))
        if low in KEYS:
            held += [(KEYS[low], text) for text in _texts(value)]
        elif low in _IDS:
            named += _texts(value)
        elif low in ("identifier", "identifiers"):
            held += _typed(value)
            named += _untyped(value)
        elif low == "telecom":
            held += _contact_points(value)
    named += [text for kind, text in held if kind is IdentifierClass.MRN]
    return _Item(True, frozenset(map(_form, named)), None, tuple(held))


def _coverage(one: Mapping[str, Any]) -> _Item:
    kind = IdentifierClass.HEALTH_PLAN
    held = [(kind, text) for text in _texts(one.get("subscriberId"))]
    held += [each for each in _typed(one.get("identifier")) if each[0] is kind]
    beneficiary = one.get("beneficiary")
    of = beneficiary.get("reference") if isinstance(beneficiary, Mapping) else None
    named = _form(of.rpartition("/")[2]) if isinstance(of, str) else None
    return _Item(False, frozenset(), named, tuple(held))


def _typed(value: object) -> list[tuple[IdentifierClass, str]]:
    """Read FHIR Identifiers, or `{type, value}`, whose type says that they are wanted."""
    found: list[tuple[IdentifierClass, str]] = []
    for one in _list(value):
        kind = _kind(one)
        if kind is not None:
            found += [(kind, text) for text in _texts(one.get("value"))]
    return found


def _untyped(value: object) -> list[str]:
    """Read those without a type: one of them may be what names the patient here."""
    return [
        text
        for one in _list(value)
        if "type" not in one and _kind(one) is None
        for text in _texts(one.get("value"))
    ]


def _contact_points(value: object) -> list[tuple[IdentifierClass, str]]:
    return [
        (_OF_TELECOM[str(point.get("system"))], text)
        for point in _list(value)
        if str(point.get("system")) in _OF_TELECOM
        for text in _texts(point.get("value"))
    ]


def _kind(identifier: Mapping[str, Any]) -> IdentifierClass | None:
    """Say what an identifier is, by the codes or text of its type, or its system."""
    told = [str(identifier.get("system") or "").rpartition("/")[2]]
    kind = identifier.get("type")
    if isinstance(kind, Mapping):
        told += [str(coding.get("code")) for coding in _list(kind.get("coding"))]
        told.append(str(kind.get("text") or ""))
    elif isinstance(kind, str):
        told.append(kind)
    if any(text.endswith(_SSN_OID) for text in told):
        return IdentifierClass.SSN
    if any("group" in text.lower() for text in told):
        return None  # a whole employer bears it
    classes = (class_of_type(text) for text in told if text)
    return next((each for each in classes if each in _BY_TYPE), None)


def _form(name: str) -> str:
    """Give the form under which two writings of one patient's id meet."""
    return spell(IdentifierClass.MRN, name) or name


def _list(value: object) -> list[Mapping[str, Any]]:
    found = value if isinstance(value, Sequence) else (value,)
    return [one for one in found if isinstance(one, Mapping)]


def _texts(value: object) -> list[str]:
    """Return the texts of a value: a text, a number, or a list of them."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, int) and not isinstance(value, bool):
        return [str(value)]
    if isinstance(value, list | tuple):
        return [
            text for one in value if isinstance(one, str | int) for text in _texts(one)
        ]
    return []
