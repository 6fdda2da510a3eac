"""What `quality compare`, `report` and `accept` ask for and print; loads DuckDB."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from phitrail.app.config import read_policy
from phitrail.app.quality_compare import Compared, Wanted, compare_versions
from phitrail.app.quality_report import accept_rollout, make_report, weigh_acceptance
from phitrail.app.running import run_trail
from phitrail.cli.output import Output
from phitrail.cli.times import parse_length, parse_moment
from phitrail.errors import InputError, StorageError
from phitrail.events.codes import QualityMetric
from phitrail.events.ids import format_time
from phitrail.quality.drawing import pdf_of, svg_of
from phitrail.quality.family import Asked
from phitrail.quality.metric import METRICS
from phitrail.quality.report import Report, said_effect, said_evidence
from phitrail.quality.report_build import line_of
from phitrail.quality.report_page import STATE_WORDS, page_of
from phitrail.quality.report_paper import paper_of
from phitrail.quality.verdict import Comparison, State
from phitrail.quality.versions import Pair

_TWO: Final = 2
_ORDER: Final = (
    State.REGRESSION,
    State.WATCH,
    State.IMPROVED,
    State.OK,
    State.INSUFFICIENT,
    State.WITHHELD,
)


@dataclass(frozen=True, slots=True)
class Signing:
    """Who accepts, why, and whether also what is not shown."""

    by: str
    reason: str
    despite: bool


def wanted(
    versions: Sequence[str] | None, model: str | None, use_case: str | None
) -> Wanted:
    """Read which versions.

    Raises:
        InputError: not two of them, and not none.
    """
    if versions and len(versions) != _TWO:
        raise InputError.for_field(
            "--version", "given twice, the version in question first, or not at all"
        )
    candidate, baseline = versions or (None, None)
    return Wanted(candidate, baseline, model, use_case)


def asked(trail: Path, as_of: str | None, ripen: str | None, now: datetime) -> Asked:
    """Read as of when, and how ripe.

    Raises:
        InputError: names the option and the rule.
        ConfigError: policy.yaml is missing or wrong.
    """
    policy = read_policy(trail).quality
    ripens = timedelta(hours=policy.ratings_ripen_hours)
    if ripen is not None:
        ripens = parse_length("--ripen", ripen)
    at = now if as_of is None else parse_moment("--as-of", as_of)
    return Asked(at, ripens, policy.false_discovery)


def is_any_worse(found: Sequence[tuple[Pair, Comparison]]) -> bool:
    """Say whether a verdict is `regression`."""
    return any(one.state is State.REGRESSION for _, one in found)


compare_all, report_of = compare_versions, make_report

# --- compare ---


def compared_object(compared: Compared) -> Mapping[str, object]:
    """Write a comparison as a JSON object."""
    return {
        "as_of": format_time(compared.asked.as_of),
        "ripen_s": compared.asked.ripen.total_seconds(),
        "false_discovery": compared.asked.false_discovery,
        "log_size": compared.sizes["quality"],
        "comparisons": [
            {
                "model": pair.model_id,
                "since": format_time(pair.since),
                **comparison_object(one),
            }
            for pair, one in compared.found
        ],
    }


def comparison_object(one: Comparison) -> Mapping[str, object]:
    """Write one verdict as a JSON object."""
    metric = METRICS[one.metric]
    return {
        "use_case": one.use_case,
        "metric": one.metric,
        "candidate": one.candidate,
        "baseline": one.baseline,
        "state": one.state,
        "reason": one.reason,
        "effect": one.effect,
        "low": one.low,
        "high": one.high,
        "unit": "share of the baseline" if metric.is_relative else metric.unit,
        "log_e": one.log_e,
        "log_e_not_worse": one.log_e_not_worse,
        "n_candidate": one.n_candidate,
        "n_baseline": one.n_baseline,
        "still_needed": one.still_needed,
        "worse_since": None if one.since_us is None else _iso(one.since_us),
        "family_size": one.family_size,
    }


def print_compared(output: Output, compared: Compared) -> None:
    """Print verdicts: what somebody must know of first."""
    if not compared.found:
        output.line("no use case has two versions of a model")
        return
    print_verdicts(output, compared.found)
    minute = format_time(compared.asked.as_of)[:16].replace("T", " ")
    family = max(one.family_size for _, one in compared.found)
    output.say(
        f"as known at {minute} UTC, ratings within "
        f"{compared.asked.ripen / timedelta(hours=1):g} h of each request; "
        f"{family} tests decided together"
    )


def print_verdicts(output: Output, found: Sequence[tuple[Pair, Comparison]]) -> None:
    """Print a table of verdicts, the worst first."""
    ranked = sorted(found, key=_worst_first)
    output.table(
        (
            "use case",
            "metric",
            "verdict",
            "effect (what is sure)#",
            "e-value#",
            "n#",
            "note",
        ),
        [
            (
                pair.use_case,
                one.metric,
                STATE_WORDS[one.state],
                said_effect(line),
                said_evidence(line),
                f"{one.n_candidate:,} / {one.n_baseline:,}",
                _note(pair, one, line.reason),
            )
            for pair, one in ranked
            for line in [line_of(pair, one)]
        ],
    )


def _worst_first(one: tuple[Pair, Comparison]) -> tuple[int, str, float]:
    pair, comparison = one
    evidence = comparison.log_e or 0.0
    return _ORDER.index(comparison.state), pair.use_case, -evidence


def _note(pair: Pair, one: Comparison, reason: str | None) -> str:
    words = [] if reason is None else [reason]
    if one.state is State.REGRESSION:
        since = "" if one.since_us is None else f" since {_iso(one.since_us)[:16]}Z"
        words.insert(0, f"{pair.model_id} {pair.candidate}{since}")
    return "; ".join(words)


def _iso(at_us: int) -> str:
    return format_time(datetime.fromtimestamp(at_us / 1_000_000, UTC))


# --- report ---


def writer_of(out: Path) -> Callable[[Report, Path], None]:
    """Choose by the name of the file how a report is written.

    Raises:
        InputError: it is none of the three.
    """
    writers: Mapping[str, Callable[[Report], bytes]] = {
        ".html": lambda made: page_of(made, svg_of).encode("utf-8"),
        ".pdf": lambda made: paper_of(made, pdf_of),
        ".json": lambda made: made.as_json().encode("utf-8"),
    }
    make = writers.get(out.suffix)
    if make is None:
        raise InputError.for_field("--out", "a file that ends in .html, .pdf or .json")

    def write(made: Report, place: Path) -> None:
        try:
            place.write_bytes(make(made))
        except OSError as error:
            raise StorageError(f"cannot write {place}: {error.strerror}") from None

    return write


def written_object(made: Report, out: Path) -> Mapping[str, object]:
    """Say as a JSON object what was written."""
    return {
        "file": str(out),
        "model": made.model_id,
        "candidate": made.candidate,
        "baseline": made.baseline,
        "data_digest": made.data_digest,
        "decisions": {one.use_case: one.decision for one in made.use_cases},
    }


def print_written(output: Output, made: Report, out: Path) -> None:
    """Say what was written, and what it decides."""
    output.line(f"{made.model_id}: {made.candidate} against {made.baseline}")
    output.facts([(one.use_case, one.decision) for one in made.use_cases])
    output.say(f"wrote {out}; data {made.data_digest[:16]}")


# --- accept ---


def accept(
    trail: Path,
    versions: Wanted,
    known: Asked,
    metrics: tuple[QualityMetric, ...],
    signing: Signing,
    *,
    now: datetime,
) -> Mapping[str, object]:
    """Record an acceptance; say what was accepted.

    Raises:
        InputError: names the field and the rule.
        RefusedError: a metric is not shown to be not worse.
        StorageError: nothing was recorded.
    """
    with run_trail(trail) as run:
        weighed = weigh_acceptance(run.parts, versions, known, metrics, now=now)
        event = accept_rollout(
            run.parts,
            weighed,
            known,
            by=signing.by,
            reason=signing.reason,
            despite=signing.despite,
            now=now,
        )
    pair = weighed.pair
    return {
        "accepted": f"{pair.model_id} {pair.candidate}",
        "instead_of": pair.baseline,
        "use_case": pair.use_case,
        "by": signing.by,
        "shown": [one.metric.value for one in weighed.shown],
        "not_shown": [one.metric.value for one in weighed.not_shown],
        "document": event.object_digest,
    }
