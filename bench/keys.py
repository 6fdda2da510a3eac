"""`make bench PART=keys`: what the vaults cost, and whether a rotation is felt.

1. Rates of each vault beside each other, in turn in one run: the local keyring, and a real
   OpenBao on loopback (`.venv/vaults`), as the log calls them: wrap, unwrap and rewrap in
   batches, one signature at a time. A fake of AWS KMS is not timed: it says nothing of AWS.
2. Acknowledgements of a trail in each: one writer, and many at once.
3. `bench.keys_rotation`: acknowledgements before, during and after rotations.
4. `bench.keys_rekey`: the identity map re-keyed beside a writer.

`--part vaults | rotation | rekey` runs one of them.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.vaults import BAO, openbao

from bench.figures import Spread, percentile, print_machine, print_table, yardstick_us
from bench.load import bench_event
from phitrail.app import clock
from phitrail.app.founding import found_trail
from phitrail.keys.local_vault import LocalVault
from phitrail.keys.openbao import OpenBaoVault
from phitrail.keys.settings import LocalVaultSettings, OpenBaoSettings, VaultSettings
from phitrail.keys.vault import ToWrap, Vault, Wrapped
from phitrail.sdk import aconnect

BATCH = 256
ROUNDS = 5
SIGNATURES = 200
ACKS = 1_500
CONTEXT = b"phitrail/bench"


@contextmanager
def both_vaults(directory: Path) -> Iterator[dict[str, VaultSettings]]:
    """Give the settings of each vault that runs here."""
    vaults: dict[str, VaultSettings] = {"local keyring": LocalVaultSettings()}
    if not BAO.exists():
        print(
            "OpenBao is not timed: make .venv/vaults/ready first (make test-all does)"
        )
        yield vaults
        return
    server = directory / "openbao"
    server.mkdir()
    with openbao(server) as bao:
        vaults["OpenBao"] = bao.settings("phitrail", directory / "token")
        yield vaults


def open_one(settings: VaultSettings, directory: Path) -> Vault:
    """Open a vault by itself."""
    if isinstance(settings, LocalVaultSettings):
        return LocalVault.create(directory, created_at="2026-11-22T00:00:00.000Z")
    if not isinstance(settings, OpenBaoSettings):
        raise TypeError("only these two are timed")
    vault = OpenBaoVault(settings, directory, clock.monotonic_us)
    vault.make_wrapping_key()
    return vault


def per_second(work: Callable[[], object], count: int) -> float:
    """Say how many a second one call did."""
    began = time.perf_counter()
    work()
    return count / (time.perf_counter() - began)


def rates(vault: Vault) -> dict[str, Spread]:
    """Time each verb of a vault, some rounds in turn."""
    secrets = [ToWrap(os.urandom(32), CONTEXT) for _ in range(BATCH)]
    wrapped = [Wrapped(text, CONTEXT) for text in vault.wrap(secrets)]
    made = vault.make_signing_key(f"bench-{os.urandom(4).hex()}", CONTEXT)
    key = Wrapped(made.reference, CONTEXT)

    def sign() -> None:
        for _ in range(SIGNATURES):
            vault.sign(key, b"x" * 150)

    def unwrap_singly() -> None:
        for one in wrapped[:SIGNATURES]:
            vault.unwrap([one])

    verbs: dict[str, tuple[Callable[[], object], int]] = {
        f"wrap, {BATCH} a call": (lambda: vault.wrap(secrets), BATCH),
        f"unwrap, {BATCH} a call": (lambda: vault.unwrap(wrapped), BATCH),
        f"rewrap, {BATCH} a call": (lambda: vault.rewrap(wrapped), BATCH),
        "unwrap, one a call": (unwrap_singly, SIGNATURES),
        "sign, one a call": (sign, SIGNATURES),
    }
    found: dict[str, list[float]] = {verb: [] for verb in verbs}
    for _ in range(ROUNDS):
        for verb, (work, count) in verbs.items():
            found[verb].append(per_second(work, count))
    vault.destroy_signing_key(key)
    return {verb: Spread.of(figures) for verb, figures in found.items()}


async def acknowledgements(directory: Path, in_flight: int) -> list[float]:
    """Record so many at once; give how long each took in milliseconds, sorted."""
    trail = await aconnect(directory, receipts=directory.with_name("receipts"))
    took: list[float] = []
    numbers = iter(range(ACKS))

    async def write() -> None:
        for number in numbers:
            began = time.perf_counter()
            await trail.record(bench_event(number, f"w{in_flight}-"))
            took.append((time.perf_counter() - began) * 1e3)

    await asyncio.gather(*(write() for _ in range(in_flight)))
    await trail.close()
    return sorted(took)


def vaults() -> None:
    """Print what the vaults cost."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        before = yardstick_us()
        with both_vaults(place) as settings:
            tables: dict[str, dict[str, Spread]] = {}
            acks: list[Sequence[str]] = []
            for name, one in settings.items():
                own = place / name.replace(" ", "-")
                own.mkdir()
                vault = open_one(one, own)
                tables[name] = rates(vault)
                vault.close()
                trail = place / f"trail-{own.name}"
                found_trail(trail, "bench.example", clock.now(), vault=one)
                for in_flight in (1, 32):
                    took = asyncio.run(acknowledgements(trail, in_flight))
                    acks.append(
                        (
                            name,
                            str(in_flight),
                            f"{percentile(took, 0.5):.1f}",
                            f"{percentile(took, 0.99):.1f}",
                            str(len(took)),
                        )
                    )
        names = list(tables)
        print_table(
            f"Vaults, calls a second: median (range) of {ROUNDS} rounds",
            ("verb", *names),
            [
                (verb, *(tables[name][verb].show() for name in names))
                for verb in tables[names[0]]
            ],
        )
        print_table(
            "Acknowledgements by vault, milliseconds",
            ("vault", "in flight", "p50", "p99", "n"),
            acks,
        )
        print(f"\nyardstick before {before:.2f}, after {yardstick_us():.2f} us")


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("vaults", "rotation", "rekey"))
    asked = parser.parse_args().part
    print_machine()
    if asked in (None, "vaults"):
        vaults()
    for name in ("rotation", "rekey"):
        if asked in (None, name):
            command = [sys.executable, "-m", f"bench.keys_{name}"]
            subprocess.run(command, check=True)  # noqa: S603 - our own module


if __name__ == "__main__":
    main()
