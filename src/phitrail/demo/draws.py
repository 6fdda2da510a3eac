"""Draws from a seeded generator that are the same under every Python we support.

Python promises the sequence of `Random.random()` for a seed, and of nothing else:
`choice`, `sample` and `shuffle` have changed between releases. Every draw here is
therefore built on `random()` alone, over sequences, never over sets.

Source: docs.python.org/3/library/random.html, "Notes on Reproducibility".
"""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


def between(rng: Random, low: int, high: int) -> int:
    """Draw a whole number from `low` to `high`, both included."""
    return low + int(rng.random() * (high - low + 1))


def chance(rng: Random, percent: int) -> bool:
    """Say yes in `percent` of a hundred draws."""
    return between(rng, 1, 100) <= percent


def pick(rng: Random, options: Sequence[T]) -> T:
    """Draw one of `options`, each as likely as the others."""
    return options[between(rng, 0, len(options) - 1)]


def pick_weighted(rng: Random, options: Sequence[tuple[T, int]]) -> T:
    """Draw one of `options`, pairs of a thing and its whole, positive weight."""
    left = between(rng, 1, sum(weight for _, weight in options))
    for option, weight in options:
        left -= weight
        if left <= 0:
            return option
    raise ValueError("weights must be whole and positive")


def pick_several(rng: Random, options: Sequence[T], count: int) -> tuple[T, ...]:
    """Draw up to `count` different places of `options`, in the order drawn."""
    rest = list(options)
    drawn = min(count, len(rest))
    for place in range(drawn):
        other = between(rng, place, len(rest) - 1)
        rest[place], rest[other] = rest[other], rest[place]
    return tuple(rest[:drawn])
