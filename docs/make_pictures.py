"""`python -m docs.make_pictures [NAME ...]`: the pictures of the documentation, by the code itself.

Some minutes on one core; the same again on the same kind of machine.
"""

import argparse
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits, make_blobs

from docs.drawing import INK, Array, Panel, around, colours, rgb, sheet, write
from service.pictures import grid
from service.scatter import PALETTE
from trainer import KVAE, TrainingConfig, train
from trainer.evaluation.synthetic import synthetic
from trainer.loop import Report
from trainer.preview import preview
from trainer.state import TrainingState

FOLDER = Path(__file__).parent / "pictures"
SHOWN = (1, 2, 3, 5, 8)  # iterations
SIDE = 170
COMPETITION = TrainingConfig(  # all begin alike, and learn little in each iteration
    components=5,
    initial_partition="uniform",
    pretrain_one=False,
    component_scaling=False,
    weight_decay=0,
    keep_best=False,
    polish=False,
    hidden=50,
    pretraining_epochs=10,
    epochs=30,
    estimator_epochs=15,
)
DIGITS = TrainingConfig(
    components=10, initial_partition="uniform", keep_best=False, polish=False, seed=1
)


class Turn(NamedTuple):
    """What one iteration came to: partition (N,) and samples (K, n, ...)."""

    partition: Array
    samples: Array


def turns(points: Array, config: TrainingConfig, n: int) -> list[Turn]:
    """Train, and keep of every iteration the partition and ``n`` samples a component."""
    kept: list[Turn] = []

    def keep(state: TrainingState, report: Report) -> None:
        kept.append(Turn(state.partition.numpy().copy(), preview(state, points, n)))

    train(points, config, device=torch.device("cpu"), threads=1, on_iteration=keep)
    return kept


def competition() -> None:
    """Five components that begin alike divide five modes."""
    points, _ = synthetic(5, 1_500, seed=0)
    made = turns(points, COMPETITION, 150)
    bounds = around(points, 0.12)
    held, drawn = [], []
    for turn in (made[i - 1] for i in SHOWN):
        held.append(_scatter(points, turn.partition, bounds))
        owners = np.repeat(np.arange(5), turn.samples.shape[1])
        drawn.append(_scatter(turn.samples.reshape(-1, 2), owners, bounds))
    write(sheet([held, drawn], [f"iteration {i}" for i in SHOWN]), FOLDER / "competition.png")


def _scatter(points: Array, components: Array, bounds: tuple[float, float, float, float]) -> Panel:
    panel = Panel((SIDE, SIDE), bounds)
    panel.dots(points, colours(components))
    panel.frame()
    return panel


def digits() -> None:
    """A row a component: what it draws after each iteration, when all begin alike."""
    images = load_digits().images
    made = turns(images, DIGITS, 1)
    tiles = np.stack([turn.samples[:, 0] for turn in made], 1)
    picture = grid(tiles.reshape(-1, 8, 8), columns=len(made))
    small = Image.open(io.BytesIO(picture)).convert("L")
    small.resize((small.width // 2, small.height // 2)).save(FOLDER / "digits.png", optimize=True)


def scores() -> None:
    """The plane by component, by confidence and by outlier score."""
    centres = [(-4, 0), (0, 0), (2.2, 2.6), (3, -4)]
    points, _ = make_blobs([400, 400, 400, 100], centers=centres, random_state=0)
    mixture = KVAE(4).fit(points).mixture_
    bounds = around(points, 0.25)
    left, bottom, right, top = bounds
    across, up = np.linspace(left, right, 240), np.linspace(top, bottom, 240)
    plane = np.stack(np.meshgrid(across, up), -1).reshape(-1, 2)
    found = mixture.membership(plane)
    confidence = found.posterior[np.arange(len(plane)), found.components]
    outlier = mixture.outlier_score(plane)
    hues = np.array([rgb(colour) for colour in PALETTE])[found.components]
    grey = np.tile(rgb(INK), (len(plane), 1))
    panels = []
    for hue, strength in ((hues, np.full(len(plane), 0.45)), (hues, confidence), (grey, outlier)):
        panel = Panel((280, 280), bounds)
        pixels = np.column_stack([hue, 255 * np.clip(strength, 0, 1)]).astype(np.uint8)
        panel.map(pixels.reshape(240, 240, 4))
        panel.dots(points, ["#20202080"] * len(points), radius=1)
        panel.frame()
        panels.append(panel)
    titles = ["component", "confidence", "outlier score"]
    write(sheet([panels], titles), FOLDER / "scores.png")


def number() -> None:
    """Mean log density of held-out points by the number of components, of five modes."""
    points, _ = synthetic(5, 2_000, seed=0)
    seen, new = points[:1_000], points[1_000:]
    counts = np.arange(1, 9)
    fitted = [KVAE(int(k), options={"iterations": 3}).fit(seen) for k in counts]
    curves = [np.array([k.score_samples(x).mean() for k in fitted]) for x in (seen, new)]
    low, high = np.min(curves), np.max(curves)
    panel = Panel((460, 240), (0.5, low - 0.2, 8.5, high + 0.2))
    for curve, colour in zip(curves, (INK, PALETTE[0]), strict=True):
        line = np.column_stack([counts, curve])
        panel.line(line, colour, 2)
        panel.dots(line, [colour] * len(line), radius=4)
    panel.frame()
    title = "mean log density by K, 1 to 8: held-out (blue), training (grey)"
    write(sheet([[panel]], [title]), FOLDER / "number.png")
    print(f"held-out, K = 1 to 8: {np.round(curves[1], 2)}")


PICTURES: dict[str, Callable[[], None]] = {
    "competition": competition,
    "digits": digits,
    "scores": scores,
    "number": number,
}


def main() -> int:
    """Returns the process's exit status."""
    parser = argparse.ArgumentParser(prog="python -m docs.make_pictures", description=__doc__)
    parser.add_argument("names", nargs="*", default=list(PICTURES), metavar="NAME")
    torch.set_num_threads(1)
    for name in parser.parse_args().names:
        PICTURES[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
