"""A model as ONNX, through torch's own exporter.

`python -m service.archives.onnx model.safetensors FOLDER` writes assign.onnx and sampler.onnx: a
process of its own, as tracing is neither small nor safe beside other threads.
"""

import os
import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim

from api_schemas.archives import ASSIGN, SAMPLER
from service.archives.load import Model, load, stream
from service.processes import die_with_parent

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
    """Write both graphs, for any number of points."""
    n = Dim("n")
    points = torch.zeros(TRACED, *model.point_shape, dtype=torch.float64)
    _write(
        folder / ASSIGN,
        Assign(model),
        {"points": points},
        ["component", "posterior"],
        {"points": {0: n}},
    )
    noise = model.noise(TRACED, stream("traced"))
    _write(
        folder / SAMPLER,
        Sampler(model),
        {"component": torch.tensor(0), **noise},
        ["points"],
        {"component": None, **{name: {0: n} for name in noise}},
    )


def _write(
    path: Path,
    module: nn.Module,
    inputs: dict[str, Tensor],
    outputs: list[str],
    dynamic: dict[str, dict[int, Dim] | None],
) -> None:
    program = torch.onnx.export(
        module.eval(),
        kwargs=inputs,
        output_names=outputs,
        dynamic_shapes=dynamic,
        dynamo=True,
        verbose=False,
    )
    assert program  # noqa: S101 - as it always is with dynamo
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()  # where in our source it comes from
    program.save(path)


def main() -> None:
    """Of the model in the first argument, into the folder that is the second."""
    die_with_parent(os.getppid())
    path, folder = sys.argv[1:]
    torch.set_num_threads(1)
    try:
        write(load(path), Path(folder))
    except OSError as error:  # the parent tells a full disk by it
        sys.exit(error.errno)


if __name__ == "__main__":
    main()
