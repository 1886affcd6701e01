"""Lemma 1 of Locatello et al. (2018): what the generators minimise bounds the f-divergence."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import rel_entr

Floats = NDArray[np.float64]
Divergence = Callable[[Floats, Floats], float]

CASES = 200


def kl(p: Floats, q: Floats) -> float:
    return float(rel_entr(p, q).sum())


def reverse_kl(p: Floats, q: Floats) -> float:
    return kl(q, p)


def jensen_shannon(p: Floats, q: Floats) -> float:
    return (kl(p, (p + q) / 2) + kl(q, (p + q) / 2)) / 2


def total_variation(p: Floats, q: Floats) -> float:
    return float(np.abs(p - q).sum() / 2)


def chi_square(p: Floats, q: Floats) -> float:
    """Infinite where p has mass and q has none."""
    ratio = np.divide(p, q, out=np.where(p > 0, np.inf, 1.0), where=q > 0)
    return float((p * ratio).sum() - 1)


DIVERGENCES: list[Divergence] = [kl, reverse_kl, jensen_shannon, total_variation, chi_square]


@pytest.mark.parametrize("divergence", DIVERGENCES)
@pytest.mark.parametrize("overlap", [False, True])
def test_divergence_of_the_mixture_is_bounded(divergence: Divergence, overlap: bool) -> None:
    """Generators of any support, or each inside its own part, where even chi-square is finite."""
    rng = np.random.default_rng(0)
    for _ in range(CASES):
        outcomes = int(rng.integers(2, 12))
        k = int(rng.integers(1, outcomes + 1))
        data = rng.dirichlet(np.full(outcomes, 0.7))
        partition = rng.permutation(np.r_[np.arange(k), rng.integers(0, k, outcomes - k)])
        parts = np.where(partition == np.arange(k)[:, None], data, 0)
        alpha = parts.sum(1)
        parts /= alpha[:, None]
        generators = rng.dirichlet(np.full(outcomes, 0.7), k)
        if not overlap:
            generators = np.where(parts > 0, generators + 1e-9, 0)
            generators /= generators.sum(1, keepdims=True)
        of_mixture = divergence(alpha @ generators, data)
        bound = alpha @ [divergence(g, p) for g, p in zip(generators, parts, strict=True)]
        assert of_mixture <= bound * (1 + 1e-9) + 1e-12


@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_bound_is_tight_for_perfect_generators(divergence: Divergence) -> None:
    parts = np.array([[0.25, 0.75, 0, 0], [0, 0, 0.5, 0.5]])
    alpha = np.array([0.4, 0.6])
    assert divergence(alpha @ parts, alpha @ parts) == pytest.approx(0)
    assert alpha @ [divergence(p, p) for p in parts] == pytest.approx(0)
