"""Stopped between any two steps, a run goes on there and comes to the very same model."""

from dataclasses import asdict
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch

from tests.points import three_blobs
from trainer import (
    DamagedState,
    Fit,
    Report,
    StopTraining,
    TrainingConfig,
    TrainingState,
    checkpoint_bytes,
    restore,
    train,
)
from trainer.points import Points

SHORT = {"iterations": 3, "pretraining_epochs": 20, "epochs": 10, "estimator_epochs": 8}


def stopped_each(
    steps: int, points: Points, config: TrainingConfig
) -> tuple[Fit, list[Report], list[str]]:
    """A run that is stopped after so many steps, time and again; the phases in which it was."""
    reports: list[Report] = []
    phases: list[str] = []
    state: TrainingState | None = None

    def keep(_: TrainingState, report: Report) -> None:
        reports.append(report)

    while True:
        done = count(1)

        def step(fraction: float, done: "count[int]" = done) -> None:
            if next(done) == steps:
                raise StopTraining

        try:
            fit = train(points, config, resume=state, on_step=step, on_iteration=keep)
        except StopTraining as stop:
            state = restored(stop)
            phases.append(state.begun.phase if state.begun else "none")
        else:
            return fit, reports, phases


def restored(stop: StopTraining) -> TrainingState:
    assert stop.state is not None
    return restore(checkpoint_bytes(stop.state), torch.device("cpu"))


def told(report: Report) -> dict[str, Any]:
    """Without its times."""
    return {name: value for name, value in asdict(report).items() if "seconds" not in name}


def check(points: Points, steps: int = 37, **fields: Any) -> list[str]:
    """Returns the phases in which it was stopped."""
    config = TrainingConfig(**{"components": 3, "hidden": 8, **SHORT, **fields})
    whole: list[Report] = []
    undisturbed = train(points, config, on_iteration=lambda _, report: whole.append(report))
    fit, reports, phases = stopped_each(steps, points, config)
    assert fit.mixture.to_bytes() == undisturbed.mixture.to_bytes()
    np.testing.assert_array_equal(fit.partition, undisturbed.partition)
    assert [told(report) for report in reports] == [told(report) for report in whole]
    return phases


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"steps": 32},  # just where batches are drawn anew
        {"steps": 1, "iterations": 2, "pretraining_epochs": 3, "epochs": 1, "estimator_epochs": 1},
        {"initial_partition": "uniform", "pretrain_one": True},
        {"estimator": "discriminators", "estimator_reset": False},
        {"assignment": "soft", "rescue": "reseed", "components": 5},
        {"restarts": 2, "tolerance": 0.01, "initial_partition": "voronoi"},
        {"generator": "gan"},
    ],
    ids=lambda fields: " ".join(fields) or "default",
)
def test_the_same_model_however_often_it_is_stopped(fields: dict[str, Any]) -> None:
    phases = check(three_blobs()[0], **fields)
    assert len(phases) > 1
    assert "generators" in phases


def test_the_polish_goes_on_too() -> None:
    assert "polish" in check(three_blobs()[0], steps=20)


def test_images_go_on() -> None:
    images = np.random.default_rng(0).random((48, 8, 8))
    check(images, steps=9, network="conv", batch_size=8, iterations=2)


@pytest.mark.parametrize(("start", "after"), [("auto", 60), ("merge", 2010)])
def test_progress_does_not_go_back(start: str, after: int) -> None:
    points = three_blobs()[0]
    config = TrainingConfig(**{"components": 3, "initial_partition": start, **SHORT})
    fractions: list[float] = []

    def step(fraction: float) -> None:
        fractions.append(fraction)
        if len(fractions) == after:
            raise StopTraining

    with pytest.raises(StopTraining) as stopped:
        train(points, config, on_step=step)
    train(points, config, resume=stopped.value.state, on_step=step)
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1)


def test_others_go_on_from_the_last_whole_iteration() -> None:
    def step(fraction: float) -> None:
        if fraction > 0.1:
            raise StopTraining

    with pytest.raises(StopTraining) as stopped:
        train(three_blobs()[0], TrainingConfig(components=3, **SHORT), on_step=step)
    assert stopped.value.state
    data = checkpoint_bytes(stopped.value.state)
    for device, processes in (("cpu", 2), ("meta", 1)):
        with pytest.raises(DamagedState, match="one process on cpu left it"):
            restore(data, torch.device(device), processes)


def test_what_has_no_steps_is_gone_on_with_from_its_last_iteration() -> None:
    config = TrainingConfig(
        components=3, generator="centroid", estimator="generators", iterations=3
    )

    def step(fraction: float) -> None:
        raise StopTraining

    with pytest.raises(StopTraining) as stopped:
        train(three_blobs()[0], config, on_step=step)
    assert stopped.value.state is None
