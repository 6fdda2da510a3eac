"""Names where a strong sign makes a rule safe: titles, credentials, labels, signatures.

"Dr. X", "Patient: X", "X, MD", "Dear X,", "signed electronically by X". Everything
else about names is the tagger's. The title and the credential stay outside the place:
they are nobody's. `announced` finds the signs (`KINDS`); the name is read beside each.
A licence number that follows a credential without a cue word is taken as well.
"""

import re
from typing import Final

from phitrail.events.codes import IdentifierClass as Class
from phitrail.guard.patterns.hits import Hit

_BIG: Final = "A-Z\u00c0-\u00d6\u00d8-\u00de" + "".join(
    sign
    for sign in map(chr, (*range(0x100, 0x180), *range(0x1E00, 0x1EFA)))
    if sign.isupper()
)
_MARK: Final = "['\u2019]"
_REST: Final = rf"[^\W\d_]{{1,24}}(?:(?:-|{_MARK}(?![sS]\b))[^\W\d_]{{1,24}}){{0,2}}"
_PART: Final = (
    rf"(?:(?:[OD]{_MARK}|d{_MARK}|al-|El-|Al-)?[{_BIG}]{_REST}"
    rf"|[{_BIG}]\.?(?![\w'\u2019]))"
)
_PARTICLE: Final = (
    r"(?:de la|de los|de|del|da|dos|di|van der|van den|van|von|der|la|le|bin|ibn|bint|"
    r"al|el|ten|ter)"
)
_NAME: Final = re.compile(
    rf"{_PART}(?:(?:(?: {_PARTICLE})? |(?<=\w\.)){_PART}){{0,3}}(?![^\W\d_])"
)
_LISTED: Final = re.compile(
    rf"(?:(?:Dr|Mr|Mrs|Ms|DR|MR|MRS|MS)\.? )?(?P<name>{_PART}(?:,? (?:{_PARTICLE} "
    rf")?{_PART}){{0,4}})(?![^\W\d_])"
)
_BACKWARD: Final = re.compile(
    rf"(?<![\w'\u2019.-])(?P<name>{_PART}(?:(?: {_PARTICLE})? {_PART}){{0,3}})$"
)
_SMALL: Final = re.compile(r"(?P<name>[a-z][a-z'\u2019-]{1,20})(?![\w'\u2019])")
_LABEL_END: Final = re.compile(
    r"\*{0,2}[ \t]?(?::|\.{2,30}:?|(?<=\|)| ?(?=\n?$))\*{0,2}[ \t]{0,12}"
)
_TITLE_GAP: Final = re.compile(r":? (?:(?:Dr|Mr|Mrs|Ms|Prof)\.? )?")
_LINE_START: Final = re.compile(r"(?:^|[\n|*;,.(\t]|  )[\s*_#>-]{0,4}$")
_LICENSE: Final = re.compile(
    r" ?[,(] ?(?:[A-Z]{2} )?(?!NPI|DEA|UPIN|PIN)(?P<code>(?=[A-Z]{0,4}[ "
    r"-]?\d{4})[A-Z]{0,4}[ -]?\d{4,10})(?![\w/.-]\d|\w)"
)
_TITLES: Final = (
    "dr|drs|mr|mrs|ms|miss|mx|prof|professor|doctor|rev|nurse|deputy|officer|capt|sgt|"
    "chaplain|rabbi|imam|pastor|sr|sra|señor|señora|hon|judge"
).split("|")
_SMALL_TITLES: Final = frozenset("dr mr mrs ms".split())
_GREETINGS: Final = "dear|hi|hello|hola|estimado|estimada".split("|")
_SIGNATURES: Final = (
    "signed by|signed electronically by|electronically signed by|signed digitally by|"
    "digitally signed by|e-signed by|dictated by|verified by|cosigned by|attested by"
).split("|")
_LABELS: Final = (
    "patient|patient name|pt|name|member|member name|subscriber|attending|provider|physician|"
    "surgeon|pcp|author|signed|ordering|ordering provider|referring|referring provider|"
    "prescriber|caregiver|contact|emergency contact|next of kin|nok|spouse|mother|father|"
    "guardian|interpreter|rn|resident|technologist|tech|reviewer|from|to|re|cc|attn|witness|"
    "client|insured|enrollee|attending physician|therapist|case manager|social worker|"
    "care manager|proxy|health care proxy|hcpoa|subject|son|daughter|wife|husband|sister|"
    "brother|partner|employer|pharmacist|dietitian|midwife|psychiatrist"
).split("|")
_CREDENTIALS: Final = (
    "md|m.d.|do|d.o.|rn|np|pa-c|pa|aprn|fnp|fnp-c|crnp|cnm|dnp|phd|ph.d.|psyd|pharmd|pharm.d.|"
    "rph|lcsw|lmsw|licsw|msw|dpm|dds|dmd|od|crna|rd|rdn|rrt|rvt|rdms|otr/l|otr|dpt|mbbs|bsn|"
    "mph|facp|facg|facc|ccc-slp|emt-p|lpn|cma"
).split("|")
KINDS: Final = {
    **dict.fromkeys(_CREDENTIALS, "credential"),
    **dict.fromkeys(_LABELS, "label"),
    **dict.fromkeys(_SIGNATURES, "signed"),
    **dict.fromkeys(_GREETINGS, "greeting"),
    **dict.fromkeys(_TITLES, "title"),
}
_NOT_NAMES: Final = frozenset(
    "patient name dear team provider colleague colleagues doctor attending nurse the this that"
    " your our care department hospital clinic center medical medicine service services health"
    " insurance plan pain chest heart lung liver blood home date time age sex dob mrn "
    "male female"
    " none unknown utilization management appeals records billing pharmacy accounts "
    "customer sir"
    " madam all whom status summary report note visit admission discharge assessment denies"
    " reports states has is was presents education instructions advised stable alert agrees"
    " declined claims prior family parents icu ed or rn md do np pa ct mri day night "
    "shift charge"
    " on call called follow up consult board emergency surgery cardiology radiology"
    " oncology neurology primary internal general pediatrics to by per from no and "
    "read back seen"
    " occupational transplant intake pediatric genetics reviewer renal appeal last filled id"
    " dr mr mrs ms with for in at of a an as it he she they we you please thank thanks "
    "re request"
    " denial letter order number phone fax email address hello hi new old current active member"
    " results result labs imaging medication medications diagnosis history allergies "
    "problem plan"
    " recommend review referral office clinical director supervisor manager nursing physician"
    " therapy physical cleft craniofacial orthopedics psychiatry dermatology urology hospice"
    " upin npi dea i if when then also not but so these those"
    " there here what why how which who yes".split()
)
_SMALL_NOT: Final = _NOT_NAMES | frozenset(
    "appt appointment said says about today tomorrow aware notified paged rounds "
    "orders my his her"
    " recs had can may should would after before first again until ordered wants ok recommended"
    " thinks will rec notes wants asked told made let order please signed".split()
)
_OWN_LABELS: Final = frozenset("re to from attn cc subject".split())


def read_sign(text: str, sign: re.Match[str], kind: str, hits: list[Hit]) -> None:
    """Read the name beside a sign of `KINDS`; the match is of the lowered text."""
    word = sign.group()
    if kind == "title":
        _read_title(text, sign.end(), word, hits)
    elif kind == "credential":
        _read_credential(text, sign, hits)
    if kind == "label" or word == "rn":
        _read_label(text, sign, word, hits)
    elif kind in {"greeting", "signed"}:
        _read_open(text, sign.end(), kind, hits)


def _read_title(text: str, end: int, word: str, hits: list[Hit]) -> None:
    start = end + 1 if text[end : end + 1] == "." else end
    if text[start : start + 1] != " ":
        return
    start += 1
    if name := _NAME.match(text, start):
        if text[end - len(word)].isupper() or word in _SMALL_TITLES:
            _take(start, name.group(), 0.95, "name.title", hits)
    elif word in _SMALL_TITLES and (small := _SMALL.match(text, start)):
        is_shouted = text[end - len(word) : end].isupper()
        if small["name"] not in _SMALL_NOT and not is_shouted:
            hits.append(Hit(start, small.end(), Class.NAME, 0.75, "name.title_small"))


def _read_credential(text: str, sign: re.Match[str], hits: list[Hit]) -> None:
    start, end = sign.span()
    if not text[start].isupper():
        return
    cut = start - 2 if text[start - 2 : start] == ", " else start - 1
    if cut < 1 or text[cut] not in {",", " "}:
        return
    window = max(0, cut - 70)
    name = _BACKWARD.search(text[window:cut])
    if name is None:
        return
    words = list(re.finditer(r"\S+", name["name"]))
    while words and any(word.group().lower() in _NOT_NAMES for word in words):
        words.pop(0)
    if words and (text[cut] == "," or len(words) > 1):
        first = window + name.start("name") + words[0].start()
        hits.append(Hit(first, cut, Class.NAME, 0.92, "name.credential"))
        if number := _LICENSE.match(text, end):
            hits.append(
                Hit(*number.span("code"), Class.LICENSE, 0.75, "license.after_name")
            )


def _read_label(text: str, sign: re.Match[str], word: str, hits: list[Hit]) -> None:
    behind = text[sign.end() : sign.end() + 6]
    if ":" not in behind and ".." not in behind:
        return
    end = _LABEL_END.match(text, sign.end())
    if (
        end is None
        or end.end() == sign.end()
        or (":" not in end.group() + " " and ".." not in end.group())
    ):
        return
    if not _LINE_START.search(text[max(0, sign.start() - 6) : sign.start()]):
        return
    name = _LISTED.match(text, end.end())
    if name and (word not in _OWN_LABELS or " " in name["name"]):
        _take(name.start("name"), name["name"], 0.85, "name.label", hits)


def _read_open(text: str, end: int, kind: str, hits: list[Hit]) -> None:
    skip = _TITLE_GAP.match(text, end)
    name = _NAME.match(text, skip.end()) if skip else None
    if name is None:
        return
    if kind == "greeting" and text[name.end() : name.end() + 1] not in {
        ",",
        ":",
        "!",
        "\n",
        ".",
    }:
        return
    _take(name.start(), name.group(), 0.9, f"name.{kind}", hits)


def _take(start: int, name: str, score: float, rule: str, hits: list[Hit]) -> None:
    """Cut a name at the first word that is no name, and append what is left."""
    end = 0
    for word in re.finditer(r"[^\s,]+", name):
        if word.group().lower() in _NOT_NAMES:
            break
        end = word.end()
    if end > 1:
        hits.append(Hit(start, start + end, Class.NAME, score, rule))
