"""What a command prints: data to stdout, words and progress to stderr.

1. With `--json`, data is one JSON object (or one a line, where entries follow each other).
2. A table is never cut: on a terminal long cells fold, elsewhere lines are as long as
   they need. Colour and progress bars appear on a terminal only.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

_UNBOUNDED_COLUMNS = 100_000


@dataclass(frozen=True, slots=True)
class Output:
    """Prints for one command."""

    as_json: bool

    def data(self, value: object) -> None:
        """Print one JSON object."""
        sys.stdout.write(msgspec.json.encode(value).decode() + "\n")

    def line(self, text: str = "") -> None:
        """Print one line of data."""
        sys.stdout.write(text + "\n")

    def say(self, text: str) -> None:
        """Print words."""
        sys.stderr.write(text + "\n")

    def facts(self, facts: Sequence[tuple[str, object]]) -> None:
        """Print names and values, one pair a line."""
        width = max((len(name) for name, _ in facts), default=0)
        for name, value in facts:
            self.line(f"{name:<{width}}  {value}")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print a table; columns whose name ends in `#` hold numbers."""
        is_terminal = sys.stdout.isatty()
        console = Console(
            file=sys.stdout,
            force_terminal=is_terminal,
            width=None if is_terminal else _UNBOUNDED_COLUMNS,
            highlight=False,
        )
        table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for column in columns:
            table.add_column(
                Text(column.removesuffix("#")),
                justify="right" if column.endswith("#") else "left",
                overflow="fold",
            )
        for row in rows:
            table.add_row(*(Text(str(cell)) for cell in row))
        console.print(table)

    @contextmanager
    def progress(self, label: str) -> Iterator[Callable[[int, int], None]]:
        """Show a bar while the block runs; it is told what is done, and of how much."""
        console = Console(file=sys.stderr)
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not sys.stderr.isatty(),
        ) as bars:
            task = bars.add_task(label, total=None)

            def tell(done: int, total: int) -> None:
                bars.update(task, completed=done, total=total)

            yield tell
