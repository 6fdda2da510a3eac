"""`phitrail demo`: the main job in a small clinic, verified, shown, and tampered with.

0. Three weeks of a rollout are recorded, in which a new version is worse in one use case.
1. The clinic works; half way, checkpoints are carried out of the house.
2. The watch over quality says what is worse since when; the trail is verified against the
   checkpoints.
3. One event is shown with its proof, and what the rules found.
4. Copies of the trail are tampered with; each must be caught.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from phitrail.app import clock
from phitrail.app.alert_board import StandingAlert, list_alerts
from phitrail.app.reading import ProvenEntry, prove_entry
from phitrail.app.rules import rules_of
from phitrail.app.running import run_trail
from phitrail.app.verification import Verdict, Verification, verify_trail
from phitrail.cli.demo_rollout import look_at_rollout, rollout_object, tell_rollout
from phitrail.cli.exit_codes import ExitCode
from phitrail.cli.log import print_entry, proof_object
from phitrail.cli.output import Output
from phitrail.cli.verify import print_verification, verification_object
from phitrail.demo.day import Day, run_day
from phitrail.demo.drill import DrillResult, run_drill
from phitrail.demo.rollout_plan import Plan
from phitrail.errors import StorageError
from phitrail.events.codes import Log
from phitrail.events.ids import parse_time
from phitrail.quality.alert_words import title_of

READER = "privacy-officer"


@dataclass(frozen=True, slots=True)
class _Places:
    """Where a demo works; `is_kept` says whether its trail outlives it."""

    trail: Path
    outside: Path
    copies: Path
    is_kept: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the options of `phitrail demo` say."""

    directory: Path | None
    questions: int
    notes: Path | None
    requests: int
    seed: int


def tell_story(wanted: Wanted, *, as_json: bool) -> int:
    """Run the demo; give its exit code.

    Raises:
        PhitrailError: as the parts that it shows.
    """
    output = Output(as_json)
    with _places(wanted.directory) as places:
        day = run_day(
            places.trail,
            now=clock.now(),
            questions=wanted.questions,
            notes_file=wanted.notes,
            seed=wanted.seed,
            stage=output.progress,
            rollout=Plan(requests=wanted.requests) if wanted.requests else None,
        )
        looked = None if day.rollout is None else look_at_rollout(output, places.trail)
        outside = {f"{log}.checkpoint": note for log, note in day.outside.items()}
        _keep(places.outside, outside)
        if not as_json:
            _tell_day(output, day)
            if day.rollout is not None and looked is not None:
                tell_rollout(output, day.rollout, looked)
        with output.progress("entries verified") as progress:
            found = verify_trail(
                places.trail,
                outside=tuple(outside.items()),
                deep=True,
                progress=progress,
            )
        proof = _prove_first(places.trail, day)
        alerts = _alerts(places.trail)
        with output.progress("drills") as progress:
            drill = run_drill(places.trail, outside, places.copies, progress)
        if as_json:
            told = _object(places, day, found, proof, drill, alerts)
            if day.rollout is not None and looked is not None:
                told["rollout"] = rollout_object(day.rollout, looked)
            output.data(told)
        else:
            _tell_rest(output, places, found, proof, drill, alerts)
    is_caught = all(one.caught for one in drill)
    is_sound = found.verdict is Verdict.OK and is_caught
    return ExitCode.OK if is_sound else ExitCode.CHECK_FAILED


@contextmanager
def _places(directory: Path | None) -> Iterator[_Places]:
    with tempfile.TemporaryDirectory(prefix="phitrail-demo-") as temporary:
        root = Path(temporary)
        trail = root / "clinic" if directory is None else directory
        outside = trail.with_name(trail.name + "-outside")
        (root / "copies").mkdir()
        yield _Places(trail, outside, root / "copies", directory is not None)


def _keep(directory: Path, notes: Mapping[str, bytes]) -> None:
    """Keep checkpoints beside the trail; a real house keeps them on another host."""
    try:
        directory.mkdir(exist_ok=True)
        for name, note in notes.items():
            (directory / name).write_bytes(note)
    except OSError as error:
        raise StorageError(f"cannot write {directory}: {error.strerror}") from error


def _prove_first(trail: Path, day: Day) -> ProvenEntry:
    """Prove the first inference of the day."""
    with run_trail(trail) as running:
        return prove_entry(
            running,
            Log.AUDIT,
            day.run.receipts[0].event_id,
            by=READER,
            now=clock.now(),
        )


def _tell_day(output: Output, day: Day) -> None:
    run = day.run
    endings = ", ".join(f"{count} {ending}" for ending, count in run.endings.items())
    output.line(
        f"The clinic's staff asked {run.questions} questions over {day.notes} notes; "
        f"{run.records} records were opened.\nHow they ended: {endings}.\n"
        "Each access was durable in the log before its answer was released.\n"
    )


def _tell_rest(
    output: Output,
    places: _Places,
    found: Verification,
    proof: ProvenEntry,
    drill: Sequence[DrillResult],
    alerts: Sequence[StandingAlert],
) -> None:
    output.line(
        "Verified against the checkpoints carried out half way through the day:"
    )
    print_verification(output, found)
    output.line("\nOne event, as the log holds it (surrogates, no words):")
    print_entry(output, proof.entry)
    output.line(
        f"Its proof: {len(proof.proven.proof)} hashes lead from it to the signed root "
        f"over {proof.proven.checkpoint.size} entries; checked.\n"
    )
    _tell_alerts(output, places, alerts)
    output.line(
        "Then copies of the trail were tampered with, by somebody who owns the host:"
    )
    for one in drill:
        verdict = f"caught in {one.ms} ms" if one.caught else "NOT CAUGHT"
        output.line(f"  {one.name}: {verdict}\n    done: {one.done}")
        if one.caught:
            output.line(f"    by:   {one.by}")
    output.line()
    if places.is_kept:
        output.line(
            f"Where to look next:\n"
            f"  phitrail status --trail {places.trail}\n"
            f"  phitrail log tail --trail {places.trail}\n"
            f"  phitrail verify --trail {places.trail} --log audit "
            f"--checkpoint {places.outside}/audit.checkpoint"
        )
    else:
        output.line(
            "Where to look next: `phitrail demo --dir clinic` keeps the trail; then\n"
            "`phitrail log tail --trail clinic`, `phitrail verify --trail clinic`."
        )


def _alerts(trail: Path) -> Sequence[StandingAlert]:
    """List what the rules found in the course of the day."""
    with run_trail(trail) as running:
        return list_alerts(running.parts, by=READER, now=clock.now()).alerts


def _told_after(alert: StandingAlert) -> timedelta | None:
    """Say how long after the clock of the log an alert was received."""
    opened = alert.opened
    if opened.timestamp_utc is None or opened.received_at is None:
        return None
    return parse_time(opened.received_at) - parse_time(opened.timestamp_utc)


def _tell_alerts(
    output: Output, places: _Places, given: Sequence[StandingAlert]
) -> None:
    alerts = [one for one in given if title_of(one.newest.rule_id) is None]
    titles = {one.head.rule_id: one.head.title for one in rules_of(()).set.rules}
    output.line(f"The rules, judged as it went, found {len(alerts)} things to look at:")
    for (severity, title), count in Counter(
        (one.newest.severity, titles[one.newest.rule_id]) for one in alerts
    ).most_common():
        output.line(f"  {severity}: {title}: {count}")
    waits = [wait for one in alerts if (wait := _told_after(one)) is not None]
    if waits:
        output.line(
            f"  each was told {max(waits).total_seconds() * 1_000:.0f} ms or less after "
            "what it rests on was in the log"
        )
    if alerts and places.is_kept:
        found = alerts[0].newest.alert_id[:8]
        output.line(
            f"  `phitrail alert show {found} --trail {places.trail}` explains one"
        )
    output.line()


def _object(
    places: _Places,
    day: Day,
    found: Verification,
    proof: ProvenEntry,
    drill: Sequence[DrillResult],
    alerts: Sequence[StandingAlert],
) -> dict[str, object]:
    return {
        "trail": str(places.trail) if places.is_kept else None,
        "outside": str(places.outside) if places.is_kept else None,
        "questions": day.run.questions,
        "notes": day.notes,
        "records": day.run.records,
        "endings": {str(ending): count for ending, count in day.run.endings.items()},
        "entries": {one.log.value: one.size for one in found.logs},
        "verification": verification_object(found),
        "proof": proof_object(proof, None),
        "alerts": [
            {
                "alert_id": one.newest.alert_id,
                "rule_id": one.newest.rule_id,
                "severity": one.newest.severity,
                "match_count": one.newest.match_count,
            }
            for one in alerts
        ],
        "drill": [
            {"name": one.name, "caught": one.caught, "by": one.by, "ms": one.ms}
            for one in drill
        ],
    }
