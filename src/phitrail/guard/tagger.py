"""The statistical tagger: which words of a text are names, places, dates, numbers of people.

A bag of hashed features for each word (`guard.features`), dilated convolutions over the
words, one class a word; NumPy alone. It is trained by `training.guard.train`. What it says
of a word depends on a dozen words at either side of it (`reach`) and on nothing else, so
a long text is read in pieces that overlap, in bounded memory and linear time.

The vectors of common words lie ready in the model; those of other words are made anew in
each scan and forgotten with it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from phitrail.events.codes import IdentifierClass
from phitrail.guard.features import ROWS, WIDTH, features
from phitrail.guard.gazetteer import Gazetteer

MODEL = Path(__file__).parent / "data" / "tagger.npz"
AT_ONCE = 4096
BLOCK = 32
"""Words multiplied at once: so few that no BLAS starts threads for them, which for
matrices of this size costs many times what it saves where cores are busy."""
CLASSES = (
    None,
    IdentifierClass.NAME,
    IdentifierClass.GEOGRAPHIC,
    IdentifierClass.DATE,
    IdentifierClass.PHONE,
    IdentifierClass.FAX,
    IdentifierClass.EMAIL,
    IdentifierClass.URL,
    IdentifierClass.IP_ADDRESS,
    IdentifierClass.SSN,
    IdentifierClass.MRN,
    IdentifierClass.HEALTH_PLAN,
    IdentifierClass.ACCOUNT,
    IdentifierClass.LICENSE,
    IdentifierClass.VEHICLE,
    IdentifierClass.DEVICE,
    IdentifierClass.BIOMETRIC,
    IdentifierClass.PHOTO,
    IdentifierClass.OTHER,
    IdentifierClass.DATE,
)
"""The class of each output; the last one is an age over 89 (164.514(b)(2)(i)(C))."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Tags:
    """What the tagger says of each word: how likely it is anything, and of each class."""

    score: Floats
    logits: Floats

    def best(self, places: NDArray[np.intp]) -> list[int]:
        """Return the likeliest class (its number in `CLASSES`) of the words at places."""
        best: list[int] = (self.logits[places, 1:].argmax(1) + 1).tolist()
        return best


class Seen:
    """Vectors of words that were made in one scan; they go with it."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self.vectors: Floats = np.zeros((0, 0), np.float32)

    def add(self, words: list[str], vectors: Floats) -> None:
        """Keep the vectors of words that are not here yet."""
        known = len(self.rows)
        self.rows.update((word, known + n) for n, word in enumerate(words))
        self.vectors = np.concatenate((self.vectors, vectors)) if known else vectors


class Tagger:
    """The model in memory; safe to share among threads."""

    def __init__(self, path: Path = MODEL) -> None:
        with np.load(path) as arrays:
            scale = arrays["scale"].astype(np.float32)[:, None]
            self._embedding = np.zeros(
                (ROWS + 1, arrays["embedding"].shape[1]), np.float32
            )
            self._embedding[:ROWS] = arrays["embedding"] * scale
            self._gap: Floats = arrays["gap"].astype(np.float32)
            dilations = tuple(int(far) for far in arrays["dilations"])
            self.reach = sum(dilations)
            self._convolutions = [
                (
                    far,
                    arrays[f"conv{n}"].astype(np.float32),
                    arrays[f"bias{n}"].astype(np.float32),
                )
                for n, far in enumerate(dilations)
            ]
            self._out: Floats = arrays["out"].astype(np.float32)
            self._out_bias: Floats = arrays["out_bias"].astype(np.float32)
            self.gazetteer = Gazetteer(arrays["hashes"], arrays["flags"])
            ready = arrays["words"].tobytes().decode().split("\n")
            self._ready = {word: n for n, word in enumerate(ready)}
            self._ready_vectors = self._summed(arrays["rows"].astype(np.intp))

    def tag(
        self,
        words: list[str],
        gaps: NDArray[np.intp],
        seen: Seen | None = None,
    ) -> Tags:
        """Tag the words of a text.

        Args:
            words: of the text.
            gaps: what stands before each (`tokens.Tokens`).
            seen: vectors of words that were made in this scan; it goes with the scan.
        """
        vectors = self._vectors(words, gaps, Seen() if seen is None else seen)
        count = len(words)
        if count <= AT_ONCE:
            logits = self._logits(vectors)
        else:
            logits = np.empty((count, len(CLASSES)), np.float32)
            for first in range(0, count, AT_ONCE):
                low = max(first - self.reach, 0)
                high = min(first + AT_ONCE + self.reach, count)
                part = self._logits(vectors[low:high])
                end = min(first + AT_ONCE, count)
                logits[first:end] = part[first - low : end - low]
        columns = np.ascontiguousarray(logits.T)  # sums over rows of it are quick
        columns -= columns.max(0)
        shares = np.exp(columns)
        return Tags(1 - shares[0] / shares.sum(0), logits)

    def _summed(self, rows: NDArray[np.intp]) -> Floats:
        vectors = np.zeros((len(rows), self._embedding.shape[1]), np.float32)
        for column in range(rows.shape[1]):
            vectors += self._embedding[rows[:, column]]
        return vectors

    def _vectors(self, words: list[str], gaps: NDArray[np.intp], seen: Seen) -> Floats:
        ready = self._ready
        where = np.array([ready.get(word, -1) for word in words], np.intp)
        vectors: Floats = self._ready_vectors[where]
        missing = np.flatnonzero(where < 0)
        if len(missing):
            types = [words[n] for n in missing.tolist()]
            new = [word for word in dict.fromkeys(types) if word not in seen.rows]
            if new:
                seen.add(new, self._summed(self._rows(new)))
            vectors[missing] = seen.vectors[[seen.rows[word] for word in types]]
        vectors += self._gap[gaps]
        return vectors

    def _rows(self, types: list[str]) -> NDArray[np.intp]:
        flags = self.gazetteer.flags(types)
        rows = np.full((len(types), WIDTH), ROWS, np.intp)
        for n, word in enumerate(types):
            told = features(word, flags[n])
            rows[n, : len(told)] = told
        return rows

    def _logits(self, vectors: Floats) -> Floats:
        count, size = vectors.shape
        blocks = -(-count // BLOCK)
        padded = blocks * BLOCK
        h = np.zeros((padded, size), np.float32)
        h[:count] = vectors
        taps = np.zeros((padded, 3 * size), np.float32)
        in_blocks = taps.reshape(blocks, BLOCK, 3 * size)
        for far, weight, bias in self._convolutions:
            taps[:far, :size] = 0
            taps[far:, :size] = h[:-far]
            taps[:, size : 2 * size] = h
            taps[:-far, 2 * size :] = h[far:]
            taps[-far:, 2 * size :] = 0
            step = (in_blocks @ weight).reshape(padded, size)
            step += bias
            np.maximum(step, 0, out=step)
            h += step
            h[count:] = 0  # what stands behind the text is nothing, in each layer
        logits: Floats = (h.reshape(blocks, BLOCK, size) @ self._out).reshape(
            padded, -1
        )
        logits += self._out_bias
        return logits[:count]
