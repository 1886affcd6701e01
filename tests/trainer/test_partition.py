"""Partitions, their sizes, batches and the rescue of components."""

import pytest
import torch
from threadpoolctl import threadpool_limits

from tests.trainer.stacks import draws, unscaled
from trainer.partition import (
    EVERYWHERE,
    Members,
    component_members,
    mixture_weights,
)
from trainer.splits import split_largest


def two_heaps() -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.cat([torch.randn(40, 2, generator=rng), torch.full((20, 2), 50.0)])


def test_weights_are_counted() -> None:
    weights = mixture_weights(torch.tensor([0, 2, 2, 2]), 3)
    assert weights.tolist() == [0.25, 0, 0.75]


def test_batches_are_of_a_components_own_points() -> None:
    partition = torch.tensor([2, 0, 2, 0, 2, 1])
    batch = Members(partition, 3, 50).batch(draws(3))
    for j in range(3):
        own = (partition == j).nonzero()[:, 0].tolist()
        assert set(batch[j].tolist()) == set(own)


def test_a_part_of_the_components_draws_what_it_draws_among_all() -> None:
    members = Members(torch.arange(40) % 4, 4, 9)
    whole = members.batch(draws(4))
    part = members.batch(draws(4)._replace(own=slice(1, 3)))
    assert torch.equal(part, whole[1:3])


def test_everywhere_means_all_points_for_all() -> None:
    batch = Members(torch.full((5,), EVERYWHERE), 2, 200).batch(draws(2))
    assert all(set(row.tolist()) == set(range(5)) for row in batch)


def test_soft_members_are_drawn_by_their_share() -> None:
    shares = torch.tensor([[1.0, 0.0], [0.25, 0.75], [0.0, 0.0], [0.75, 0.25]])
    batch = Members(shares.argmax(1), 2, 8000, shares).batch(draws(2))
    drawn = torch.stack([torch.bincount(row, minlength=4) for row in batch], 1) / 8000
    torch.testing.assert_close(drawn, shares / shares.sum(0), atol=0.03, rtol=0)


def test_an_empty_component_draws_from_all() -> None:
    batch = Members(torch.tensor([0, 0, 2]), 4, 50).batch(draws(4))
    assert [set(row.tolist()) for row in batch] == [{0, 1}, {0, 1, 2}, {2}, {0, 1, 2}]
    shares = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    soft = Members(torch.tensor([0, 0, 0]), 2, 50, shares)
    assert [set(row.tolist()) for row in soft.batch(draws(2))] == [{0, 1}, {0, 1, 2}]
    assert soft.mass(draws(2)).tolist() == [2, 3]


def test_sums_and_sizes() -> None:
    x = torch.arange(8.0).view(4, 2)
    sums, sizes = Members(torch.tensor([1, 0, 1, 1]), 3, 1).sums(unscaled(x))
    assert sizes.tolist() == [1, 3, 0]
    assert sums.tolist() == [[2, 3], [10, 13], [0, 0]]


def test_members_of_many_are_a_choice() -> None:
    partition = torch.tensor([0, 1] * 50)
    chosen = component_members(partition, 1, 10, seed=0)
    assert len(set(chosen.tolist())) == 10
    assert (partition[chosen] == 1).all()
    assert len(component_members(partition, 0, 100, seed=0)) == 50


def test_empty_components_are_cut_from_the_largest() -> None:
    points = unscaled(two_heaps())
    partition, cut_from = split_largest(points, torch.zeros(60).long(), 2, [1], seed=0)
    assert cut_from == {1: 0}
    assert sorted(torch.bincount(partition).tolist()) == [20, 40]


def test_a_split_does_not_depend_on_threads() -> None:
    points = unscaled(torch.rand(5000, 8, generator=torch.Generator().manual_seed(0)))
    halves = []
    for threads in (4, 1, 4):
        with threadpool_limits(threads):
            halves.append(split_largest(points, torch.zeros(5000).long(), 2, [1], seed=0)[0])
    assert torch.equal(halves[0], halves[1])
    assert torch.equal(halves[0], halves[2])


@pytest.mark.parametrize("empty", [[2], [1, 2]])
def test_nothing_to_cut(empty: list[int]) -> None:
    before = torch.zeros(1).long()
    partition, cut_from = split_largest(unscaled(torch.zeros(1, 2)), before, 3, empty, seed=0)
    assert partition.tolist() == [0]
    assert not cut_from
