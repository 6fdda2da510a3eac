"""What a rule means: the one typed form that both executors read (ADR 0013).

A selection is a tree of tests on fields. A correlation counts, sums or orders the events that
selections match, by group, in a window.

1. Time is the event's own, whole microseconds. The window of an instant t is (t - span, t]:
   what happened exactly `span` ago is out.
2. An event counts once: rows with the same `event_id` are one event (parts, copies).
3. An event whose group-by field is absent is in no group.
4. A condition is judged at the instant of each event of its group, over every event with the
   same or an earlier time: events of one instant are judged together.
5. Instants that qualify make episodes: one ends where the next qualifying instant is `span`
   or more away. An episode is an alert; its measure is the highest one.
6. `temporal_ordered`: the rules' events in this order, times not decreasing, all in one window.
   An event that two rules match stands for both.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from phitrail.detect.source import Place, Scalar
from phitrail.events.codes import Log, Severity


class Op(StrEnum):
    """How a field is tested; text is compared without regard to case unless `cased`."""

    EQ = "eq"
    LIKE = "like"
    RE = "re"
    CIDR = "cidr"
    EXISTS = "exists"
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"
    FIELDREF = "fieldref"


@dataclass(frozen=True, slots=True)
class Test:
    """One field against one value.

    `value` is text, a number, true or false, or None (absent). For `like` it is a tuple of
    literal pieces between wildcards: `None` for `*`, an int n for n times `?`. A field that
    holds a list fits where one of its elements does.
    """

    field: str
    op: Op
    value: "Scalar | tuple[str | int | None, ...]"
    is_cased: bool = False


@dataclass(frozen=True, slots=True)
class All:
    """Every one of these."""

    of: "tuple[Predicate, ...]"


@dataclass(frozen=True, slots=True)
class Any:
    """One of these at least."""

    of: "tuple[Predicate, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """Not this."""

    of: "Predicate"


Predicate: TypeAlias = Test | All | Any | Not


class Kind(StrEnum):
    """What a correlation measures (Sigma correlation rules 2.1)."""

    EVENT_COUNT = "event_count"
    VALUE_COUNT = "value_count"
    VALUE_SUM = "value_sum"
    TEMPORAL = "temporal"
    TEMPORAL_ORDERED = "temporal_ordered"


COUNTING = frozenset({Kind.EVENT_COUNT, Kind.VALUE_COUNT, Kind.VALUE_SUM})


class Compare(StrEnum):
    """How a measure is compared with a number."""

    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    EQ = "eq"
    NEQ = "neq"


MONOTONE = frozenset({Compare.GT, Compare.GTE})
"""A measure that only grows with late events stays above these."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One comparison of a measure."""

    compare: Compare
    number: int


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events of one log a rule is about."""

    log: Log
    predicate: Predicate


@dataclass(frozen=True, slots=True)
class Head:
    """What a rule says of itself.

    `controls` are paragraphs of law; `response` says what whoever is paged does next, and
    `containment` which subjects of its alert to contain. Where it `judges_sources`, the rules
    that it is over make alerts of their own as well.
    """

    rule_id: str
    title: str
    severity: Severity
    place: Place
    name: str | None = None
    status: str = "test"
    description: str = ""
    falsepositives: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    response: str = ""
    containment: tuple[str, ...] = ()
    suppress_us: int = 0
    judges_sources: bool = False


@dataclass(frozen=True, slots=True)
class Detection:
    """A rule about single events: each that it selects is an alert of its own group."""

    head: Head
    selection: Selection


@dataclass(frozen=True, slots=True)
class Source:
    """One of the rules that a correlation is over: its name there, and which rule."""

    name: str
    rule: "Detection | Correlation"
    aliases: tuple[tuple[str, str], ...] = ()

    def field(self, name: str) -> str:
        """Say which field of its events a group-by name means."""
        return dict(self.aliases).get(name, name)


@dataclass(frozen=True, slots=True)
class Correlation:
    """A rule about many events."""

    head: Head
    kind: Kind
    sources: tuple[Source, ...]
    group_by: tuple[str, ...]
    span_us: int
    bounds: tuple[Bound, ...] = ()
    field: str | None = None

    @property
    def is_monotone(self) -> bool:
        """Whether what qualifies goes on to qualify when events come late."""
        return all(bound.compare in MONOTONE for bound in self.bounds)

    @property
    def least(self) -> int | None:
        """The number that a measure must reach, where that is all that is asked of it."""
        if not self.is_monotone:
            return None
        reached = (b.number + (b.compare is Compare.GT) for b in self.bounds)
        return max(reached, default=1)


Rule: TypeAlias = Detection | Correlation
