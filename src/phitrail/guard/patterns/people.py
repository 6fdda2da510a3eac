"""Names where a strong sign makes a rule safe: titles, credentials, labels, signatures.

"Dr. X", "Patient: X", "X, MD", "Dear X,", "electronically signed by X". Everything
else about names is the tagger's. The title and the credential stay outside the place:
they are nobody's.
"""

# ruff: noqa: E501, RUF001, ISC004, PERF401, PLR2004, RUF100, RUF021, SIM102, ARG001, FURB171, RUF200

import re
from typing import Final

from phitrail.events.codes import IdentifierClass as Class
from phitrail.guard.patterns.hits import Hit

_BIG: Final = "A-Z\u00c0-\u00d6\u00d8-\u00de" + "".join(
    sign
    for sign in map(chr, (*range(0x100, 0x180), *range(0x1E00, 0x1EFA)))
    if sign.isupper()
)
_PART: Final = rf"(?:(?:O['’]|D['’]|d['’]|Mc|Mac|al-|El-|Al-)?[{_BIG}][^\W\d_]{{1,24}}(?:['’-][^\W\d_]{{1,24}}){{0,2}}|[{_BIG}]\.?(?![\w'’]))"
_PARTICLE: Final = r"(?:de la|de los|de|del|da|dos|di|van der|van den|van|von|der|la|le|bin|ibn|bint|al|el|St\.|ten|ter)"
_NAME: Final = rf"{_PART}(?:(?: {_PARTICLE})? {_PART}){{0,3}}"
_TITLED: Final = re.compile(
    r"(?<![\w])(?:Dr|DR|Drs|Mr|MR|Mrs|MRS|Ms|MS|Miss|Mx|Prof|Professor|Doctor|Rev|Fr|Nurse|Deputy|Officer|Capt|Sgt|Chaplain|Rabbi|Imam|Pastor|Sra?|Señora?|Hon|Judge)\b\.?"
    rf"(?: and (?:Mrs|Dr|Mr|Ms)\.?)? (?P<name>{_NAME})"
)
_SMALL_TITLED: Final = re.compile(
    r"(?<![\w.])(?:dr|mr|mrs|ms)\b\.? (?P<name>[a-z][a-z'’-]{1,20})(?![\w'])"
)
_LABELLED: Final = re.compile(
    r"(?:^|[\n|*;,.(]|  |\t)[\s*_#>-]{0,4}(?:Patient(?: Name)?|PATIENT(?: NAME)?|Pt|PT|Name|NAME|Member|MEMBER|Subscriber|Attending|ATTENDING|Provider|PROVIDER|"
    r"Physician|Surgeon|PCP|Author|Signed(?: by)?|Ordering(?: Provider)?|Referring(?: Provider)?|Prescriber|Caregiver|Contact|"
    r"Emergency Contact|Next of [Kk]in|Spouse|Mother|Father|Guardian|Interpreter|RN|Nurse|Resident|Technologist|Tech|Reviewer|From|To|FROM|TO|RE|Re|cc|CC|ATTN|Attn|Witness|Client|Insured|Enrollee)"
    rf"\**\s?(?::|\.{{2,30}}|\|)\**[ \t]{{0,12}}(?:(?:Dr|Mr|Mrs|Ms)\.? )?(?P<name>{_PART}(?:,? (?:{_PARTICLE} )?{_PART}){{0,4}})"
)
_DEAR: Final = re.compile(
    rf"\b(?:Dear|Hi|Hello|Hola|Estimad[oa])(?: (?:Dr|Mr|Mrs|Ms|Prof)\.?)? (?P<name>{_NAME})(?=[,:!\n])"
)
_SIGNED: Final = re.compile(
    rf"\b[Ss]igned (?:electronically |digitally )?by:? (?:Dr\.? )?(?P<name>{_NAME})"
)
_CREDENTIAL: Final = re.compile(
    r",? (?:MD|M\.D\.|DO|D\.O\.|RN|NP|PA-C|PA|APRN|FNP(?:-C)?|CRNP|CNM|DNP|PhD|Ph\.D\.|PsyD|PharmD|Pharm\.D\.|RPh|LCSW|LMSW|LICSW|MSW|DPM|DDS|DMD|OD|CRNA|RDN?|RRT|RVT|RDMS|OTR/L|OTR|DPT|SLP|MBBS|BSN|MPH|FACP|FACG|FACC|CCC-SLP|EMT-P|LPN|MA|CMA)(?![\w-])"
)
_BEFORE_CREDENTIAL: Final = re.compile(rf"(?<![\w'’.-])(?P<name>{_NAME})$")
_NOT_NAMES: Final = frozenset(
    "Patient Name Dear Team Provider Colleague Colleagues Doctor Attending Nurse The This That Your Our"
    " Care Department Hospital Clinic Center Medical Medicine Service Services Health Insurance Plan"
    " Pain Chest Heart Lung Liver Blood Home Date Time Age Sex DOB MRN Male Female None Unknown N/A"
    " Utilization Management Appeals Records Billing Pharmacy Accounts Customer Sir Madam All Whom"
    " Status Summary Report Note Visit Admission Discharge Assessment Denies Reports States Has Is Was"
    " Presents Education Instructions Advised Stable Alert Agrees Declined Claims Prior Family Parents"
    " ICU ED OR RN MD DO NP PA CT MRI Day Night Shift Charge On Call Follow Up Consult Board Certified"
    " Emergency Surgery Cardiology Radiology Oncology Neurology Primary Internal General Pediatrics".split()
)
_SMALL_NOT: Final = frozenset(
    "appt appointment visit note office said says and or of in on at to for if is was will who that"
    " about today tomorrow aware notified paged called rounds orders order my your the a an his her recs"
    " has had can may should would with re after before please first again until when ordered wants ok".split()
)
_TITLE_SIGN: Final = re.compile(
    r"(?:[Dd]rs?|D?MRS?|[Mm]rs?|MRS?|DR|[Mm]s|MS|Miss|Mx|Prof|Doctor|Rev|Nurse|Deputy|Officer)\b"
)


def find_named(text: str, low: str) -> list[Hit]:
    """Find names beside a title, a credential, a label, a greeting or a signature."""
    hits: list[Hit] = []
    for pattern, score, rule in (
        (_TITLED, 0.95, "name.title"),
        (_LABELLED, 0.85, "name.label"),
        (_DEAR, 0.9, "name.greeting"),
        (_SIGNED, 0.92, "name.signed"),
    ):
        for match in pattern.finditer(text):
            _take(match.start("name"), match["name"], score, rule, hits)
    if "dr" in low or "mr" in low:
        for match in _SMALL_TITLED.finditer(text):
            if match["name"] not in _SMALL_NOT:
                hits.append(
                    Hit(*match.span("name"), Class.NAME, 0.75, "name.title_small")
                )
    for match in _CREDENTIAL.finditer(text):
        before = max(0, match.start() - 70)
        name = _BEFORE_CREDENTIAL.search(text[before : match.start()])
        if name and (match.group().startswith(",") or " " in name["name"]):
            _take(
                before + name.start("name"), name["name"], 0.92, "name.credential", hits
            )
    return hits


def _take(start: int, name: str, score: float, rule: str, hits: list[Hit]) -> None:
    """Cut a name at the first word that is no name, and append what is left."""
    end = 0
    for word in re.finditer(r"[^\s,]+", name):
        if word.group() in _NOT_NAMES or word.group().title() in _NOT_NAMES:
            break
        end = word.end()
    if end > 1:
        hits.append(Hit(start, start + end, Class.NAME, score, rule))
