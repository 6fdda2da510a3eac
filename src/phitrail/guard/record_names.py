"""Names of the people of a record, in a text.

A run is a row of pieces that are parts of the names of one person, joined by blanks, hyphens,
commas, quotes or carets, in any order; single letters that are that person's initials,
generations (`III`) and one foreign word between two parts belong to it. A run counts when

1. one of its pieces is nobody's ordinary word (`COMMON_WORDS`), or
2. two pieces are of the same person, or one stands beside an initial, a title or a
   credential, or
3. it is one ordinary word with a capital letter that no sentence begin or capital
   neighbour explains, or behind a relative in a text without capitals.

Alone and without a title it is no name before a noun that makes it an eponym (`Parkinson
disease`). One typing error is forgiven in parts of five letters and more: of six alone, of
five beside another part. Initials alone count behind a word for the patient, or dotted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from phitrail.events.codes import IdentifierClass
from phitrail.guard.common_words import COMMON_WORDS
from phitrail.guard.found import Found
from phitrail.guard.record_name_keys import NameKeys
from phitrail.guard.record_text import PlacedText
from phitrail.guard.record_titles import (
    AFTER,
    BEFORE,
    BODY_PARTS,
    EPONYM_NOUNS,
    EPONYMS,
    FORMAL,
    KIN,
    PARTICLES,
    RELATIONS,
    SUFFIXES,
)

_STRONG_LENGTH = 4
_TYPO_LENGTH = 5
_TYPO_ALONE = 6
_SHORT = 2
_LONGEST_RUN = 16
_INITIAL_CUES = frozenset("pt patient initials client resident subject donor".split())


@dataclass(slots=True)
class _Run:
    """A row of pieces, `first` to `last`, that may be one person's name."""

    first: int
    last: int
    people: int
    parts: int = 1
    initials: int = 0
    has_strong: bool = False
    is_typo_only: bool = False


def match_names(keys: NameKeys, placed: PlacedText, hits: Sequence[int]) -> list[Found]:
    """Find the names; `hits` are the pieces that may be part of one, in order."""
    found: list[Found] = []
    past = -1
    for at in hits:
        if at <= past:
            continue
        run = _run_from(keys, placed, at, past)
        if run is None:
            continue
        if not _counts(placed, run) or run.people == 0:
            continue
        past = run.last
        found.append(_found(keys, placed, run))
    return found


def match_short_marks(
    keys: NameKeys, placed: PlacedText, hits: Sequence[int]
) -> list[Found]:
    """Find initials that stand for a person: `pt KT`, `K.T.`, and `-kt` signing a line."""
    found: list[Found] = []
    for at in hits:
        people = keys.short_marks.get(placed.words[at], 0)
        start = placed.places[at][0]
        before = placed.text[max(0, start - 2) : start]
        cued = (
            at > 0
            and placed.words[at - 1] in _INITIAL_CUES
            and not placed.gap(at - 1).strip(' ":=.')
        ) or (_credential_after(placed, at) and placed.gap(at) != " ")
        signs = before[-1:] in ("-", "\u2014", "~") and before[:1] in (
            "",
            " ",
            "\n",
            "-",
        )
        if people and ((cued and placed.is_upper(at)) or signs):
            run = _Run(at, at, people)
            found.append(_found(keys, placed, run, "record.initials"))
    return found


def match_dotted(
    keys: NameKeys, placed: PlacedText, hits: Sequence[int]
) -> list[Found]:
    """Find initials with points: three, two behind a cue, one behind a title (`Mr. B.`).

    `hits` are the single letters that are somebody's initials, in order.
    """
    found: list[Found] = []
    row: list[int] = []
    for at in [*hits, len(placed.words) + 1]:
        if row and (at != row[-1] + 1 or placed.gap(row[-1]) != "."):
            mark = "".join(placed.words[one] for one in row)
            before = placed.words[row[0] - 1] if row[0] else ""
            is_told = len(mark) > _SHORT or before in _INITIAL_CUES
            people = keys.short_marks.get(mark, 0)
            if len(mark) == 1 and _title_before(placed, row[0])[1]:
                people, is_told = keys.initials[mark], True
            if people and is_told and mark not in AFTER and placed.is_upper(row[0]):
                run = _Run(row[0], row[-1], people)
                found.append(_found(keys, placed, run, "record.initials"))
            row = []
        row.append(at)
    return found


def _found(
    keys: NameKeys, placed: PlacedText, run: _Run, rule: str = "record.name"
) -> Found:
    lowest = (run.people & -run.people).bit_length() - 1
    return Found(
        placed.places[run.first][0],
        placed.places[run.last][1],
        IdentifierClass.NAME,
        1.0,
        rule,
        is_in_record=True,
        role=keys.roles[lowest],
    )


def _run_from(keys: NameKeys, placed: PlacedText, at: int, past: int) -> _Run | None:
    word = placed.words[at]
    people = keys.parts.get(word, 0)
    is_typo = not people
    if is_typo:
        people = keys.parts.get(keys.near(word) or "", 0)
    if word in PARTICLES and not placed.is_upper(at):
        return None
    run = _Run(at, at, people, has_strong=_is_strong(placed, at) and not is_typo)
    run.is_typo_only = is_typo
    _extend(keys, placed, run)
    _lead(keys, placed, run, past)
    while run.last > run.first and _is_loose_particle(placed, run.last):
        run.last -= 1
    return run


def _is_loose_particle(placed: PlacedText, at: int) -> bool:
    """Whether a piece ends no name: `de` in small letters, not the `Le` of `Thanh Le`."""
    is_small = not placed.is_upper(at) and not placed.is_lower
    return is_small and placed.words[at] in PARTICLES


def _is_strong(placed: PlacedText, at: int) -> bool:
    word = placed.words[at]
    if word in COMMON_WORDS or word in PARTICLES or len(word) <= _SHORT:
        return False
    if len(word) < _STRONG_LENGTH and placed.is_acronym(at):
        return False
    return len(word) >= _STRONG_LENGTH or placed.is_upper(at) or placed.is_lower


def _extend(keys: NameKeys, placed: PlacedText, run: _Run) -> None:
    """Take what follows into the run, as long as it is of one person."""
    words = placed.words
    limit = min(len(words), run.first + _LONGEST_RUN)
    while run.last + 1 < limit and placed.joins(run.last):
        at = run.last + 1
        word = words[at]
        people = keys.parts.get(word, 0) & run.people
        if people:
            run.people, run.last = people, at
            run.parts += word not in PARTICLES
            run.has_strong |= _is_strong(placed, at)
        elif len(word) == 1 and _is_initial(keys, placed, run, at):
            run.last = at
            run.initials += 1
        elif word in SUFFIXES or ("^" in placed.gap(run.last) and word.isalpha()):
            run.last = at
        elif _is_typo_in(keys, placed, run, at):
            run.last = at
            run.parts += 1
        elif not _bridge(keys, placed, run, at):
            return


def _is_initial(keys: NameKeys, placed: PlacedText, run: _Run, at: int) -> bool:
    word = placed.words[at]
    end = placed.places[at][1]
    dotted = placed.text[end : end + 1] == "."
    if not (placed.is_upper(at) or placed.is_lower or dotted):
        return False
    if "'" in placed.gap(at - 1):
        return False
    people = keys.initials.get(word, 0) & run.people
    if people:
        if placed.is_lower and not dotted and word in "aio":
            return False
        run.people = people
        return True
    follows = (
        keys.parts.get(placed.words[at + 1], 0) if at + 1 < len(placed.words) else 0
    )
    return bool(follows & run.people) and placed.joins(at)


def _is_typo_in(keys: NameKeys, placed: PlacedText, run: _Run, at: int) -> bool:
    word = placed.words[at]
    if len(word) < _TYPO_LENGTH or word in COMMON_WORDS:
        return False
    near = keys.near(word)
    people = (keys.parts[near] & run.people) if near else 0
    if people:
        run.people = people
    return bool(people)


def _bridge(keys: NameKeys, placed: PlacedText, run: _Run, at: int) -> bool:
    """Take one foreign word with a capital letter between two parts of one name."""
    if not placed.is_upper(at) or at + 1 >= len(placed.words):
        return False
    gap = placed.gap(at - 1)
    people = keys.parts.get(placed.words[at + 1], 0) & run.people
    if not people or not placed.joins(at) or "," in gap + placed.gap(at) or "." in gap:
        return False
    if placed.words[at] in TITLES_OR_RELATIONS:
        return False
    run.people, run.last = people, at + 1
    run.parts += 1
    run.has_strong |= _is_strong(placed, at + 1)
    return True


TITLES_OR_RELATIONS = BEFORE | AFTER | RELATIONS


def _lead(keys: NameKeys, placed: PlacedText, run: _Run, past: int) -> None:
    """Take initials before the run into it (`T. Nakagawa`, `J.R. Smith`)."""
    while run.first - 1 > past and placed.joins(run.first - 1):
        at = run.first - 1
        word = placed.words[at]
        people = keys.initials.get(word, 0) & run.people if len(word) == 1 else 0
        gap = placed.gap(at)
        dotted = gap.startswith(".")
        if not people or not (placed.is_upper(at) or dotted) or gap not in _LEAD_GAPS:
            return
        run.people, run.first = people, at
        run.initials += 1


_LEAD_GAPS = frozenset({" ", ". ", ".", ""})


def _counts(placed: PlacedText, run: _Run) -> bool:
    """Whether a run is a name (rules 1 to 3 of the module)."""
    titled, formal = _title_before(placed, run.first)
    if run.is_typo_only and run.parts == 1:
        word = placed.words[run.first]
        if placed.is_lower or not placed.is_title(run.first):
            return False
        return len(word) >= _TYPO_ALONE and not _is_eponym(placed, run)
    if run.parts > 1:
        return run.has_strong or placed.is_lower or placed.is_upper(run.first)
    if formal:
        return run.has_strong or placed.is_upper(run.first) or placed.is_lower
    if _is_eponym(placed, run):
        return False
    if run.has_strong:
        return True
    return _ordinary_word_is_name(placed, run, titled=titled)


def _title_before(placed: PlacedText, first: int) -> tuple[bool, bool]:
    if first == 0 or not placed.joins(first - 1):
        return False, False
    gap, word = placed.gap(first - 1), placed.words[first - 1]
    if gap.strip(" .") or word not in BEFORE:
        return False, False
    article = first > 1 and placed.words[first - 2] in _ARTICLES
    return True, word in FORMAL and not (article and word == "doctor")


_ARTICLES = frozenset("a an the her his my your their our this that".split())


def _is_eponym(placed: PlacedText, run: _Run) -> bool:
    first, at = run.first, run.last + 1
    words = placed.words
    is_inside = first > 0 and placed.gap(first - 1) == "-"
    if is_inside and at < len(words) and placed.gap(at - 1) == "-":
        return True
    if first > 1 and words[first - 1] == "of" and words[first - 2] in BODY_PARTS:
        return True
    if (
        words[first] in EPONYMS
        and placed.text[placed.places[run.last][1] :][:1] in "'\u2019"
    ):
        return True
    if at < len(words) and words[at] == "s" and placed.gap(at - 1) == "'":
        at += 1
    return at < len(words) and words[at] in EPONYM_NOUNS and placed.joins(at - 1)


def _ordinary_word_is_name(placed: PlacedText, run: _Run, *, titled: bool) -> bool:
    """Rule 3: `Will`, `May`, `Hope`; also two letters such as `Bo`."""
    first, last = run.first, run.last
    if _kin_before(placed, first):
        return True
    if not placed.is_upper(first):
        return False
    if run.initials or titled or _credential_after(placed, last):
        return True
    word = placed.words[first]
    if not placed.is_title(first) or word in _SYMBOLS:
        return False
    if first > 0 and placed.words[first - 1] in RELATIONS and placed.joins(first - 1):
        return True
    if word in _MONTH_WORDS or placed.begins_sentence(first):
        return placed.text[placed.places[last][1] :][:2] in ("'s", "\u2019s")
    return not _has_capital_beside(placed, first, last)


def _kin_before(placed: PlacedText, first: int) -> bool:
    """Whether a relation stands before, and letters alone could not tell a name."""
    if first == 0 or placed.words[first - 1] not in KIN or placed.gap(first - 1) != " ":
        return False
    start, end = placed.places[first]
    told = placed.is_lower or placed.text[start:end].isupper()
    return told and placed.words[first] not in _VERBS


_VERBS = frozenset("will may can mark sue see hunt rush carry chase say art".split())
_MONTH_WORDS = frozenset("may june april august march summer autumn winter".split())
_SYMBOLS = frozenset("li na mg cl ca fe do an or no in as at co he ne hg al".split())


def _credential_after(placed: PlacedText, last: int) -> bool:
    return (
        last + 1 < len(placed.words)
        and placed.words[last + 1] in AFTER
        and placed.is_upper(last + 1)
        and placed.gap(last) in (", ", " ", ",")
    )


def _has_capital_beside(placed: PlacedText, first: int, last: int) -> bool:
    before = (
        first > 0
        and placed.gap(first - 1) == " "
        and placed.is_upper(first - 1)
        and placed.words[first - 1] not in TITLES_OR_RELATIONS
    )
    after = (
        last + 1 < len(placed.words)
        and placed.gap(last) in (" ", "-")
        and placed.is_upper(last + 1)
    )
    return before or after
