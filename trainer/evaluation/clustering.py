"""Agreement of a partition with labels, which are for judging only."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

Labels = NDArray[np.integer]


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
        accuracy=_accuracy(labels, partition),
    )


def _accuracy(labels: Labels, partition: Labels) -> float:
    """One component a label at most, matched to agree most often (Kuhn, 1955)."""
    table = contingency_matrix(labels, partition)
    return float(table[linear_sum_assignment(table, maximize=True)].sum() / len(labels))
