"""`python -m trainer points.npy --components 8 --out model/`: train from a file, no service needed.

Interrupted, the same command goes on from the last iteration's checkpoint in the output folder.
`--ranks 4` deals the components out to four processes, as torchrun does over several machines.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NoReturn, get_args

from api_schemas.training import Components, PresetName, TrainingOptions
from trainer.command import run
from trainer.launch import Processes
from trainer.ranks import Seat


def main(argv: list[str] | None = None) -> int:
    """Returns the process's exit status: 1 when a process or the disk failed, 2 for bad input, 130
    when interrupted."""
    arguments = _parser().parse_args(argv)
    seat = Seat.given()
    try:
        if seat is None and arguments.ranks > 1:
            return _run_all(arguments.ranks, sys.argv[1:] if argv is None else argv)
        return run(seat or Seat(), arguments)
    except KeyboardInterrupt:
        if seat is None:
            print(
                "interrupted; the same command goes on after the last whole iteration",
                file=sys.stderr,
            )
        return 130


def _run_all(ranks: int, argv: list[str]) -> int:
    """In several processes, of which the first tells what is wrong."""
    with Processes(ranks, [sys.executable, "-m", "trainer", *argv]) as processes:
        status = processes.wait()
        if status:
            processes.hear_out()
            status = processes.wait(0)  # the first's, if it has failed: it knows why
        if status and status < 0:
            print(f"error: a process was killed by signal {-status}", file=sys.stderr)
            return 1
        return status or 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m trainer", description=__doc__)
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
    parser.add_argument("--ranks", type=_positive, default=1, help="processes that share the run")
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


if __name__ == "__main__":
    sys.exit(main())
