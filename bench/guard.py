"""The guard: what it finds, what it takes, what it weighs; Presidio beside it.

    make bench PART=guard
    make presidio && make bench PART=guard ARGS="--only quality --only cost"

*Quality*: every development set, by the definitions of `phitrail.guard.evaluate`, with 95 %
intervals: what the default policy takes out, without context and as a stream; what the guard
finds with a record beside it; what other systems marked. Presidio runs over the same texts in
its own environment (`make presidio`), and is left out where that is not made.

*Cost*: CPU time of one process on one core over many different texts of 2 KB, as figures of
rounds; start and memory of fresh processes, in turn; one long text from 2 KB to 10 MB; and
texts that repeat one thing.

The sets come from `--data`; a set that is absent is left out, and said to be.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from bench.figures import Spread, percentile, print_machine, print_table
from bench.guard_texts import (
    KB,
    SETS,
    explained,
    marks_of_others,
    read_records,
    read_set,
    texts_of_size,
)
from phitrail.guard.evaluate import Evaluation, Place, Scores, score
from phitrail.guard.labelled import LabelledText
from phitrail.guard.record_context import RecordContext
from phitrail.guard.scan import Guard

ROOT: Final = Path(__file__).parents[1]
DATA: Final = ROOT.parent / "shared" / "data" / "phi"
PRESIDIO: Final = ROOT / ".venv" / "presidio" / "bin" / "python"
OURS: Final = ("guard", "record", "stream")
PRESIDIO_NAME: Final = "Presidio, small spaCy"
MB: Final = KB * KB
SIZES: Final = (2 * KB, 20 * KB, 200 * KB, 2 * MB, 10 * MB)
REPEATS: Final = {
    "one letter": "a",
    "one digit": "7",
    "digits, hyphens": "7-",
    "capital, stop": "A.",
    "at signs": "a@",
    "zero width": "a\u200b",
    "a name": "Ana Roe, ",
    "percent signs": "%41",
    "brackets": "[NAME-1](",
    "spaces": " ",
}
FIGURES: Final = (
    "set", "what", "texts", "PHI spans", "recall", "precision", "leak", "miss",
    "false words/1,000", "dirty",
)  # fmt: skip


class Finders:
    """Finders in processes of their own."""

    def __init__(self, presidio: Path) -> None:
        self._python = {"presidio": presidio} if presidio.exists() else {}
        self._python |= dict.fromkeys(OURS, Path(sys.executable))

    def has(self, finder: str) -> bool:
        """Say whether a finder's environment is there."""
        return finder in self._python

    def ask(
        self, finder: str, task: str, texts: Sequence[str], rounds: int = 1
    ) -> dict[str, Any]:
        """Give one task to a fresh process."""
        ran = subprocess.run(  # noqa: S603 - our own module
            [
                self._python[finder],
                "-m",
                "bench.guard_fresh",
                finder,
                task,
                str(rounds),
            ],
            input=json.dumps(texts),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": _paths()},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        told: dict[str, Any] = json.loads(ran.stdout)
        return told

    def marks(self, finder: str, texts: Sequence[LabelledText]) -> list[list[Place]]:
        """Return what a finder marks in each text."""
        places = self.ask(finder, "mark", [each.text for each in texts])["places"]
        return [[(start, end) for start, end in each] for each in places]


def _paths() -> str:
    given = os.environ.get("PYTHONPATH")
    ours = [str(ROOT / "src"), str(ROOT)]
    return os.pathsep.join([*ours, *([given] if given else [])])


def measure_quality(data: Path, finders: Finders) -> None:
    """Print the tables of figures, set by set."""
    rows: list[list[str]] = []
    fine: list[tuple[str, Evaluation]] = []
    for name in SETS:
        texts = read_set(data, name)
        if texts is None:
            print(f"{name}: left out, {data} does not hold it")
            continue
        found = score(texts, finders.marks("guard", texts))
        fine.append((name, found))
        rows.append(_row(name, "guard", found.overall))
        as_stream = score(texts, finders.marks("stream", texts)).overall
        rows.append(_row(name, "guard, as a stream", as_stream))
        if finders.has("presidio"):
            theirs = score(texts, finders.marks("presidio", texts)).overall
            rows.append(_row(name, PRESIDIO_NAME, theirs))
        if name == "asq_dev":
            rows += _rows_of_others(data, texts)
        if name == "clinai_dev":
            rows += _rows_with_records(data, texts, finders)
    if not finders.has("presidio"):
        print("Presidio: left out, its environment is not made (make presidio)")
    print_table("Development sets, 95 % intervals", FIGURES, rows)
    for name, found in fine:
        parts = [*found.by_label, *found.by_genre]
        if len(parts) > 1:
            print_table(
                f"{name}, by label and genre",
                FIGURES[1:],
                [_row(name, each.name, each)[1:] for each in parts],
            )


def _row(name: str, what: str, scores: Scores) -> list[str]:
    return [
        name,
        what,
        str(scores.texts),
        str(scores.spans),
        *(
            f.show()
            for f in (scores.recall, scores.precision, scores.leak, scores.miss)
        ),
        scores.false_words.show(".1f"),
        scores.dirty.show(),
    ]


def _rows_of_others(data: Path, texts: Sequence[LabelledText]) -> Iterator[list[str]]:
    for system, marks in marks_of_others(data).items():
        known = [each for each in texts if each.id in marks]
        places = [[(start, end) for start, end, *_ in marks[t.id]] for t in known]
        yield _row("asq_dev", f"recorded: {system}", score(known, places).overall)


def _rows_with_records(
    data: Path, texts: Sequence[LabelledText], finders: Finders
) -> Iterator[list[str]]:
    """Score what a record explains: found at all, and known to be the record's."""
    by_id = {each.id: each for each in texts}
    records = read_records(data)
    if not records:
        print(f"record contexts: left out, {data} does not hold them")
        return
    guard = Guard()
    contexts = [RecordContext.from_records([record]) for _, record, _ in records]
    explains = [explained(by_id[text_id], places) for text_id, _, places in records]
    found = [
        guard.find(each.text, context)
        for each, context in zip(explains, contexts, strict=True)
    ]
    places = [[(one.start, one.end) for one in each] for each in found]
    of_record = [[(o.start, o.end) for o in each if o.is_in_record] for each in found]
    name = "clinai_dev, explained"
    yield _row(name, "guard with the record", score(explains, places).overall)
    yield _row(name, "... as the record's", score(explains, of_record).overall)
    for finder, what in (("guard", "guard alone"), ("presidio", PRESIDIO_NAME)):
        if finders.has(finder):
            marks = finders.marks(finder, explains)
            yield _row(name, what, score(explains, marks).overall)


def measure_cost(
    texts: Sequence[str], finders: Finders, rounds: int, number: int
) -> None:
    """Print CPU time for texts of 2 KB, and start and memory."""
    made = texts_of_size(texts, 2 * KB, number)
    asked = [(finder, made, rounds) for finder in ("guard", "record", "stream")]
    asked += [("presidio", made[: number // 4], 1)]
    asked = [each for each in asked if finders.has(each[0])]
    print_table(
        "CPU for a text of 2 KB on one core: over rounds, median and range",
        (
            "finder", "mean ms", "p50 ms", "p99 ms", "mean, in yardsticks",
            "yardstick us", "texts", "rounds",
        ),
        (
            _cpu_row(finder, finders.ask(finder, "cpu", part, n)["rounds"])
            for finder, part, n in asked
        ),
    )  # fmt: skip
    starts: dict[str, list[dict[str, Any]]] = {"guard": [], "presidio": []}
    for _ in range(rounds):
        for finder, told in starts.items():
            if finders.has(finder):
                began = time.perf_counter()
                each = finders.ask(finder, "start", made[:50])
                told.append(each | {"process_s": time.perf_counter() - began})
    print_table(
        "A fresh process: start, first text, memory after 50 texts of 2 KB",
        ("finder", "ready s", "first text ms", "memory MB", "at most MB", "n"),
        [_start_row(finder, told) for finder, told in starts.items() if told],
    )


def _cpu_row(finder: str, rounds: list[dict[str, Any]]) -> list[str]:
    sorted_ms = [sorted(each["ms"]) for each in rounds]
    means = [statistics.mean(ms) for ms in sorted_ms]
    yardsticks = [each["yardstick_us"] for each in rounds]
    ratios = [m * 1000 / y for m, y in zip(means, yardsticks, strict=True)]
    return [
        finder,
        Spread.of(means).show(".2f"),
        Spread.of([percentile(ms, 0.5) for ms in sorted_ms]).show(".2f"),
        Spread.of([percentile(ms, 0.99) for ms in sorted_ms]).show(".2f"),
        Spread.of(ratios).show(),
        Spread.of(yardsticks).show(".2f"),
        str(len(sorted_ms[0])),
        str(len(rounds)),
    ]


def _start_row(finder: str, told: list[dict[str, Any]]) -> list[str]:
    def spread(key: str, form: str) -> str:
        return Spread.of([each[key] for each in told]).show(form)

    return [
        finder,
        spread("ready_s", ".2f"),
        spread("first_ms", ".0f"),
        spread("rss_mb", ".0f"),
        spread("most_mb", ".0f"),
        str(len(told)),
    ]


def measure_growth(texts: Sequence[str], finders: Finders, largest: int) -> None:
    """Print what one long text takes, whole and as a stream, and texts that repeat."""
    sizes = [size for size in SIZES if size <= largest]

    def row(label: str, text: str, finder: str) -> list[str]:
        told = finders.ask(finder, "whole", [text])
        size = len(text.encode())
        return [
            f"{size / KB:,.0f}",
            label,
            f"{told['cpu_s']:.3f}",
            f"{told['cpu_s'] * 1000 / (size / MB):,.0f}",
            f"{told['before_mb']:,.0f}",
            f"{told['most_mb']:,.0f}",
            f"{told['found']:,}",
        ]

    head = ("KB", "how", "CPU s", "ms/MB", "MB before", "MB at most", "places")
    print_table(
        "One text, 2 KB to 10 MB",
        head,
        (
            row(label, texts_of_size(texts, size, 1)[0], finder)
            for size in sizes
            for label, finder in (("whole", "guard"), ("as a stream", "stream"))
        ),
    )
    print_table(
        "Texts that repeat one thing",
        head,
        (
            row(label, (part * (size // len(part) + 1))[:size], "guard")
            for label, part in REPEATS.items()
            for size in (100 * KB, MB)
            if size <= largest
        ),
    )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--presidio", type=Path, default=PRESIDIO)
    parser.add_argument(
        "--only", action="append", choices=("quality", "cost", "growth")
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--largest", type=int, default=10 * MB)
    given = parser.parse_args()
    only = given.only or ["quality", "cost", "growth"]
    finders = Finders(given.presidio)
    print_machine()
    if "quality" in only:
        measure_quality(given.data, finders)
    answers = read_set(given.data, "clinai_dev")
    if answers is None:
        print(f"cost and growth: left out, {given.data} does not hold clinai_dev")
        return
    texts = [each.text for each in answers]
    if "cost" in only:
        measure_cost(texts, finders, given.rounds, given.texts)
    if "growth" in only:
        measure_growth(texts, finders, given.largest)
    print_machine()


if __name__ == "__main__":
    main()
