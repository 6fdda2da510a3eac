"""`make bench PART=quality`: how fast metrics are, and how honest their statistics.

1. `bench.quality_scale`: the nine metrics over millions of requests, cells, folding, memory.
2. `bench.quality_statistics`: false alarms, power, families, change points.

    make bench PART=quality ARGS="--part scale --requests 1000000"

`--part` runs one of them; what follows it is the part's own. Each is a process of its own, so
that the memory of one is not another's.
"""

import subprocess
import sys

PARTS = ("scale", "statistics")


def main() -> None:
    """Run the parts."""
    parts: tuple[str, ...] = PARTS
    rest = sys.argv[1:]
    if rest[:1] == ["--part"]:
        parts, rest = (rest[1],), rest[2:]
    elif rest:
        sys.exit(f"--part {' | '.join(PARTS)}, then its own options")
    for part in parts:
        command = [sys.executable, "-m", f"bench.quality_{part}", *rest]
        subprocess.run(command, check=True)  # noqa: S603 - our own modules


if __name__ == "__main__":
    main()
