"""Capitalised words of medicine that look like names or places and are neither.

"Parkinson disease", "Foley placed", "Apgar 9", "Lantus", "Klebsiella" are not people;
"Mr. Parkinson" is. A candidate is allowed if every word of it is

1. a term, a drug, or a word that ends like one (`data/terms.txt`, `data/drugs.txt`), or
2. an eponym (`data/eponyms.txt`) with medicine around it: a word of medicine after it
   ("disease", "score", "catheter", "negative"), something that leads to one before it
   ("history of", "tetralogy of"); a number, if the list marks it as a score; nothing, if the
   list says that it stands alone and nothing beside it says that it is a person; a dose,
   if it is a brand that is a given name too;

and no title stands before it and no credential after it. Whatever else a candidate holds
makes it a name: "Axel Foley" is not allowed, nor is Foley after another capitalised word.

A cited author (`phitrail.guard.citations`) is allowed as well.

What a record of the access explains is never asked about here: it overrides this list.
The lists are ours, made for this file; they are read once, when first asked for.
"""

import re
import unicodedata
from functools import cache
from importlib.resources import files

from phitrail.guard.citations import is_cited

ALONE, SCORE, BRAND = "*", "#", "?"
_REACH_CHARS = 48

_WORD = re.compile(r"[^\W_]+(?:['\u2019&-][^\W_]+)*")
_POSSESSIVE = re.compile(r"['\u2019]s?\Z", re.IGNORECASE)
_JOINED_BEFORE = re.compile(r"(?:[^\W\d_]{1,20}-)+\Z")
_JOINED_AFTER = re.compile(r"(?:-[^\W\d_]{1,20})+")
_WORT = re.compile(r"\A(?:['\u2019]?s)?\swort\b")
_LIKE_A_TERM = re.compile(
    r"[a-z]{2,24}(?:mab|tinib|ciclib|parib|zomib|prazole|conazole|pril|sartan|statin|olol|"
    r"cillin|mycin|floxacin|cycline|gliptin|gliflozin|glutide|oxetine|azepam|zolam|"
    r"barbital|caine|dronate|parin|navir|buvir|tegravir|setron|triptan|zosin|dipine|"
    r"thiazide|sone|solone|itis|osis|ectomy|otomy|ostomy|plasty|scopy|graphy|pathy|"
    r"algia|penia|kalemia|natremia|glycemia|lipidemia|calcemia|uremia|leukemia|sarcoma|"
    r"carcinoma|blastoma|lymphoma|adenoma|coccus|bacter|bacillus|virus|caftor|centesis|ology|philia|"
    r"plasmin|dermia|trophy|phagia|globulin|amylase|esterase|oxidase|metry|gravir|"
    r"depressants?|biotics?|coagulants?|hypertensives?|histamines?|emetics?|fungals?|virals?|"
    r"psychotics?|convulsants?|inflammator(?:y|ies))\Z"
)
_SHORTEST_LIKE_A_TERM = 7
_OF_MEDICINE = frozenset(
    (
        "disease disorder syndrome sign signs test tests testing score scores scale "
        "scales criteria criterion index procedure operation repair maneuver manoeuvre "
        "reflex reflexes palsy chorea dementia lymphoma sarcoma tumor tumour nodule "
        "nodules node nodes lesion ulcer ulcers fracture fractures dislocation hernia "
        "catheter catheters cath tube tubes drain drains bag balloon pump valve conduit "
        "pouch anastomosis incision position method formula equation rule rules law "
        "classification class stage staging grade grading system stain staining agar "
        "reaction phenomenon triad pentad tetrad body bodies cell cells granuloma cyst "
        "cysts duct gland glands canal ligament ligaments fascia tendon space triangle "
        "circle loop area point line lines cap esophagus oesophagus diverticulum "
        "diverticula anomaly malformation deformity contracture contractions purpura "
        "thyroiditis arteritis vasculitis nephritis encephalopathy psychosis aphasia "
        "ataxia dystrophy atrophy neuropathy paralysis exam examination stent graft flap "
        "resection rod rods pin pins nail nailing plate wire clamp retractor forceps "
        "scissors speculum laryngoscope blade mask collar brace splint cast boot bandage "
        "dressing sling frame monitor monitoring ultrasound study studies waveform "
        "waveforms flow flows assay culture medium broth toxin virus fever rash spots "
        "spot exanthem nails angle interval wave waves rhythm block pulse respirations "
        "breathing murmur tubule capsule membrane layer corpuscle plexus fibers exercises "
        "exercise protocol solution lactate diet questionnaire inventory checklist tool "
        "screen table nomogram curve curves plot model regimen technique approach "
        "osteotomy arthroplasty amputation fusion band ring web shunt window patch stitch "
        "suture sutures knot knife needle syringe trocar port trial trials cohort "
        "positive negative neg pos absent present equivocal downgoing upgoing coma angina "
        "facies gait hands nystagmus headache migraine lobe lobectomy radius arch foot "
        "knee finger thumb shoulder elbow toe joint hip spine tubercle tear amyloidosis "
        "anemia macroglobulinemia disc device lead series view views projection tract "
        "mapping transform type lens lamp chart charts tonometry esophagitis thyroid "
        "scope flare flares phase estimate estimates calculator rating ratings battery "
        "bundle islets crypts sequence discriminant function fingers hydrochloride "
        "sulfate sodium maleate tartrate succinate mesylate besylate acetate citrate "
        "fumarate tosylate sphincter ampulla recess sulcus artery vein nerve muscle"
    ).split()
)
_OF_DOSE = frozenset(
    (
        "mg mcg units tablet tablets capsule capsules inhaler iud pill pills daily bid tid "
        "qid qhs prn po nightly"
    ).split()
)
_FACILITIES = frozenset(
    (
        "hospital clinic center centre unit ward institute associates pharmacy lab "
        "laboratory home practice group system college university school village house "
        "department rehab rehabilitation hospice health healthcare medicine surgery "
        "neurology cardiology oncology pediatrics urology radiology dermatology"
    ).split()
)
"""An eponym in front of one of these is where it stands, or who founded it."""
_JOINING = frozenset("and or the with de la le du von en y a an not vs versus".split())
_LEADS = re.compile(
    r"(?:\b(?:history of|h/o|hx|hx of|known|suspected|suspicious for|diagnosis of|"
    r"diagnosed with|dx|rule out|r/o|possible|probable|underwent|undergo|status post|s/p|"
    r"laparoscopic|robotic|modified|open|takes|taking|started on|form of|features of|"
    r"consistent with|due to|treatment of|treat|manage)|"
    r"\b(?:sign|test|syndrome|disease|circle|ligament|law|triangle|node|angle|tetralogy|"
    r"ampulla|sphincter|canal|bundle|islets|loop|duct|gland|crypts|capsule|foramen|pouch|"
    r"papilla|line|space|signs|triad|fascia|island|zone|plexus) of(?: the)?):?\s\Z",
    re.IGNORECASE,
)
_TITLE = re.compile(
    r"\b(?:mr|mrs|ms|miss|mx|dr|drs|doctor|prof|professor|sr|sra|señora?|rev|"
    r"nurse|officer|judge|major|captain|capt|sergeant|sgt|lt|col|pastor|father|mother)\.?\s\Z",
    re.IGNORECASE,
)
_PERSON_BEFORE = re.compile(
    r"\b(?:pt|patient|name|by|per|d/w|wife|husband|son|daughter|mother|father|brother|"
    r"sister|mom|dad|aunt|uncle|partner|spouse|friend|neighbor|called|told|thanks|dear|"
    r"hi|hello|attending|surgeon|rn|md|cc|signed|from|(?-i:[A-Z])\.?)[:,]?\s\Z",
    re.IGNORECASE,
)
_CAPITAL_BEFORE = re.compile(r"[^\s.!?:;,()/-]\s([A-Z][a-z]+)\s\Z")
_CREDENTIAL_AFTER = re.compile(
    r"\A,?\s(?:M\.?D|D\.?O|RN|NP|PA|PA-C|PhD|DNP|FNP|LCSW|PharmD|DPT|MPH|CNM|CRNA)\b"
)
_PERSON_AFTER = re.compile(
    r"\A(?:['\u2019]s?\s(?:wife|husband|son|daughter|mother|father|brother|sister|family|"
    r"chart|room|mom|dad|partner|phone|house|home|car|nurse|doctor)\b|"
    r",\s(?:[A-Z][a-z]+|[0-9]{1,3}\s?(?:y|yo|M\b|F\b))|"
    r"\s(?:says|said|reports|reported|denies|denied|called|lives|states|who)\b)"
)
_NUMBER_AFTER = re.compile(
    r"\A(?:['\u2019]s)?\s?(?:scores?|of|was|is|[:=])?\s?[:=]?\s?"
    r"(?:[0-9]{1,3}(?:\.[0-9])?|[IVX]{1,4}\b)(?![0-9]|[/-][0-9]{1,2}[/-]|\s?-?(?:y|F\b|M\b))"
)


def is_allowed(text: str, start: int, end: int) -> bool:
    """Say whether `text[start:end]` is a term of medicine, rather than a name or place."""
    if is_cited(text, start, end):
        return True
    start, end = _whole_words(text, start, end)
    before = text[max(0, start - _REACH_CHARS) : start]
    after = text[end : end + _REACH_CHARS]
    written = [_POSSESSIVE.sub("", word) for word in _WORD.findall(text[start:end])]
    words = [word.casefold() for word in written]
    marks = [_mark(word.casefold()) for word in written if not _is_term(word)]
    if not any(_says_something(word) for word in words) or None in marks:
        return _WORT.match(after) is not None
    if _TITLE.search(before) or _CREDENTIAL_AFTER.match(after):
        return False
    if marks and words[-1] in _FACILITIES:
        return False
    return not marks or _is_medicine(words, marks, before, after)


def _whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    """Take in what is joined to a candidate by hyphens: "Kimmelstiel" in -Wilson."""
    if start >= end:
        return start, end
    if text[max(start - 1, 0)] == "-":
        before = _JOINED_BEFORE.search(text[max(0, start - _REACH_CHARS) : start])
        start -= len(before[0] if before else "")
    if text[end : end + 1] == "-":
        after = _JOINED_AFTER.match(text[end : end + _REACH_CHARS])
        end += after.end() if after else 0
    return start, end


def _says_something(word: str) -> bool:
    return not word.isdecimal() and word not in _JOINING


def is_neutral_place(text: str, start: int, end: int) -> bool:
    """Say whether `text[start:end]` is a State or country, or larger.

    A State that a two-letter one follows is a town ("New York, NY").
    """
    place = " ".join(text[start:end].casefold().split())
    return place in _places() and not re.match(r",?\s[A-Z]{2}\b", text[end : end + 5])


def _is_medicine(
    words: list[str], marks: list[str | None], before: str, after: str
) -> bool:
    """Say whether eponyms are used for things here, by what stands around them."""
    if words[-1] in _OF_MEDICINE or _is_followed_by(_OF_MEDICINE, after):
        return True
    if BRAND in marks:
        return _is_followed_by(_OF_DOSE, after) or _is_led_to(before)
    if _PERSON_BEFORE.search(before) or _PERSON_AFTER.match(after):
        return False
    if _is_led_to(before):
        return True
    if SCORE in marks and _NUMBER_AFTER.match(after):
        return True
    return all(mark == ALONE for mark in marks) and not _follows_a_capital(before)


def _is_led_to(before: str) -> bool:
    return _LEADS.search(before) is not None


def _is_followed_by(wanted: frozenset[str], after: str) -> bool:
    """Look past more eponyms, numbers, "and" and the like for one of some words."""
    clause = re.split(r"[.;\n]", after, maxsplit=1)[0]
    for word in map(_plain, _WORD.findall(clause)[:4]):
        if word in wanted or _LIKE_A_TERM.match(word):
            return True
        is_passed = word in _JOINING or word == "s" or word.isdecimal()
        if not is_passed and _mark(word) is None:
            return False
    return False


def _follows_a_capital(before: str) -> bool:
    """Say whether a capitalised word stands before it that begins no sentence."""
    found = _CAPITAL_BEFORE.search(before)
    return found is not None and not _is_term(found[1])


def _plain(word: str) -> str:
    return _POSSESSIVE.sub("", word).casefold()


def _is_term(written: str) -> bool:
    word = written.casefold()
    if word in _terms() or written in _terms() or word.isdecimal():
        return True
    if word in _OF_MEDICINE or word in _JOINING:
        return True
    if len(word) >= _SHORTEST_LIKE_A_TERM and _LIKE_A_TERM.match(word):
        return True
    parts = word.split("-")
    return len(parts) > 1 and all(part in _terms() for part in parts)


def _mark(word: str) -> str | None:
    """Return the mark of an eponym, "" if it has none, None for what is no eponym.

    Of two names joined by a hyphen one that stands alone is enough.
    """
    word = _without_accents(word)
    mark = _eponyms().get(word)
    if mark is not None or "-" not in word:
        return mark
    parts = [part for part in word.split("-") if part not in _JOINING]
    marks = [_eponyms().get(part) for part in parts]
    if None in marks:
        return None
    return next((each for each in (ALONE, SCORE) if each in marks), "")


@cache
def _eponyms() -> dict[str, str]:
    found = {}
    for word in _words_in("eponyms.txt"):
        name = word.rstrip(ALONE + SCORE + BRAND)
        found[_without_accents(name.casefold())] = word[len(name) :]
    return found


def _without_accents(word: str) -> str:
    if word.isascii():
        return word
    letters = unicodedata.normalize("NFD", word)
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


@cache
def _terms() -> frozenset[str]:
    return frozenset(_words_in("terms.txt") + _words_in("drugs.txt"))


@cache
def _places() -> frozenset[str]:
    words = _words_in("places.txt")
    return frozenset(word.replace("_", " ").casefold() for word in words)


def _words_in(name: str) -> list[str]:
    """Read a list: words apart by spaces; a line that begins with # is a comment."""
    text = files("phitrail.guard").joinpath("data", name).read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return [word for line in lines for word in line.split()]
