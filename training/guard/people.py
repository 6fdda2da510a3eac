"""Made-up people and places for training text, drawn from lists.

Half of the names are common ones of many origins (`common.txt`), half are drawn from long
lists of given names and surnames, so that the tagger cannot learn names by heart.
"""

import random
from dataclasses import dataclass
from functools import cache
from lzma import open as open_xz
from pathlib import Path

DATA = Path(__file__).parent / "data"


@cache
def lines(name: str) -> tuple[str, ...]:
    """Read the lines of a packed list."""
    with open_xz(DATA / f"{name}.txt.xz", "rt", encoding="utf-8") as file:
        return tuple(line.strip() for line in file if line.strip())


@cache
def common(part: str) -> tuple[str, ...]:
    """Read one part of common.txt: names and words of places, written for this."""
    parts: dict[str, list[str]] = {}
    current = ""
    for line in (Path(__file__).parent / "common.txt").read_text("utf-8").splitlines():
        if line.startswith("# "):
            current = line[2:].strip()
            parts[current] = []
        elif line.strip():
            parts[current] += [one.strip() for one in line.split(",") if one.strip()]
    return tuple(parts[part])


def _cased(name: str) -> str:
    return "-".join(part[:1].upper() + part[1:] for part in name.split("-"))


def _frequent(draw: random.Random, names: tuple[str, ...]) -> str:
    """Draw one of the first names of a list, which are the commonest, first ones more often."""
    return names[int(180 * draw.random() ** 2)]


def given(draw: random.Random) -> str:
    """Draw a given name."""
    chance = draw.random()
    if chance < 0.35:
        return _frequent(draw, common("given"))
    if chance < 0.65:
        return draw.choice(common("given"))
    name = _cased(draw.choice(lines("first_names")))
    return name if len(name) > 1 else draw.choice(common("given"))


def family(draw: random.Random) -> str:
    """Draw a family name, sometimes a double one."""
    chance = draw.random()
    if chance < 0.25:
        name = _frequent(draw, common("family"))
    elif chance < 0.55:
        name = draw.choice(common("family"))
    else:
        name = _cased(draw.choice(lines("surnames")))
        if name.startswith("Mc") and len(name) > 4 and draw.random() < 0.7:
            name = "Mc" + name[2:].capitalize()
    chance = draw.random()
    if chance < 0.05:
        return f"{name}-{draw.choice(common('family'))}"
    if chance < 0.075:
        return f"{name} {draw.choice(common('family'))}"
    if chance < 0.09:
        return f"{draw.choice(('de la', 'van der', 'Van', 'de', 'El', 'Al', 'St.', 'von', 'della', 'Dos'))} {name}"
    return name


@dataclass(frozen=True)
class Person:
    """One made-up person of a document."""

    given: str
    family: str
    middle: str
    nick: str

    def form(self, form: str, draw: random.Random) -> str:
        """Write the person in one of the forms that a slot names."""
        first, last, middle = self.given, self.family, self.middle
        dot = "." if draw.random() < 0.8 else ""
        if form == "full" and draw.random() < 0.25:
            form = draw.choice(("gmf", "gmf", "init", "mid", "fi", "fi", "fi"))
        forms = {
            "full": f"{first} {last}",
            "mid": f"{first} {middle} {last}",
            "given": first,
            "family": last,
            "list": f"{last}, {first}"
            + draw.choice(("", f" {middle[0]}", f" {middle[0]}.")),
            "gmf": f"{first} {middle[0]}{dot} {last}",
            "init": f"{first[0]}{dot} {last}",
            "fi": f"{first} {last[0]}{dot}",
            "abbr": first[0] + draw.choice(("", "", "", ".")) + last[0],
            "nick": self.nick,
        }
        return forms[form]


def person(draw: random.Random) -> Person:
    """Make a person up."""
    nick = draw.choice(common("nick")) if draw.random() < 0.7 else given(draw)
    return Person(given(draw), family(draw), given(draw), nick)


def city(draw: random.Random) -> str:
    """Draw a town."""
    if draw.random() < 0.35:
        return draw.choice(common("city"))
    name = draw.choice(lines("cities"))
    if draw.random() < 0.06:
        return f"{draw.choice(('North', 'East', 'West', 'South', 'New', 'Fort', 'Port', 'Lake', 'Mount', 'St.', 'Saint', 'El', 'San', 'Santa'))} {family(draw)}"
    return name


def street(draw: random.Random) -> str:
    """Draw a street line, sometimes with a flat."""
    number = draw.choice(
        (
            str(draw.randint(1, 999)),
            str(draw.randint(1000, 19999)),
            f"{draw.randint(1, 99)}-{draw.randint(1, 99)}",
        )
    )
    way = draw.choice(
        (
            family,
            city,
            lambda d: d.choice(common("street")),
            lambda d: d.choice(common("street")),
        )
    )(draw)
    if draw.random() < 0.15:
        way = f"{draw.randint(1, 180)}{draw.choice(('th', 'st', 'nd', 'rd'))}"
    if draw.random() < 0.2:
        way = f"{draw.choice(('N', 'S', 'E', 'W', 'North', 'South', 'NW', 'SE', 'N.', 'W.'))} {way}"
    line = f"{number} {way} {draw.choice(common('suffix'))}"
    if draw.random() < 0.05:
        line = f"{draw.choice(('PO Box', 'P.O. Box', 'Box', 'RR'))} {draw.randint(2, 9999)}"
    elif draw.random() < 0.2:
        line += draw.choice(
            (
                " Apt {}",
                ", Apt {}",
                " #{}",
                ", Unit {}",
                " Unit {}",
                ", Apt. {}",
                " Suite {}",
                ", Ste {}",
                " Lot {}",
            )
        ).format(
            draw.choice(
                (
                    str(draw.randint(1, 420)),
                    f"{draw.randint(1, 30)}{draw.choice('ABCDEF')}",
                    draw.choice("ABCDEF"),
                )
            )
        )
    return line


def institution(draw: random.Random, kind: str) -> str:
    """Draw the name of a hospital, clinic, school or other facility."""
    if kind == "hospital" and draw.random() < 0.12:
        return draw.choice(lines("hospitals"))
    if draw.random() < 0.13:
        return draw.choice(common(f"{kind}_whole"))
    lead = draw.choice(
        (
            family,
            family,
            city,
            city,
            lambda d: d.choice(common("street")),
            lambda d: d.choice(common("saint")),
            lambda d: f"{d.choice(common('nature1'))} {d.choice(common('nature2'))}",
            lambda d: f"{d.choice(common('nature1'))} {d.choice(common('nature2'))}",
            lambda d: (
                d.choice(lines("counties")) + (" County" if d.random() < 0.6 else "")
            ),
        )
    )(draw)
    if draw.random() < 0.06:
        lead = f"{given(draw)} {lead}"
    return f"{lead} {draw.choice(common(kind))}"


def employer(draw: random.Random) -> str:
    """Draw an employer's name."""
    if draw.random() < 0.15:
        return draw.choice(common("employer_whole"))
    lead = draw.choice(
        (
            family,
            city,
            lambda d: f"{d.choice(common('nature1'))} {d.choice(common('nature2'))}",
        )
    )(draw)
    return f"{lead} {draw.choice(common('employer'))}"
