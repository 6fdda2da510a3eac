"""`make bench PART=log`: the write path, its stages, many processes, verification, growth.

Every section prints one table in Markdown. `--only SECTION` runs one of them, `--growth N`
sets how far the growth table goes (10,000,000 takes about half an hour).
"""

import argparse
import asyncio
import gc
import hashlib
import json
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.figures import (
    Spread,
    percentile,
    print_machine,
    print_table,
    yardstick_us,
)
from bench.load import bench_event, bench_events
from phitrail.app import clock
from phitrail.app.founding import found_trail
from phitrail.app.pipeline import Pipeline
from phitrail.app.verification import verify_trail
from phitrail.app.wiring import Trail, open_trail
from phitrail.durable.database import open_database, transaction
from phitrail.events.canonical import encode_leaf, encode_opened
from phitrail.events.codes import Log
from phitrail.events.ids import new_uuid7, uuid_bytes
from phitrail.events.unprotect import unprotect
from phitrail.sdk import aconnect, connect
from phitrail.tlog.entry import Entry
from phitrail.tlog.hashing import hash_leaf
from phitrail.tlog.journal import MAC_BYTES

IN_FLIGHT = (1, 16, 256, 1024)
EVENTS = {1: 2_000, 16: 16_000, 256: 60_000, 1024: 60_000}
RUNS = 3


@contextmanager
def fresh_trail() -> Iterator[Path]:
    """Found a trail in a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="phitrail-bench-") as name:
        directory = Path(name) / "trail"
        found_trail(directory, "bench.example", clock.now())
        yield directory


# --- throughput --------------------------------------------------------------------


async def _throughput(
    directory: Path, in_flight: int, count: int
) -> tuple[float, float, float, float, float]:
    trail = await aconnect(directory, receipts=directory.with_name("receipts"))
    for number in range(1000):  # the known subjects
        await trail.record(bench_event(number))
    latencies: list[float] = []
    made = list(bench_events(count, f"{in_flight}-"))
    gc.collect()
    gc.freeze()  # the callers' events are not the recorder's to look after
    events = iter(made)

    async def caller() -> None:
        for event in events:
            began = time.perf_counter()
            await trail.record(event)
            latencies.append(time.perf_counter() - began)

    cpu, began = time.process_time(), time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(in_flight)))
    durable_s = time.perf_counter() - began
    await trail.publish()
    published_s = time.perf_counter() - began
    cpu = time.process_time() - cpu
    await trail.close()
    gc.unfreeze()
    latencies.sort()
    return (
        count / durable_s,
        count / published_s,
        percentile(latencies, 0.5) * 1e3,
        percentile(latencies, 0.99) * 1e3,
        cpu / count * 1e6,
    )


def throughput(runs: int) -> None:
    """Durable and published events a second through the whole path."""
    rows = []
    for in_flight in IN_FLIGHT:
        figures = []
        yards = [yardstick_us()]
        for _ in range(runs):
            with fresh_trail() as directory:
                figures.append(
                    asyncio.run(_throughput(directory, in_flight, EVENTS[in_flight]))
                )
            yards.append(yardstick_us())
        columns = [Spread.of(column) for column in zip(*figures, strict=True)]
        rows.append(
            (
                str(in_flight),
                columns[0].show(),
                columns[1].show(),
                columns[2].show(".2f"),
                columns[3].show(".1f"),
                columns[4].show(".0f"),
                f"{statistics.median(yards):.2f}",
            )
        )
    print_table(
        f"Recorder path, n = {runs} (median, range)",
        (
            "in flight",
            "durable events/s",
            "published events/s",
            "ack p50 ms",
            "ack p99 ms",
            "CPU us/event",
            "yardstick us",
        ),
        rows,
    )


# --- bare limits -------------------------------------------------------------------


def _bare_batches(rows: int, batch: int) -> float:
    """Insert rows of 1,100 bytes in batches into SQLite as the journal is opened."""
    with tempfile.TemporaryDirectory(prefix="phitrail-bench-") as name:
        database = open_database(
            Path(name) / "bare.db",
            schema="CREATE TABLE row (id INTEGER PRIMARY KEY, body BLOB)",
        )
        body = os.urandom(1100)
        began = time.perf_counter()
        for _ in range(rows // batch):
            with transaction(database):
                database.executemany(
                    "INSERT INTO row (body) VALUES (?)", [(body,)] * batch
                )
        seconds = time.perf_counter() - began
        database.close()
    return rows / seconds


def _bare_fsync_ms(count: int = 300) -> float:
    with tempfile.TemporaryDirectory(prefix="phitrail-bench-") as name:
        handle = os.open(Path(name) / "file", os.O_WRONLY | os.O_CREAT)
        times = []
        for _ in range(count):
            began = time.perf_counter()
            os.write(handle, b"x" * 1100)
            os.fdatasync(handle)
            times.append(time.perf_counter() - began)
        os.close(handle)
    return statistics.median(times) * 1e3


def _one_caller_ms(count: int = 500) -> float:
    with fresh_trail() as directory, connect(directory, receipts=None) as trail:
        for number in range(200):
            trail.record(bench_event(number))
        times = []
        for number in range(count):
            event = bench_event(number % 49 + 1)
            began = time.perf_counter()
            trail.record(event)
            times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e3


def limits(runs: int) -> None:
    """The bare limits of SQLite and of the disk, beside our path."""
    bare, ours, fsync, caller = [], [], [], []
    for _ in range(runs):
        bare.append(_bare_batches(60_000, 256))
        with fresh_trail() as directory:
            ours.append(asyncio.run(_throughput(directory, 256, 30_000))[0])
        fsync.append(_bare_fsync_ms())
        caller.append(_one_caller_ms())
    ratio = [o / b for o, b in zip(ours, bare, strict=True)]
    above = [c - f for c, f in zip(caller, fsync, strict=True)]
    print_table(
        f"Beside the bare limits, n = {runs}",
        ("what", "figure"),
        (
            ("bare SQLite, batches of 256, rows/s", Spread.of(bare).show()),
            ("whole path at 256 in flight, events/s", Spread.of(ours).show()),
            ("ratio", Spread.of(ratio).show(".2f")),
            ("bare write + fdatasync, p50 ms", Spread.of(fsync).show(".2f")),
            ("one caller, ack p50 ms", Spread.of(caller).show(".2f")),
            ("above the bare fsync, ms", Spread.of(above).show(".2f")),
        ),
    )


# --- stages ------------------------------------------------------------------------


def _cpu_us(call: Callable[[], object], count: int = 2000) -> float:
    """Take the least CPU time of a call over many short rounds."""
    call()
    rounds = []
    for _ in range(40):
        began = time.thread_time()
        for _ in range(count // 40):
            call()
        rounds.append((time.thread_time() - began) / (count // 40) * 1e6)
    return min(rounds)


def stages() -> None:
    """CPU of each stage of one bench event, in the caller's thread."""
    with fresh_trail() as directory:
        trail = open_trail(directory)
        recorder, now = trail.recorder, clock.now()
        event = bench_event(7)
        recorder.record(bench_event(7), now)
        drafts, _ = recorder._drafts((event,), now)
        draft = drafts[0]
        leaf = recorder._leaves(draft, None, now)[0]
        data = encode_leaf(leaf)
        keys = trail.log_keys["audit"]
        batch = [data] * 256
        rows = (
            ("caller's canonical bytes", lambda: encode_opened(event, unprotect)),
            ("keyed hash for idempotency", lambda: recorder._idempotency.digest(data)),
            ("vocabulary", lambda: recorder._vocabulary.check(event)),
            ("identifiers to surrogates (met)", lambda: _exchange(trail, event)),
            ("event id", lambda: new_uuid7(now)),
            (
                "nonce, times, surrogates into the leaf",
                lambda: recorder._leaves(draft, None, now),
            ),
            ("field policy and canonical bytes", lambda: encode_leaf(leaf)),
            ("leaf hash", lambda: hash_leaf(data)),
            ("all of it, before the queue", lambda: _prepare(trail, event)),
            (
                "seal a batch of 256, for each event",
                lambda: keys.seal(b"".join(batch), b"context"),
            ),
        )
        printed = [
            (name, f"{_cpu_us(call) / (256 if 'batch' in name else 1):.2f}")
            for name, call in rows
        ]
        trail.close()
    print_table("CPU of the stages, least of 40 rounds", ("stage", "us"), printed)


def _exchange(trail: Trail, event: object) -> object:
    return trail.recorder._exchange.fields(event, [])  # type: ignore[arg-type]  # a bench event


def _prepare(trail: Trail, event: object) -> object:
    now = clock.now()
    drafts, _ = trail.recorder._drafts((event,), now)  # type: ignore[arg-type]  # a bench event
    return trail.recorder._item(drafts[0], None, now)


# --- many processes ----------------------------------------------------------------


def _process(directory: str, number: int, count: int, barrier: object) -> None:
    async def run() -> None:
        trail = await aconnect(directory, receipts=f"{directory}-receipts")
        for known in range(1000):
            await trail.record(bench_event(known))
        events = bench_events(count, f"p{number}-")

        async def caller() -> None:
            for event in events:
                await trail.record(event)

        barrier.wait()  # type: ignore[attr-defined]  # a multiprocessing barrier
        await asyncio.gather(*(caller() for _ in range(64)))
        barrier.wait()  # type: ignore[attr-defined]  # a multiprocessing barrier
        await trail.close()

    asyncio.run(run())


def processes(runs: int) -> None:
    """Several processes on one journal, 64 in flight each."""
    context = multiprocessing.get_context("spawn")
    total = 24_000
    rows = []
    for number in (1, 2, 4):
        rates = []
        for _ in range(runs):
            with fresh_trail() as directory:
                barrier = context.Barrier(number + 1)
                workers = [
                    context.Process(
                        target=_process,
                        args=(str(directory), n, total // number, barrier),
                    )
                    for n in range(number)
                ]
                for worker in workers:
                    worker.start()
                barrier.wait()
                began = time.perf_counter()
                barrier.wait()
                rates.append(total / (time.perf_counter() - began))
                for worker in workers:
                    worker.join()
        rows.append((str(number), Spread.of(rates).show()))
    print_table(
        f"Processes on one journal, 64 in flight each, n = {runs}",
        ("processes", "durable events/s"),
        rows,
    )


# --- verification and growth -------------------------------------------------------


def grow(trail: Trail, start: int, end: int) -> None:
    """Append prepared leaves in large items: the log itself, without the callers."""
    now = clock.now()
    trail.recorder.record(bench_event(7), now)  # its subjects are met now
    drafts, _ = trail.recorder._drafts((bench_event(7),), now)
    leaf = trail.recorder._leaves(drafts[0], None, now)[0]
    data = encode_leaf(leaf)
    nonce_at = data.index(b'"nonce":"') + len(b'"nonce":"')
    id_at = data.index(b'"event_id":"') + len(b'"event_id":"')
    mac = bytes(MAC_BYTES)
    at = start
    while at < end:
        entries = []
        for number in range(at, min(at + 1000, end)):
            event_id = new_uuid7(clock.now())
            body = bytearray(data)
            body[id_at : id_at + 36] = event_id.encode()
            body[nonce_at : nonce_at + 22] = f"{number:022d}".encode()
            entry = bytes(body)
            entries.append(
                Entry(
                    "audit",
                    uuid_bytes(event_id) + b"\0\0",
                    mac,
                    entry,
                    hash_leaf(entry),
                )
            )
        trail.appender.append(tuple(entries))
        at += len(entries)


def naive_verify(path: Path) -> int:
    """Verify chained JSON lines the usual way: loads, dumps(sort_keys), SHA-256."""
    previous, count = "0" * 64, 0
    with path.open() as lines:
        for line in lines:
            entry = json.loads(line)
            claimed = entry.pop("log_hash")
            text = json.dumps(entry, sort_keys=True).encode()
            if (
                entry["prev_hash"] != previous
                or hashlib.sha256(text).hexdigest() != claimed
            ):
                raise SystemExit("the naive chain does not verify")
            previous, count = claimed, count + 1
    return count


def _write_chain(trail: Trail, path: Path, count: int) -> None:
    previous = "0" * 64
    with path.open("w") as out:
        for leaf in trail.reader(Log.AUDIT).entries(1, count + 1):
            entry = {**json.loads(leaf), "prev_hash": previous}
            text = json.dumps(entry, sort_keys=True).encode()
            previous = hashlib.sha256(text).hexdigest()
            out.write(json.dumps({**entry, "log_hash": previous}) + "\n")


def _verify_rate(directory: Path, size: int, jobs: int) -> tuple[float, float]:
    began, cpu = time.perf_counter(), _all_cpu_s()
    verify_trail(directory, logs=[Log.AUDIT], processes=jobs)
    return size / (time.perf_counter() - began), size / (_all_cpu_s() - cpu)


def _all_cpu_s() -> float:
    usages = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(
        usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, usages)
    )


def _bytes_below(directory: Path) -> int:
    return sum(p.stat().st_size for p in directory.rglob("*") if p.is_file())


def growth(limit: int) -> None:
    """How each cost grows with the size of the log."""
    print_table(
        "Growth",
        (
            "entries",
            "append + publish /s",
            "one caller p50 ms",
            "prove p50 ms",
            "verify /s a core (CPU)",
            "verify /s, all cores (wall)",
            "times naive (CPU)",
            "verifier peak MB a process",
            "bytes an entry on disk",
            "yardstick us",
        ),
        _growth_rows(limit),
    )


def _growth_rows(limit: int) -> Iterator[tuple[str, ...]]:
    with fresh_trail() as directory:
        size = 1
        for target in (10**5, 10**6, 10**7):
            if target > limit:
                break
            trail = open_trail(directory)
            pipeline = Pipeline(trail)
            pipeline.start()
            began = time.perf_counter()
            grow(trail, size, target)
            pipeline.publish_now(3600)
            append_rate = (target - size) / (time.perf_counter() - began)
            times = []
            for number in range(300):
                began = time.perf_counter()
                trail.recorder.record(bench_event(number), clock.now())
                times.append(time.perf_counter() - began)
            pipeline.close()
            prove = _prove_ms(trail, target)
            naive = _naive_rate(trail, directory, min(target - 1, 100_000))
            trail.close()
            size = target + 301
            one = _verify_rate(directory, size, 1)
            both = _verify_rate(directory, size, os.cpu_count() or 1)
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            yield (
                f"{target:,}",
                f"{append_rate:,.0f}",
                f"{statistics.median(times) * 1e3:.2f}",
                f"{prove:.2f}",
                f"{one[1]:,.0f}",
                f"{both[0]:,.0f}",
                f"{one[1] / naive:.1f}",
                f"{peak:.0f}",
                f"{_bytes_below(directory) / size:.0f}",
                f"{yardstick_us():.2f}",
            )


def _prove_ms(trail: Trail, size: int) -> float:
    times = []
    for place in range(50):
        reader = trail.reader(Log.AUDIT)
        began = time.perf_counter()
        reader.prove(place * (size // 50))
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e3


def _naive_rate(trail: Trail, directory: Path, count: int) -> float:
    path = directory.parent / "chain.jsonl"
    _write_chain(trail, path, count)
    cpu = time.process_time()
    naive_verify(path)
    rate = count / (time.process_time() - cpu)
    path.unlink()
    return rate


def main() -> None:
    """Run the sections that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    sections = ("throughput", "limits", "stages", "processes", "growth")
    parser.add_argument("--only", choices=sections, action="append")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--growth", type=int, default=10**6)
    arguments = parser.parse_args()
    wanted = arguments.only or sections
    print_machine()
    if "throughput" in wanted:
        throughput(arguments.runs)
    if "limits" in wanted:
        limits(arguments.runs)
    if "stages" in wanted:
        stages()
    if "processes" in wanted:
        processes(arguments.runs)
    if "growth" in wanted:
        growth(arguments.growth)


if __name__ == "__main__":
    main()
