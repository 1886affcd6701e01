"""Partitions, their sizes and the rescue of empty components."""

import torch
from threadpoolctl import threadpool_limits

from trainer.partition import (
    EVERYWHERE,
    Members,
    initial_partition,
    mixture_weights,
    rescue_empty,
)


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def two_heaps() -> torch.Tensor:
    return torch.cat([torch.randn(40, 2, generator=rng()), torch.full((20, 2), 50.0)])


def test_kmeans_finds_two_heaps() -> None:
    partition = initial_partition(two_heaps(), 2, "kmeans", seed=0)
    assert len(set(partition[:40].tolist())) == 1
    assert set(partition[40:].tolist()) == {1 - partition[0].item()}


def test_weights_are_counted() -> None:
    weights = mixture_weights(torch.tensor([0, 2, 2, 2]), 3)
    assert weights.tolist() == [0.25, 0, 0.75]


def test_batches_are_of_a_components_own_points() -> None:
    partition = torch.tensor([2, 0, 2, 0, 2, 1])
    batch = Members(partition, 3).batch(50, rng())
    for j in range(3):
        own = (partition == j).nonzero()[:, 0].tolist()
        assert set(batch[j].tolist()) == set(own)


def test_kmeans_does_not_depend_on_threads() -> None:
    x = torch.rand(5000, 8, generator=rng())
    with threadpool_limits(4):
        many = [initial_partition(x, 15, "kmeans", seed=0) for _ in range(3)]
    with threadpool_limits(1):
        one = initial_partition(x, 15, "kmeans", seed=0)
    assert all(torch.equal(partition, one) for partition in many)


def test_uniform_means_all_points_for_all() -> None:
    partition = initial_partition(torch.zeros(5, 2), 2, "uniform", seed=0)
    assert (partition == EVERYWHERE).all()
    batch = Members(partition, 2).batch(200, rng())
    assert all(set(row.tolist()) == set(range(5)) for row in batch)


def test_an_empty_component_draws_something_valid() -> None:
    batch = Members(torch.tensor([0, 0, 2]), 4).batch(10, rng())
    assert batch.min() >= 0
    assert batch.max() <= 2


def test_empty_components_are_cut_from_the_largest() -> None:
    x = two_heaps()
    partition, cut_from = rescue_empty(x, torch.zeros(60).long(), 2, seed=0)
    assert cut_from == {1: 0}
    assert sorted(torch.bincount(partition).tolist()) == [20, 40]


def test_rescue_leaves_full_components_alone() -> None:
    before = torch.tensor([0, 1, 1])
    partition, cut_from = rescue_empty(torch.zeros(3, 2), before, 2, seed=0)
    assert torch.equal(partition, before)
    assert not cut_from


def test_nothing_to_cut() -> None:
    partition, cut_from = rescue_empty(torch.zeros(2, 2), torch.tensor([0, 1]), 3, seed=0)
    assert partition.tolist() == [0, 1]
    assert not cut_from
