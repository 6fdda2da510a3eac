"""From training text with slots to labelled text.

`<<p1.full>>`, `<<city>>`, `<<date.iso>>`, … stand for made-up values; `<<LABEL=text>>` labels
what was written by hand; `<<?a|b|c>>` chooses. What stands in no slot is no identifier.
"""

import random
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from training.guard import numbers, people
from training.guard.neutral import neutral

SLOT = re.compile(r"<<([^<>]*(?:<[^<>]+>[^<>]*)*)>>")
TEXT = Path(__file__).parent / "text"
LABELS = (
    "O",
    "NAME",
    "LOCATION",
    "DATE",
    "PHONE",
    "FAX",
    "EMAIL",
    "URL",
    "IP",
    "SSN",
    "MRN",
    "HEALTH_PLAN",
    "ACCOUNT",
    "LICENSE",
    "VEHICLE",
    "DEVICE",
    "BIOMETRIC",
    "PHOTO",
    "ID",
    "AGE",
)
LABEL_OF_SHAPE = {
    "mrn": "MRN",
    "plan": "HEALTH_PLAN",
    "group": "HEALTH_PLAN",
    "account": "ACCOUNT",
    "license": "LICENSE",
    "dl": "LICENSE",
    "clia": "LICENSE",
    "plate": "VEHICLE",
    "serial": "DEVICE",
    "implantlot": "DEVICE",
    "udi": "DEVICE",
    "biometric": "BIOMETRIC",
    "claim": "ID",
    "accession": "ID",
    "rx": "ID",
    "case": "ID",
    "subject": "ID",
    "visit": "ID",
    "fhirid": "ID",
    "donor": "ID",
    "tin": "ID",
}
SYNONYMS = {"AGE90": "AGE", "GEOGRAPHIC": "LOCATION", "IP_ADDRESS": "IP", "OTHER": "ID"}


@dataclass(frozen=True)
class Labelled:
    """A text and its labelled places; a label of `?` is left out of training."""

    text: str
    spans: tuple[tuple[int, int, str], ...]


@cache
def documents() -> dict[str, list[str]]:
    """Read all training text, by the genre that its file names."""
    found: dict[str, list[str]] = {}
    for path in sorted(TEXT.glob("*.txt")):
        genre = path.stem.split("_", 1)[1]
        parts = re.split(r"^===[ \t]*$", path.read_text("utf-8"), flags=re.MULTILINE)
        found.setdefault(genre, []).extend(
            part.strip("\n") for part in parts if part.strip()
        )
    return found


class Filler:
    """Fills the slots of one document."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._people: dict[str, people.Person] = {}

    def fill(self, document: str) -> Labelled:
        """Return the document with its slots filled."""
        pieces: list[str] = []
        spans: list[tuple[int, int, str]] = []
        at = last = 0
        for match in SLOT.finditer(document):
            before = document[last : match.start()]
            pieces.append(before)
            at += len(before)
            text, label = self._slot(match[1])
            if label and text:
                spans.append((at, at + len(text), label))
            pieces.append(text)
            at += len(text)
            last = match.end()
        pieces.append(document[last:])
        return Labelled("".join(pieces), tuple(spans))

    def _slot(self, slot: str) -> tuple[str, str]:
        draw = self._draw
        slot = slot.strip()
        if slot.startswith("?"):
            return draw.choice(slot[1:].split("|")), ""
        if "=" in slot and slot.split("=", 1)[0].isupper():
            label, text = slot.split("=", 1)
            label = SYNONYMS.get(label, label)
            if label not in LABELS:
                raise ValueError(f"no such label: {label}")
            return text, label
        name, *arguments = re.split(r"[.:]", slot)
        if name == "x" and ":" in slot:
            arguments = slot.split(":")[1:]
        if re.fullmatch(r"p\d", name):
            return self._person(name).form(
                arguments[0] if arguments else "full", draw
            ), "NAME"
        value = self._labelled(name, arguments)
        if value is not None:
            return value
        plain = neutral(name, arguments, draw)
        if plain is None:
            raise ValueError(f"no such slot: {slot}")
        return plain, ""

    def _person(self, name: str) -> people.Person:
        if name not in self._people:
            person = people.person(self._draw)
            if self._people and self._draw.random() < 0.15:  # a family shares its name
                other = self._draw.choice(list(self._people.values()))
                person = people.Person(
                    person.given, other.family, person.middle, person.nick
                )
            self._people[name] = person
        return self._people[name]

    def _labelled(self, name: str, arguments: list[str]) -> tuple[str, str] | None:
        draw = self._draw
        if name in ("date", "dob"):
            return numbers.written_date(
                draw, arguments[0] if arguments else "any", is_birth=name == "dob"
            ), "DATE"
        if name in ("hospital", "clinic", "facility", "school"):
            return people.institution(draw, name), "LOCATION"
        if name in LABEL_OF_SHAPE:
            if arguments == ["spoken"]:
                return numbers.spoken(
                    draw, numbers.digits(draw, draw.randint(5, 8))
                ), LABEL_OF_SHAPE[name]
            return numbers.any_shape(draw, numbers.SHAPES[name]), LABEL_OF_SHAPE[name]
        makers = {
            "employer": (people.employer, "NAME"),
            "street": (people.street, "LOCATION"),
            "city": (people.city, "LOCATION"),
            "email": (numbers.email, "EMAIL"),
            "url": (numbers.url, "URL"),
            "ip": (numbers.ip, "IP"),
            "vin": (numbers.vin, "VEHICLE"),
            "login": (numbers.login, "ID"),
            "photo": (numbers.photo, "PHOTO"),
        }
        if name in makers:
            make, label = makers[name]
            return make(draw), label
        if name in ("phone", "fax", "pager", "ext"):
            return self._number(name, arguments), "FAX" if name == "fax" else "PHONE"
        if name == "county":
            return draw.choice(people.lines("counties")) + draw.choice(
                (" County", " County", " county", "")
            ), "LOCATION"
        if name == "zip":
            return numbers.digits(draw, 5) + (
                f"-{numbers.digits(draw, 4)}" if draw.random() < 0.1 else ""
            ), "LOCATION"
        if name == "ssn":
            return numbers.any_shape(
                draw,
                "999-99-9999 999-99-9999 999-99-9999 999999999 999~99~9999 XXX-XX-9999 ***-**-9999",
            ), "SSN"
        if name == "ssn4":
            return numbers.digits(draw, 4), "SSN"
        if name == "npi":
            return "1" + numbers.digits(draw, 9), "LICENSE"
        if name == "dea":
            return numbers.any_shape(
                draw, "AA9999999 BA9999999 FA9999999 MA9999999"
            ), "LICENSE"
        if name == "handle":
            return "@" + numbers.login(draw), "ID"
        if name == "age90":
            return str(
                draw.choice(
                    (
                        90,
                        91,
                        91,
                        92,
                        92,
                        93,
                        93,
                        94,
                        95,
                        96,
                        97,
                        98,
                        99,
                        100,
                        101,
                        102,
                        103,
                        104,
                        106,
                        108,
                    )
                )
            ), "AGE"
        return None

    def _number(self, name: str, arguments: list[str]) -> str:
        draw = self._draw
        if arguments == ["spoken"]:
            return numbers.spoken(draw, numbers.digits(draw, draw.choice((7, 10, 10))))
        if name == "pager":
            return draw.choice(
                (
                    numbers.digits(draw, 4),
                    numbers.digits(draw, 5),
                    numbers.phone(draw),
                    numbers.shaped(draw, "9-9999"),
                )
            )
        if name == "ext":
            return draw.choice(
                (
                    numbers.digits(draw, 4),
                    numbers.digits(draw, 3),
                    numbers.digits(draw, 5),
                    "x" + numbers.digits(draw, 4),
                )
            )
        return numbers.phone(draw)
