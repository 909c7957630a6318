"""What others would do with the same prompts: a table, a score, the cheapest, a learned router of prompts."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product
from zlib import crc32

import numpy as np

from benchmarks.routing.choosing import parts_of
from benchmarks.routing.pools import Floats, Pool
from benchmarks.routing.replay import Decided

TABLE = {"tools": "gpt-4-turbo", "numbers": "gpt-4-1106-preview", "content": "gpt-4-1106-preview"}
"""The use-case table of the requirements, by the models that were recorded."""
_DIMENSIONS = 2048
_NEIGHBOURS = 15
_RIDGE = 1.0
_RATES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
_LEADS = (0.0, 0.02, 0.05, 0.1, 0.2, 1.0)
_WORD = re.compile(r"[a-z]+|\d")


def by_score(pool: Pool, known: Pool) -> str:
    """Return the model of the rule 40 % quality, 30 % cost, 20 % speed, 10 % specialisation, min-max scaled.

    Speed was not recorded for most models, and counts alike for all.
    """
    quality = _scaled({model: known.scores[model].mean() for model in pool.models})
    cost = _scaled({model: -known.costs[model].mean() for model in pool.models})
    special = TABLE.get(pool.name)
    return max(
        pool.models, key=lambda model: 0.4 * quality[model] + 0.3 * cost[model] + 0.1 * (model == special)
    )


def cheapest(pool: Pool) -> str:
    """Return the cheapest model."""
    return min(pool.models, key=lambda model: pool.costs[model].sum())


def learned(pool: Pool, known: Pool) -> list[Decided]:
    """Return the choices of a router that predicts each model's score from the words of the prompt.

    Ridge regression and nearest neighbours over TF-IDF, half each. How much cost counts is chosen by
    cross-validation on what is known.
    """
    parts = parts_of(known, parts=4)
    held_out = np.zeros((len(known.prompts), len(known.models)))
    for held in parts:
        inside = set(held)
        rest = [at for at in range(len(known.prompts)) if at not in inside]
        held_out[held] = _predicted(known.part(rest), known.part(held))
    point = max(product(_RATES, _LEADS), key=lambda point: _value(held_out, known, point))
    chosen = _chosen(_predicted(known, pool), known, point)
    return [Decided((known.models[at],), known.models[at]) for at in chosen]


def _value(predicted: Floats, known: Pool, point: tuple[float, float]) -> float:
    chosen, best = _chosen(predicted, known, point), known.best
    rows = np.arange(len(chosen))
    scores, costs = _matrix(known.scores, known), _matrix(known.costs, known)
    saved = 1 - costs[rows, chosen].sum() / known.costs[best].sum()
    lost = known.scores[best].mean() - scores[rows, chosen].mean()
    # As much saved as there is, where quality holds within a point.
    return float(saved if lost <= 0.01 else -lost)


def _chosen(predicted: Floats, known: Pool, point: tuple[float, float]) -> Sequence[int]:
    """Return the model of the best prediction less cost; the best single model has a lead."""
    rate, lead = point
    costs = _matrix(known.costs, known).mean(axis=0) / known.costs[known.best].mean()
    worths = predicted - rate * costs
    worths[:, known.models.index(known.best)] += lead
    return np.argmax(worths, axis=1)


def _predicted(known: Pool, asked: Pool) -> Floats:
    first, weights = _tf_idf(known)
    second, _ = _tf_idf(asked, weights)
    scores = _matrix(known.scores, known)
    mean = scores.mean(axis=0)
    alike = second @ first.T
    kernel = first @ first.T + _RIDGE * np.eye(len(first))
    ridge = mean + alike @ np.linalg.solve(kernel, scores - mean)
    near = np.argsort(-alike, axis=1)[:, :_NEIGHBOURS]
    return 0.5 * ridge + 0.5 * scores[near].mean(axis=1)


def _tf_idf(pool: Pool, weights: Floats | None = None) -> tuple[Floats, Floats]:
    rows = np.zeros((len(pool.prompts), _DIMENSIONS))
    for at, prompt in enumerate(pool.prompts):
        words = [*_WORD.findall(prompt.text.lower()), f"task:{prompt.task}"]
        for word, count in Counter(words).items():
            rows[at, crc32(word.encode()) % _DIMENSIONS] += 1 + np.log(count)
    if weights is None:
        weights = np.log((1 + len(rows)) / (1 + (rows > 0).sum(axis=0))) + 1
    rows *= weights
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9), weights


def _matrix(columns: Mapping[str, Floats], pool: Pool) -> Floats:
    return np.stack([columns[model] for model in pool.models], axis=1)


def _scaled(values: dict[str, float]) -> dict[str, float]:
    low, high = min(values.values()), max(values.values())
    return {name: (value - low) / ((high - low) or 1) for name, value in values.items()}
