"""Components that hold no points get half of the largest one."""

import warnings

import torch
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits
from torch import Generator, Tensor

from trainer.partition import component_sizes
from trainer.random import derived_seed
from trainer.scaling import ScaledPoints

SPLIT_POINTS = 20_000  # a component is split by k-means on at most so many of its points


def split_largest(
    x: ScaledPoints, partition: Tensor, k: int, empty: list[int], seed: int
) -> tuple[Tensor, dict[int, int]]:
    """Give each empty component half of the largest one, cut in two by k-means.

    Returns the new partition and, for each rescued component, the one it was cut from.
    """
    partition = partition.clone()
    cut_from: dict[int, int] = {}
    for component in empty:
        largest = int(component_sizes(partition, k).argmax())
        members = (partition == largest).nonzero()[:, 0]
        if len(members) < 2:
            break
        half = _halves(x, members, derived_seed(seed, component, bits=31)) == 1
        partition[members[half]] = component
        cut_from[component] = largest
    return partition, cut_from


def _halves(x: ScaledPoints, members: Tensor, seed: int) -> Tensor:
    """Two halves of some points by k-means, (len(members),) of 0 and 1."""
    chosen = torch.randperm(len(members), generator=Generator().manual_seed(seed))[:SPLIT_POINTS]
    sample = x[members[chosen.to(members.device)]].flatten(1).cpu().numpy()
    # more threads add up in any order: other bits from run to run
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of points that are equal
        kmeans = KMeans(2, n_init=3, random_state=seed).fit(sample)
        labels = [
            torch.from_numpy(kmeans.predict(x[part].flatten(1).cpu().numpy()))
            for part in torch.split(members, SPLIT_POINTS)
        ]
    return torch.cat(labels).to(members.device)
