"""Tables made from known clusters: of few different values, and with long tails."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

POINTS = 2_000

Table = tuple[NDArray[np.float64], NDArray[np.int64]]


def ratings(rng: np.random.Generator) -> Table:
    """Five kinds of people rate eight things from 1 to 5."""
    labels = rng.integers(5, size=POINTS)
    opinions = rng.uniform(1, 5, (5, 8))
    return np.round(opinions[labels] + rng.normal(0, 0.9, (POINTS, 8))).clip(1, 5), labels


def counts(rng: np.random.Generator) -> Table:
    """Four kinds of basket, of twenty things that are mostly not in it."""
    labels = rng.integers(4, size=POINTS)
    rates = rng.gamma(0.5, 3, (4, 20))
    return rng.poisson(rates[labels]).astype(np.float64), labels


def flags(rng: np.random.Generator) -> Table:
    """Three kinds of thing, which have ten properties or not."""
    labels = rng.integers(3, size=POINTS)
    chances = rng.beta(0.5, 0.5, (3, 10))
    return (rng.random((POINTS, 10)) < chances[labels]).astype(np.float64), labels


def categories(rng: np.random.Generator) -> Table:
    """Three kinds of answer to six questions of four answers each, as 0/1 columns."""
    labels = rng.integers(3, size=POINTS)
    return _answers(rng, labels, 6), labels


def mixed(rng: np.random.Generator) -> Table:
    """Four measures and three questions, that all tell three kinds apart."""
    labels = rng.integers(3, size=POINTS)
    measures = rng.normal(0, 2, (3, 4))[labels] + rng.normal(size=(POINTS, 4))
    return np.hstack([measures, _answers(rng, labels, 3)]), labels


def prices(rng: np.random.Generator) -> Table:
    """Four kinds of customer, by six sums of money."""
    labels = rng.integers(4, size=POINTS)
    magnitudes = rng.normal(0, 1.5, (4, 6))
    return np.exp(magnitudes[labels] + rng.normal(0, 0.8, (POINTS, 6))), labels


def durations(rng: np.random.Generator) -> Table:
    """Three kinds of case, by how long five stages of it took."""
    labels = rng.integers(3, size=POINTS)
    means = rng.uniform(0.3, 9, (3, 5))
    return rng.gamma(1.5, means[labels]), labels


MADE: Mapping[str, Callable[[np.random.Generator], Table]] = {
    "ratings": ratings,
    "counts": counts,
    "flags": flags,
    "categories": categories,
    "mixed": mixed,
    "prices": prices,
    "durations": durations,
}


def _answers(
    rng: np.random.Generator, labels: NDArray[np.int64], questions: int
) -> NDArray[np.float64]:
    chances = rng.dirichlet(np.full(4, 0.4), (3, questions))
    drawn = rng.random((len(labels), questions, 1)) > chances[labels].cumsum(2)
    columns = np.eye(4)[drawn.sum(2).clip(max=3)]
    return np.asarray(columns.reshape(len(labels), 4 * questions), np.float64)
