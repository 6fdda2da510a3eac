"""`wait(receipt, "witnessed")` ends when a second host has cosigned, and not before."""

import asyncio
from pathlib import Path

import pytest
from tests.anchor.witnesses import witness_at_work
from tests.trails import NOW, phi_read

from phitrail.anchor.settings import WitnessSettings
from phitrail.app.anchor_setup import add_anchor
from phitrail.app.pins import read_pins
from phitrail.app.wiring import open_trail
from phitrail.app.witnessed import witnessed_size
from phitrail.errors import UnverifiableError
from phitrail.events.codes import Log
from phitrail.sdk import AsyncTrail, aconnect, connect
from phitrail.tlog.note import COSIGNATURE_V1, VerifierKey


def add_witness(trail_dir: Path, url: str, vkey: str) -> None:
    """Name a witness, as an operator does."""
    trail = open_trail(trail_dir)
    try:
        settings = WitnessSettings(name="county", url=url, vkey=vkey)
        add_anchor(trail, settings, by="operator-1", now=NOW)
    finally:
        trail.close()


def test_a_witnessed_receipt_is_held_by_a_second_host(
    trail_dir: Path, tmp_path: Path
) -> None:
    """From then on nobody who owns this host can take the entry back unseen."""
    log_keys = [pinned.log_key for pinned in read_pins(trail_dir).values()]

    async def scenario(trail: AsyncTrail) -> int:
        receipt = await trail.record(phi_read(3))
        await trail.wait(receipt, "witnessed")
        return receipt.positions[0].index

    async def opened() -> int:
        async with await aconnect(trail_dir) as trail:
            return await scenario(trail)

    with witness_at_work(tmp_path / "witness", log_keys) as witness:
        add_witness(trail_dir, witness.url, str(witness.vkey))
        with connect(trail_dir) as trail:
            receipts = [trail.record(phi_read(number)) for number in range(3)]

            assert trail.wait(receipts[-1], "witnessed") is receipts[-1]
            assert (
                witnessed_size(trail_dir, Log.AUDIT) > receipts[-1].positions[0].index
            )
            trail.wait(receipts[0], "witnessed")
        index = asyncio.run(opened())

    assert witnessed_size(trail_dir, Log.AUDIT) > index


def test_a_witness_that_does_not_answer_is_told_apart(trail_dir: Path) -> None:
    """The entry is safe here and published; what lacks is the second host."""
    vkey = str(VerifierKey.derive("county.example/witness", COSIGNATURE_V1, bytes(32)))
    add_witness(trail_dir, "http://127.0.0.1:9", vkey)
    with connect(trail_dir) as trail:
        receipt = trail.record(phi_read(1))
        with pytest.raises(
            UnverifiableError, match="not cosigned by a witness in time"
        ):
            trail.wait(receipt, "witnessed", timeout_s=1.5)
        assert trail.wait(receipt) is receipt
