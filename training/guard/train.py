"""Train the guard's tagger: `python -m training.guard.train --out FILE`.

A bag of hashed features for each word (`phitrail.guard.features`), dilated convolutions over the words, one class a word. Trained with Adam on documents drawn by `Corpus`; features
of names are dropped at random so that the words around them have to tell. The file that it
writes has the same bytes for one seed on one machine.
"""

import argparse
import time
from collections import Counter
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from phitrail.guard.features import ROWS, WIDTH, features
from phitrail.guard.gazetteer import (
    COUNTY,
    GIVEN,
    PLAIN,
    SURNAME,
    TOWN,
    Gazetteer,
    word_hash,
)
from phitrail.guard.tokens import tokenize
from training.guard.corpus import Corpus
from training.guard.fill import LABELS
from training.guard.people import lines

SIZE = 40
DILATIONS = (1, 2, 4, 8)
LENGTH = 256
BATCH = 32
TYPES = 5120
VOCABULARY = 14_000
Params = dict[str, Any]


def make_gazetteer() -> tuple[np.ndarray, np.ndarray]:
    """Hash the lists."""
    found: dict[int, int] = {}

    def add(word: str, flag: int) -> None:
        found[word_hash(word)] = found.get(word_hash(word), 0) | flag

    for name in lines("first_names"):
        for part in name.split("-"):
            add(part, GIVEN)
    for name in lines("surnames"):
        for part in name.split():
            add(part, SURNAME)
    for flag, name in ((TOWN, "cities"), (COUNTY, "counties")):
        for town in lines(name):
            for part in tokenize(town).words:
                if len(part) > 2:
                    add(part, flag)
    counts: dict[str, int] = {}
    for sentence in lines("carriers"):
        for word in tokenize(sentence).words:
            if word.islower() and word.isalpha():
                counts[word] = counts.get(word, 0) + 1
    for word, count in counts.items():
        if count >= 2:
            add(word, PLAIN)
    hashes = np.array(sorted(found), np.uint32)
    return hashes, np.array([found[int(h)] for h in hashes], np.uint8)


def label_tokens(one: Any, starts: list[int], ends: list[int]) -> list[int]:
    """Give each token the number of its label; -1 where it is left out."""
    labels = [0] * len(starts)
    at = 0
    for start, end, label in sorted(one.spans):
        while at < len(starts) and ends[at] <= start:
            at += 1
        place = at
        while place < len(starts) and starts[place] < end:
            labels[place] = -1 if label == "?" else LABELS.index(label)
            place += 1
    return labels


class Data:
    """Documents as arrays: types of words, what stands before them, labels."""

    def __init__(self, seed: int, count: int, gazetteer: Gazetteer) -> None:
        corpus = Corpus(seed)
        self.types: dict[str, int] = {}
        self.counts: Counter[int] = Counter()
        self.docs = []
        for _ in range(count):
            one = corpus.next()
            tokens = tokenize(one.text)
            words = tokens.words
            if not words:
                continue
            ids = np.array(
                [self.types.setdefault(word, len(self.types)) for word in words],
                np.int32,
            )
            self.counts.update(set(ids.tolist()))
            self.docs.append(
                (
                    ids,
                    tokens.gaps.astype(np.int8),
                    np.array(label_tokens(one, tokens.starts, tokens.ends), np.int8),
                )
            )
        words = list(self.types)
        flags = gazetteer.flags(words)
        self.rows = np.full((len(words), WIDTH), ROWS, np.int32)
        self.bare = np.full((len(words), WIDTH), ROWS, np.int32)
        for n, (word, flag) in enumerate(zip(words, flags, strict=True)):
            with_flags, without = features(word, flag), features(word, 0)
            self.rows[n, : len(with_flags)] = with_flags
            self.bare[n, : len(without)] = without


def packed(data: Data, rng: np.random.Generator) -> list[list[int]]:
    """Shuffle the documents, several short ones to a row."""
    rows_of: list[list[int]] = [[]]
    used = 0
    for n in rng.permutation(len(data.docs)):
        length = min(len(data.docs[n][0]), LENGTH)
        if used + length + 16 > LENGTH and used:
            rows_of.append([])
            used = 0
        rows_of[-1].append(int(n))
        used += length + 16
    return rows_of


def batches(data: Data, rng: np.random.Generator) -> Any:
    """Cut the documents, shuffled, into batches of equal shape."""
    rows_of = packed(data, rng)
    for first in range(0, len(rows_of) - BATCH + 1, BATCH):
        ids = np.full((BATCH, LENGTH), -1, np.int32)
        gap = np.zeros((BATCH, LENGTH), np.int32)
        y = np.full((BATCH, LENGTH), -1, np.int32)
        for row, docs in enumerate(rows_of[first : first + BATCH]):
            at = 0
            for n in docs:
                i, g, label = data.docs[n]
                cut = (
                    0 if len(i) <= LENGTH else int(rng.integers(0, len(i) - LENGTH + 1))
                )
                m = min(len(i), LENGTH - at)
                ids[row, at : at + m] = i[cut : cut + m]
                gap[row, at : at + m] = g[cut : cut + m]
                y[row, at : at + m] = label[cut : cut + m]
                at += m + 16
        unique, where = np.unique(ids, return_inverse=True)
        where = where.reshape(ids.shape)
        if len(unique) > TYPES:
            continue
        rows = np.full((TYPES, WIDTH), ROWS, np.int32)
        real = unique >= 0
        drop_flags = rng.random(len(unique)) < 0.3
        chosen = np.where(drop_flags[:, None], data.bare[unique], data.rows[unique])
        chosen[rng.random(len(unique)) < 0.35, 0] = ROWS  # the word itself
        chosen[rng.random(chosen.shape) < 0.06] = ROWS
        chosen[~real] = ROWS
        rows[: len(unique)] = chosen
        yield rows, where.astype(np.int32), gap, y, (ids >= 0)


def start(seed: int) -> Params:
    """Draw the first weights."""
    keys = iter(jax.random.split(jax.random.PRNGKey(seed), 3 + len(DILATIONS)))
    params: Params = {
        "embedding": 0.1 * jax.random.normal(next(keys), (ROWS + 1, SIZE)),
        "gap": 0.1 * jax.random.normal(next(keys), (4, SIZE)),
        "out": jax.random.normal(next(keys), (SIZE, len(LABELS))) / SIZE**0.5,
        "out_bias": jnp.zeros(len(LABELS)),
    }
    for n, _ in enumerate(DILATIONS):
        params[f"conv{n}"] = jax.random.normal(next(keys), (3 * SIZE, SIZE)) * (
            0.7 / (3 * SIZE) ** 0.5
        )
        params[f"bias{n}"] = jnp.zeros(SIZE)
    return params


def forward(
    params: Params, rows: Any, where: Any, gap: Any, real: Any, key: Any = None
) -> Any:
    """Return the logits of each token."""
    embedding = params["embedding"] * (jnp.arange(ROWS + 1) < ROWS)[:, None]
    types = embedding[rows].sum(1)
    h = types[where] + params["gap"][gap]
    mask = real[..., None]
    h = h * mask
    if key is not None:
        one, other = jax.random.split(key)
        h = h * jax.random.bernoulli(one, 0.9, h.shape) / 0.9
        h = h * jax.random.bernoulli(other, 0.95, h.shape[:2])[..., None]
    for n, far in enumerate(DILATIONS):
        left = jnp.pad(h, ((0, 0), (far, 0), (0, 0)))[:, :-far]
        right = jnp.pad(h, ((0, 0), (0, far), (0, 0)))[:, far:]
        h = (
            h
            + jax.nn.relu(
                jnp.concatenate([left, h, right], -1) @ params[f"conv{n}"]
                + params[f"bias{n}"]
            )
        ) * mask
    return h @ params["out"] + params["out_bias"]


def loss(
    params: Params, rows: Any, where: Any, gap: Any, y: Any, real: Any, key: Any
) -> Any:
    """Return the mean cross entropy; tokens of identifiers weigh more."""
    logits = forward(params, rows, where, gap, real, key)
    told = jnp.maximum(y, 0)
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, told)
    weight = (y >= 0) * jnp.where(y > 0, 1.5, 1.0)
    return (losses * weight).sum() / jnp.maximum(weight.sum(), 1)


def main() -> None:
    """Train and write the model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("--documents", type=int, default=38_000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    hashes, flags = make_gazetteer()
    gazetteer = Gazetteer(hashes, flags)
    began = time.monotonic()
    data = Data(arguments.seed, arguments.documents, gazetteer)
    print(
        f"{len(data.docs)} documents, {sum(len(d[0]) for d in data.docs)} tokens, {len(data.types)} types, {time.monotonic() - began:.0f} s",
        flush=True,
    )
    rng = np.random.default_rng(arguments.seed)
    params = start(arguments.seed)
    steps = arguments.epochs * (len(packed(data, np.random.default_rng(0))) // BATCH)
    optimizer = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adamw(
            optax.cosine_onecycle_schedule(steps, 4e-3, 0.1), weight_decay=0.002
        ),
    )
    state = optimizer.init(params)
    mean = jax.tree.map(jnp.array, params)

    @partial(jax.jit, donate_argnums=(0, 1, 2))
    def step(params: Params, state: Any, mean: Params, batch: Any, key: Any) -> Any:
        value, grads = jax.value_and_grad(loss)(params, *batch, key)
        updates, state = optimizer.update(grads, state, params)
        params = optax.apply_updates(params, updates)
        mean = jax.tree.map(lambda old, new: old + (new - old) * 0.005, mean, params)
        return params, state, mean, value

    key = jax.random.PRNGKey(arguments.seed)
    done = 0
    for epoch in range(arguments.epochs):
        total = count = 0.0
        for batch in batches(data, rng):
            key, one = jax.random.split(key)
            params, state, mean, value = step(params, state, mean, batch, one)
            done += 1
            count += 1
            total += float(value)
            if done % 50 == 0:
                print(
                    f"epoch {epoch} step {done}/{steps} loss {total / count:.4f} {time.monotonic() - began:.0f} s",
                    flush=True,
                )
    write(arguments.out, mean, hashes, flags, data)


def write(
    path: str, params: Params, hashes: np.ndarray, flags: np.ndarray, data: Data
) -> None:
    """Write the model: halves of the weights, eight-bit rows, the words that lie ready."""
    embedding = np.asarray(params["embedding"])[:ROWS]
    scale = np.abs(embedding).max(1, keepdims=True) / 127 + 1e-9
    words = list(data.types)
    often = sorted(
        words[n] for n, count in data.counts.most_common(VOCABULARY) if count >= 3
    )
    arrays = {
        "embedding": np.round(embedding / scale).astype(np.int8),
        "scale": scale.astype(np.float16)[:, 0],
        "dilations": np.array(DILATIONS, np.int64),
        "hashes": hashes,
        "flags": flags,
        "words": np.frombuffer("\n".join(often).encode(), np.uint8),
        "rows": data.rows[[data.types[word] for word in often]].astype(np.uint16),
        **{
            name: np.asarray(value).astype(np.float16)
            for name, value in params.items()
            if name != "embedding"
        },
    }
    np.savez_compressed(path, allow_pickle=False, **arrays)


if __name__ == "__main__":
    main()
