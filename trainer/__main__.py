"""`python -m trainer points.npy --components 8 --out model/`: train from a file, no service needed.

Interrupted, the same command goes on from the last iteration's checkpoint in the output folder.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from api_schemas.training import TrainingConfig
from trainer.checkpoint import checkpoint_bytes, restore
from trainer.devices import choose_device
from trainer.errors import TrainerError
from trainer.loop import Report, train
from trainer.npy import map_npy
from trainer.points import check_points
from trainer.serialise import write_atomically
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
        return _complain(f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from the last iteration", file=sys.stderr)
        return 130
    return 0


def _run(arguments: argparse.Namespace) -> None:
    options = {"seed": arguments.seed, "iterations": arguments.iterations}
    given = {name: value for name, value in options.items() if value is not None}
    config = TrainingConfig(components=arguments.components, **given)
    points = map_npy(arguments.points)
    check_points(points)
    device = choose_device(arguments.device)
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / CHECKPOINT
    resume = restore(checkpoint.read_bytes(), device) if checkpoint.exists() else None
    if resume and not is_of_run(resume, points, config):
        raise TrainerError(f"{checkpoint} is of another run; remove it to start anew")

    if resume:
        print(f"going on after iteration {resume.iteration}", file=sys.stderr)

    def after_iteration(state: TrainingState, report: Report) -> None:
        write_atomically(checkpoint, checkpoint_bytes(state))
        alpha = " ".join(f"{a:.3f}" for a in report.alpha)
        print(
            f"iteration {report.iteration} of {report.of}: {report.changed:.1%} moved, "
            f"alpha {alpha}, {report.seconds:.1f} s",
            file=sys.stderr,
        )

    fit = train(
        points,
        config,
        device=device,
        threads=arguments.threads,
        resume=resume,
        on_iteration=after_iteration,
    )
    fit.mixture.save(out)
    np.save(out / "assignments.npy", fit.partition)
    checkpoint.unlink()
    print(out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trainer", description=__doc__)
    parser.add_argument("points", type=Path, help="NPY file (N, D), (N, H, W) or (N, C, H, W)")
    parser.add_argument("--components", type=int, required=True, help="K")
    parser.add_argument("--out", type=Path, required=True, help="folder for the model")
    parser.add_argument("--iterations", type=int, help="turns of the outer loop")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", help="torch device; CUDA when there is one, else the CPU")
    parser.add_argument("--threads", type=_positive, help="CPU threads; by the size of a step")
    return parser


def _positive(text: str) -> int:
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def _complain(message: str) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
