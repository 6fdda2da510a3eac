"""Streets, towns, counties and institutions of a record, in a text.

A phrase of a record is a row of canonical pieces (`record_words`); a text is read from its
first telling piece on. Articles and connecting words are passed over on both sides, kinds of
streets, units and generic words may be missing, words may be cut short (`rehab`), and two
pieces may stand for one (`P.O.`, `Co-op`).

1. A street: its number and its name; without a number its name and its kind.
2. A town or county: all of it. One that is an ordinary word (`Normal`, `Reading`) wants a
   capital letter behind `in`, `from` and such, or its state or ZIP behind it.
3. An institution: all of it, or two telling pieces, or one that is no ordinary word, with a
   capital letter; its initials where they are four and more.
4. A holiday of the record: all of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Self

from phitrail.events.codes import IdentifierClass
from phitrail.guard.common_words import COMMON_WORDS
from phitrail.guard.found import Found
from phitrail.guard.record_facts import Phrase, PhraseKind
from phitrail.guard.record_text import PlacedText
from phitrail.guard.record_words import (
    CANONICAL,
    PHRASES,
    STATES,
    VARIANTS,
    canonical_pieces,
)

_JOINING = frozenset(
    "the of and at for a an in de la le del by on und y et s lp llc llp inc pc ltd co "
    "corp plc pllc pa".split()
)
_STREET_KINDS = frozenset(
    "st ave rd dr ln blvd ct pl cir ter pkwy hwy sq trl xing tpke rte way loop row path "
    "run walk alley pike plaza".split()
)
_OPTIONAL_IN_STREETS = _STREET_KINDS | {
    "apt",
    "n",
    "s",
    "e",
    "w",
    "ne",
    "nw",
    "se",
    "sw",
}
_GENERIC = frozenset(
    """
    hosp clinic ctr med health healthcare regional general memorial univ community care home
    house rehabilitation rehab dept practice group assoc partners services service system
    imaging lab laboratory laboratories office surgery surgical family internal nursing
    facility school elem high middle college academy church pharmacy hospice county city
    state valley behavioral mental institute foundation natl intl mfg company school
    physicians specialists medicine children women senior living assisted skilled urgent
    emergency outpatient inpatient dental eye cancer heart transplant diner restaurant
    trucking freight logistics works shop store farms industries public district
    """.split()
)
_TAIL = frozenset("hosp clinic ctr med center rehab snf school church hospice".split())
_LEGAL = frozenset("llc llp lp pllc inc corp co ltd pc plc pa".split())
_STATE_WORDS = frozenset(word for name in STATES for word in name.split()) | frozenset(
    STATES.values()
)
_ORDINARY = COMMON_WORDS | _STATE_WORDS
_PLACE_CUES = frozenset("in from near to at of outside around leaving visiting".split())
_MOST_PIECES = 12
_SHORTEST_CUT = 3
_SHORTEST_FULL = 6
_LONGEST_JOINT = 4
_SHORTEST_ACRONYM = 4
_TELLING_ALONE = 5
_JOINT_SIGNS = frozenset(" \t,.#&/-'\":")


@dataclass(frozen=True, slots=True)
class _Row:
    """One phrase as canonical pieces."""

    pieces: tuple[str, ...] = field(repr=False)
    kind: PhraseKind | None
    identifier_class: IdentifierClass
    is_possessive: bool = False


@dataclass(frozen=True, slots=True)
class PhraseKeys:
    """Rows of pieces, by each form of the piece that they begin with."""

    rows: dict[str, tuple[_Row, ...]] = field(repr=False)
    acronyms: dict[str, IdentifierClass] = field(repr=False)
    towns: frozenset[str] = field(repr=False)

    @classmethod
    def of(cls, phrases: Sequence[Phrase], holidays: Iterable[str]) -> Self:
        """Make the keys."""
        rows: list[_Row] = []
        acronyms: dict[str, IdentifierClass] = {}
        for phrase in phrases:
            made = _rows(phrase)
            rows += made
            if phrase.kind == PhraseKind.ORGANISATION and made:
                letters = "".join(piece[0] for piece in made[0].pieces)
                if len(letters) >= _SHORTEST_ACRONYM:
                    acronyms[letters] = phrase.identifier_class
        for holiday in holidays:
            told = tuple(canonical_pieces(holiday))
            rows.append(_Row(told, None, IdentifierClass.DATE))
        indexed: dict[str, list[_Row]] = {}
        for row in dict.fromkeys(rows):
            for form in _forms(row.pieces[0]):
                indexed.setdefault(form, []).append(row)
        return cls(
            {form: tuple(these) for form, these in indexed.items()},
            acronyms,
            frozenset(row.pieces[0] for row in rows if row.kind == PhraseKind.CITY),
        )

    @property
    def first_pieces(self) -> frozenset[str]:
        """The pieces that a phrase may begin with."""
        return frozenset(self.rows) | frozenset(self.acronyms)


def _rows(phrase: Phrase) -> list[_Row]:
    told = canonical_pieces(phrase.value)
    if phrase.kind == PhraseKind.STREET:
        rows = [_Row(tuple(told), phrase.kind, phrase.identifier_class)] if told else []
        without = [piece for piece in told if not piece.isdecimal() and piece != "apt"]
        if told and told[0].isdecimal() and _names_a_street(told[1:]):
            end = next(n for n, p in enumerate(told) if n > 1 and p in _STREET_KINDS)
            street = tuple(told[1 : end + 1])
            rows.append(_Row(street, phrase.kind, phrase.identifier_class))
        elif told and not told[0].isdecimal() and len(without) < 1:
            return []
        return rows
    kept = tuple(piece for piece in told if piece not in _JOINING)
    if phrase.kind == PhraseKind.COUNTY:
        kept = tuple(piece for piece in kept if piece not in ("county", "parish"))
    if not kept:
        return []
    is_possessive = "'s" in phrase.value or "\u2019s" in phrase.value
    return [_Row(kept, phrase.kind, phrase.identifier_class, is_possessive)]


def _names_a_street(told: Sequence[str]) -> bool:
    return any(piece in _STREET_KINDS for piece in told[1:])


def _forms(piece: str) -> set[str]:
    forms = set(VARIANTS.get(piece, (piece,)))
    for pair, short in PHRASES.items():
        if short == piece:
            forms.add(pair[0])
    if piece[:1].isdecimal() and not piece.isdecimal():
        forms.add(piece.rstrip("abcdefghijklmnopqrstuvwxyz"))
    if piece == "coop":
        forms.add("co")
    return forms


def match_phrases(
    keys: PhraseKeys, placed: PlacedText, hits: Sequence[int]
) -> list[Found]:
    """Find the phrases; `hits` are the pieces that one may begin with, in order."""
    found: list[Found] = []
    past = -1
    for at in hits:
        if at <= past:
            continue
        word = placed.words[at]
        best: tuple[int, _Row] | None = None
        for row in keys.rows.get(word, ()):
            last = _counted(placed, at, row)
            if last is not None and (best is None or last > best[0]):
                best = (last, row)
        if best is None:
            of = keys.acronyms.get(word)
            start, end = placed.places[at]
            if of is not None and placed.text[start:end].isupper():
                found.append(_found(placed, at, at, of, "record.organisation"))
            continue
        first, (past, row) = at, best
        if row.kind == PhraseKind.ORGANISATION:
            first = _with_article(placed, at)
            past = _with_possessive(placed, past, row)
        elif row.kind is None and first and placed.words[first - 1] == "the":
            first -= 1
        rule = f"record.{row.kind.value if row.kind else 'holiday'}"
        found.append(_found(placed, first, past, row.identifier_class, rule))
    return found


def _found(
    placed: PlacedText, first: int, last: int, of: IdentifierClass, rule: str
) -> Found:
    start, end = placed.places[first][0], placed.places[last][1]
    return Found(start, end, of, 1.0, rule, is_in_record=True)


def _counted(placed: PlacedText, at: int, row: _Row) -> int | None:
    """Return the last piece of a row in the text, if enough of it stands there."""
    is_street = row.kind == PhraseKind.STREET
    last, met = _align(placed, at, row.pieces, may_skip_all=not is_street)
    if row.kind == PhraseKind.STREET:
        return _street_last(placed, last, met, row)
    if len(met) == len(row.pieces):
        if row.kind == PhraseKind.ORGANISATION:
            return _with_tail(placed, last) if _fits(placed, at, row) else None
        if row.kind in (PhraseKind.CITY, PhraseKind.COUNTY):
            return last if _place_fits(placed, at, last, row) else None
        return last
    if row.kind != PhraseKind.ORGANISATION:
        return None
    telling = [p for p in met if p not in _GENERIC and p not in _STATE_WORDS]
    is_written = placed.is_lower or placed.is_upper(at)
    if len(telling) > 1 and is_written:
        return _with_tail(placed, last)
    if len(telling) == 1 and len(met) > 1 and is_written:
        return _with_tail(placed, last)
    alone = (
        telling and telling[0] not in COMMON_WORDS and len(telling[0]) >= _TELLING_ALONE
    )
    return _with_tail(placed, last) if alone and placed.is_upper(at) else None


def _fits(placed: PlacedText, at: int, row: _Row) -> bool:
    if len(row.pieces) > 1:
        return placed.is_lower or placed.is_upper(at) or len(row.pieces) > 2  # noqa: PLR2004
    return row.pieces[0] not in COMMON_WORDS and (
        placed.is_upper(at) or placed.is_lower
    )


def _street_last(
    placed: PlacedText, last: int, met: Sequence[str], row: _Row
) -> int | None:
    units = {p for q, p in pairwise(row.pieces) if q == "apt"}
    optional = _OPTIONAL_IN_STREETS | units
    needed = [p for p in row.pieces if p not in optional]
    named = [p for p in met if p not in optional]
    if row.pieces[0].isdecimal():
        enough = len(named) > 1 or (len(needed) == 1 and len(met) > 1)
        return _with_unit(placed, last) if enough else None
    is_box = row.pieces[0] in ("po", "rte", "hc", "rr", "cr", "sr", "us")
    has_all = len(named) == len(needed) and len(met) > 1
    has_kind = any(p in _STREET_KINDS for p in met) or is_box or len(needed) > 1
    return _with_unit(placed, last) if has_all and has_kind else None


def _with_unit(placed: PlacedText, last: int) -> int:
    """Take a unit behind a street that the record does not tell (`Apt 3B`)."""
    at = last + 1
    words = placed.words
    if at + 1 < len(words) and CANONICAL.get(words[at], words[at]) == "apt":
        if words[at] in ("no", "number", "room", "rm") or not _joined(placed, last):
            return last
        is_value = words[at + 1].isdecimal() or len(words[at + 1]) == 1
        if is_value and _joined(placed, at):
            last = at + 1
            if last + 1 < len(words) and placed.gap(last) == "":
                last += 1
    return last


def _with_tail(placed: PlacedText, last: int) -> int:
    """Take `Hospital` behind an institution that the record calls otherwise."""
    while last + 1 < len(placed.words) and _joined(placed, last):
        word = placed.words[last + 1]
        gap = placed.gap(last)
        is_legal = word in _LEGAL and gap in (" ", ", ")
        is_kind = CANONICAL.get(word, word) in _TAIL and gap == " "
        if not (is_legal or is_kind) or not placed.is_upper(last + 1):
            break
        last += 1
    return _with_unit(placed, last)


def _with_article(placed: PlacedText, first: int) -> int:
    """Take `The` before an institution, where it is written as part of its name."""
    is_the = (
        first > 0 and placed.words[first - 1] == "the" and placed.is_upper(first - 1)
    )
    if (
        is_the
        and placed.gap(first - 1) == " "
        and not placed.begins_sentence(first - 1)
    ):
        return first - 1
    return first


def _with_possessive(placed: PlacedText, last: int, row: _Row) -> int:
    if row.is_possessive and last + 1 < len(placed.words):
        is_s = placed.words[last + 1] == "s" and placed.gap(last) == "'"
        return last + is_s
    return last


def _place_fits(placed: PlacedText, first: int, last: int, row: _Row) -> bool:
    """Rule 2."""
    if len(row.pieces) > 1 or row.pieces[0] not in _ORDINARY:
        return placed.is_lower or placed.is_upper(first)
    if last + 1 < len(placed.words) and len(placed.gap(last)) <= 2:  # noqa: PLR2004
        following = placed.words[last + 1]
        two = following + " " + "".join(placed.words[last + 2 : last + 3])
        if following in STATES or two in STATES:
            return True
        start, end = placed.places[last + 1]
        is_code = following in _STATE_CODES and (
            (placed.text[start:end].isupper() and "," in placed.gap(last))
            or (placed.is_lower and following not in _WORD_CODES)
        )
        if is_code:
            return True
        if len(following) == len("00000") and following.isdecimal():
            return True
    if placed.is_lower or not placed.is_title(first) or first == 0:
        return False
    return placed.words[first - 1] in _PLACE_CUES and placed.gap(first - 1) == " "


_STATE_CODES = frozenset(STATES.values())
_WORD_CODES = frozenset("in or me ok hi oh id as".split())


def _align(
    placed: PlacedText, at: int, row: Sequence[str], *, may_skip_all: bool
) -> tuple[int, list[str]]:
    """Walk a row and the text together; return the last piece met, and what was met."""
    words = placed.words
    met: list[str] = []
    last = at - 1
    here, target = at, 0
    while here < len(words) and target < len(row) and here - at < _MOST_PIECES:
        if here > at and not _joined(placed, here - 1):
            break
        step = _step(words, here, row[target])
        if step:
            met.append(row[target])
            last = here + step - 1
            here += step
            target += 1
            continue
        skipped = _next_met(words, here, row, target, may_skip_all=may_skip_all)
        if met and skipped is not None:
            target = skipped
        elif met and (words[here] in _JOINING or _is_designator(words[here])):
            here += 1
        else:
            break
    return last, met


def _is_designator(word: str) -> bool:
    return CANONICAL.get(word) == "apt" or word == "apt"


def _next_met(
    words: Sequence[str],
    here: int,
    row: Sequence[str],
    target: int,
    *,
    may_skip_all: bool,
) -> int | None:
    """Return the place in the row that the text goes on with, over optional pieces."""
    optional = _GENERIC if may_skip_all else _OPTIONAL_IN_STREETS
    while target < len(row) and row[target] in optional:
        target += 1
        if target < len(row) and _step(words, here, row[target]):
            return target
    return None


def _step(words: Sequence[str], here: int, wanted: str) -> int:
    """Return how many pieces of the text stand for one piece of the row."""
    word = words[here]
    if word == wanted or CANONICAL.get(word, word) == wanted:
        return 1
    if here + 1 < len(words):
        pair = (word, words[here + 1])
        if word + words[here + 1] == wanted or PHRASES.get(pair) == wanted:
            return 2
    is_cut = len(word) >= _SHORTEST_CUT and len(wanted) >= _SHORTEST_FULL
    return 1 if is_cut and wanted.startswith(word) else 0


def _joined(placed: PlacedText, at: int) -> bool:
    gap = placed.gap(at)
    return len(gap) <= _LONGEST_JOINT and _JOINT_SIGNS.issuperset(gap)
