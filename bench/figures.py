"""How figures are taken and printed: medians with spread, and a yardstick of the machine.

Machines that are shared run at changing speed. So every table carries a yardstick
(microseconds for one SHA-256 of 600 bytes, taken before and after), and what is to be
compared is measured in turn within one run.
"""

import hashlib
import platform
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, least and greatest of n figures."""

    median: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, figures: Sequence[float]) -> "Spread":
        """Sum up figures of repeated runs."""
        return cls(statistics.median(figures), min(figures), max(figures), len(figures))

    def show(self, form: str = ",.0f") -> str:
        """Write the median with its range."""
        if self.n == 1:
            return format(self.median, form)
        return (
            f"{format(self.median, form)} "
            f"({format(self.low, form)}-{format(self.high, form)})"
        )


def yardstick_us() -> float:
    """Time one SHA-256 of 600 bytes, in microseconds: the speed of this machine now."""
    data = b"x" * 600
    rounds = []
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(2000):
            hashlib.sha256(data).digest()
        rounds.append((time.perf_counter() - began) / 2000 * 1e6)
    return statistics.median(rounds)


def percentile(figures: Sequence[float], share: float) -> float:
    """Take the percentile of sorted figures, without interpolation."""
    return figures[min(len(figures) - 1, int(len(figures) * share))]


def print_table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print one table in Markdown, row by row, so that docs can carry it as it is."""
    print(f"\n### {title}\n")
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head), flush=True)
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def print_machine() -> None:
    """Say what the figures were taken on."""
    print(
        f"Python {platform.python_version()}, {platform.machine()}, "
        f"yardstick {yardstick_us():.2f} us (SHA-256 of 600 bytes)"
    )
