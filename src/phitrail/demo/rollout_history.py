"""The last days of a rollout, recorded through the one door as if the demo had watched them.

What is recorded is what had come by `now`, with the time of receipt that it would have had:
of a rating that comes three days after its answer, the log must say so, or nothing could be
compared at equal maturity. Records of one hour wait together, so that they share commits.

The trail must have been founded before the first of it (`begin_of`), and nobody may have it
open.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

from phitrail.app.running import run_trail
from phitrail.capture.recorder import Recorder
from phitrail.capture.text_hash import TextHasher
from phitrail.demo.notes import Progress
from phitrail.demo.rollout import serve
from phitrail.demo.rollout_plan import NEW, OLD, VERSIONS, Plan, Served
from phitrail.demo.rollout_rows import QualityRecord, records_of
from phitrail.events.quality import Feedback, QualityEntry
from phitrail.keys import names
from phitrail.keys.mac import Mac

Timed: TypeAlias = tuple[datetime, QualityRecord]
"""A record, and when the log receives it."""


@dataclass(frozen=True, slots=True)
class RolloutHistory:
    """What was recorded, and what is true of it, for whoever checks what is found.

    Attributes:
        served: what was drawn.
        start: hour 0 of it.
        requests: how many requests were recorded.
        ratings: how many ratings were recorded.
    """

    served: Served
    start: datetime
    requests: int
    ratings: int

    @property
    def candidate(self) -> str:
        """The new version."""
        return VERSIONS[NEW]

    @property
    def baseline(self) -> str:
        """The old version."""
        return VERSIONS[OLD]

    @property
    def worse_since(self) -> datetime:
        """The hour from which the new version is worse in one use case."""
        return self.start + timedelta(hours=self.served.plan.worse_from_hour)


def begin_of(now: datetime, plan: Plan) -> datetime:
    """Give hour 0 of a plan whose last day is that of `now`, UTC."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=plan.days - 1)


def record_history(
    directory: Path,
    *,
    now: datetime,
    plan: Plan,
    seed: int,
    progress: Progress | None = None,
) -> RolloutHistory:
    """Record what came of a rollout by `now`.

    Raises:
        ConfigError: there is no trail, or a file or key of it is missing or wrong.
        StorageError: the trail could not take a record.
    """
    start = begin_of(now, plan)
    served = serve(seed, replace(plan, first_weekday=start.weekday()))
    counts: Counter[type] = Counter()
    with run_trail(directory) as running, asyncio.Runner() as loop:
        hasher = TextHasher(Mac(running.parts.keys, names.RATER).written)
        made = records_of(
            served, start, lambda rater: hasher.hash(rater, "rater").exact
        )
        total = len(served.requests) + len(served.ratings)
        for _, hour in groupby(
            (one for one in made if one[0] <= now),
            key=lambda one: (one[0].date(), one[0].hour),
        ):
            records = list(hour)
            loop.run(_record(running.parts.recorder, records))
            counts.update(type(record) for _, record in records)
            if progress is not None:
                progress(sum(counts.values()), total)
    return RolloutHistory(served, start, counts[QualityEntry], counts[Feedback])


async def _record(recorder: Recorder, records: Sequence[Timed]) -> None:
    await asyncio.gather(
        *(recorder.record_many_async([record], at) for at, record in records)
    )
