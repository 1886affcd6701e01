"""Table 1b and Figure 3: MNIST with 15 components, and the default preset against single VAEs."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api_schemas.training import TrainingConfig, training_config
from benchmarks.data import mnist
from benchmarks.scale import Row, Scale
from service.pictures import grid
from trainer import Mixture, Report, TrainingState, train
from trainer.architecture import choose_architecture
from trainer.baselines import bag, single
from trainer.evaluation.coverage import coverage
from trainer.evaluation.frechet import frechet_distance
from trainer.evaluation.inception import Inception
from trainer.evaluation.lenet import LeNet
from trainer.latent import LatentDensity
from trainer.steps import Steps

COMPONENTS = 15
SAMPLES, SAMPLE_SEED = 10_000, 1_000
SHOWN = 10  # images of a component, made and real
LARGE = (64, 128, 256, 512)  # eight times the filters

Images = NDArray[np.uint8]
BASELINES: Mapping[str, Callable[[Images, TrainingConfig, Scale], Mixture]] = {
    "bag": lambda images, config, scale: bag(images, config, scale.image_epochs),
    "VAE-64": lambda images, config, scale: single(images, config, scale.image_epochs),
    "VAE-512": lambda images, config, scale: single(
        images, config, scale.large_epochs, filters=LARGE
    ),
}


@dataclass(frozen=True)
class Source:
    """Where the images are, and the weights of Inception where it is to judge."""

    folder: Path
    inception: Path | None = None

    def images(self, scale: Scale) -> Images:
        """Those to train on, (N, 28, 28)."""
        return mnist(self.folder)[0][: scale.images]

    def extractor(self) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
        """What turns images in [0, 1] into features: Inception, else a LeNet trained on MNIST."""
        if self.inception:
            return Inception(self.inception)
        return LeNet(self.folder / "mnist_lenet5.npz")


class Judge:
    """Compares samples with the 10,000 test images, on their features."""

    def __init__(self, source: Source, seed: int) -> None:
        self._seed = seed
        self._extract = source.extractor()
        self._real = self._extract(mnist(source.folder, train=False)[0] / 255)

    def row(self, method: str, mixture: Mixture, seconds: float) -> Row:
        """FID and coverage of 10,000 samples."""
        made = self._extract(mixture.sample(SAMPLES, seed=SAMPLE_SEED).points / 255)
        figures = {
            "fid": frechet_distance(self._real, made),
            "coverage": coverage(self._real, made),
        }
        return Row("MNIST", method, self._seed, figures, seconds)


def kvaes(scale: Scale, seed: int, source: Source, out: Path) -> list[Row]:
    """The paper's way, and what it was after uniform pretraining; draws Figure 3."""
    images, judge = source.images(scale), Judge(source, seed)
    pretrained: list[tuple[Mixture, float]] = []

    def keep_pretrained(state: TrainingState, report: Report) -> None:
        if report.iteration == 1:
            mixture = Mixture.of(state, np.full(COMPONENTS, 1 / COMPONENTS))
            pretrained.append((deepcopy(mixture), report.seconds))

    started = perf_counter()
    fit = train(images, _paper_config(scale, seed), threads=1, on_iteration=keep_pretrained)
    seconds = perf_counter() - started
    draw(out / "figure-3-kVAEs.png", fit.mixture, images, fit.partition)
    init = [judge.row("kVAEs init", *one) for one in pretrained]
    return [*init, judge.row("kVAEs", fit.mixture, seconds)]


def baseline(method: str, scale: Scale, seed: int, source: Source) -> list[Row]:
    """What the paper compares with: one of `BASELINES`."""
    images, started = source.images(scale), perf_counter()
    mixture = BASELINES[method](images, _paper_config(scale, seed), scale)
    seconds = perf_counter() - started
    return [Judge(source, seed).row(method, mixture, seconds)]


def default(scale: Scale, seed: int, source: Source, out: Path) -> list[Row]:
    """The default preset."""
    images, started = source.images(scale), perf_counter()
    fit = train(images, training_config(COMPONENTS, seed), threads=1)
    seconds = perf_counter() - started
    row = Judge(source, seed).row("default", fit.mixture, seconds)
    if seed == 0:
        draw(out / "figure-3-default.png", fit.mixture, images, fit.partition)
    return [row]


def default_single(scale: Scale, seed: int, source: Source) -> list[Row]:
    """One VAE of the default's size on as many images as all its components saw together.

    It is judged with as many latent Gaussians as they have in all, and with z from N(0, I).
    """
    images, judge = source.images(scale), Judge(source, seed)
    config = training_config(COMPONENTS, seed)
    steps = Steps(config, len(images), 0, lambda fraction: None)
    of_component = sum(map(steps.of_generators, range(config.iterations))) + steps.of_polish
    epochs = COMPONENTS * of_component * config.batch_size / len(images)
    gaussians = COMPONENTS * choose_architecture((1, *images.shape[1:]), config).latent_gaussians
    started = perf_counter()
    fitted = single(images, config, epochs, latent_gaussians=gaussians)
    seconds = perf_counter() - started
    return [
        judge.row("single VAE, same latent fit", fitted, seconds),
        judge.row("single VAE, N(0, I)", with_standard_prior(fitted), seconds),
    ]


def with_standard_prior(mixture: Mixture) -> Mixture:
    """The same VAEs with z drawn from N(0, I)."""
    generators = deepcopy(mixture.generators)
    architecture = replace(mixture.architecture, latent_gaussians=0)
    generators.architecture = architecture
    prior = LatentDensity(len(generators), 0, architecture.latent, generators.device)
    generators.add_module("prior", prior)
    return replace(mixture, architecture=architecture, generators=generators)


def draw(path: Path, mixture: Mixture, images: Images, partition: NDArray[np.int64]) -> None:
    """A row a component: samples on the left, real members on the right."""
    blank = np.zeros((1, *images.shape[1:]))
    rows = []
    for component in range(mixture.components):
        members = images[partition == component][:SHOWN]
        padding = np.repeat(blank, SHOWN - len(members), 0)
        rows += [mixture.sample(SHOWN, component).points, blank, members, padding]
    path.write_bytes(grid(np.concatenate(rows), 2 * SHOWN + 1))


def _paper_config(scale: Scale, seed: int) -> TrainingConfig:
    return training_config(
        COMPONENTS,
        seed,
        preset="paper-mnist",
        iterations=scale.image_iterations,
        pretraining_epochs=scale.image_pretraining_epochs,
        estimator_width=scale.discriminator_width,
    )
