"""Whose name it is, where the words around it tell: the patient's, a relative's, a provider's.

Rules:
1. A cue is a word, or two, of the tables below within four words of the name, in its own
   clause. The nearest counts; the left one, if both are as near.
2. To the left stand titles, relations, jobs and what leads to a name ("seen by"). "Wife of"
   leads to the patient, and so does a relation after a possessive to the right ("... 's wife").
3. To the right count credentials, and what stands after a comma or in brackets ("..., his
   wife", "... (attending)"); for patients also an age, a key, or what patients do.
4. Mr. and Ms. say that it is a patient where nothing else says anything.

Where no cue stands the role is not known. Policy treats such a name as a patient's.
"""

import re

from phitrail.guard.found import PersonRole

_PATIENT, _RELATIVE, _PROVIDER = (
    PersonRole.PATIENT,
    PersonRole.RELATIVE,
    PersonRole.PROVIDER,
)
_REACH_CHARS = 64
_REACH_WORDS = 4
_WEAK = 10
"""What a weak cue is behind any other."""

_RELATIONS = frozenset(
    (
        "wife husband spouse mother mom mum mama father dad papa parent parents son sons "
        "daughter daughters child sister sisters brother brothers sibling siblings twin "
        "aunt uncle cousin niece nephew grandmother grandma grandfather grandpa grandson "
        "granddaughter grandchild stepmother stepfather stepson stepdaughter stepbrother "
        "stepsister partner fiance fiancee fiancé fiancée boyfriend girlfriend guardian "
        "caregiver caretaker carer proxy surrogate poa dpoa hcp hcpoa nok kin neighbor "
        "neighbour friend roommate family relative in-law son-in-law daughter-in-law "
        "mother-in-law father-in-law sister-in-law brother-in-law widow widower ex-wife "
        "ex-husband foster godmother godfather contact"
    ).split()
)
_PROVIDER_JOBS = frozenset(
    (
        "attending physician provider pcp doctor doc surgeon resident fellow intern "
        "hospitalist intensivist internist pediatrician psychiatrist obstetrician "
        "anesthesiologist anesthetist cardiologist neurologist neurosurgeon oncologist "
        "urologist nephrologist radiologist pathologist dermatologist endocrinologist "
        "gastroenterologist pulmonologist rheumatologist hematologist ophthalmologist "
        "orthopedist podiatrist otolaryngologist geriatrician gynecologist physiatrist "
        "allergist immunologist psychologist optometrist dentist nurse midwife doula "
        "pharmacist therapist dietitian dietician nutritionist chaplain paramedic "
        "technician technologist tech phlebotomist sonographer scribe clinician "
        "practitioner prescriber consultant specialist counselor clerk navigator "
        "coordinator interpreter medic emt crna rn lpn np pa-c aprn cnm lcsw msw team "
        "cosigner supervisor preceptor coroner"
    ).split()
)
_TITLES = frozenset(
    {"dr", "dr.", "drs", "drs.", "doctor", "prof", "prof.", "professor"}
)
_COURTESY = frozenset(
    "mr mr. mrs mrs. ms ms. mx mx. miss mister madam señora sra. sr.".split()
)
_PATIENTS = frozenset(
    "patient pt pt. pts patient's client member subject resident's veteran newborn".split()
)
_LEADS_TO_PROVIDER = frozenset(
    (
        "signed dictated seen examined evaluated performed ordered referred prescribed "
        "reviewed verified attested authored interpreted supervised administered "
        "assisted read cosigned co-signed electronically transcribed approved managed "
        "followed placed collected intubated recommended"
    ).split()
)
_CREDENTIALS = frozenset(
    (
        "md m.d do d.o rn bsn msn np fnp fnp-c fnp-bc dnp aprn pa pa-c pharmd rph phd "
        "psyd lcsw lmsw msw lpc lmft crna cnm cns lpn lvn cna ccrn dpt otr otr/l slp "
        "ccc-slp rd rdn ldn mbbs mbchb facs facc facp facog faap dds dmd dpm od emt rt "
        "rrt np-c agnp agacnp-bc pmhnp cma mph"
    ).split()
)
_PATIENT_DOES = frozenset(
    (
        "presents presented presenting reports reported denies denied complains "
        "complained endorses endorsed c/o underwent tolerated ambulated dob d.o.b mrn "
        "mr# born aged admitted readmitted discharged"
    ).split()
)
_AGE = re.compile(
    r"\A,?\s*(?:is |was )?(?:an? |the )?\(?[0-9]{1,3}\s?-?"
    r"(?:y/?o\b|yr|year|yo\b|[MF]\b|mo\b|month|week|day)",
    re.IGNORECASE,
)
_KEY = re.compile(
    r"\A\s?[,(;|]?\s*(?:mrn|dob|d\.o\.b|ssn|medical record)\b", re.IGNORECASE
)
_ASIDE = re.compile(
    r"\A\s?[,(]\s*(?:(?:his|her|their|the|pt|patient|pt's|patient's)\s)?"
)
_POSSESSED = re.compile(r"\A['\u2019]s?\s([A-Za-z-]+)(?:\s([A-Za-z-]+))?")
_WORD = re.compile(r"[^\s,;()\[\]|:\"]+")
_CLAUSE_END = re.compile(r"[;\n|]|[.!?](?=\s)")
_ABBREVIATION = re.compile(
    r"\b(?:dr|drs|mr|mrs|ms|mx|prof|pt|st|jr|sr|sra|[a-z])\.\Z", re.IGNORECASE
)


def role_of(text: str, start: int, end: int) -> PersonRole | None:
    """Say whose name stands at `text[start:end]`, or None where no cue tells."""
    left = _left_cue(_clause_before(text[max(0, start - _REACH_CHARS) : start]))
    right = _right_cue(text[end : end + _REACH_CHARS])
    cues = [cue for cue in (left, right) if cue is not None]
    return min(cues, key=lambda cue: cue[0])[1] if cues else None


def _clause_before(left: str) -> str:
    """Cut what stands before a name to its own clause; `Dr.` ends none."""
    begin = 0
    for found in _CLAUSE_END.finditer(left):
        if found[0] != "." or not _ABBREVIATION.search(left[: found.end()]):
            begin = found.end()
    return left[begin:]


def _left_cue(left: str) -> tuple[int, PersonRole] | None:
    """Find the nearest cue before a name: how many words lie between, and what it says."""
    words = [word.lower() for word in _WORD.findall(left)][-_REACH_WORDS - 1 :]
    courtesy: tuple[int, PersonRole] | None = None
    for distance, word in enumerate(reversed(words)):
        following = words[len(words) - distance :]
        role = _role_of_word_before(word, following)
        if role is not None:
            return distance, role
        if distance == 0 and word in _COURTESY:
            courtesy = (_WEAK, _PATIENT)
    return courtesy


def _role_of_word_before(word: str, following: list[str]) -> PersonRole | None:
    if word in _TITLES:
        return None if following else _PROVIDER
    if word in _RELATIONS:
        return _PATIENT if following[:1] == ["of"] else _RELATIVE
    if word in _PROVIDER_JOBS:
        return _PROVIDER
    if word in _LEADS_TO_PROVIDER and following[:1] in (["by"], ["with"]):
        return _PROVIDER
    if word in {"d/w", "paged", "cc", "attn"}:
        return _PROVIDER
    if word in _PATIENTS or (word == "name" and not following):
        return _PATIENT
    return None


def _right_cue(right: str) -> tuple[int, PersonRole] | None:
    """Find the nearest cue after a name."""
    possessed = _POSSESSED.match(right)
    if possessed:
        owned = {word.lower() for word in possessed.groups() if word}
        return (0, _PATIENT) if owned & _RELATIONS else None
    if _AGE.match(right) or _KEY.match(right):
        return 0, _PATIENT
    clause = right[: _end_of_clause(right)]
    words = [word.lower() for word in _WORD.findall(clause)]
    first = words[0].rstrip(".") if words else ""
    if first in _CREDENTIALS:
        return 0, _PROVIDER
    if first in _PATIENT_DOES:
        return 0, _PATIENT
    aside = _ASIDE.match(clause)
    return _aside_cue(clause[aside.end() :]) if aside else None


def _aside_cue(aside: str) -> tuple[int, PersonRole] | None:
    """Read what is said of a name after a comma or in brackets."""
    for distance, word in enumerate(_WORD.findall(aside)[:2]):
        plain = word.lower().rstrip(".")
        if plain in _RELATIONS:
            return distance, _RELATIVE
        if plain in _PROVIDER_JOBS:
            return distance, _PROVIDER
        if plain in _PATIENTS:
            return distance, _PATIENT
    return None


def _end_of_clause(right: str) -> int:
    found = _CLAUSE_END.search(right)
    return found.start() if found else len(right)
