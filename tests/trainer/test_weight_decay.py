"""The prior of the generators' weights, which keeps few points from being learnt by heart."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris

from api_schemas.training import training_config
from tests.trainer.stacks import draws, stack, unscaled
from trainer import train
from trainer.generators import Schedule
from trainer.partition import Members
from trainer.vae import VAEStack


def held_out(weight_decay: float | None) -> tuple[float, float]:
    """Mean log likelihood, and outlier score, of every fifth iris, which was not trained on."""
    points = load_iris().data
    new = np.arange(len(points)) % 5 == 0
    config = training_config(3, iterations=1, weight_decay=weight_decay)
    mixture = train(points[~new], config).mixture
    return mixture.log_likelihood(points[new]).mean(), mixture.outlier_score(points[new]).mean()


def test_new_points_of_a_small_table_are_no_outliers() -> None:
    likelihood, outlier_score = held_out(None)
    assert likelihood > -4
    assert 0.3 < outlier_score < 0.75
    by_heart, _ = held_out(0.0)
    assert by_heart < likelihood - 3


@pytest.mark.parametrize("n", [10, 1_000])
def test_the_gradient_is_that_of_elbo_and_prior(n: int) -> None:
    k, decay = 2, 3.0
    vaes = stack(k, weight_decay=decay)
    assert isinstance(vaes, VAEStack)
    x = unscaled(torch.rand(n, 2))
    vaes.start_training()
    vaes.fit(x, Members(torch.arange(n) % k, k, 4), Schedule(1, lambda i: 0.0), draws(k))
    made = {name: p.grad for name, p in vaes.named_parameters()}
    vaes.zero_grad()
    batch = x[Members(torch.arange(n) % k, k, 4).batch(again := draws(k))]
    prior = sum(w.square().sum() for name, w in vaes.named_parameters() if "weight" in name)
    loss = -vaes.elbo(batch, again).mean(1).sum() + 0.5 * decay * 2 / (n / k) * prior
    loss.backward()  # type: ignore[no-untyped-call]
    for name, parameter in vaes.named_parameters():
        torch.testing.assert_close(made[name], parameter.grad)
