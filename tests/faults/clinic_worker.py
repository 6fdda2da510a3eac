"""The demo's clinic in a process of its own, on a trail that others write too.

Arguments: the trail, and how many questions. Prints how many were asked.
"""

import sys
from pathlib import Path

from phitrail.demo.charts import write_notes
from phitrail.demo.clinic import make_clinic
from phitrail.demo.run import run_clinic
from phitrail.sdk.connect import connect


def main(directory: Path, questions: int) -> None:
    """Let the clinic work for a while."""
    clinic = make_clinic(1)
    notes = write_notes(clinic)
    with connect(directory) as trail:
        run = run_clinic(trail, clinic, notes, questions=questions)
    sys.stdout.write(f"{run.questions}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
