"""What the tagger learnt from is not what it is measured on."""

import hashlib
import json
import lzma
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRAINING = ROOT / "training" / "guard"
SETS = ROOT.parent / "shared" / "data" / "phi"
EVALUATION = (
    "asq_dev",
    "clinai_dev",
    "clinical_dev",
    "adversarial_dev",
    "hardneg_dev",
)
RUN = 8

_BREAK = re.compile(r"""<<.*?>>|"[^"\n]*"\s*:|https?://[^\s"]+""")
"""A slot, the key of a JSON object, an address: the form of FHIR is the same in every text
of it, and tells nothing of where the text comes from."""
_WORD = re.compile(r"[^\W\d_]+")


def runs(texts: Iterable[str]) -> Iterator[bytes]:
    """Give the hash of every eight words in a row; a new text or a break ends a row."""
    for text in texts:
        for part in _BREAK.split(text):
            words = _WORD.findall(part.lower())
            for at in range(len(words) - RUN + 1):
                run = " ".join(words[at : at + RUN]).encode()
                yield hashlib.blake2b(run, digest_size=8).digest()


def our_texts() -> dict[str, list[str]]:
    """Return the documents of every training text of our own."""
    return {
        place.name: place.read_text(encoding="utf-8").split("\n===\n")
        for place in sorted((TRAINING / "text").glob("*.txt"))
    }


def carriers() -> list[str]:
    """Return the neutral sentences of others that our text stands between."""
    with lzma.open(
        TRAINING / "data" / "carriers.txt.xz", "rt", encoding="utf-8"
    ) as file:
        return file.read().splitlines()


def evaluation_texts(name: str) -> list[str]:
    """Return the texts of a set that is measured on."""
    with (SETS / f"{name}.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line)["text"] for line in file]


def test_a_run_of_eight_words_is_seen_across_case_and_signs() -> None:
    """A check that misses a copy with a comma in it shows nothing."""
    one = "She was seen, today, by the NIGHT nurse; twice."
    other = "she was seen today by the night nurse"

    assert set(runs([other])) <= set(runs([one]))
    assert not set(runs(["she was seen <<date>> by the night nurse twice"]))


def test_there_is_training_text_of_our_own() -> None:
    """An empty directory shares nothing with anything."""
    assert (
        sum(1 for _ in runs(t for texts in our_texts().values() for t in texts)) > 1e4
    )
    assert sum(1 for _ in runs(carriers())) > 1e4


@pytest.mark.skipif(
    not (SETS / "asq_dev.jsonl").exists(),
    reason="the development sets (../shared/data/phi) are not here",
)
@pytest.mark.parametrize("name", EVALUATION)
def test_no_eight_words_in_a_row_are_in_training_and_evaluation(name: str) -> None:
    """A figure on text that was learnt says nothing about the next text."""
    measured = set(runs(evaluation_texts(name)))

    shared = {
        file: len(found)
        for file, texts in {**our_texts(), "carriers": carriers()}.items()
        if (found := measured & set(runs(texts)))
    }

    assert shared == {}
