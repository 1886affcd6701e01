"""Mixtures of Gaussians as peers: do they explain the points, and which partition is theirs?"""

import warnings

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from trainer.points import Floats
from trainer.starts.arrays import Features, Labels

STARTS, RIDGE = 5, 1e-4
FEWEST = 4  # points a Gaussian
COUNT_STARTS, PATIENCE = 2, 3
LIKE = 0.05  # how far tails may be from those of Gaussians, as a share
UPRIGHT = ("spherical", "diag")
MOST = 50  # Gaussians; more take too long
FULL_COST = 1 << 29  # products of full covariances with all points that a step may take
SURE = 1e-12  # the least responsibility that counts


def fit(rows: Features, k: int, seed: int) -> GaussianMixture | None:
    """The mixture of k Gaussians, whose covariances have the shape of lowest BIC (Fraley & Raftery,
    2002): (n, D). None when there are too few points, or more Gaussians than 50."""
    if k > MOST or len(rows) <= FEWEST * k:
        return None
    return _best(rows, k, seed, _shapes(len(rows), rows.shape[1], 2 * k), STARTS)


def suffices(mixture: GaussianMixture, rows: Features, seed: int) -> bool:
    """Whether the clusters are Gaussian: whether no mixture of twice as many has a lower BIC. Where
    none can lean, nor may the tails be heavy: they bend such Gaussians away from the clusters."""
    if mixture.covariance_type in UPRIGHT and excess(mixture, rows) > LIKE:
        return False
    twice = 2 * mixture.n_components
    starts = STARTS if twice == 2 else 1  # whether there are clusters at all hangs on it
    finer = _best(rows, twice, seed, _shapes(len(rows), rows.shape[1], twice), starts)
    return bool(mixture.bic(rows) < finer.bic(rows))


def count(rows: Features, most: int, seed: int) -> int | None:
    """How many Gaussians have the lowest BIC, of 1 up to ``most``: (n, D). None where they are not
    what the points are: where their tails differ, or more would be better."""
    best, lowest, in_vain = None, np.inf, 0
    for k in range(1, min(most, len(rows) // FEWEST) + 1):
        mixture = _best(rows, k, seed, _shapes(len(rows), rows.shape[1], k), COUNT_STARTS)
        bic = mixture.bic(rows)
        best, lowest, in_vain = (mixture, bic, 0) if bic < lowest else (best, lowest, in_vain + 1)
        if best and in_vain == PATIENCE:
            return best.n_components if abs(excess(best, rows)) < LIKE else None
    return None


def excess(mixture: GaussianMixture, rows: Features) -> float:
    """By how much the tails of the clusters are heavier than those of Gaussians, beyond chance: the
    mean fourth power of the distances of points (n, D) from their Gaussian is more by this share,
    two standard errors aside (Mardia, 1970)."""
    x, d = rows.astype(np.float64), rows.shape[1]
    labels = mixture.predict(x)
    white = np.empty_like(x)
    for j in range(mixture.n_components):
        roots = mixture.precisions_cholesky_
        root = roots if mixture.covariance_type == "tied" else roots[j]
        whiten = root if root.ndim == 2 else np.diag(np.broadcast_to(root, d))
        white[labels == j] = (x[labels == j] - mixture.means_[j]) @ whiten
    share = float(np.square(np.square(white).sum(1)).mean() / (d * (d + 2))) - 1
    chance = 2 * np.sqrt(8 / (len(x) * d * (d + 2)))
    return float(np.sign(share) * max(0.0, abs(share) - chance))


def partition(mixture: GaussianMixture, rows: Features) -> Labels:
    """(n,)"""
    return np.asarray(mixture.predict(rows.astype(np.float64)), np.int64)


def misfit(mixture: GaussianMixture, rows: Features, labels: Labels) -> float:
    """How much likelier, in nats a point, the mixture's own partition is under it than another
    one (n,), each of whose clusters stands for one Gaussian; 0 is best."""
    k = mixture.n_components
    responsibility: Floats = mixture.predict_proba(rows.astype(np.float64))
    logs = np.log(np.maximum(responsibility, SURE))
    agreement = np.zeros((k, k))
    np.add.at(agreement, labels, logs)
    clusters, gaussians = linear_sum_assignment(agreement, maximize=True)
    return max(0.0, float(logs.max(1).sum() - agreement[clusters, gaussians].sum()) / len(rows))


def _best(rows: Features, k: int, seed: int, shapes: list[str], starts: int) -> GaussianMixture:
    x = rows.astype(np.float64)
    options = {"n_init": starts, "reg_covar": RIDGE, "random_state": seed}
    mixtures = [GaussianMixture(k, covariance_type=shape, **options) for shape in shapes]
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of points that are equal
        return min((mixture.fit(x) for mixture in mixtures), key=lambda m: m.bic(x))


def _shapes(n: int, d: int, k: int) -> list[str]:
    """Covariance types worth a try; full ones need more points than dimensions each."""
    full = n > k * (d + 1) and n * k * d * d <= FULL_COST
    return ["spherical", "diag", "tied"] + ["full"] * full
