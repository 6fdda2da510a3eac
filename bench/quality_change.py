"""Change points on the Turing Change Point Dataset, beside others and beside doing nothing.

Scores are those of TCPDBench (van den Burg and Williams, 2020): F1 with a margin of 5 places
against all annotators, and covering. A method that raises is counted as raising: it has no
score on that series, and is never taken for one that found nothing.
"""

import importlib
import itertools
import json
import math
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from phitrail.errors import PhitrailError
from phitrail.quality.change_points import find_changes

DATA = Path(os.environ.get("PHITRAIL_TCPD", "../shared/data/tcpd"))
PEERS = Path(".venv/quality-peers/bin/python")
MARGIN = 5
OTAVA = """
import json, sys
from otava.analysis import compute_change_points
for line in sys.stdin:
    values = json.loads(line)
    try:
        found = compute_change_points(values, window_len=50, max_pvalue=0.001)
        points = found[0] if isinstance(found, tuple) else found
        print(json.dumps([int(p.index) for p in points]), flush=True)
    except Exception as error:
        print(json.dumps(type(error).__name__), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Series:
    """One series with what people said of it."""

    name: str
    values: tuple[float, ...]
    annotations: tuple[tuple[int, ...], ...]


def read_series(place: Path = DATA) -> list[Series]:
    """Read the series of one dimension; a missing value is carried on from before."""
    if not (place / "annotations.json").exists():
        return []
    said = json.loads((place / "annotations.json").read_text("utf-8"))
    found = []
    for file in sorted(place.glob("*/*.json")):
        read = json.loads(file.read_text("utf-8"))
        if read["n_dim"] == 1 and read["name"] in said:
            values: list[float] = []
            for raw in read["series"][0]["raw"]:
                values.append(values[-1] if raw is None else float(raw))
            people = tuple(tuple(one) for one in said[read["name"]].values())
            found.append(Series(read["name"], tuple(values), people))
    return found


def score(series: Series, found: Sequence[int]) -> tuple[float, float]:
    """Give F1 and covering of TCPDBench."""
    people = [{0, *one} for one in series.annotations]
    places = {0, *found}
    precision = len(_met(set().union(*people), places)) / len(places)
    recall = sum(len(_met(one, places)) / len(one) for one in people) / len(people)
    f1 = 2.0 * precision * recall / (precision + recall)
    parts = _parts(found, len(series.values))
    covered = [
        sum(
            (end - begin) * max(_overlap((begin, end), part) for part in parts)
            for begin, end in _parts(one, len(series.values))
        )
        for one in series.annotations
    ]
    return f1, sum(covered) / len(covered) / len(series.values)


def _met(truth: set[int], places: set[int]) -> set[int]:
    free, met = set(places), set()
    for one in sorted(truth):
        near = sorted((abs(one - x), x) for x in free if abs(one - x) <= MARGIN)
        if near:
            met.add(one)
            free.remove(near[0][1])
    return met


def _parts(cuts: Sequence[int], count: int) -> list[tuple[int, int]]:
    edges = sorted({0, count, *(cut for cut in cuts if 0 < cut < count)})
    return list(itertools.pairwise(edges))


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> float:
    both = max(0, min(one[1], other[1]) - max(one[0], other[0]))
    return both / (one[1] - one[0] + other[1] - other[0] - both)


Method = Callable[[tuple[float, ...]], Sequence[int]]


def methods() -> dict[str, Method]:
    """Give ours, those of ruptures with their defaults, and the one that does nothing."""
    ruptures = importlib.import_module("ruptures")

    def scaled(values: tuple[float, ...]) -> np.ndarray:
        array = np.array(values)
        return np.reshape((array - array.mean()) / (array.std() or 1.0), (-1, 1))

    def pelt(values: tuple[float, ...]) -> Sequence[int]:
        search = ruptures.Pelt(model="rbf").fit(scaled(values))
        return [int(end) for end in search.predict(pen=math.log(len(values)))[:-1]]

    def binseg(values: tuple[float, ...], jump: int) -> Sequence[int]:
        search = ruptures.Binseg(model="l2", jump=jump).fit(scaled(values))
        return [int(end) for end in search.predict(pen=3 * math.log(len(values)))[:-1]]

    return {
        "zero (never alarms)": lambda _: (),
        "**phitrail** (exact PELT, 3 ln n)": lambda v: find_changes(np.array(v)),
        "ruptures Binseg l2, 3 ln n": lambda v: binseg(v, 1),
        "the same, as it comes (every fifth place only)": lambda v: binseg(v, 5),
        "ruptures Pelt as it comes (rbf), ln n": pelt,
    }


def otava(all_series: Sequence[Series]) -> list[list[int] | str] | None:
    """Ask Apache Otava in its own environment; None without one, a text for an error."""
    if not PEERS.exists():
        return None
    lines = "".join(json.dumps(list(one.values)) + "\n" for one in all_series)
    done = subprocess.run(  # noqa: S603 - our own environment
        [str(PEERS), "-c", OTAVA],
        input=lines,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def table(all_series: Sequence[Series]) -> list[list[str]]:
    """Score every method on every series; the rows of the table."""
    rows: list[list[str]] = []
    zero = (0.0, 0.0)
    for name, method in methods().items():
        began, found, errors = time.process_time(), [], 0
        for one in all_series:
            try:
                found.append(score(one, method(one.values)))
            except (PhitrailError, ValueError, ArithmeticError):  # counted, and shown
                errors += 1
        mean = (_mean([f1 for f1, _ in found]), _mean([c for _, c in found]))
        zero = mean if name.startswith("zero") else zero
        rows.append(_row(name, mean, zero, errors, time.process_time() - began))
    peers = otava(all_series)
    if peers is None:
        rows.append(["Apache Otava 0.8.0", *["not set up: make quality-peers"] * 5])
        return rows
    good = [
        score(one, places)
        for one, places in zip(all_series, peers, strict=True)
        if not isinstance(places, str)
    ]
    mean = (_mean([f1 for f1, _ in good]), _mean([c for _, c in good]))
    errors = len(peers) - len(good)
    rows.append(_row("Apache Otava 0.8.0, window 50, p .001", mean, zero, errors, None))
    return rows


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def _row(
    name: str,
    mean: tuple[float, float],
    zero: tuple[float, float],
    errors: int,
    cpu_s: float | None,
) -> list[str]:
    return [
        name,
        f"{mean[0]:.3f}",
        f"{mean[1]:.3f}",
        f"{mean[0] - zero[0]:+.3f} / {mean[1] - zero[1]:+.3f}",
        str(errors),
        "-" if cpu_s is None else f"{cpu_s:.2f} s",
    ]
