"""Partitions: which component each training point belongs to, (N,) of 0..K-1."""

import torch
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits
from torch import Generator, Tensor

from trainer.random import derived_seed

EVERYWHERE = -1  # of a point that all components train on: the paper's uniform pretraining
KMEANS_POINTS = 20_000  # k-means is fitted on a sample of at most so many points


def initial_partition(x: Tensor, k: int, name: str, seed: int) -> Tensor:
    """The partition before the first iteration, by ``name``: kmeans or uniform."""
    if name == "uniform":
        return torch.full((len(x),), EVERYWHERE, device=x.device)
    return kmeans_partition(x.flatten(1), k, derived_seed(seed, "k-means", bits=31))


def kmeans_partition(x: Tensor, k: int, seed: int) -> Tensor:
    """k-means++ with 10 starts on (N, D)."""
    rows = x.cpu().numpy()
    kmeans = KMeans(k, n_init=10, random_state=seed)
    sample = torch.randperm(len(x), generator=Generator().manual_seed(seed))[:KMEANS_POINTS]
    with threadpool_limits(1):  # more threads add up in any order: other bits from run to run
        labels = kmeans.fit(rows[sample.numpy()]).predict(rows)
    return torch.from_numpy(labels).long().to(x.device)


def component_sizes(partition: Tensor, k: int) -> Tensor:
    """Points a component, (K,)."""
    return torch.bincount(partition.clamp(min=0), minlength=k)


def mixture_weights(partition: Tensor, k: int) -> Tensor:
    """alpha_j, the share of the points assigned to component j, (K,) of float64."""
    return component_sizes(partition, k).double() / len(partition)


class Members:
    """Draws uniform batches of every component's own points, with replacement."""

    def __init__(self, partition: Tensor, k: int) -> None:
        if bool((partition == EVERYWHERE).all()):
            self.order = torch.arange(len(partition), device=partition.device)
            self.sizes = torch.full((k, 1), len(partition), device=partition.device)
            self.starts = torch.zeros_like(self.sizes)
        else:
            self.order = partition.argsort(stable=True)
            self.sizes = component_sizes(partition, k)[:, None]
            self.starts = self.sizes.cumsum(0) - self.sizes

    def batch(self, size: int, rng: Generator) -> Tensor:
        """Indices of points, (K, size)."""
        u = torch.rand(len(self.sizes), size, generator=rng, device=self.order.device)
        within = (u * self.sizes).long().minimum(self.sizes - 1).clamp(min=0)
        return self.order[(self.starts + within).clamp(max=len(self.order) - 1)]


def rescue_empty(x: Tensor, partition: Tensor, k: int, seed: int) -> tuple[Tensor, dict[int, int]]:
    """Give each empty component half of the largest one, cut in two by k-means.

    Returns the new partition and, for each rescued component, the one it was cut from.
    """
    partition = partition.clone()
    cut_from: dict[int, int] = {}
    sizes = component_sizes(partition, k)
    for empty in (sizes == 0).nonzero()[:, 0].tolist():
        largest = int(component_sizes(partition, k).argmax())
        members = (partition == largest).nonzero()[:, 0]
        if len(members) < 2:
            break
        half = kmeans_partition(x[members].flatten(1), 2, derived_seed(seed, empty, bits=31)) == 1
        partition[members[half]] = empty
        cut_from[empty] = largest
    return partition, cut_from
