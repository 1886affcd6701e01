"""A training run as bytes: everything that an undisturbed run would have in memory."""

from dataclasses import asdict

import torch
from torch import Tensor

from api_schemas.training import TrainingConfig
from trainer.architecture import Architecture
from trainer.estimators import new_estimator
from trainer.points import Scaling
from trainer.serialise import grouped, pack, prefixed, unpack
from trainer.state import TrainingState, new_optimiser
from trainer.vae import VAEStack


def checkpoint_bytes(state: TrainingState, run: str = "") -> bytes:
    """One safetensors file: weights, moments, estimator, partition, position and configuration.

    ``run`` makes the checkpoints of two equal runs different bytes.
    """
    tensors: dict[str, Tensor] = {
        "partition": state.partition,
        "scaling.shift": torch.from_numpy(state.scaling.shift),
        "scaling.scale": torch.from_numpy(state.scaling.scale),
    }
    tensors |= prefixed("generators", state.generators.state_dict())
    tensors |= prefixed("estimator", state.estimator.state_dict())
    for index, moments in state.optimiser.state_dict()["state"].items():
        tensors |= prefixed(f"optimiser.{index}", moments)
    description = {
        "config": state.config.model_dump(),
        "architecture": asdict(state.architecture),
        "point_shape": list(state.point_shape),
        "iteration": state.iteration,
        "run": run,
    }
    return pack(tensors, "checkpoint", description)


def restore(data: bytes, device: torch.device) -> TrainingState:
    """Inverse of `checkpoint_bytes`. Raises DamagedState."""
    tensors, description = unpack(data, "checkpoint")
    parts = grouped({name: tensor.to(device) for name, tensor in tensors.items()})
    config = TrainingConfig(**description["config"])
    architecture = Architecture.from_json(description["architecture"])
    rng = torch.Generator(device)
    generators = VAEStack(config.components, architecture, rng)
    generators.load_state_dict(parts["generators"])
    estimator = new_estimator(config.components, architecture, rng)
    estimator.load_state_dict(parts["estimator"])
    optimiser = new_optimiser(generators, config)
    moments = {int(index): m for index, m in grouped(parts["optimiser"]).items()}
    optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})
    return TrainingState(
        config=config,
        architecture=architecture,
        point_shape=tuple(description["point_shape"]),
        scaling=Scaling(tensors["scaling.shift"].numpy(), tensors["scaling.scale"].numpy()),
        generators=generators,
        optimiser=optimiser,
        estimator=estimator.eval(),
        partition=tensors["partition"].to(device),
        iteration=description["iteration"],
    )
