"""The stack of VAEs."""

from math import log, pi

import pytest
import torch

from trainer.architecture import Architecture
from trainer.vae import VAEStack

K, N = 3, 7


def stack(
    likelihood: str = "gaussian", shape: tuple[int, ...] = (2,), noise: bool = True
) -> VAEStack:
    generator = "mlp" if len(shape) == 1 else "conv"
    architecture = Architecture.from_json(
        {
            "shape": shape,
            "generator": generator,
            "likelihood": likelihood,
            "hidden": 8,
            "latent": 2,
            "sample_noise": noise,
            "estimator": "classifier",
        }
    )
    return VAEStack(K, architecture, torch.Generator().manual_seed(0)).eval()


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(1)


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_shapes(likelihood: str) -> None:
    vaes = stack(likelihood, (1, 16, 16))
    x = torch.rand(K, N, 1, 16, 16)
    assert vaes.elbo(x, rng()).shape == (K, N)
    assert vaes.sample(N, rng()).shape == (K, N, 1, 16, 16)


def test_elbo_is_below_the_likelihood_of_a_perfect_decoder() -> None:
    vaes = stack()
    normalisers = 2 * (vaes.log_scale[:, :, 0] + 0.5 * log(2 * pi))
    assert (vaes.elbo(torch.randn(K, N, 2), rng()) <= -normalisers).all()


def test_noise_has_the_learned_scale() -> None:
    noisy, mean = stack(), stack(noise=False)
    with torch.no_grad():
        noisy.log_scale[:, 0, 0] = torch.tensor([-4.0, -1.0, 1.0])
    scales = (noisy.sample(4000, rng()) - mean.sample(4000, rng())).std((1, 2))
    torch.testing.assert_close(scales.log(), torch.tensor([-4.0, -1.0, 1.0]), atol=0.05, rtol=0)


def test_select_and_copy() -> None:
    vaes = stack()
    chosen = vaes.select([2, 0])
    for name, tensor in chosen.state_dict().items():
        torch.testing.assert_close(tensor, vaes.state_dict()[name][[2, 0]])
    vaes.copy_components({1: 2})
    for tensor in vaes.state_dict().values():
        assert torch.equal(tensor[1], tensor[2])
