"""The score, without labels, that chooses among initial partitions and among iterations."""

from functools import cached_property

from sklearn.mixture import GaussianMixture
from torch import Tensor

from trainer.random import derived_seed
from trainer.starts import gaussians
from trainer.starts.arrays import Labels
from trainer.starts.classical import LEAST_CUT, lowest_cut
from trainer.starts.sketch import Sketch

THROUGH = 5 * LEAST_CUT  # more than chance


class Judge:
    """How badly a partition of the points separates them; lower is better.

    Where the clusters are Gaussian, and so may overlap, it is the partition's misfit to their
    mixture, in nats a point; elsewhere the normalised cut of the neighbour graph, 0 to 1.
    """

    def __init__(self, sketch: Sketch, k: int, seed: int) -> None:
        self.sketch, self._k = sketch, k
        self._seed = derived_seed(seed, "judge", bits=31)

    @cached_property
    def mixture(self) -> GaussianMixture | None:
        """K Gaussians, whether or not the clusters are such; None for too few points."""
        return gaussians.fit(self.sketch.smooth, self._k, self._seed)

    @cached_property
    def trusted(self) -> GaussianMixture | None:
        """The Gaussians, if the clusters are such."""
        mixture, rows = self.mixture, self.sketch.smooth
        if mixture is None or self.sketch.is_coarse:
            return None
        if not gaussians.suffices(mixture, rows, self._seed):
            return None
        return None if self._cuts_through(mixture) else mixture

    def _cuts_through(self, mixture: GaussianMixture) -> bool:
        """Whether gaps part k clusters and the Gaussians none, as two halve each of two rings."""
        graph, k = self.sketch.graph, self._k
        lowest = lowest_cut(graph, k)
        if lowest is None or lowest >= LEAST_CUT:
            return False
        return graph.normalised_cut(gaussians.partition(mixture, self.sketch.smooth), k) > THROUGH

    def score(self, partition: Tensor) -> float:
        """Of a partition, (N,)."""
        return self.score_sketch(partition[self.sketch.index].cpu().numpy())

    def score_sketch(self, labels: Labels) -> float:
        """Of a partition of the sketch, (n,)."""
        if self.trusted is not None:
            return gaussians.misfit(self.trusted, self.sketch.rows, labels)
        return self.sketch.graph.normalised_cut(labels, self._k)
