"""Training: the same bytes from the same seed."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv" / "train" / "bin" / "python"


def train(out: Path, seed: int) -> bytes:
    """Train a small model and return the bytes of its file."""
    subprocess.run(
        [
            *(PYTHON, "-m", "training.guard.train", "--out", out),
            *("--documents", "1500", "--epochs", "1", "--seed", str(seed)),
        ],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "JAX_PLATFORMS": "cpu"},
        check=True,
        capture_output=True,
        timeout=300,
    )
    return out.read_bytes()


@pytest.mark.long
def test_one_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    """A model whose making cannot be repeated is a matter of belief."""
    if not PYTHON.exists():
        pytest.skip("no .venv/train here: `make .venv/train/ready` sets it up")
    first = train(tmp_path / "one.npz", 1)

    assert train(tmp_path / "two.npz", 1) == first
    assert train(tmp_path / "three.npz", 2) != first
