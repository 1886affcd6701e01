"""The stack of VAEs and the density of their latents."""

from math import log, pi
from typing import Any

import numpy as np
import pytest
import torch

from tests.trainer.stacks import draws, stack, unscaled
from trainer.latent import LatentDensity
from trainer.vae import VAEStack

K, N = 3, 7


def vaes(shape: tuple[int, ...] = (2,), **options: Any) -> VAEStack:
    made = stack(K, shape, **options)
    assert isinstance(made, VAEStack)
    return made


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_shapes(likelihood: str) -> None:
    images = vaes((1, 16, 16), likelihood=likelihood)
    x = torch.rand(K, N, 1, 16, 16)
    assert images.elbo(x, draws(K)).shape == (K, N)
    assert images.sample(N, draws(K)).shape == (K, N, 1, 16, 16)
    assert images.resample(x, draws(K)).shape == (K, N, 1, 16, 16)
    assert images.log_density(x[0]).shape == (N, K)


def test_elbo_is_below_the_likelihood_of_a_perfect_decoder() -> None:
    stacked = vaes()
    normalisers = 2 * (stacked.log_scale[:, :, 0] + 0.5 * log(2 * pi))
    assert (stacked.elbo(torch.randn(K, N, 2), draws(K)) <= -normalisers).all()


def test_the_importance_weighted_bound_is_above_the_elbo() -> None:
    stacked, x = vaes(), torch.randn(200, 2)
    elbo = stacked.elbo(x.expand(K, 200, 2), draws(K)).mean(1)
    assert (stacked.log_density(x).mean(0) > elbo).all()


def test_noise_has_the_learned_scale() -> None:
    stacked = vaes()
    with torch.no_grad():
        stacked.log_scale[:, 0, 0] = torch.tensor([-4.0, -1.0, 1.0])
    noise = stacked.sample(4000, draws(K)) - stacked.sample(4000, draws(K), noise=False)
    torch.testing.assert_close(
        noise.std((1, 2)).log(), torch.tensor([-4.0, -1.0, 1.0]), atol=0.05, rtol=0
    )


def test_select_put_and_restart() -> None:
    stacked = vaes()
    stacked.start_training()
    stacked.step(torch.randn(K, N, 2), draws(K))
    chosen = stacked.select([2, 0])
    for mine, theirs in zip(stacked.tensors(), chosen.tensors(), strict=True):
        assert torch.equal(theirs, mine[[2, 0]] if mine.dim() else mine)
    stacked.put([0, 1], chosen)
    for mine, theirs in zip(stacked.tensors(), chosen.tensors(), strict=True):
        assert torch.equal(theirs, mine[:2] if mine.dim() else mine)
    stacked.restart({1: 2})
    for tensor in stacked.state_dict().values():
        assert torch.equal(tensor[1], tensor[2])
    for moments in stacked.optimisers[0].memory:
        assert not moments["exp_avg"][1].any()
        assert moments["exp_avg"][0].any()


def test_latent_density_before_the_fit_is_the_prior() -> None:
    density = LatentDensity(K, 2, 3, torch.device("cpu"))
    z = density.sample(20_000, draws(K))
    assert z.mean().abs() < 0.02
    torch.testing.assert_close(z[0].T.cov(), torch.eye(3), atol=0.05, rtol=0)
    prior = LatentDensity(K, 0, 3, torch.device("cpu"))
    torch.testing.assert_close(density.log_density(z), prior.log_density(z))


def test_latent_density_follows_the_codes() -> None:
    rng = np.random.default_rng(0)
    codes = np.concatenate([rng.normal(5, 0.5, (600, 2)), rng.normal(-5, 1, (300, 2))])
    density = LatentDensity(1, 3, 2, torch.device("cpu"))
    density.fit(0, codes, seed=0)
    z = density.sample(9000, draws(1))[0]
    near = z[:, 0] > 0
    assert near.float().mean() == pytest.approx(2 / 3, abs=0.02)
    assert z[near].std() == pytest.approx(0.5, abs=0.05)
    grid = torch.cartesian_prod(*[torch.linspace(-10, 10, 200)] * 2)
    assert float(density.log_density(grid[None]).exp().sum()) * (20 / 199) ** 2 == pytest.approx(
        1, abs=0.02
    )


def test_few_codes_get_few_gaussians() -> None:
    density = LatentDensity(1, 5, 2, torch.device("cpu"))
    density.fit(0, np.array([[1.0, 2.0]]), seed=0)
    assert density.weights[0].tolist() == [1, 0, 0, 0, 0]
    z = density.sample(100, draws(1))[0]
    torch.testing.assert_close(z.mean(0), torch.tensor([1.0, 2.0]), atol=0.05, rtol=0)
    assert torch.isfinite(density.log_density(z[None])).all()


def test_fit_latent_takes_each_components_own_codes() -> None:
    x = torch.cat([torch.zeros(50, 2), torch.full((50, 2), 3.0)])
    stacked = vaes(latent_gaussians=1)
    partition = torch.arange(100) // 50
    stacked.fit_latent(unscaled(x), partition, seed=0)
    codes = stacked.codes(x.expand(K, 100, 2))
    for j in range(2):
        expected = codes[j, partition == j].mean(0)
        torch.testing.assert_close(stacked.prior.means[j, 0], expected, atol=0.5, rtol=0)
    assert not stacked.prior.means[2].any()  # empty: stays at the prior
