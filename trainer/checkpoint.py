"""A training run as bytes: everything that an undisturbed run would have in memory."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from api_schemas.training import TrainingConfig
from trainer.adam import Adam
from trainer.architecture import Architecture
from trainer.errors import DamagedState
from trainer.estimators import DensityEstimator
from trainer.generators import Generators
from trainer.kinds import rebuilt_networks
from trainer.scaling import Scaling
from trainer.serialise import grouped, pack, prefixed, unpack, write_atomically
from trainer.state import Best, TrainingState
from trainer.stopping import Begun, Place

# after an iteration, and within one: earlier versions would take that for an iteration's end
WHOLE, WITHIN = "checkpoint", "checkpoint within an iteration"
BEFORE = {"log_transform": False, "weight_decay": 0.0}  # of runs that began without such options
PLACE = ("place_total", "place_drawn", "place_now")  # the tensors of a `Place`


def checkpoint_bytes(state: TrainingState, run: str = "") -> bytes:
    """One safetensors file: weights, moments, estimator, partition, position and configuration.

    ``run`` makes the checkpoints of two equal runs different bytes.
    """
    tensors: dict[str, Tensor] = {
        "partition": state.partition,
        **prefixed("scaling", state.scaling.state_dict()),
    }
    tensors |= _networks("", state.generators, state.estimator)
    if state.shares is not None:
        tensors["shares"] = state.shares
    if state.best is not None:
        tensors["best_partition"] = state.best.partition
        if state.best.shares is not None:
            tensors["best_shares"] = state.best.shares
        tensors |= _networks("best_", state.best.generators, state.best.estimator)
    if state.begun is not None:
        _, *place = state.begun.place
        tensors |= dict(zip(PLACE, place, strict=True))
    description = {
        "config": state.config.model_dump(),
        "architecture": asdict(state.architecture),
        "point_shape": list(state.point_shape),
        "iteration": state.iteration,
        "quiet": state.quiet,
        "best": state.best and {"lowest": state.best.lowest, "iteration": state.best.iteration},
        "begun": state.begun and _described(state.begun, state.generators.device),
        "run": run,
    }
    return pack(tensors, WITHIN if state.begun else WHOLE, description)


def restore(data: bytes, device: torch.device, processes: int = 1) -> TrainingState:
    """Inverse of `checkpoint_bytes`. Raises DamagedState, also for one from within an iteration
    that can't be gone on with by several processes, or on another kind of device."""
    tensors, description = unpack(data, WHOLE, WITHIN)
    told = description.get("begun")  # older ones have none
    if told and (processes > 1 or told["device"] != device.type):
        mine, theirs = f"{processes} on {device.type}", f"one process on {told['device']}"
        raise DamagedState(f"{theirs} left it within an iteration, which {mine} can't go on with")
    parts = grouped({name: tensor.to(device) for name, tensor in tensors.items()})
    config = TrainingConfig(**{**BEFORE, **description["config"]})
    architecture = Architecture.from_json(description["architecture"])
    generators, estimator = _rebuilt("", config, architecture, parts, device)
    best = None
    if description["best"]:
        kept = _rebuilt("best_", config, architecture, parts, device)
        best = Best(
            **description["best"],
            generators=kept[0],
            estimator=kept[1],
            partition=tensors["best_partition"].to(device),
            shares=tensors["best_shares"].to(device) if "best_shares" in tensors else None,
        )
    begun = None
    if told:
        total, *streams = (tensors[name] for name in PLACE)
        place = Place(told["steps"], total.to(device), *streams)
        begun = Begun(told["phase"], place, told["losses"])
    return TrainingState(
        config=config,
        architecture=architecture,
        point_shape=tuple(description["point_shape"]),
        scaling=Scaling.from_state_dict(parts["scaling"]),
        generators=generators,
        estimator=estimator,
        partition=tensors["partition"].to(device),
        shares=tensors["shares"].to(device) if "shares" in tensors else None,
        iteration=description["iteration"],
        quiet=description["quiet"],
        best=best,
        begun=begun,
    )


def keep_checkpoint(path: Path, state: TrainingState, run: str) -> None:
    """Write a run's checkpoint; the one before stays beside it until the next."""
    if path.exists():
        os.replace(path, _previous(path))
    write_atomically(path, checkpoint_bytes(state, run))


def last_checkpoint(path: Path, device: torch.device, run: str) -> TrainingState | None:
    """The state to go on from: the last checkpoint that is whole, or None where there is none.

    Raises DamagedState when none of those that are there is whole, or it is of another run.
    """
    damage: DamagedState | None = None
    for candidate in (path, _previous(path)):
        if not candidate.exists():
            continue
        try:
            return _restore_own(candidate.read_bytes(), device, run)
        except DamagedState as error:
            damage = damage or DamagedState(f"{path}: {error}; remove it to train anew")
    if damage:
        raise damage
    return None


def forget_checkpoints(path: Path) -> None:
    """Remove what `keep_checkpoint` wrote."""
    path.unlink(missing_ok=True)
    _previous(path).unlink(missing_ok=True)


def _restore_own(data: bytes, device: torch.device, run: str) -> TrainingState:
    if unpack(data, WHOLE, WITHIN)[1]["run"] != run:
        raise DamagedState("it is of another run")
    return restore(data, device)


def _previous(path: Path) -> Path:
    return path.with_suffix(".previous" + path.suffix)


def _described(begun: Begun, device: torch.device) -> dict[str, Any]:
    about = {"phase": begun.phase, "steps": begun.place.steps, "losses": begun.losses}
    return {**about, "device": device.type}  # whose random streams have states of their own kind


def _networks(name: str, generators: Generators, estimator: DensityEstimator) -> dict[str, Tensor]:
    tensors = prefixed(f"{name}generators", generators.state_dict())
    tensors |= prefixed(f"{name}estimator", estimator.state_dict())
    for i, optimiser in enumerate(generators.optimisers):
        tensors |= _moments(f"{name}optimiser{i}", optimiser)
    if estimator.optimiser is not None:
        tensors |= _moments(f"{name}estimator_optimiser", estimator.optimiser)
    return tensors


def _rebuilt(
    name: str,
    config: TrainingConfig,
    architecture: Architecture,
    parts: dict[str, dict[str, Tensor]],
    device: torch.device,
) -> tuple[Generators, DensityEstimator]:
    generators, estimator = rebuilt_networks(config.k, architecture, device)
    generators.load_state_dict(parts[f"{name}generators"])
    estimator.load_state_dict(parts[f"{name}estimator"])
    generators.start_training()
    for i, optimiser in enumerate(generators.optimisers):
        _load_moments(optimiser, parts.get(f"{name}optimiser{i}", {}))
    if moments := parts.get(f"{name}estimator_optimiser"):
        estimator.start_training()
        assert estimator.optimiser is not None  # noqa: S101 - just made
        _load_moments(estimator.optimiser, moments)
    return generators.eval(), estimator.eval()


def _moments(name: str, optimiser: Adam) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for index, moments in enumerate(optimiser.memory):
        tensors |= prefixed(f"{name}.{index}", moments)
    return tensors


def _load_moments(optimiser: Adam, tensors: dict[str, Tensor]) -> None:
    for index, moments in grouped(tensors).items():
        for name, tensor in moments.items():
            optimiser.memory[int(index)][name].copy_(tensor)
