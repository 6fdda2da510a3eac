"""One finder in a fresh process: what it marks, takes, and weighs.

    python -m bench.guard_fresh guard|record|stream|presidio mark|cpu|start|whole [ROUNDS]

Texts come as a JSON array on standard input; one JSON object goes to standard output. The
process stays on one core, and takes it before NumPy loads, so that its libraries start no
threads. Times are CPU times of the process. `record` has the records of a made-up patient, and
reads them anew for each text, as an access does. `stream` gets its text in pieces of 20
characters, as a model gives them. `presidio` runs in its own environment.
"""

import json
import os
import sys
import time

STARTED = time.perf_counter()
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

from collections.abc import Callable, Sequence  # noqa: E402 - after the clock was read
from pathlib import Path  # noqa: E402 - the same
from typing import Any, TypeAlias  # noqa: E402 - the same

Places: TypeAlias = list[tuple[int, int]]
Find: TypeAlias = Callable[[str], Places]
PIECE = 20
RECORDS: list[dict[str, object]] = [
    {
        "resourceType": "Patient",
        "identifier": [{"type": {"text": "MRN"}, "value": "70442918"}],
        "name": [{"given": ["Quillon", "Ames"], "family": "Varrick"}],
        "telecom": [{"system": "phone", "value": "+16148672290"}],
        "birthDate": "1961-04-02",
        "address": [{"line": ["18 Tannery Row"], "city": "Bellmere", "state": "OH"}],
    },
    {
        "resourceType": "RelatedPerson",
        "name": [{"given": ["Isolde"], "family": "Varrick"}],
        "telecom": [{"system": "phone", "value": "+16148672291"}],
    },
    {
        "resourceType": "Practitioner",
        "name": [{"given": ["Oren"], "family": "Castellane"}],
    },
    {"resourceType": "Coverage", "subscriberId": "XQP5500812A"},
]
"""Made up."""


def load_guard() -> Find:
    """Load ours; places are those that the default policy takes out."""
    from phitrail.guard.redact import REPLACED  # noqa: PLC0415 - loading is measured
    from phitrail.guard.scan import Guard  # noqa: PLC0415 - the same

    guard = Guard()

    def find(text: str) -> Places:
        spans = guard.scan(text).spans
        return [(s.start, s.end) for s in spans if s.action in REPLACED]

    return find


def load_with_record() -> Find:
    """Load ours with the records of an access; places are everything that it finds."""
    from phitrail.guard.record_context import RecordContext  # noqa: PLC0415 - the same
    from phitrail.guard.scan import Guard  # noqa: PLC0415 - the same

    guard = Guard()

    def find(text: str) -> Places:
        context = RecordContext.from_records(RECORDS)
        return [(s.start, s.end) for s in guard.scan(text, context).spans]

    return find


def load_stream() -> Find:
    """Load ours for texts that come in pieces; places are those that it takes out."""
    from phitrail.capture.guarding import Asked  # noqa: PLC0415 - the same
    from phitrail.capture.held_stream import HeldStream  # noqa: PLC0415 - the same
    from phitrail.guard.policy import GuardPolicy  # noqa: PLC0415 - the same
    from phitrail.guard.redact import REPLACED  # noqa: PLC0415 - the same
    from phitrail.guard.scan import Guard  # noqa: PLC0415 - the same

    guard, policy = Guard(), GuardPolicy()

    def find(text: str) -> Places:
        stream = HeldStream(guard, policy, Asked(), lambda value: str(len(value)))
        for at in range(0, len(text), PIECE):
            stream.feed(text[at : at + PIECE])
        stream.finish()
        spans = stream.result().spans
        return [(s.start, s.end) for s in spans if s.action in REPLACED]

    return find


def load_presidio() -> Find:
    """Load Presidio with the small spaCy model; places are everything that it finds."""
    from phitrail.guard.second_opinion import SecondOpinion  # noqa: PLC0415 - the same

    opinion = SecondOpinion.load()
    return lambda text: [(each.start, each.end) for each in opinion.find(text)]


LOAD = {
    "guard": load_guard,
    "record": load_with_record,
    "stream": load_stream,
    "presidio": load_presidio,
}


def memory_mb(what: str) -> float:
    """Read VmRSS (now) or VmHWM (the most so far) of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) / 1024
    return 0.0


def mark(find: Find, texts: Sequence[str], _rounds: int) -> dict[str, Any]:
    """Mark texts."""
    return {"places": [find(text) for text in texts]}


def cpu(find: Find, texts: Sequence[str], rounds: int) -> dict[str, Any]:
    """Time each text, round after round, with the yardstick beside."""
    from bench.figures import yardstick_us  # noqa: PLC0415 - not part of the start

    find(texts[0])
    told: list[dict[str, Any]] = []
    for _ in range(rounds):
        yardstick, ms = yardstick_us(), []
        for text in texts:
            began = time.process_time()
            find(text)
            ms.append((time.process_time() - began) * 1000)
        told.append({"yardstick_us": (yardstick + yardstick_us()) / 2, "ms": ms})
    return {"rounds": told}


def start(find: Find, texts: Sequence[str], _rounds: int) -> dict[str, Any]:
    """Say what it took to be ready, and what it weighs after some texts."""
    ready_s = time.perf_counter() - STARTED
    began = time.perf_counter()
    find(texts[0])
    first_ms = (time.perf_counter() - began) * 1000
    for text in texts:
        find(text)
    rss, most = memory_mb("VmRSS"), memory_mb("VmHWM")
    return {"ready_s": ready_s, "first_ms": first_ms, "rss_mb": rss, "most_mb": most}


def whole(find: Find, texts: Sequence[str], _rounds: int) -> dict[str, Any]:
    """Take one long text: seconds, and the memory above what was there before."""
    find("Ready.")
    before = memory_mb("VmRSS")
    began = time.process_time()
    found = find(texts[0])
    cpu_s = time.process_time() - began
    return {
        "cpu_s": cpu_s,
        "before_mb": before,
        "most_mb": memory_mb("VmHWM"),
        "found": len(found),
    }


TASKS = {"mark": mark, "cpu": cpu, "start": start, "whole": whole}


def main() -> None:
    """Do one task."""
    finder, task, *more = sys.argv[1:]
    rounds = int(more[0]) if more else 1
    find = LOAD[finder]()
    texts = json.load(sys.stdin)
    json.dump(TASKS[task](find, texts, rounds), sys.stdout)


if __name__ == "__main__":
    main()
