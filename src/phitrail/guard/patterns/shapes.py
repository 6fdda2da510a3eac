"""Identifiers that need no announcing word: their shape or check digit tells.

Social security numbers in 3-2-4, Medicare identifiers, vehicle numbers with a right
check digit, payment cards, device identifiers behind `(01)`, UUIDs, image files of
people, and ids behind a FHIR resource name. What a shape alone cannot tell from a
laboratory number is left to the cue rules.
"""

# ruff: noqa: E501, RUF001, ISC004, PERF401, PLR2004, RUF100, RUF021, SIM102, ARG001, FURB171, RUF200

import re
from typing import Final

from phitrail.events.codes import IdentifierClass as Class
from phitrail.guard import validators
from phitrail.guard.patterns.hits import Hit

_SSN: Final = re.compile(r"\d(?<![\w./-]\d)\d\d([- .])\d\d\1\d{4}(?![\w-]|\.\d)")
_MASKED_SSN: Final = re.compile(r"(?<!\w)[xX*#]{3}[- ]?[xX*#]{2}[- ]?\d{4}(?!\d)")
_LONG: Final = re.compile(r"\d(?<![\w.-]\d)(?:[ -]?\d){12,18}(?![\w-])")
_CAPITALS: Final = re.compile(
    r"(?<![\w-])(?=[A-Z]{0,16}\d)[A-HJ-NPR-Z0-9]{17}(?![\w-])", re.IGNORECASE
)
_MBI: Final = re.compile(
    r"[1-9](?<![\w-]\d)[A-Z][A-Z0-9]\d-?[A-Z][A-Z0-9]\d-?[A-Z]{2}\d\d(?![\w-])",
    re.IGNORECASE,
)
_UDI: Final = re.compile(r"\(01\)\d{14}(?:\(\d{2}\)[\w.-]{1,20}){0,5}")
_UUID: Final = re.compile(
    r"(?:urn:uuid:)?(?<![0-9a-f-])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![\w-])"
)
_RESOURCE: Final = re.compile(
    r"\b(?:(Patient|RelatedPerson|Practitioner|Person)|PractitionerRole|Encounter|Coverage|Observation|"
    r"Condition|DocumentReference|Appointment|Location|Organization|Device|Media|Claim|"
    r"MedicationRequest|ServiceRequest|DiagnosticReport|Procedure|Specimen|CarePlan|"
    r"EpisodeOfCare|Immunization|AllergyIntolerance|Task|Communication|Account|Group|"
    r"QuestionnaireResponse|ResearchSubject|ImagingStudy|Binary|Bundle)"
    r"/(?=[A-Za-z0-9.-]{0,62}\d)([A-Za-z0-9.-]{2,64})"
)
_FILE: Final = re.compile(
    r"\.(?:jpe?g|png|heic|heif|tiff?|nef|cr2|dng|bmp|gif|webp|mov|mp4|avi)(?![a-z0-9])"
)
_FILE_STEM: Final = re.compile(r"[\w/~+-](?:[\w./~+-]){0,120}$")
_NEUTRAL_STEM: Final = re.compile(
    r"(?:fig(?:ure)?|logo|icon|diagram|flow ?chart|algorithm|banner|table|plot|graph|schema|"
    r"template|example|screenshot|header|background)[\d_.-]*$"
)
_IMAGE_WORD: Final = (
    ".jpg .jpeg .png .heic .tif .nef .cr2 .dng .bmp .gif .webp .mov .mp4 .avi".split()
)


def find_shapes(text: str, low: str) -> list[Hit]:
    """Find identifiers by their shape alone."""
    hits: list[Hit] = []
    for match in _SSN.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        score = 0.95 if validators.is_ssn(digits) else 0.8
        hits.append(Hit(*match.span(), Class.SSN, score, "ssn.shape"))
    if "*" in text or "xx" in low or "#" in text:
        for match in _MASKED_SSN.finditer(text):
            hits.append(Hit(*match.span(), Class.SSN, 0.95, "ssn.masked"))
    for match in _MBI.finditer(text):
        hits.append(Hit(*match.span(), Class.HEALTH_PLAN, 0.95, "plan.mbi"))
    _find_long(text, low, hits)
    if "/" in text:
        _find_resources(text, hits)
    if any(word in low for word in _IMAGE_WORD):
        _find_pictures(low, hits)
    return hits


def _find_long(text: str, low: str, hits: list[Hit]) -> None:
    for match in _LONG.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        if validators.is_payment_card(digits):
            hits.append(Hit(*match.span(), Class.ACCOUNT, 0.9, "account.card"))
    for match in _CAPITALS.finditer(text):
        if validators.is_vin(match.group()):
            hits.append(Hit(*match.span(), Class.VEHICLE, 0.97, "vehicle.vin"))
    if "(01)" in text:
        for match in _UDI.finditer(text):
            hits.append(Hit(*match.span(), Class.DEVICE, 0.97, "device.udi"))
    if text.count("-") > 3:  # noqa: PLR2004 - a UUID has four hyphens
        for match in _UUID.finditer(low):
            hits.append(Hit(*match.span(), Class.OTHER, 0.9, "other.uuid"))


def _find_resources(text: str, hits: list[Hit]) -> None:
    for match in _RESOURCE.finditer(text):
        kind = Class.MRN if match.group(1) == "Patient" else Class.OTHER
        hits.append(Hit(match.start(2), match.end(2), kind, 0.9, "other.resource"))


def _find_pictures(low: str, hits: list[Hit]) -> None:
    for match in _FILE.finditer(low):
        stem = _FILE_STEM.search(low[max(0, match.start() - 120) : match.start()])
        if stem is None or _NEUTRAL_STEM.search(stem.group().rpartition("/")[2]):
            continue
        start = match.start() - len(stem.group())
        if "://" not in low[max(0, start - 8) : start + 8]:
            hits.append(Hit(start, match.end(), Class.PHOTO, 0.9, "photo.file"))
