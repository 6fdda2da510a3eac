"""What `phitrail guard` prints: results of scans, and the figures of an evaluation.

Places, classes, rules and figures; text only where it was asked for.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from typing import Final

import msgspec

from phitrail.app.guard_scanning import GivenText
from phitrail.cli.output import Output
from phitrail.events.codes import GuardDecision
from phitrail.guard.decide import Judged
from phitrail.guard.evaluate import Evaluation, Scores
from phitrail.guard.result import GuardResult

STOPPED: Final = frozenset({GuardDecision.BLOCK, GuardDecision.WITHHELD})
GONE_ON: Final = frozenset({GuardDecision.RELEASE, GuardDecision.ALERT})
SUMS: Final = ("text", "decision", "risk#", "spans#", "classes")
SPANS: Final = (
    "text", "place", "class", "rule", "score#", "relation", "role", "action",
)  # fmt: skip
FIGURES: Final = (
    "group", "texts#", "PHI#", "recall", "precision", "leak", "miss",
    "false words/1,000", "dirty",
)  # fmt: skip


class ScanPrinter:
    """Prints what was made safe as it comes, and tables at the end."""

    def __init__(
        self,
        output: Output,
        *,
        json_field: str | None,
        redact: bool,
        explain: bool,
        show_values: bool,
    ) -> None:
        self._output = output
        self._json_field = json_field
        self._redact = redact
        self._explain = explain
        self._show_values = show_values
        self._rows: list[tuple[object, ...]] = []
        self._decisions: Counter[GuardDecision] = Counter()

    @property
    def has_passed(self) -> bool:
        """Whether every text may go on as it is, or, made safe, as it was printed."""
        if self._redact:
            return not STOPPED & self._decisions.keys()
        return self._decisions.keys() <= GONE_ON

    def tell(self, given: GivenText, result: GuardResult) -> None:
        """Take one result."""
        self._decisions[result.decision] += 1
        if self._output.as_json:
            self._output.data(self._object(given.name, result))
        elif self._redact:
            self._print_safe(given, result)
        elif self._explain:
            self._rows += (self._span_row(given, span) for span in result.spans)
        elif result.spans:
            self._rows.append(_sums(given.name, result))

    def end(self) -> None:
        """Print the table of what was found, and the count of decisions."""
        if self._rows:
            values = ("value",) if self._show_values else ()
            self._output.table((*SPANS, *values) if self._explain else SUMS, self._rows)
        total = self._decisions.total()
        counts = (f"{count} {what}" for what, count in self._decisions.items())
        self._output.say(f"{total} text{'s' * (total != 1)}: {', '.join(counts)}")

    def _print_safe(self, given: GivenText, result: GuardResult) -> None:
        if result.decision in STOPPED:
            self._output.say(f"{given.name}: {result.decision}: nothing may go on")
        if self._json_field is None:
            sys.stdout.write(result.safe_text)
        else:
            safe = {self._json_field: result.safe_text}
            self._output.data({**(given.around or {}), **safe})

    def _span_row(self, given: GivenText, span: Judged) -> tuple[object, ...]:
        row = (
            given.name,
            f"{span.start}-{span.end}",
            span.identifier_class,
            span.rule,
            f"{span.score:.2f}",
            span.relation,
            span.role or "-",
            span.action,
        )
        if not self._show_values:
            return row
        return (*row, _printable(given.text[span.start : span.end]))

    def _object(self, name: str, result: GuardResult) -> dict[str, object]:
        told = {"text": name, **result.as_dict()}
        if not self._redact:
            del told["safe_response"]
        if self._explain:
            told["spans"] = [_told(span) for span in result.spans]
        return told


def _sums(name: str, result: GuardResult) -> tuple[object, ...]:
    counts = result.counts_by_class.items()
    classes = ", ".join(f"{kind} {count}" for kind, count in counts)
    risk = f"{result.risk_score:.2f}"
    return (name, result.decision, risk, len(result.spans), classes)


def _told(span: Judged) -> dict[str, object]:
    return {
        "start": span.start,
        "end": span.end,
        "class": span.identifier_class,
        "rule": span.rule,
        "score": span.score,
        "relation": span.relation,
        "role": span.role,
        "action": span.action,
    }


def _printable(value: str) -> str:
    """Leave out what would move the cursor of a terminal."""
    return "".join(char if char.isprintable() else " " for char in value)


def print_evaluation(
    output: Output, name: str, found: Evaluation, *, with_failures: bool
) -> None:
    """Print the figures of one labelled file, with their intervals."""
    if output.as_json:
        told = {"file": name, **msgspec.to_builtins(found)}
        if not with_failures:
            del told["failures"]
        output.data(told)
        return
    output.line(name)
    output.table(FIGURES, _rows(found))
    if with_failures and found.failures:
        output.line()
        output.table(
            ("id", "place", "what", "label"),
            [
                (f.text_id, f"{f.start}-{f.end}", f.kind, f.label or "-")
                for f in found.failures
            ],
        )


def _rows(found: Evaluation) -> Iterator[tuple[object, ...]]:
    yield figures_of(found.overall)
    for each in found.by_label:
        yield figures_of(each)
    for each in found.by_genre:
        yield figures_of(each)


def figures_of(scores: Scores) -> tuple[object, ...]:
    """Return one row of the table of figures."""
    return (
        scores.name,
        scores.texts,
        scores.spans,
        scores.recall.show(),
        scores.precision.show(),
        scores.leak.show(),
        scores.miss.show(),
        scores.false_words.show(".1f"),
        scores.dirty.show(),
    )
