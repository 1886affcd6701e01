"""Generators that do not compete."""

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import pytest
import torch

from api_schemas.training import TrainingConfig
from tests.points import three_blobs
from trainer import InvalidConfig, Mixture
from trainer.architecture import Architecture
from trainer.baselines import bag, init, single
from trainer.compiled import Graphs
from trainer.generators import Step
from trainer.vae import VAEStack

EPOCHS = 30


def config(**fields: object) -> TrainingConfig:
    return TrainingConfig.model_validate({"components": 3, "seed": 1, **fields})


def test_init_reaches_every_blob_with_every_generator() -> None:
    points, _ = three_blobs()
    mixture = init(points, config(), 4 * EPOCHS)
    assert mixture.alpha == pytest.approx(1 / 3)
    for component in range(3):
        samples = mixture.sample(300, component).points
        assert np.ptp(samples[:, 0]) > 12


def test_bag_trains_each_generator_on_points_of_its_own() -> None:
    points, _ = three_blobs()
    mixture = bag(points, config(), EPOCHS)
    assert mixture.components == 3
    parameter = mixture.generators.state_dict()["log_scale"].flatten()
    assert len(parameter.unique()) == 3


def test_same_seed_same_baseline() -> None:
    points, _ = three_blobs()
    first, second = (bag(points, config(), 2).sample(5).points for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_single_is_one_generator_of_any_size() -> None:
    images = np.random.default_rng(0).random((40, 16, 16))
    conv = config(network="conv", batch_size=8)
    mixture = single(images, conv, 1, filters=(4, 8))
    assert mixture.components == 1
    assert mixture.sample(3).points.shape == (3, 16, 16)
    wide = single(images, conv, 1, filters=(32, 64))
    assert parameters(wide) > 2 * parameters(mixture)


def test_filters_survive_saving() -> None:
    images = np.random.default_rng(0).random((40, 16, 16))
    mixture = single(images, config(network="conv", batch_size=8), 1, filters=(4, 8))
    loaded = Mixture.from_bytes(mixture.to_bytes())
    assert loaded.architecture == mixture.architecture
    np.testing.assert_array_equal(loaded.sample(3).points, mixture.sample(3).points)


def test_a_description_without_filters_has_the_papers() -> None:
    points, _ = three_blobs()
    fields = bag(points, config(), 0).describe()["architecture"]
    del fields["filters"]
    assert Architecture.from_json(fields).filters == (8, 16, 32, 64)


def test_only_long_runs_take_compiled_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[Graphs] = []

    def eager(stack: VAEStack, graphs: Graphs) -> AbstractContextManager[Step]:
        compiled.append(graphs)
        return nullcontext(stack.step)

    monkeypatch.setattr(VAEStack, "compiled_step", eager)
    monkeypatch.setattr("trainer.compiled.STEPS_WORTH_COMPILING", 20)
    points, _ = three_blobs()
    single(points, config(batch_size=len(points)), 19)
    assert not compiled
    single(points, config(batch_size=len(points)), 20)
    assert len(compiled) == 1


def test_a_baseline_assigns_by_its_own_densities() -> None:
    points, _ = three_blobs()
    mixture = bag(points, config(), EPOCHS)
    x = mixture.scaling.apply(points, torch.device("cpu"))
    highest = mixture.generators.log_density(x).argmax(1)
    np.testing.assert_array_equal(mixture.assign(points), highest.numpy())


def test_gans_have_no_densities_to_build_on() -> None:
    points, _ = three_blobs()
    with pytest.raises(InvalidConfig):
        init(points, config(generator="gan"), 1)


def parameters(mixture: Mixture) -> int:
    return sum(p.numel() for p in mixture.generators.parameters())
