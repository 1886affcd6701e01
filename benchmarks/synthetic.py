"""Table 1a and Figure 2: the synthetic data of 3, 5 and 9 modes."""

from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from api_schemas.training import training_config
from benchmarks.scale import Row, Scale
from service.scatter import scatter
from trainer import Mixture, train
from trainer.baselines import bag, single
from trainer.evaluation.clustering import agreement
from trainer.evaluation.density import mean_log_likelihood
from trainer.evaluation.synthetic import POINTS, Labels, Rows, log_density, synthetic

HELD_OUT, JUDGED = 2_000, 4_000  # true points to choose the bandwidth with, and to evaluate
HELD_OUT_SEED, JUDGED_SEED, SAMPLE_SEED = 1_000, 1_001, 1_002
SHOWN, SHOWN_MODES = 4_000, 5
WIDE = 150

Method = Callable[[Scale, int, int], tuple[Mixture, Labels, Labels]]


def run(method: str, modes: int, seed: int, scale: Scale, out: Path) -> list[Row]:
    """One cell of Table 1a; of 5 modes also its picture."""
    started = perf_counter()
    mixture, labels, partition = METHODS[method](scale, modes, seed)
    seconds = perf_counter() - started
    samples = mixture.sample(POINTS, seed=SAMPLE_SEED)
    if modes == SHOWN_MODES and seed == 0:
        picture = scatter(samples.points[:SHOWN], samples.components[:SHOWN])
        (out / f"figure-2-{method}.png").write_bytes(picture)
    figures = {"log_likelihood": judged(samples.points.astype(float), modes)}
    if mixture.components > 1:
        figures["ari"] = agreement(labels, partition).ari
    return [Row(f"{modes} modes", method, seed, figures, seconds)]


def oracle(modes: int, out: Path) -> list[Row]:
    """What no model can pass: the true density, and the estimate from true samples."""
    points, labels = synthetic(modes, POINTS, SAMPLE_SEED)
    if modes == SHOWN_MODES:
        (out / "figure-2-data.png").write_bytes(scatter(points[:SHOWN], labels[:SHOWN]))
    exact = float(log_density(synthetic(modes, POINTS, JUDGED_SEED)[0], modes).mean())
    data = f"{modes} modes"
    return [
        Row(data, "oracle", 0, {"log_likelihood": exact}, 0),
        Row(data, "true samples", 0, {"log_likelihood": judged(points, modes)}, 0),
    ]


def judged(samples: Rows, modes: int) -> float:
    """Mean log-likelihood of fresh true points under samples (n, 2)."""
    held_out, _ = synthetic(modes, HELD_OUT, HELD_OUT_SEED)
    points, _ = synthetic(modes, JUDGED, JUDGED_SEED)
    return mean_log_likelihood(samples, held_out, points)


def _kvaes(scale: Scale, modes: int, seed: int) -> tuple[Mixture, Labels, Labels]:
    points, labels = synthetic(modes, scale.points, seed)
    config = training_config(
        modes,
        seed,
        preset="paper-synthetic",
        iterations=scale.iterations,
        pretraining_epochs=scale.pretraining_epochs,
    )
    fit = train(points, config, threads=1)
    return fit.mixture, labels, fit.partition


def _default(scale: Scale, modes: int, seed: int) -> tuple[Mixture, Labels, Labels]:
    points, labels = synthetic(modes, POINTS, seed)
    fit = train(points, training_config(modes, seed), threads=1)
    return fit.mixture, labels, fit.partition


def _bag(scale: Scale, modes: int, seed: int) -> tuple[Mixture, Labels, Labels]:
    points, labels = synthetic(modes, scale.points, seed)
    config = training_config(modes, seed, preset="paper-synthetic")
    mixture = bag(points, config, scale.bag_epochs)
    return mixture, labels, mixture.assign(points)


def _wide(scale: Scale, modes: int, seed: int) -> tuple[Mixture, Labels, Labels]:
    points, labels = synthetic(modes, scale.points, seed)
    config = training_config(1, seed, preset="paper-synthetic", hidden=WIDE)
    mixture = single(points, config, scale.single_epochs)
    return mixture, labels, mixture.assign(points)


METHODS: dict[str, Method] = {
    "kVAEs": _kvaes,
    "default": _default,
    "bag": _bag,
    "VAE-150": _wide,
}
