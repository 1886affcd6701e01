"""`python -m trainer points.npy --components 8 --out model/`: train from a file, no service needed.

Interrupted, the same command goes on from the last iteration's checkpoint in the output folder.
`torchrun --nproc-per-node 4 -m trainer …` deals the components out to four processes.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from pydantic import ValidationError

from api_schemas.training import (
    Components,
    PresetName,
    TrainingConfig,
    TrainingOptions,
    training_config,
)
from trainer.checkpoint import forget_checkpoints, keep_checkpoint, last_checkpoint
from trainer.devices import choose_device
from trainer.errors import TrainerError
from trainer.loop import Report, train
from trainer.npy import map_npy
from trainer.points import Points, check_points
from trainer.ranks import Ranks, joined_ranks
from trainer.state import TrainingState, is_of_run

CHECKPOINT = "checkpoint.safetensors"


def main(argv: list[str] | None = None) -> int:
    """Returns the process's exit status: 2 for bad input, 130 when interrupted."""
    arguments = _parser().parse_args(argv)
    try:
        _run(arguments)
    except (TrainerError, OSError) as error:
        return _complain(str(error))
    except ValidationError as error:
        first = error.errors()[0]
        return _complain(f"{first['loc'][0]}: {first['msg']}")
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from the last iteration", file=sys.stderr)
        return 130
    return 0


def _run(arguments: argparse.Namespace) -> None:
    given = {} if arguments.iterations is None else {"iterations": arguments.iterations}
    options = {**dict(arguments.set), **given}
    config = training_config(arguments.components, arguments.seed, arguments.preset, **options)
    points = map_npy(arguments.points)
    check_points(points)
    device = choose_device(arguments.device)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with joined_ranks(device) as ranks:
        _train(points, config, device, ranks, arguments)


def _train(
    points: Points,
    config: TrainingConfig,
    device: torch.device,
    ranks: Ranks,
    arguments: argparse.Namespace,
) -> None:
    """The first process speaks, keeps checkpoints and saves; all others only compute."""
    checkpoint = arguments.out / CHECKPOINT
    resume = last_checkpoint(checkpoint, device)
    if resume and not is_of_run(resume, points, config):
        raise TrainerError(f"{checkpoint} is of another run; remove it to start anew")
    ranks.wait()  # until all have read the checkpoint, before the first writes another
    first = ranks.index == 0
    if resume and first:
        print(f"going on after iteration {resume.iteration}", file=sys.stderr)

    def after_iteration(state: TrainingState, report: Report) -> None:
        if first:
            keep_checkpoint(checkpoint, state)
            print(_line(report), file=sys.stderr)

    fit = train(
        points,
        config,
        device=device,
        threads=arguments.threads,
        ranks=ranks,
        resume=resume,
        on_iteration=after_iteration,
    )
    if first:
        fit.mixture.save(arguments.out)
        np.save(arguments.out / "assignments.npy", fit.partition)
        forget_checkpoints(checkpoint)
        print(arguments.out)


def _line(report: Report) -> str:
    alpha = " ".join(f"{a:.3f}" for a in report.alpha)
    return (
        f"iteration {report.iteration} of {report.of}: {report.changed:.1%} moved, "
        f"alpha {alpha}, {report.seconds:.1f} s"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trainer", description=__doc__)
    parser.add_argument("points", type=Path, help="NPY file (N, D), (N, H, W) or (N, C, H, W)")
    parser.add_argument("--components", type=_count, required=True, help="K, or auto")
    parser.add_argument("--out", type=Path, required=True, help="folder for the model")
    parser.add_argument("--preset", choices=get_args(PresetName), default="default")
    parser.add_argument("--iterations", type=int, help="turns of the outer loop")
    parser.add_argument(
        "--set",
        type=_option,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other option: " + ", ".join(TrainingOptions.model_fields),
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", help="torch device; CUDA when there is one, else the CPU")
    parser.add_argument("--threads", type=_positive, help="CPU threads; by the size of a step")
    return parser


def _count(text: str) -> Components:
    if text != "auto" and not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor auto")
    return "auto" if text == "auto" else int(text)


def _option(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or name not in TrainingOptions.model_fields:
        known = ", ".join(TrainingOptions.model_fields)
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE with a name of: {known}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 1")
    return int(text)


def _complain(message: str) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
