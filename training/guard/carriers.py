"""Clinical sentences without identifiers, as neutral text between our own.

From MTS-Dialog and ACI-Bench (CC BY 4.0, see NOTICE). A sentence is kept only if it shows no
sign of an identifier (no digit run of a date or number, no capital inside but known words) and if it
shares no eight words in a row with an evaluation text; `python -m training.guard.carriers DIR`
writes `data/carriers.txt.xz` anew from the two files and the evaluation files in DIR.
"""

import json
import lzma
import re
import sys
from pathlib import Path

from training.guard.people import DATA, lines

EVALUATION = ("asq_dev", "clinai_dev", "clinical_dev", "adversarial_dev", "hardneg_dev")
SPLIT = re.compile(r"(?<=[.!?])\s+|\n+")
SHINGLE = 8


def shingles(text: str) -> set[str]:
    """Return every eight words in a row."""
    words = re.findall(r"[a-z]+", text.lower())
    return {" ".join(words[i : i + SHINGLE]) for i in range(len(words) - SHINGLE + 1)}


def _is_neutral(sentence: str, names: frozenset[str]) -> bool:
    if re.search(
        r"\d{4,}|\d+/\d+/|\b(?:Mr|Mrs|Ms|Dr|Miss|Doctor|Store|Hospital|City|County|Street)\b",
        sentence,
    ):
        return False
    if re.search(
        r"\b(?:January|February|March|April|May|June|July|August|September|October|November|December|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|Christmas|Thanksgiving|spring|summer|winter)\b",
        sentence,
    ):
        return False
    inner = re.findall(r"(?<=[a-z,;] )[A-Z][a-z]+", sentence)
    return not any(word.lower() in names for word in inner)


def make(directory: Path) -> list[str]:
    """Return the sentences that may be used."""
    names = frozenset(lines("first_names")) | frozenset(
        one.lower() for one in lines("cities")
    )
    forbidden: set[str] = set()
    for name in EVALUATION:
        for line in (directory / f"{name}.jsonl").read_text("utf-8").splitlines():
            forbidden |= shingles(json.loads(line)["text"])
    kept: dict[str, None] = {}
    for name in ("mtsdialog_notes", "acibench_notes"):
        for line in (directory / f"{name}.jsonl").read_text("utf-8").splitlines():
            for sentence in SPLIT.split(json.loads(line)["text"]):
                short = " ".join(sentence.split())
                if (
                    20 < len(short) < 300
                    and _is_neutral(short, names)
                    and not shingles(short) & forbidden
                ):
                    kept[short] = None
    return list(kept)


if __name__ == "__main__":
    made = make(Path(sys.argv[1]))
    (DATA / "carriers.txt.xz").write_bytes(
        lzma.compress("\n".join(made).encode(), preset=9)
    )
    print(len(made), "sentences")
