"""What each path of a foreign entry is: ours, ignored on purpose, refused, or unknown.

1. A path is looked up in the caller's map, then in the built-in map of the form; there
   without regard to case, `_` and `-`.
2. A path that is known to hold free text and is in no map refuses its entry.
3. A name is shown only where it looks like one: a key may be anybody's name or number.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import lru_cache

from phitrail.capture.history.chain import ChainFields
from phitrail.capture.history.form import HistoryForm
from phitrail.capture.history.times import TimeReader

MAX_NAME_CHARS = 80
_NAME = re.compile(
    r"@?[A-Za-z_][A-Za-z_-]*[0-9]{0,2}(?:\[\])?(?:\.@?[A-Za-z_][A-Za-z_-]*[0-9]{0,2}(?:\[\])?)*"
)
_REMEMBERED_PATHS = 5000

FREE_TEXT = frozenset(
    """
    answer chatresponse clinicalnote comment comments completion content context
    description finding input inputtext justification llmresponse message messages
    modelresponse narrative note notes output outputtext prompt prompttext query
    querytext question rationale rawquery rawresponse reason reasontext reply response
    responsetext search searchtext snippet summary systemprompt text transcript
    userinput usermessage userprompt userquery
    """.split()
)
"""Names under which loggers keep words, written without case, `_` and `-`."""


class Fate(Enum):
    """What becomes of a path that is mapped to nothing."""

    IGNORED = auto()
    REFUSED = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class FieldRule:
    """How one foreign path becomes one of our fields.

    Attributes:
        to: our field, or a word of `targets`.
        order: of several paths for one field the lowest counts.
        values: what a value becomes; others stay as they are.
        split: what separates the parts of a list that is written as one text.
        scale: what a number is multiplied with.
        is_keyed: the keyed hash of the value goes in, not the value.
        or_leave_out: a value that does not fit is left out and counted, not refused.
    """

    to: str
    order: int = 0
    values: Mapping[str, str] = field(default_factory=dict)
    split: str | None = None
    scale: int = 1
    is_keyed: bool = False
    or_leave_out: bool = False


@dataclass(frozen=True, slots=True)
class FieldMap:
    """How entries of one form and one source are read.

    Attributes:
        form: the form of the file.
        source: the old system's name; part of every derived event id.
        rules: the caller's own, by path.
        ignored: paths ignored on purpose; one that ends in `.*` stands for all beneath.
        constants: values of our fields where an entry gives none.
        distinct_by: paths that tell entries apart beside their id.
        time: how times are written.
        chain: which fields carry the old system's own hashes.
        delimiter: between the columns of CSV.
        built_in: rules of the form, by normalised path.
        built_in_ignored: the same, for paths ignored on purpose.
        refuses_free_text: whether a path of `FREE_TEXT` refuses its entry.
        no_entry: a path and the value there that marks what is no entry at all.
        digest: SHA-256 of the caller's map, in hex.
    """

    form: HistoryForm
    source: str = ""
    rules: Mapping[str, FieldRule] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()
    constants: Mapping[str, str] = field(default_factory=dict)
    distinct_by: tuple[str, ...] = ()
    time: TimeReader = field(default_factory=TimeReader)
    chain: ChainFields = field(default_factory=ChainFields)
    delimiter: str = ","
    built_in: Mapping[str, FieldRule] = field(default_factory=dict)
    built_in_ignored: frozenset[str] = frozenset()
    refuses_free_text: bool = True
    no_entry: tuple[str, str] | None = None
    digest: str | None = None
    _known: dict[str, FieldRule | Fate] = field(default_factory=dict, repr=False)

    def of(self, path: str) -> FieldRule | Fate:
        """Say what a path is."""
        found = self._known.get(path)
        if found is None:
            found = self._look_up(path)
            if len(self._known) < _REMEMBERED_PATHS:
                self._known[path] = found
        return found

    def _look_up(self, path: str) -> FieldRule | Fate:
        if path in self.rules:
            return self.rules[path]
        if path in self.ignored or any(
            above + ".*" in self.ignored for above in _above(path)
        ):
            return Fate.IGNORED
        plain = normalised(path)
        if plain in self.built_in:
            return self.built_in[plain]
        if plain in self.built_in_ignored:
            return Fate.IGNORED
        last = plain.rsplit(".", 1)[-1].removesuffix("[]")
        if self.refuses_free_text and last in FREE_TEXT:
            return Fate.REFUSED
        return Fate.UNKNOWN


def normalised(path: str) -> str:
    """Write a path without case, `_` and `-`."""
    return path.casefold().replace("_", "").replace("-", "").replace(" ", "")


def shown_name(path: str, place: int) -> str:
    """Name a path where it looks like a name, else by its place in its entry."""
    return path if _looks_like_a_name(path) else f"(field {place})"


@lru_cache(maxsize=4096)
def _looks_like_a_name(path: str) -> bool:
    return len(path) <= MAX_NAME_CHARS and _NAME.fullmatch(path) is not None


def _above(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:n]).removesuffix("[]") for n in range(1, len(parts))]
