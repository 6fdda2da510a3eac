"""Identifiers that need no announcing word: their shape or check digit tells.

Social security numbers in 3-2-4, Medicare identifiers, vehicle numbers with a right
check digit, payment cards, device identifiers behind `(01)`, UUIDs, image files of
people, and ids behind a FHIR resource name. What a shape alone cannot tell from a
laboratory number is left to the cue rules.
"""

import re
from typing import Final

from phitrail.events.codes import IdentifierClass as Class
from phitrail.guard import validators
from phitrail.guard.digit_runs import Run
from phitrail.guard.patterns.hits import Hit

_SSN: Final = re.compile(
    r"\d(?<![\w/-]\d)(?<!\d\.\d)\d\d([- .])\d\d\1\d{4}(?!\d|-\w|\.\d)", re.ASCII
)
_MASKED_SSN: Final = re.compile(r"(?<!\w)[xX*#]{3}[- ]?[xX*#]{2}[- ]?\d{4}(?!\d)")
_LONG: Final = re.compile(r"\d(?<![\w.-]\d)(?:[ -]?\d){12,18}(?![\w-])")
_CAPITALS: Final = re.compile(
    r"[A-HJ-NPR-Z0-9](?<![\w-].)[A-HJ-NPR-Z0-9]{16}(?!\w|-\w)", re.ASCII
)
_MBI: Final = re.compile(
    r"[1-9](?<![\w-]\d)[A-Z][A-Z0-9]\d[- ]?[A-Z][A-Z0-9]\d[- ]?[A-Z]{2}\d\d(?!\w|-\w)",
    re.ASCII | re.IGNORECASE,
)
_UDI: Final = re.compile(r"\(01\)\d{14}(?:\(\d{2}\)[\w.-]{1,20}){0,5}")
_UUID_TAIL: Final = re.compile(
    r"-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![\w-])"
)
_UUID_HEAD: Final = re.compile(r"(?:urn:uuid:)?(?<![0-9a-f-])[0-9a-f]{8}$")
_RESOURCES: Final = frozenset(
    "Patient RelatedPerson Practitioner Person PractitionerRole Encounter Coverage Observation"
    " Condition DocumentReference Appointment Location Organization Device Media Claim"
    " MedicationRequest ServiceRequest DiagnosticReport Procedure Specimen CarePlan "
    "EpisodeOfCare"
    " Immunization AllergyIntolerance Task Communication Account Group QuestionnaireResponse"
    " ResearchSubject ImagingStudy Binary Bundle".split()
)
_RESOURCE_ID: Final = re.compile(r"/(?=[A-Za-z0-9.-]{0,62}\d)([A-Za-z0-9.-]{2,64})")
_RESOURCE_NAME: Final = re.compile(r"[A-Z][A-Za-z]{3,24}$")
_FILE: Final = re.compile(
    r"\.(?:jpe?g|png|heic|heif|tiff?|nef|cr2|dng|bmp|gif|webp|mov|mp4|avi)(?![a-z0-9])"
)
_FILE_STEM: Final = re.compile(r"[\w/~+-](?:[\w./~+-]){0,120}$")
_NEUTRAL_STEM: Final = re.compile(
    r"(?:fig(?:ure)?|logo|icon|diagram|flow ?chart|algorithm|banner|table|plot|graph|schema|"
    r"template|example|screenshot|header|background)[\d_.-]*$"
)
_AREA: Final = 3
_CARD: Final = 13
_CARD_GROUP: Final = 4
_SSN_MARKS: Final = frozenset("- .")
_CARD_MARKS: Final = frozenset(" -")


def find_shapes(text: str, low: str, runs: list[Run]) -> list[Hit]:
    """Find identifiers by their shape alone."""
    hits: list[Hit] = []
    for run in runs:
        size, follower = run[1], run[2]
        if size == _AREA:
            if follower in _SSN_MARKS:
                _read_ssn(text, run[0], hits)
        elif size == 1:
            if follower.isalpha() and (match := _MBI.match(text, run[0])):
                hits.append(Hit(*match.span(), Class.HEALTH_PLAN, 0.95, "plan.mbi"))
        elif size >= _CARD or (size == _CARD_GROUP and follower in _CARD_MARKS):
            _read_card(text, run[0], hits)
    if "***" in text or "xxx" in low or "###" in text:
        hits += [
            Hit(*match.span(), Class.SSN, 0.95, "ssn.masked")
            for match in _MASKED_SSN.finditer(text)
        ]
    _find_long(text, low, hits)
    if "/" in text:
        _find_resources(text, hits)
    return hits


def _read_ssn(text: str, start: int, hits: list[Hit]) -> None:
    if match := _SSN.match(text, start):
        digits = re.sub(r"\D", "", match.group())
        score = 0.95 if validators.is_ssn(digits) else 0.8
        hits.append(Hit(start, match.end(), Class.SSN, score, "ssn.shape"))


def _read_card(text: str, start: int, hits: list[Hit]) -> None:
    match = _LONG.match(text, start)
    if match and validators.is_payment_card(re.sub(r"\D", "", match.group())):
        hits.append(Hit(start, match.end(), Class.ACCOUNT, 0.9, "account.card"))


def _find_long(text: str, low: str, hits: list[Hit]) -> None:
    hits += [
        Hit(*match.span(), Class.VEHICLE, 0.97, "vehicle.vin")
        for match in _CAPITALS.finditer(text)
        if validators.is_vin(match.group())
    ]
    if "(01)" in text:
        hits += [
            Hit(*match.span(), Class.DEVICE, 0.97, "device.udi")
            for match in _UDI.finditer(text)
        ]
    for match in _UUID_TAIL.finditer(low):
        if head := _UUID_HEAD.search(low[max(0, match.start() - 17) : match.start()]):
            start = match.start() - len(head.group())
            hits.append(Hit(start, match.end(), Class.OTHER, 0.9, "other.uuid"))


def _find_resources(text: str, hits: list[Hit]) -> None:
    for match in _RESOURCE_ID.finditer(text):
        name = _RESOURCE_NAME.search(text[max(0, match.start() - 26) : match.start()])
        if name and name.group() in _RESOURCES:
            kind = Class.MRN if name.group() == "Patient" else Class.OTHER
            hits.append(Hit(*match.span(1), kind, 0.9, "other.resource"))


def find_pictures(low: str) -> list[Hit]:
    """Find the names of image files that may show a person."""
    hits: list[Hit] = []
    for match in _FILE.finditer(low):
        stem = _FILE_STEM.search(low[max(0, match.start() - 120) : match.start()])
        if stem is None or _NEUTRAL_STEM.search(stem.group().rpartition("/")[2]):
            continue
        start = match.start() - len(stem.group())
        if "://" not in low[max(0, start - 8) : start + 8]:
            hits.append(Hit(start, match.end(), Class.PHOTO, 0.9, "photo.file"))
    return hits
