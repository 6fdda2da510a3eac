"""Identifiers in JSON and FHIR: a key announces, its string is the value.

The text is read with a tolerant reader, because answers are cut off, wrapped in prose
or slightly wrong: it keeps a stack of objects and their keys, and nothing more. A
value is judged by its key; `display`, `value`, `text` and `name` also by the keys
beside them and above them, because there a drug has a name as well.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from phitrail.events.codes import IdentifierClass as Class
from phitrail.guard.patterns.hits import Hit

_TOKEN: Final = re.compile(
    r'"(?P<string>(?:[^"\\\n]|\\.){0,400})"(?P<key>\s{0,4}:)?|(?P<open>[{\[])|(?P<close>[}\]])|(?P<comma>,)|(?<=[:\s\[,])(?P<number>-?\d{3,20})(?![\w.])'
)
_SIGN: Final = re.compile(r'"\s{0,4}:')
_ROWS: Final = (
    (Class.NAME, ("fullname|patientname|given|givenname|family|familyname|firstname|"
     "lastname|middlename|surname|maidenname|preferredname|nickname|mothersmaidenname|"
     "attending|attendingphysician|provider|providername|physician|prescriber|surgeon|"
     "nurse|author|signedby|orderedby|caregiver|contactname|guardian|spouse|emergencycontact|"
     "who|patient|nextofkin|nok|pcp|referringprovider|employer|employername|"
     "recipient|sender|membername|subscribername|legalname|alias|mothername|fathername")),
    (Class.MRN, ("mrn|medicalrecordnumber|patientid|patientref|patientidentifier|pid|pid3|"
     "recordnumber|chartnumber|chartid|empi|hospitalnumber|medicalrecord|patientnumber")),
    (Class.SSN, "ssn|socialsecuritynumber|socialsecurity|ssnlast4|itin"),
    (Class.HEALTH_PLAN, ("memberid|membernumber|subscriberid|policynumber|policyid|groupnumber|"
     "groupid|groupno|mbi|medicareid|medicaidid|insuranceid|insurancenumber|planid|"
     "beneficiaryid|enrolleeid|insurancememberid|hicn")),
    (Class.ACCOUNT, ("account|accountnumber|accountid|accountno|acct|har|fin|guarantorid|"
     "guarantornumber|invoicenumber|cardnumber|iban|routingaccount|billingaccount")),
    (Class.PHONE, ("phone|phonenumber|tel|telephone|mobile|cell|cellphone|homephone|workphone|"
     "sms|pager|callback|contactphone|extension|whatsapp|mobilephone")),
    (Class.FAX, "fax|faxnumber"),
    (Class.EMAIL, "email|emailaddress"),
    (Class.GEOGRAPHIC, ("line|address|street|streetaddress|address1|address2|addressline1|"
     "addressline2|city|town|county|district|postalcode|zip|zipcode|postcode|facility|"
     "facilityname|hospital|clinic|site|birthplace|location|placeofbirth|homeaddress")),
    (Class.LICENSE, ("npi|dea|deanumber|license|licensenumber|licenseno|driverslicense|clia|"
     "upin|stateid|passport|passportnumber")),
    (Class.VEHICLE, "vin|plate|licenseplate|platenumber"),
    (Class.DEVICE, ("serial|serialnumber|serialno|deviceid|udi|carrierhrf|"
     "deviceserial|imei|macaddress|distinctidentifier")),
    (Class.BIOMETRIC, (
     "biometric|biometricid|fingerprint|fingerprinttemplate|templateid|faceid|"
     "voiceprint|irisid")),
    (Class.PHOTO, "photo|photofile|photourl|facephoto|selfie"),
    (Class.IP_ADDRESS, "ip|ipaddress|senderip|lastloginip|clientip|remoteip"),
    (Class.OTHER, ("id|encounterid|encounternumber|visitid|visitnumber|claimid|claimnumber|"
     "accession|accessionnumber|ordernumber|orderid|specimenid|donorid|subjectid|"
     "participantid|userid|username|user|login|portaluser|caseid|casenumber|taskid|threadid|"
     "requestid|messageid|sessionid|appointmentid|referralid|authnumber|authorizationnumber|"
     "prescriptionnumber|rxnumber|rx|csn|ref|reference|handle|badge|employeeid|studyid|"
     "transactionid|confirmationnumber|ticket|tin|taxid|masteridentifier|uid|orderref|"
     "patientuuid|uuid|personid|episodeid|resourceid|enc|encounter|kit|wristband")),
)  # fmt: skip
_KEYS: Final = {key: kind for kind, keys in _ROWS for key in keys.split("|")}
_TEXT_KEYS: Final = {Class.NAME, Class.GEOGRAPHIC}
_THING_KEYS: Final = frozenset(
    "medication medications drug drugs allergy allergies lab labs test tests condition "
    "conditions"
    " problem problems procedure procedures diagnosis diagnoses item items code coding "
    "form tool"
    " tools function functions parameters model vaccine vaccines order orders "
    "guideline study trial"
    " scores score class group section field fields column tablet ingredient result_type panel"
    " medicationcodeableconcept reaction substance type category valuecodeableconcept"
    " software organization relatedartifact publisher library"
    " questionnaire productorservice unit devicename observation analyte component".split()
)
_SYSTEMS: Final = (
    ("ssn", Class.SSN),
    ("npi", Class.LICENSE), ("mrn", Class.MRN), ("medical-record", Class.MRN),
    ("mbi", Class.HEALTH_PLAN),
    ("member", Class.HEALTH_PLAN), ("subscriber", Class.HEALTH_PLAN),
    ("license", Class.LICENSE), ("dea", Class.LICENSE), ("udi", Class.DEVICE),
)  # fmt: skip
_ENTITY_TYPES: Final = {
    "ssn": Class.SSN, "name": Class.NAME, "person": Class.NAME, "patient": Class.NAME,
    "mrn": Class.MRN, "phone": Class.PHONE, "email": Class.EMAIL, "address": Class.GEOGRAPHIC,
    "location": Class.GEOGRAPHIC, "city": Class.GEOGRAPHIC, "zip": Class.GEOGRAPHIC,
    "account": Class.ACCOUNT, "fax": Class.FAX, "license": Class.LICENSE, "id": Class.OTHER,
    "driver_license": Class.LICENSE, "dl": Class.LICENSE, "member_id": Class.HEALTH_PLAN,
}  # fmt: skip
_REFERENCES: Final = {
    "patient": Class.NAME, "practitioner": Class.NAME, "relatedperson": Class.NAME,
    "person": Class.NAME, "practitionerrole": Class.NAME,
    "organization": Class.GEOGRAPHIC, "location": Class.GEOGRAPHIC,
}  # fmt: skip
_PERSON_KEYS: Final = frozenset(
    "subject patient performer author recorder asserter requester participant beneficiary"
    " provider practitioner informant sender recipient attester enterer actor who agent"
    " caremanager managingorganization custodian serviceprovider organization location"
    " authenticator attending contact interpreter observer source".split()
)
_NAME_SHAPE: Final = re.compile(
    r"[^\W\d_a-z][\w'\u2019.-]{0,30}(?:[ ,]{1,2}[^\W\d_][\w'\u2019.\"()-]{0,30}){1,5}"
)
_NAME_VALUE: Final = re.compile(r"[^\W\d_][^\d\n{}<>]{1,60}")
_WORDS_OF_STATE: Final = frozenset(
    "null none unknown n/a na true false active final completed male female other "
    "official usual"
    " home work mobile self string draft pending normal high low yes no patient provider user"
    " assistant system anonymous redacted withheld".split()
)
_IMPLANT_KEYS: Final = frozenset(
    "implanted implantdate serial serialnumber udi carrierhrf udicarrier model".split()
)
_MOST_DEPTH: Final = 64
_NAME_GAPS: Final = 5
_PLACE_GAPS: Final = 8


@dataclass(slots=True)
class _Frame:
    """One open object or list: the key that opened it, and what was read in it."""

    owner: str
    key: str = ""
    strings: list[tuple[str, int, int, str]] = field(default_factory=list)


def find_keyed(text: str) -> list[Hit]:
    """Find identifiers behind the keys of JSON in a text."""
    if _SIGN.search(text) is None:
        return []
    hits: list[Hit] = []
    stack = [_Frame("")]
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "open":
            if len(stack) < _MOST_DEPTH:
                is_list = match.group() == "["
                stack.append(_Frame(stack[-1].key, stack[-1].key if is_list else ""))
        elif kind == "close":
            if len(stack) > 1:
                _judge(stack.pop(), stack, hits)
        elif kind == "key":
            stack[-1].key = _plain(match["string"])
        elif kind in {"string", "number"} and stack[-1].key:
            stack[-1].strings.append(
                (stack[-1].key, match.start(kind), match.end(kind), match[kind])
            )
    while stack:
        _judge(stack.pop(), stack, hits)
    return hits


def _plain(key: str) -> str:
    return re.sub(r"[_\s.-]", "", key.lower())


def _judge(frame: _Frame, above: list[_Frame], hits: list[Hit]) -> None:
    beside = {key: value for key, _, _, value in frame.strings}
    path = [frame.owner, *(outer.owner for outer in reversed(above))]
    for key, start, end, value in frame.strings:
        if "^" in value:
            _split_composite(start, value, hits)
            continue
        kind = _kind(key, value, beside, path)
        if kind is not None and _is_value(kind, key, value):
            hits.append(Hit(start, end, kind, 0.88, f"keyed.{kind.value}"))


def _split_composite(start: int, value: str, hits: list[Hit]) -> None:
    """Read a field of HL7 version 2, whose parts stand between carets."""
    at = start
    for part in value.split("^"):
        digits = sum("0" <= sign <= "9" for sign in part)
        if digits > 3:  # noqa: PLR2004 - a number of a person has four digits
            hits.append(Hit(at, at + len(part), Class.OTHER, 0.85, "keyed.composite"))
        elif part.isalpha() and len(part) > 4 and part[0].isupper():  # noqa: PLR2004 - shorter parts are codes
            hits.append(Hit(at, at + len(part), Class.NAME, 0.75, "keyed.composite"))
        at += len(part) + 1


def _kind(
    key: str, value: str, beside: dict[str, str], path: list[str]
) -> Class | None:
    owner = path[0]
    if key == "value":
        return _kind_of_value(beside, path)
    if key in {"text", "display", "name"}:
        return _kind_of_text(key, value, beside, path)
    if key == "reference":
        return None
    kind = _KEYS.get(key)
    if key in {"lot", "lotnumber"} and beside.keys() & _IMPLANT_KEYS:
        return Class.DEVICE
    if kind in _TEXT_KEYS and owner in _THING_KEYS:
        return None
    if key == "id" and "-" not in value and len(value) < 4:  # noqa: PLR2004 - a row number, not an id
        return None
    return kind


def _kind_of_value(beside: dict[str, str], path: list[str]) -> Class | None:
    system = beside.get("system", "").lower()
    if path[0] == "telecom":
        if system == "fax":
            return Class.FAX
        return Class.EMAIL if system == "email" else Class.PHONE
    if "identifier" in path[0] or path[0] in {"masteridentifier", "class"}:
        for sign, kind in _SYSTEMS:
            if sign in system:
                return kind
        return Class.HEALTH_PLAN if path[0] == "class" else Class.OTHER
    return None


def _kind_of_text(
    key: str, value: str, beside: dict[str, str], path: list[str]
) -> Class | None:
    if key == "text" and (kind := _ENTITY_TYPES.get(beside.get("type", "").lower())):
        return kind
    if "reference" in beside or key == "display":
        resource = beside.get("reference", "").partition("/")[0].lower()
        if resource in _REFERENCES:
            return _REFERENCES[resource]
        if resource or path[0] not in _PERSON_KEYS:
            return None
        return Class.NAME
    if key == "text":
        return Class.NAME if path[0] == "name" else None
    if any(owner in _THING_KEYS for owner in path[:2]):
        return None
    return Class.NAME if _NAME_SHAPE.fullmatch(value) else None


def _is_value(kind: Class, key: str, value: str) -> bool:
    """Whether a string can be what its key says."""
    has_digit = any("0" <= sign <= "9" for sign in value)
    if value.lower() in _WORDS_OF_STATE or len(value) < 2:  # noqa: PLR2004 - one sign names nobody
        return False
    if kind is Class.NAME:
        return (
            _NAME_VALUE.fullmatch(value) is not None
            and value[0].isupper()
            and value.count(" ") <= _NAME_GAPS
        )
    if kind is Class.GEOGRAPHIC:
        is_named = value[:1].isupper() or value[:1].isdecimal()
        return (
            is_named
            and value.count(" ") <= _PLACE_GAPS
            and (has_digit or key != "location" or " " in value)
        )
    if kind is Class.EMAIL:
        return "@" in value
    if (
        kind is Class.OTHER
        and key in {"ref", "reference"}
        and re.fullmatch(r"[\d.<>= -]+", value)
    ):
        return False
    if kind is Class.OTHER and " " in value:
        return sum("0" <= sign <= "9" for sign in value) > 2  # noqa: PLR2004 - a code has three digits
    if key in {"user", "login", "username", "portaluser", "handle"}:
        return " " not in value
    return has_digit
