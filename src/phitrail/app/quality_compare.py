"""Comparing versions of a trail's models: by name, or the newest with the one before.

What is compared is decided in `quality.versions`, how in `quality.verdict`. Nothing here
shows an entry or a person, so it is not recorded as a read (as `app.quality_answers`).
"""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from phitrail.app.quarantine import check_rows
from phitrail.app.tables import open_tables
from phitrail.app.wiring import Trail
from phitrail.errors import InputError
from phitrail.events.codes import Log
from phitrail.projection.tables import Tables
from phitrail.quality.as_of import AsOf
from phitrail.quality.family import Asked, compare_family
from phitrail.quality.verdict import Comparison
from phitrail.quality.versions import Pair, Served, find_pairs, list_versions


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which versions: two by name, or none for the newest of each use case."""

    candidate: str | None = None
    baseline: str | None = None
    model_id: str | None = None
    use_case: str | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """What was asked, what came of it, and of which sizes of the logs."""

    asked: Asked
    found: tuple[tuple[Pair, Comparison], ...]
    sizes: Mapping[str, int]


def compare_versions(
    trail: Trail,
    wanted: Wanted,
    asked: Asked,
    *,
    now: datetime,
    progress: Callable[[int, int], None] | None = None,
) -> Compared:
    """Compare versions as of a time.

    Raises:
        InputError: names the field and the rule.
        RefusedError: entries of the quality log are in quarantine.
        IntegrityError: tables or log are damaged; the message says what to run.
        StorageError: a file cannot be read.
    """
    check_asked(trail, asked, now)
    with open_tables(trail, now) as tables:
        pairs = pairs_of(tables, wanted, asked)
        found = compare_family(tables, pairs, asked, progress)
        return Compared(asked, found, dict(tables.as_of))


def check_asked(trail: Trail, asked: Asked, now: datetime) -> None:
    """Refuse a time to come, and a log that holds entries in quarantine.

    Raises:
        InputError: the time is not over.
        RefusedError: entries of the quality log are in quarantine.
    """
    if asked.as_of > now:
        raise InputError.for_field("as_of", "a time that is over")
    with closing(trail.journal()) as journal:
        size = journal.head(Log.QUALITY.value).size
    check_rows(trail, Log.QUALITY, range(size))


def pairs_of(tables: Tables, wanted: Wanted, asked: Asked) -> tuple[Pair, ...]:
    """Find the pairs that are wanted.

    Raises:
        InputError: only one version was named, or no use case had both.
        StorageError: a file cannot be read.
    """
    view = AsOf(asked.as_of)
    if wanted.candidate is None and wanted.baseline is None:
        return tuple(
            pair
            for pair in find_pairs(tables, view)
            if wanted.model_id in {None, pair.model_id}
            and wanted.use_case in {None, pair.use_case}
        )
    if wanted.candidate is None or wanted.baseline is None:
        raise InputError.for_field("version", "name two versions, or none")
    served = [
        one
        for one in list_versions(tables, view)
        if wanted.model_id in {None, one.model_id}
        and wanted.use_case in {None, one.use_case}
    ]
    pairs = tuple(_pairs_by_name(served, wanted.candidate, wanted.baseline))
    if not pairs:
        raise InputError.for_field(
            "version", "no use case of one model was served by both versions"
        )
    return pairs


def _pairs_by_name(served: list[Served], candidate: str, baseline: str) -> list[Pair]:
    by_place = {(one.model_id, one.use_case, one.version): one for one in served}
    return [
        Pair(one.model_id, one.use_case, candidate, baseline, one.begins)
        for (model_id, use_case, version), one in by_place.items()
        if version == candidate and (model_id, use_case, baseline) in by_place
    ]
