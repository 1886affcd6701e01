"""Agreement of a partition with labels, which are for judging only."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import entropy
from sklearn.metrics import (
    adjusted_rand_score,
    mutual_info_score,
    normalized_mutual_info_score,
)
from sklearn.metrics.cluster import contingency_matrix

Labels = NDArray[np.integer]
Table = NDArray[np.integer]


class Agreement(NamedTuple):
    """Each is 1 when partition and labels are the same up to names."""

    ari: float  # adjusted Rand index (Hubert & Arabie, 1985): 0 by chance
    nmi: float  # mutual information over the mean of the entropies
    accuracy: float  # share of points that agree under the best matching of names


def agreement(labels: Labels, partition: Labels) -> Agreement:
    """How well components (n,) match labels (n,). Raises ValueError when lengths differ."""
    return Agreement(
        ari=float(adjusted_rand_score(labels, partition)),
        nmi=float(normalized_mutual_info_score(labels, partition)),
        accuracy=accuracy(contingency_matrix(labels, partition)),
    )


def agreement_of(table: Table) -> Agreement:
    """The same of the numbers of points that have each label and component, (K, L)."""
    n, rows, columns = table.sum(), table.sum(1), table.sum(0)
    mean_entropy = (entropy(rows) + entropy(columns)) / 2
    shared = mutual_info_score(None, None, contingency=table)
    both, left, right = _pairs(table), _pairs(rows), _pairs(columns)
    by_chance = left * right / max(_pairs(n), 1.0)
    most = (left + right) / 2
    return Agreement(
        ari=float((both - by_chance) / (most - by_chance)) if most > by_chance else 1.0,
        nmi=float(shared / mean_entropy) if mean_entropy else 1.0,
        accuracy=accuracy(table),
    )


def matching(table: Table) -> tuple[Labels, Labels]:
    """Rows and columns, each at most once, that hold most points together (Kuhn, 1955)."""
    rows, columns = linear_sum_assignment(table, maximize=True)
    return rows, columns


def accuracy(table: Table) -> float:
    """Share of the points that agree under the best matching of names."""
    return float(table[matching(table)].sum() / table.sum())


def _pairs(counts: Labels) -> float:
    """Pairs of points within groups of so many."""
    sizes = np.asarray(counts, np.float64)
    return float((sizes * (sizes - 1)).sum() / 2)
