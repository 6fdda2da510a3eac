"""The words that dates are written with, and what each stands for.

Months in English and in the languages that answers to patients use (Spanish,
Portuguese, French, German), weekdays, holidays, seasons, and numbers in words. All in
lower case. `TRIGGER` finds any month, weekday, holiday or season in one pass.
"""

import re
from typing import Final

from phitrail.guard.letter_tree import tree_pattern

_MONTH_NAMES: Final = (
    "january|jan|enero|janeiro|janvier|januar",
    "february|feb|febr|febrero|fevereiro|février|fevrier|februar",
    "march|mar|marzo|março|marco|mars|märz|marz",
    "april|apr|abril|avril",
    "may|mayo|maio|mai",
    "june|jun|junio|junho|juin|juni",
    "july|jul|julio|julho|juillet|juli",
    "august|aug|agosto|août|aout",
    "september|sept|sep|septiembre|setiembre|setembro|septembre",
    "october|oct|octubre|outubro|octobre|oktober|okt",
    "november|nov|noviembre|novembro|novembre",
    "december|dec|diciembre|dezembro|décembre|decembre|dezember|dez",
)
_ENGLISH: Final = frozenset(
    "january february march april may june july august september october november december"
    " jan feb mar apr jun jul aug sept sep oct nov dec".split()
)
MONTHS: Final = {
    name: number
    for number, names in enumerate(_MONTH_NAMES, start=1)
    for name in names.split("|")
}
ROMAN_MONTHS: Final = {
    roman: number
    for number, roman in enumerate(
        "i ii iii iv v vi vii viii ix x xi xii".split(), start=1
    )
}
# Words that are also a verb, a name, a planet or a unit: they need more around them.
WEAK_MONTHS: Final = frozenset(MONTHS) - _ENGLISH | {
    "may", "march", "mar", "dec", "jan", "jun", "sep", "august", "april", "june",
}  # fmt: skip
_WEEKDAYS: Final = (
    "monday|tuesday|wednesday|thursday|friday|saturday|sunday|mon|tue|tues|wed|weds|thu|thur|"
    "thurs|fri|sat|sun|lunes|martes|miércoles|miercoles|jueves|viernes|sábado|sabado|"
    "domingo|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|"
    "segunda-feira|terça-feira|quarta-feira|quinta-feira|sexta-feira|montag|dienstag|mittwoch|"
    "donnerstag|freitag|samstag|sonntag"
)
WEEKDAYS: Final = frozenset(_WEEKDAYS.split("|"))
FOREIGN_WEEKDAYS: Final = WEEKDAYS - frozenset(
    "monday tuesday wednesday thursday friday saturday sunday mon tue tues wed weds "
    "thu thur thurs"
    " fri sat sun".split()
)
FOREIGN_MONTHS: Final = frozenset(MONTHS) - _ENGLISH - {"febr"}
SHORT_WEEKDAYS: Final = frozenset(
    "mon tue tues wed weds thu thur thurs fri sat sun".split()
)
_HOLIDAYS: Final = (
    "new year's day|new year's eve|new years day|new years eve|new year's|new years|"
    "new year\u2019s day|new year\u2019s eve|new year\u2019s|"
    "martin luther king day|martin luther king jr. day|mlk day|presidents' day|presidents day|"
    "president's day|presidents\u2019 day|groundhog day|valentine's day|valentines day|"
    "valentine\u2019s day|"
    "ash wednesday|mardi gras|fat tuesday|carnival week|carnival|palm sunday|maundy thursday|"
    "holy thursday|good friday|holy saturday|holy week|easter sunday|easter monday|easter|"
    "st. patrick's day|st patrick's day|saint patrick's day|st patricks day|passover|pesach|"
    "ramadan|eid al-fitr|eid al-adha|eid|laylat al-qadr|rosh hashanah|yom kippur|sukkot|purim|"
    "hanukkah|chanukah|diwali|holi|nowruz|vaisakhi|tet|lunar new year|chinese new year|"
    "mother's day|mothers day|mother\u2019s day|father's day|fathers day|father\u2019s "
    "day|memorial day|"
    "juneteenth|flag day|fourth of july|4th of july|the fourth of july|independence day|"
    "labor day|labour day|patriot day|columbus day|indigenous peoples' day|"
    "indigenous peoples day|halloween|all saints' day|all saints day|all souls' day|"
    "dia de los muertos|día de los muertos|day of the dead|election day|veterans day|"
    "veterans' day|veteran's day|thanksgiving day|thanksgiving|black friday|christmas eve|"
    "christmas day|christmas|xmas eve|xmas day|xmas|boxing day|kwanzaa|advent|epiphany|"
    "three kings day|twelfth night|cinco de mayo|bastille day|canada day|victoria day|"
    "may day|earth day|arbor day|tax day|april fools' day|april fools day|april fool's day|"
    "super bowl sunday|super bowl|d-day|v-j day|v-e day|vj day|ve day|armistice day|"
    "remembrance day|anzac day|australia day|guy fawkes night|bonfire night|burns night|"
    "hogmanay|pentecost|whit monday|ascension day|corpus christi day|st. nicholas day|"
    "winter solstice|summer solstice|solstice|equinox|midsummer|nochebuena|navidad|"
    "semana santa|orthodox easter|orthodox christmas|leap day|lent"
)
HOLIDAYS: Final = frozenset(_HOLIDAYS.split("|"))
SEASONS: Final = frozenset("spring summer fall autumn winter".split())
_UNITS: Final = "one two three four five six seven eight nine".split()
_TEENS: Final = (
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_ORDINAL_UNITS: Final = (
    "first second third fourth fifth sixth seventh eighth ninth".split()
)
_ORDINAL_TEENS: Final = (
    "tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth"
    " eighteenth nineteenth".split()
)
NUMBERS: Final = {
    **{word: number for number, word in enumerate(_UNITS + _TEENS, start=1)},
    **{word: number for number, word in enumerate(_ORDINAL_UNITS + _ORDINAL_TEENS, start=1)},
    **{word: 10 * number for number, word in enumerate(_TENS, start=2)},
    "twentieth": 20, "thirtieth": 30, "oh": 0, "o": 0, "zero": 0,
}  # fmt: skip
ORDINAL_DAY: Final = (
    rf"(?:twenty[ -](?:{'|'.join(_ORDINAL_UNITS)})|thirty[ -]first|twentieth|thirtieth|"
    rf"{'|'.join(reversed(_ORDINAL_TEENS))}|{'|'.join(_ORDINAL_UNITS)})"
)
SPOKEN_DAY: Final = (
    rf"(?:{ORDINAL_DAY}|(?:twenty|thirty)[ -](?:{'|'.join(_UNITS)})|twenty|thirty|"
    rf"{'|'.join(reversed(_TEENS))}|{'|'.join(_UNITS)})"
)
_BELOW_HUNDRED: Final = (
    rf"(?:(?:{'|'.join(_TENS)})(?:[ -](?:{'|'.join(_UNITS)}))?|{'|'.join(reversed(_TEENS))}|"
    rf"(?:oh|o|zero)[ -](?:{'|'.join(_UNITS)}))"
)
SPOKEN_YEAR: Final = (
    rf"(?:(?:nineteen|twenty|eighteen)(?: hundred(?: and)?)?[ -]{_BELOW_HUNDRED}|"
    rf"two thousand(?:(?: and)? (?:{_BELOW_HUNDRED}|{'|'.join(_UNITS)}))?)"
)
SPOKEN_SHORT_YEAR: Final = _BELOW_HUNDRED
_SMALL: Final = "a-z\u00df-\u024f"
TRIGGER: Final = re.compile(
    rf"(?<![{_SMALL}]){tree_pattern({*HOLIDAYS, *MONTHS, *WEEKDAYS, *SEASONS})}(?![{_SMALL}])"
)


def spoken_number(words: str) -> int | None:
    """Read a number below a hundred, or a year, that is written in words."""
    total = 0
    parts = re.split(r"[ -]+", words.replace(" and ", " "))
    if len(parts) > 1 and parts[0] in {"nineteen", "twenty", "eighteen"}:
        tail = spoken_number(" ".join(part for part in parts[1:] if part != "hundred"))
        if tail is not None and (parts[0] != "twenty" or tail > 9):  # noqa: PLR2004 - twenty one is 21
            return NUMBERS[parts[0]] * 100 + tail
    if parts[:2] == ["two", "thousand"]:
        return 2000 + (spoken_number(" ".join(parts[2:])) or 0 if parts[2:] else 0)
    for part in parts:
        if part not in NUMBERS:
            return None
        total += NUMBERS[part]
    return total
