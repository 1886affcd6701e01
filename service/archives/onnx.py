"""A model as ONNX, through torch's own exporter.

`python -m service.archives.onnx model.safetensors FOLDER` writes assign.onnx and sampler.onnx: a
process of its own, as tracing is neither small nor safe beside other threads.
"""

import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from service.archives.load import Model, load, stream

ASSIGN, SAMPLER = "assign.onnx", "sampler.onnx"
TRACED = 5  # points


class Assign(nn.Module):
    """Points, (N, *point_shape) of float64, to components, (N,), and their posterior, (N, K)."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, points: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.model.scores(points)
        return scores.argmax(1), self.model.weighed(scores)


class Sampler(nn.Module):
    """A component and its noise to points, (n, *point_shape)."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        component: Tensor,
        z: Tensor,
        choice: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> Tensor:
        return self.model.make(component, z, choice, noise)


def write(model: Model, folder: Path) -> None:
    """Write both graphs, with any number of points."""
    n = torch.export.Dim("n")
    points = torch.zeros(TRACED, *model.point_shape, dtype=torch.float64)
    torch.onnx.export(
        Assign(model).eval(),
        (points,),
        folder / ASSIGN,
        output_names=["component", "posterior"],
        dynamic_shapes={"points": {0: n}},
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    noise = model.noise(TRACED, stream("traced"))
    torch.onnx.export(
        Sampler(model).eval(),
        (),
        folder / SAMPLER,
        kwargs={"component": torch.tensor(0), **noise},
        output_names=["points"],
        dynamic_shapes={"component": None, **{name: {0: n} for name in noise}},
        dynamo=True,
        external_data=False,
        verbose=False,
    )


def main() -> None:
    """Of the model in the first argument, into the folder that is the second."""
    path, folder = sys.argv[1:]
    torch.set_num_threads(1)
    write(load(path), Path(folder))


if __name__ == "__main__":
    main()
