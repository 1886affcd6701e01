"""What is kept of a model's training points: where each belongs, how surely, and what is typical.

All of it is found once, by the worker that trained the model.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api_schemas.models import Feature, Spread
from service.features import features, sums_of
from trainer import Mixture
from trainer.points import Points, chunks

TYPICAL = 10  # members a component that are shown


@dataclass(frozen=True)
class Summary:
    """Of N training points and K components."""

    partition: NDArray[np.int64]  # (N,)
    confidence: NDArray[np.float32]  # (N,), the posterior of each point's component
    outlier_score: NDArray[np.float32] | None  # (N,); none of generators that judge no outliers
    posterior: list[list[float]]  # (K, K), the means over each component's points
    typical: list[list[int]]  # K times up to 10 rows
    features: list[list[Feature]]  # K times D; empty for images and for very wide rows
    whole: list[Spread]  # D, of all points; empty as they are

    @property
    def sizes(self) -> list[int]:
        sizes: list[int] = np.bincount(self.partition, minlength=len(self.typical)).tolist()
        return sizes

    @property
    def shares(self) -> dict[str, NDArray[np.float32]]:
        """What is stored of each point beside its component."""
        scores = {} if self.outlier_score is None else {"outlier_score": self.outlier_score}
        return {"confidence": self.confidence, **scores}


def summarise(mixture: Mixture, points: Points, partition: NDArray[np.int64]) -> Summary:
    """Look through the training points (N, *shape), a bounded piece at a time."""
    k = mixture.components
    confidence, density = np.empty((2, len(points)), np.float32)
    posterior = np.zeros((k, k))
    for part in chunks(points):
        own = partition[part, None]
        found = mixture.membership(points[part])
        confidence[part] = np.take_along_axis(found.posterior, own, 1)[:, 0]
        posterior += sums_of(found.posterior, partition[part], k)
        if mixture.generators.has_density:
            density[part] = mixture.member_density(points[part], partition[part])
        else:  # the estimator stands for it
            density[part] = np.take_along_axis(found.log_densities, own, 1)[:, 0]
    sizes = np.bincount(partition, minlength=k)
    has_scores = mixture.reference is not None
    return Summary(
        partition,
        confidence,
        _outlier_score(mixture, partition, confidence, density) if has_scores else None,
        (posterior / sizes.clip(1)[:, None]).round(6).tolist(),
        [_typical(partition, density, j) for j in range(k)],
        *features(mixture.scaling, points, partition, k),
    )


def _typical(
    partition: NDArray[np.int64], density: NDArray[np.float32], component: int
) -> list[int]:
    """The members of highest density under their component."""
    rows = np.flatnonzero(partition == component)
    best: list[int] = rows[np.argsort(-density[rows], kind="stable")[:TYPICAL]].tolist()
    return best


def _outlier_score(
    mixture: Mixture,
    partition: NDArray[np.int64],
    confidence: NDArray[np.float32],
    density: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Share of the points that are more likely, (N,).

    The posterior is alpha_j P_gj / P_model: so one component's density a point is enough.
    """
    tiny = np.finfo(np.float32).tiny
    likelihood = density + np.log(mixture.alpha[partition].clip(tiny) / confidence.clip(tiny))
    at_most = np.searchsorted(np.sort(likelihood), likelihood, side="right")
    score: NDArray[np.float32] = (1 - at_most / len(likelihood)).astype(np.float32)
    return score
