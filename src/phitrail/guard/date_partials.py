"""Whether `2/3` is the third of February, or a score, a dose, a fraction, a strength.

Words for scores and units beside it refuse it; words for dates, times and events admit
it; a date before it and a hyphen make it the end of a span, one behind it the beginning.
Without any of these only
a day above 12 or a leading zero does. A number over 4, 5, 6 or 10 needs a strong word,
because scores are written over these.
"""

import re
from typing import Final

_SCORES: Final = (
    r"\b(?:pain|scores?|scored|scale|strength|murmurs?|apgars?|gcs|moca|mmse|slums|phq|gad|"
    r"power|reflex(?:es)?|pulses|rated|rating|nrs|vas|motor|muscle|visual acuity|va|vision|"
    r"dtrs?|lovett|oxford|edema|likert|rass|severity|grade|nihss|mrs|ecog|cam|audit|cage|"
    r"station|effaced|hpf|criteria|bottles|nodes?|cores?|sets?|bp|fraction|ratio)\b"
)
_SCORE_BEFORE: Final = re.compile(rf"{_SCORES}[^\d.,;|\n()]{{0,22}}$")
_SCORE_AFTER: Final = re.compile(
    rf" (?:on |in |for )?(?:the |a )?(?:[a-z]{{2,12}} )?{_SCORES}(?! ?\d)"
)
_UNIT_AFTER: Final = re.compile(
    r"\s?(?:mg|mcg|ml\b|meq|g\b|%|strength|bilat|in all|throughout|systolic|diastolic|sem\b|"
    r"murmur|pain|tabs?\b|tablets?|cups?\b|inch|ns\b|normal saline|nodes?|cores?|bottles|"
    r"sets\b|positive|pos\b|lymph|dilution|l\b|mmhg|points?|items?|questions|domains|of the|"
    r"of (?:her|his|all|a)\b|correct|words|objects|patients|hpf|units?\b|ppd|packs?|cm\b|mm\b|"
    r"in severity|intensity|at rest|with movement|on exertion|criteria|dose|strips?|screw|"
    r"needle|dextrose|d5|pint|hours?|hrs?\b|h\b|days?\b|wks?\b|weeks?\b|minutes|sutures?|\+)"
)
_DATE_BEFORE: Final = re.compile(
    r"(?:\b(?:on|by|since|until|till|til|thru|through|from|between|due|dated|dates?|dos|visit|"
    r"seen|admit(?:ted)?|adm|admission|discharged?|dc'?d?|d/c|filled|fill|started|start|"
    r"stopped|stop|last|next|f/?u|follow-?up|lmp|edd|edc|dob|bday|born|signed|drawn|drew|"
    r"collected|received|reported|placed|removed|cleared|done|repeat|recheck|tomorrow|"
    r"tmrw|tmw|today|tonight|yesterday|before|after|of|for|sent|given|held|out|in|off|"
    r"monday|tuesday|wednesday|thursday|friday|saturday|sunday|mon|tues?|wed|thur?s?|fri|"
    r"sat|sun|week of|wk of|w/c|w/e|ending|end|ends|begins?|effective|as of|entry|rtc|appt|"
    r"appointment|labs?|mri|ct|cta|ctpa|us|echo|tte|tee|ekg|ecg|cxr|xr|scan|surgery|procedure|"
    r"colonoscopy|egd|biopsy|bx|cath|picc|peg|culture|cx|ucx|bcx|swab|clinic|screen|scheduled|"
    r"sched|booked|slot|consented|withdrew|enrolled|cleared|extubated|intubated|transferred|"
    r"resected|completed|updated|changed|note|letter|call|called|refill(?:ed)?|expires|"
    r"delivered|pronounced|died|expired|diagnosed|dx'?d?|operated|op|or|down|up|back|prior|"
    r"previous|first|second|dose|ortho(?:pedics)?|pcp|cardiology|neurology|consent|statement|"
    r"implanted|lapsed|present|resulted|results?|ordered|mailed|faxed|approved|denied|"
    r"valid|run)[ :,]{0,2}"
    r"(?:the |(?:week|wk|night|morning|evening|weekend) of |of )?[(]?|\b[012]\d[0-5]\d "
    r"|^[-*•\s\d.)]{0,6}|\n[-*•\s]{0,6}|[(\[]|\| ?|[\"'*]{1,2})$"
)
_DATE_AFTER: Final = re.compile(
    r"\s?(?:@|at \d|at noon|\d{4}\b(?! ?mg)|\d{1,2}:\d\d|\d{1,2} ?[ap]m?\b|am\b|pm\b|"
    r"w/|with dr|with np|"
    r"visit|clinic|appt|labs|mri\b|ct\b|culture|fill|overnight|note\b|per\b|by dr|,? "
    r"?[12]\d:\d\d)"
)
_RANGE_GAP: Final = re.compile(
    r"\s?(?:[-\u2013—,&;/]|to|and|or|through|thru|until|then|vs|then on|and on|,? "
    r"and)\s?(?:on )?"
)
_SPAN_AFTER: Final = re.compile(
    r"\s?[-\u2013\u2014]\s?(?:1[0-2]|0?[1-9])/(?:(?:3[01]|[12]?\d|0[1-9])/(?:\d\d){1,2}|"
    r"0?[79]|1[1-9]|2[0-9]|3[01])(?![\d/])"
)
_SCORE_BASES: Final = frozenset({4, 5, 6, 10})
_RARE_BASES: Final = frozenset({1, 8, 11, 12})
_NEUTRAL_BEFORE: Final = re.compile(
    r"\b(?:exp|rev|lot|expiry|expiration|form|ver|version)\b[\s.:]{0,3}$"
)
_SIGNED_BEFORE: Final = re.compile(r"\b(?:by|per|w/|with) [a-z.\u2019' -]{3,34}, $")
_STRONG: Final = re.compile(
    r"\b(?:on|by|since|until|till|thru|due|dated|date|visit|seen|admitted|discharged|filled|"
    r"last|next|f/?u|follow-?up|lmp|edd|dob|tomorrow|tmrw|today|from|after|before|placed|out|"
    r"started|sent|mon|tues?|wed|thur?s?|fri|sat|sun|monday|tuesday|wednesday|thursday|"
    r"friday|saturday|sunday|w/c|week of|for|entry|labs?|done|between|of|updated|back|"
    r"note|lapsed|ends|through)\b[ ,:(]{0,3}$"
)
_MONTHS: Final = 12


def has_date_word(low: str, start: int) -> bool:
    """Whether a word that dates follow stands right before a place."""
    return _DATE_BEFORE.search(low[max(0, start - 40) : start]) is not None


def is_range_gap(low: str, start: int, end: int) -> bool:
    """Whether what stands between two places joins two dates: a hyphen, "to", "and"."""
    return _RANGE_GAP.fullmatch(low, start, end) is not None


def weigh_partial(
    low: str,
    span: tuple[int, int],
    parts: tuple[int, int],
    *,
    is_padded: bool,
    is_next: bool,
) -> float:
    """Weigh whether two numbers with a slash are a month and a day; 0 if they are not."""
    start, end = span
    before, after = low[max(0, start - 40) : start], low[end : end + 24]
    if is_next:
        return 0.85
    if _NEUTRAL_BEFORE.search(before):
        return 0.0
    if _UNIT_AFTER.match(after) or before.endswith(("$", ">", "<", "=", "≥", "≤", "~")):
        return 0.0
    is_signed = _SIGNED_BEFORE.search(before) is not None
    has_cue = is_signed or _DATE_BEFORE.search(before) is not None
    has_time = _DATE_AFTER.match(after) is not None
    near = _SCORE_BEFORE.search(before) or _SCORE_AFTER.match(after)
    if near and not (
        has_time or is_padded or before.endswith(("on ", "since ", "until "))
    ):
        return 0.0
    is_day = parts[1] > _MONTHS
    if _SPAN_AFTER.match(after):
        return 0.85
    if has_cue or has_time:
        if (
            has_time
            or is_day
            or not _is_fraction(parts)
            or is_signed
            or _STRONG.search(before)
        ):
            return 0.9
        return 0.85 if _opens_item(before, after) else 0.0
    if is_padded:
        return 0.85
    if is_day:
        return 0.75
    closes = (
        after[:1] in {".", ",", ";", ")", "|", "\n", ""} and not after[1:2].isdecimal()
    )
    return (
        0.55
        if closes
        and before[-1:] == " "
        and before[-2:-1].isalpha()
        and parts[1] in _RARE_BASES
        else 0.0
    )


def _opens_item(before: str, after: str) -> bool:
    """Whether the numbers begin a line and a colon follows, as in a list of events."""
    return after[:1] == ":" and before.rstrip("-*\u2022 ")[-1:] in {"", "\n"}


def _is_fraction(parts: tuple[int, int]) -> bool:
    return parts[1] in _SCORE_BASES and parts[0] <= parts[1]
