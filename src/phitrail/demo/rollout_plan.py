"""A rollout in the clinic, in numbers: two versions side by side, one worse in one use case.

Rules:
1. From `rollout_hour` on a coin sends every request to either version, in all use cases
   alike; before it the old one serves alone.
2. The versions are equal in everything, but for what `Worse` says: in one use case, from one
   hour on. So whatever else is told of them is a false alarm.
3. What people and machines do in common stays common: busy hours are slower for both versions,
   raters differ from each other and from day to day, and rate both versions alike. Some rate
   late, and some think again.
4. Rows hold no word, as the log holds none.

`demo.rollout` draws the rows, `demo.rollout_rows` writes them as records.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from phitrail.events.codes import FinishReason, FlagReason, GuardDecision

Whole = npt.NDArray[np.int64]
Truth = npt.NDArray[np.bool_]
Real = npt.NDArray[np.float64]

HOUR_US: Final = 3_600_000_000
VERSIONS: Final = ("4.1.0", "4.2.0")
"""The old version and the new one."""
OLD, NEW = 0, 1
FINISHED: Final = (
    FinishReason.STOP,
    FinishReason.LENGTH,
    FinishReason.CONTENT_FILTER,
    FinishReason.ERROR,
)
GUARDED: Final = (GuardDecision.RELEASE, GuardDecision.REDACT, GuardDecision.ALERT)
FLAGGED: Final = (
    FlagReason.INACCURATE,
    FlagReason.INCOMPLETE,
    FlagReason.MISSING_CITATION,
    FlagReason.IRRELEVANT,
)
NONE: Final = -1


@dataclass(frozen=True, slots=True)
class UseCase:
    """One use of the assistant: its share of requests, and what its answers are like."""

    name: str
    share: float
    rated: float
    positive: float
    latency_ms: float
    prompt_tokens: float
    citations: float


USES: Final = (
    UseCase("chart_qa", 0.28, 0.12, 0.88, 2_100, 2_600, 2.4),
    UseCase("discharge_planning", 0.26, 0.15, 0.86, 3_400, 4_100, 2.0),
    UseCase("medication_reconciliation", 0.16, 0.14, 0.90, 2_600, 3_000, 1.6),
    UseCase("guideline_lookup", 0.14, 0.10, 0.92, 1_500, 1_200, 3.1),
    UseCase("emergency_lookup", 0.10, 0.06, 0.84, 1_100, 900, 1.2),
    UseCase("clinical_coding", 0.06, 0.09, 0.87, 1_800, 2_000, 1.4),
)


@dataclass(frozen=True, slots=True)
class Worse:
    """In what the new version is worse, in which use case, and from which hour on.

    Without an hour it is worse from the rollout on.
    """

    use_case: str = "discharge_planning"
    from_hour: int | None = None
    positive: float = -0.14
    disclaimer: float = -0.16
    latency: float = 1.25


@dataclass(frozen=True, slots=True)
class Plan:
    """How long the clinic is watched, and how much it asks; Monday is weekday 0."""

    days: int = 21
    requests: int = 20_000
    rollout_hour: int = 86
    raters: int = 24
    first_weekday: int = 0
    worse: Worse | None = Worse()

    @property
    def worse_from_hour(self) -> int:
        """From which hour on the new version is worse, where it is."""
        said = None if self.worse is None else self.worse.from_hour
        return self.rollout_hour if said is None else said


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests in order of time, one a row; -1 stands for what was not measured."""

    at_us: Whole
    use: Whole
    facility: Whole
    version: Whole
    input_tokens: Whole
    output_tokens: Whole
    cache_read_tokens: Whole
    latency_us: Whole
    first_token_us: Whole
    retrieved: Whole
    top_score_e6: Whole
    cache_hit: Truth
    finished: Whole
    disclaimer: Truth
    refused: Truth
    citations: Whole
    guarded: Whole

    def __len__(self) -> int:
        """Count the requests."""
        return len(self.at_us)


@dataclass(frozen=True, slots=True)
class Ratings:
    """Ratings in order of time; `supersedes` is the row of an earlier one, or -1."""

    at_us: Whole
    request: Whole
    rater: Whole
    is_positive: Truth
    flag: Whole
    supersedes: Whole

    def __len__(self) -> int:
        """Count the ratings."""
        return len(self.at_us)


@dataclass(frozen=True, slots=True)
class Served:
    """What the clinic asked and said of the answers; hour 0 is where time begins."""

    seed: int
    plan: Plan
    requests: Requests
    ratings: Ratings


def is_worse(plan: Plan, use: Whole, version: Whole, at_us: Whole) -> Truth:
    """Say which requests the new version answers worse."""
    if plan.worse is None:
        return np.zeros(len(at_us), dtype=bool)
    worse = [one.name for one in USES].index(plan.worse.use_case)
    since = plan.worse_from_hour * HOUR_US
    return np.asarray((use == worse) & (version == NEW) & (at_us >= since))
