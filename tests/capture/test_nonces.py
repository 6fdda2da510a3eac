"""Nonces keep a leaf of low entropy from being guessed from its hash."""

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor

from phitrail.capture.nonces import Nonces


def test_no_nonce_comes_twice_from_several_threads() -> None:
    """A repeated nonce would make two equal events visible as equal leaves."""
    nonces = Nonces()
    with ThreadPoolExecutor(8) as pool:
        drawn = [*pool.map(lambda _: nonces.draw(), range(20_000))]

    assert len(set(drawn)) == len(drawn)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22}", nonce) for nonce in drawn)


def test_two_processes_draw_other_nonces() -> None:
    """Each has a key of its own, so equal counters do not meet."""
    first, second = Nonces(), Nonces()

    assert {first.draw() for _ in range(1000)}.isdisjoint(
        {second.draw() for _ in range(1000)}
    )


def test_without_the_key_a_nonce_cannot_be_computed() -> None:
    """The counter alone gives nothing away."""
    drawn = Nonces().draw()
    plain = hashlib.blake2b((0).to_bytes(8, "big"), digest_size=16).hexdigest()

    assert drawn != plain
