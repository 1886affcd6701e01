"""Density estimators, against a case that is solved by hand."""

import pytest
import torch
from torch import Tensor

from tests.trainer.stacks import stack, unscaled
from trainer.estimators import DensityEstimator, Discriminators, new_estimator
from trainer.ranks import Ranks
from trainer.scaling import ScaledPoints

K = 2
MEANS = torch.tensor([-1.0, 1.0])


def estimator(name: str) -> DensityEstimator:
    generators = stack(K, (1,), estimator=name)
    return new_estimator(generators, torch.Generator().manual_seed(0))


def fit_scores(fitted: DensityEstimator, x: ScaledPoints) -> Tensor:
    return torch.cat([scores for _, scores in fitted.fit_scores(x, Ranks())])


def trained(name: str) -> tuple[DensityEstimator, Tensor]:
    """Generators N(-1, 1) and N(1, 1), data an equal mixture of both."""
    torch.manual_seed(0)
    fitted = estimator(name)
    optimiser = torch.optim.Adam(fitted.parameters(), lr=3e-3)
    for _ in range(600):
        made = MEANS[:, None, None] + torch.randn(K, 256, 1)
        real = MEANS[torch.randint(K, (256,)), None] + torch.randn(256, 1)
        loss = fitted.loss(made, real)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    data = MEANS[torch.randint(K, (4000,)), None] + torch.randn(4000, 1)
    return fitted, data


@pytest.mark.parametrize("name", ["classifier", "discriminators"])
def test_finds_the_ratio_of_two_gaussians(name: str) -> None:
    fitted, data = trained(name)
    scores = fit_scores(fitted, unscaled(data))
    assert scores.shape == (4000, K)
    # log N(x; 1, 1) - log N(x; -1, 1) = 2 x
    near = data[:, 0].abs() < 1.5
    found = (scores[:, 1] - scores[:, 0])[near]
    assert (found - 2 * data[near, 0]).abs().mean() < 0.35
    torch.testing.assert_close(fitted.scores(data), scores)


def test_discriminators_are_normalised_over_the_training_points() -> None:
    fitted, data = trained("discriminators")
    densities = fit_scores(fitted, unscaled(data)).exp()
    torch.testing.assert_close(densities.mean(0), torch.ones(K), atol=1e-4, rtol=0)


def test_scores_do_not_depend_on_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = estimator("discriminators")
    assert isinstance(fitted, Discriminators)
    data = torch.randn(100, 1)
    whole = fit_scores(fitted, unscaled(data))
    monkeypatch.setattr("trainer.estimators.CHUNK_VALUES", 14)
    monkeypatch.setattr("trainer.points.CHUNK_VALUES", 30)
    torch.testing.assert_close(fit_scores(fitted, unscaled(data)), whole)


def test_generators_judge_themselves() -> None:
    generators = stack(K, (1,), estimator="generators")
    own = new_estimator(generators, torch.Generator())
    assert not own.trainable
    data = torch.randn(10, 1)
    torch.testing.assert_close(own.scores(data), generators.log_density(data))
