"""Made-up numbers for training text: dates, telephones, identifiers, in many written forms."""

import random
import string
from datetime import date, timedelta

from training.guard.people import family, given

MONTHS = "January February March April May June July August September October November December".split()
SHORT = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
SHORT_DAYS = "Mon Tue Wed Thu Fri Sat Sun Tues Weds Thurs mon tue wed thur thurs fri sat sun tues".split()
HOLIDAYS = (
    "Thanksgiving",
    "Christmas",
    "Christmas Eve",
    "New Year's Day",
    "New Year's Eve",
    "Easter",
    "Memorial Day",
    "Labor Day",
    "Fourth of July",
    "July 4th",
    "Halloween",
    "Valentine's Day",
    "Mother's Day",
    "Father's Day",
    "Ramadan",
    "Eid",
    "Passover",
    "Diwali",
    "Hanukkah",
    "St. Patrick's Day",
    "MLK Day",
    "Veterans Day",
    "Presidents' Day",
    "Lunar New Year",
    "Good Friday",
)
ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth".split()


def words(number: int) -> str:
    """Say a number below 100."""
    if number < 20:
        return ONES[number]
    return TENS[number // 10] + (f" {ONES[number % 10]}" if number % 10 else "")


def ordinal_words(number: int) -> str:
    """Say the day of a month."""
    if number < 20:
        return ORDINALS[number]
    if number % 10 == 0:
        return {20: "twentieth", 30: "thirtieth"}[number]
    return f"{TENS[number // 10]} {ORDINALS[number % 10]}"


def ordinal(number: int) -> str:
    """Write the day of a month with its ending."""
    ending = (
        "th"
        if 10 <= number % 100 <= 20
        else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    )
    return f"{number}{ending}"


def day(draw: random.Random, *, is_birth: bool = False) -> date:
    """Draw a day."""
    if is_birth:
        return date(1925, 1, 1) + timedelta(days=draw.randint(0, 36500))
    return date(2019, 1, 1) + timedelta(days=draw.randint(0, 3200))


def year_words(year: int) -> str:
    """Say a year."""
    high, low = divmod(year, 100)
    if year >= 2000 and low < 10:
        return "two thousand" + (f" {ONES[low]}" if low else "")
    return f"{words(high)} {words(low) if low > 9 else 'oh ' + ONES[low] if low else 'hundred'}"


def written_date(draw: random.Random, form: str, *, is_birth: bool = False) -> str:
    """Write a day in one of the forms that a slot names."""
    d = day(draw, is_birth=is_birth)
    if form == "any":
        form = draw.choice(
            "us us us2 iso iso long long longs md md dm dm mon wd ord my spaced dots".split()
            if not is_birth
            else "us us us iso iso long longs mon mon us2 dots spaced dmy".split()
        )
    month, short = MONTHS[d.month - 1], SHORT[d.month - 1]
    if form == "us" and draw.random() < 0.3:
        return f"{d.month}/{d.day}/{d.year}"
    if form == "us2" and draw.random() < 0.4:
        return f"{d.month:02}/{d.day:02}/{d.year % 100:02}"
    if form == "longs":
        return draw.choice(
            (
                f"{short} {d.day}, {d.year}",
                f"{short}. {d.day}, {d.year}",
                f"{short} {d.day} {d.year}",
                f"{month} {d.day} {d.year}",
                f"{month} {ordinal(d.day)}, {d.year}",
            )
        )
    if form == "dm" and draw.random() < 0.4:
        return draw.choice(
            (
                f"{short} {d.day}",
                f"{month} {d.day}",
                f"{month} {ordinal(d.day)}",
                f"{d.day}-{short}",
                f"{d.day}{short.upper()}",
                f"{short.lower()} {d.day}",
            )
        )
    if form == "wd":
        name = DAYS[d.weekday()]
        return draw.choice(
            (
                f"{name}, {month} {d.day}",
                f"{name} {d.month}/{d.day}",
                f"{name[:3]} {short} {d.day}",
                f"{name[:3]} {d.month}/{d.day}",
                f"{name} {month} {ordinal(d.day)}",
                f"{name}, {d.day} {short} {d.year}",
                f"{name[:3]}, {short} {d.day}",
            )
        )
    if form == "mon":
        sep = draw.choice(("-", "-", "", " "))
        return f"{d.day:02}{sep}{draw.choice((short.upper(), short))}{sep}{d.year}"
    if form == "ord":
        return draw.choice(
            (
                f"the {ordinal(d.day)} of {month}",
                f"{month} the {ordinal(d.day)}",
                f"the {ordinal(d.day)}",
                f"{ordinal(d.day)} {month}",
                f"{month} {ordinal(d.day)}",
            )
        )
    if form == "my":
        return draw.choice(
            (
                f"{month} {d.year}",
                f"{short} {d.year}",
                f"{month} of {d.year}",
                f"{d.month:02}/{d.year}",
                f"{short} '{d.year % 100:02}",
            )
        )
    if form == "stamp":
        t = f"{draw.randint(0, 23):02}:{draw.randint(0, 59):02}"
        if draw.random() < 0.2:
            return d.strftime("%Y%m%d") + draw.choice(("", t.replace(":", "")))
        return d.isoformat() + draw.choice(
            (
                f"T{t}:00Z",
                f"T{t}:{draw.randint(0, 59):02}-0{draw.randint(4, 9)}:00",
                f"T{t}",
                f"T{t}:00.000Z",
                f" {t}",
            )
        )
    if form == "spoken":
        return draw.choice(
            (
                f"{month.lower()} {ordinal_words(d.day)} {year_words(d.year)}",
                f"{month.lower()} {ordinal_words(d.day)}",
                f"{month.lower()} {words(d.day)} {year_words(d.year)}",
                f"the {ordinal_words(d.day)} of {month.lower()}",
                f"{month.lower()} {ordinal(d.day)} {d.year}",
                f"{DAYS[d.weekday()].lower()} {month.lower()} {ordinal_words(d.day)}",
            )
        )
    if form == "weekday":
        return draw.choice(
            (
                DAYS[d.weekday()],
                DAYS[d.weekday()],
                DAYS[d.weekday()].lower(),
                draw.choice(SHORT_DAYS),
            )
        )
    return {
        "us": f"{d.month:02}/{d.day:02}/{d.year}",
        "us2": f"{d.month}/{d.day}/{d.year % 100:02}",
        "iso": d.isoformat(),
        "md": f"{d.month}/{d.day}"
        if draw.random() < 0.8
        else f"{d.month:02}/{d.day:02}",
        "dm": f"{d.day} {draw.choice((short, month))}",
        "long": f"{month} {d.day}, {d.year}",
        "dmy": f"{d.day} {month} {d.year}",
        "month": month,
        "holiday": draw.choice(HOLIDAYS),
        "season": draw.choice(
            (
                "spring",
                "summer",
                "fall",
                "winter",
                "last spring",
                "early summer",
                "fall",
                "the winter",
            )
        )
        + draw.choice(("", "", f" {d.year}", f" of {d.year}")),
        "spaced": f"{d.month} / {d.day} / {d.year}"
        if draw.random() < 0.3
        else f"{d.month}-{d.day}-{d.year}",
        "dots": f"{d.day:02}.{d.month:02}.{d.year}"
        if draw.random() < 0.5
        else f"{d.month}.{d.day}.{d.year % 100:02}",
    }[form]


def digits(draw: random.Random, n: int) -> str:
    """Draw digits."""
    return "".join(draw.choice(string.digits) for _ in range(n))


def shaped(draw: random.Random, shape: str) -> str:
    """Fill a shape: 9 a digit, A a capital, a a small letter, h a hexadecimal digit."""
    kinds = {
        "9": string.digits,
        "A": "ABCDEFGHJKLMNPQRSTUVWXYZ",
        "a": string.ascii_lowercase,
        "h": "0123456789abcdef",
        "H": "0123456789ABCDEF",
    }
    return "".join(
        draw.choice(kinds[sign]) if sign in kinds else sign for sign in shape
    )


def any_shape(draw: random.Random, shapes: str) -> str:
    """Fill one of several shapes, written with blanks between them."""
    return shaped(draw, draw.choice(shapes.split()).replace("~", " "))


def phone(draw: random.Random) -> str:
    """Write a telephone number."""
    area, mid, last = (
        str(draw.randint(201, 989)),
        str(draw.randint(200, 999)),
        digits(draw, 4),
    )
    text = draw.choice(
        (
            "{a}-{m}-{l}",
            "({a}) {m}-{l}",
            "({a}){m}-{l}",
            "{a}.{m}.{l}",
            "{a} {m} {l}",
            "+1 {a} {m} {l}",
            "1-{a}-{m}-{l}",
            "+1-{a}-{m}-{l}",
            "{a}{m}{l}",
            "+1{a}{m}{l}",
            "{m}-{l}",
            "{a}-{m}-{l}",
            "({a}) {m}-{l}",
            "{a}/{m}-{l}",
            "({a}) {m}.{l}",
        )
    ).format(a=area, m=mid, l=last)
    if draw.random() < 0.05:
        text = draw.choice(
            (
                f"+44 20 {digits(draw, 4)} {digits(draw, 4)}",
                f"+52 {digits(draw, 2)} {digits(draw, 4)} {digits(draw, 4)}",
                f"+49 {digits(draw, 3)} {digits(draw, 7)}",
            )
        )
    if draw.random() < 0.08:
        text += draw.choice((" ext. {}", " x{}", " ext {}", ", ext. {}")).format(
            draw.randint(10, 9999)
        )
    return text


def spoken(draw: random.Random, number: str) -> str:
    """Say digits one by one."""
    zero = draw.choice(("oh", "zero"))
    return " ".join(zero if one == "0" else ONES[int(one)] for one in number)


def email(draw: random.Random) -> str:
    """Make an address up."""
    first, last = (
        given(draw).lower().replace(" ", ""),
        family(draw).lower().replace(" ", ""),
    )
    local = draw.choice(
        (
            f"{first}.{last}",
            f"{first[0]}{last}",
            f"{first}{digits(draw, 2)}",
            f"{last}{first[0]}",
            f"{first}_{last}",
            f"{first[0]}.{last}",
            f"{last}.family",
        )
    )
    host = draw.choice(
        (
            "gmail.com",
            "yahoo.com",
            "outlook.com",
            "hotmail.com",
            "aol.com",
            "icloud.com",
            "comcast.net",
            f"{last}.net",
            "mercyhealth.org",
            "uhs.edu",
            f"{family(draw).lower().replace(' ', '')}clinic.com",
            "stluke.org",
            "mail.mil",
            "health.example",
        )
    )
    return f"{local}@{host}"


def url(draw: random.Random) -> str:
    """Make a link up that leads to a patient's page."""
    host = draw.choice(
        (
            "portal",
            "mychart",
            "my",
            "patient",
            "secure",
            "pacs",
            "share",
            "www",
            "video",
            "ehr",
        )
    )
    site = draw.choice((family(draw), family(draw))).lower().replace(" ", "").replace(
        "'", ""
    ) + draw.choice(("health", "clinic", "med", "", "hospital", "imaging", "care"))
    top = draw.choice(("com", "org", "net", "health", "edu", "example", "io"))
    tail = draw.choice(
        (
            "/p/{n}",
            "/patients/{n}",
            "/msg?id={n}",
            "/results/{w}-{n}",
            "/u/{w}",
            "/{w}",
            "/visit/{h}",
            "/img/{h}.dcm",
            "",
            "/join/{h}",
            "/me/{w}",
            "/s/{h}",
            "/chart?pid={n}&tab=labs",
        )
    )
    text = f"{host}.{site}.{top}" + tail.format(
        n=digits(draw, draw.randint(4, 9)),
        w=given(draw).lower(),
        h=shaped(draw, "hhhhhhhh"),
    )
    return draw.choice(("https://", "https://", "http://", "")) + text


SHAPES = {
    "mrn": "999999 9999999 99999999 00999999 999-99-99 9999-999 99-99-99 A999999 A9999999 AA-999999 9999999-9 MR999999 E9999999 99999~999 H99999999 99999 9999-999-A AAA-99999 #9999999",
    "plan": "AAA999999999 AAA99999999999 A99999999 99999999901 AA9999999 AAA~9999~9999~99 9AA9-AA9-AA99 W999999999 999999999A AAA9999999999-01 H9999-999 99-9999999-A",
    "group": "99999 999999 99999-A A99999 AA-9999 9999999-99 AAA999",
    "account": "99999999 A99999999999 9999-999-99 9999999999 ACCT-999999 99-999999 HAR-9999999 99999-9999 V999999999 9999~9999~9999",
    "license": "A999999 AA-99999 99999 MD999999 RN999999 99-99999 G99999 PA9999999 036-999999 AP-99999",
    "dl": "A9999999 A999-9999-9999 99999999 AA999999A 999-99-9999 9999999 S99999999999",
    "clia": "99D9999999",
    "plate": "AAA-9999 AAA9999 9AAA999 AAA~999 999-AAA AA-99999 99A-999 AAA~9999",
    "serial": "A9999999 AAA999999A AAA-99999 AA99-9999-99 99A9999-999 9999999999 AA9-9999-99999 S/99999999 AAA999 9A9A99999 PJX9999999 99999-AAA",
    "implantlot": "999999 A99999 9999A99 AAA9999 LOT-99999 99A99999",
    "biometric": "FP-9999-9999 BIO-hhhhhhhh fp_999999 IRIS-99999 VP-9999 face-hhhhhhhhhhhh finger-9999 tmpl-99999 VOICE-99999-A",
    "claim": "CLM-9999-99999999 99999999999 CLM9999999 9999-9999-99 999999999999 ICN~9999999999 C9999999 99AA99999",
    "accession": "S99-99999 A99999999 99-999-99999 ACC9999999 SP-99-9999 RAD-9999999 99A-999AA99999 9999999999 E99-9999 CY99-99999 M99-9999",
    "rx": "9999999 9999-9999 99999999-9999 Rx9999999 99-9999999 999999-99999",
    "case": "9999-99999 C-99999 PSR-99999 INC9999999 99-9999 CASE-999999 RL-99999 2025-AA-9999 CM-9999",
    "subject": "99-999 999-9999 AAA-99-999 S9999 1001-9999 P-0999 99-99-999-9999 R999-99",
    "visit": "9999999999 V9999999 ENC-9999999 CSN~999999999 99999999 FIN~99999999 E-99999-99 HAR9999999",
    "fhirid": "hhhhhhhh pt-hhhhhhhh hhhhhhhh-hhhh-4hhh-ahhh-hhhhhhhhhhhh enc-99999 obs-hhhhhh cov-9999 example-99999 Patient/hhhhhhh 9999999 f999 urn:uuid:hhhhhhhh-hhhh-4hhh-bhhh-hhhhhhhhhhhh",
    "donor": "W9999~99~999999 D-99999 W999999999999 UNOS-AAA9999 AAAA999 DIN-9999-99",
    "tin": "99-9999999 999999999",
    "udi": "(01)00999999999999(17)999999(10)A99999 (01)00999999999999(21)AAA999999 +A999AA9999/$$999999A99",
    "lot": "AA9999 9A99A 99999A EW9999 FK9999 A99AA",
}


def vin(draw: random.Random) -> str:
    """Make a vehicle number up; its check digit need not hold."""
    return "".join(
        draw.choice("ABCDEFGHJKLMNPRSTUVWXYZ0123456789") for _ in range(11)
    ) + digits(draw, 6)


def ip(draw: random.Random) -> str:
    """Make an address up."""
    if draw.random() < 0.15:
        return "2001:db8:" + shaped(draw, "hhhh:hhhh::hhhh")
    return ".".join(str(draw.randint(1, 254)) for _ in range(4))


def login(draw: random.Random) -> str:
    """Make a login name or handle up."""
    first, last = given(draw).lower(), family(draw).lower().replace(" ", "")
    return draw.choice(
        (
            f"{first[0]}{last}",
            f"{last}{first[0]}{draw.randint(1, 9)}",
            f"{first}.{last}",
            f"{first}{draw.randint(10, 99)}",
            f"{last}_{first}",
            f"{first}_{draw.randint(100, 999)}",
        )
    )


def photo(draw: random.Random) -> str:
    """Make the file name of a person's picture up."""
    stem = draw.choice(
        (
            family(draw).lower(),
            f"{given(draw)}_{family(draw)}".lower(),
            f"{given(draw)}_face",
            f"pt_{digits(draw, 6)}_face",
            f"IMG_{digits(draw, 4)}",
            f"headshot_{given(draw).lower()}",
            f"wound_{digits(draw, 5)}",
            f"{family(draw)}_{draw.choice(('left', 'right', 'front'))}",
            f"DSC0{digits(draw, 4)}",
        )
    )
    return stem.replace(" ", "_") + draw.choice(
        (".jpg", ".jpeg", ".png", ".JPG", ".heic", ".tif")
    )
