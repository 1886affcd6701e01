"""What each process of `python -m trainer` does."""

import fcntl
import hashlib
import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import torch
from pydantic import ValidationError

from api_schemas.training import TrainingConfig, training_config
from trainer.checkpoint import (
    checkpoint_bytes,
    forget_checkpoints,
    keep_checkpoint,
    last_checkpoint,
    restore,
)
from trainer.devices import choose_device
from trainer.errors import RankLost, TrainerError
from trainer.loop import Report, train
from trainer.mixture import MODEL
from trainer.npy import map_npy
from trainer.points import Points, check_points, chunks
from trainer.ranks import Ranks, Seat, joined_ranks
from trainer.serialise import remove_partial
from trainer.state import TrainingState

CHECKPOINT = "checkpoint.safetensors"
BAD_PATH = (
    FileNotFoundError,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)


def run(seat: Seat, arguments: Namespace) -> int:
    """Returns the exit status; what is wrong is told by the first process alone."""
    try:
        _check_and_train(seat, arguments)
    except RankLost as error:
        return _complain(seat, str(error), status=1)
    except TrainerError as error:
        return _complain(seat, str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        is_bad_path = isinstance(error, BAD_PATH)
        return _complain(seat, f"{where}{error.strerror}", status=2 if is_bad_path else 1)
    except ValidationError as error:
        first = error.errors()[0]
        return _complain(seat, f"{first['loc'][0]}: {first['msg']}")
    return 0


def _check_and_train(seat: Seat, arguments: Namespace) -> None:
    given = {} if arguments.iterations is None else {"iterations": arguments.iterations}
    options = {**dict(arguments.set), **given}
    config = training_config(arguments.components, arguments.seed, arguments.preset, **options)
    points = map_npy(arguments.points)
    check_points(points)
    device = choose_device(arguments.device)
    arguments.out.mkdir(parents=True, exist_ok=True)
    alone = _held(arguments.out) if seat.index == 0 else nullcontext()
    with joined_ranks(device, seat) as ranks, alone:
        _train(points, config, device, ranks, arguments)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Two runs at once would share a checkpoint and a model. Raises TrainerError for the second."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TrainerError(f"another run writes to {folder}; choose another folder") from error
        except OSError:  # some network's file systems have no locks
            pass
        remove_partial(folder)
        yield
    finally:
        os.close(handle)


def _train(
    points: Points,
    config: TrainingConfig,
    device: torch.device,
    ranks: Ranks,
    arguments: Namespace,
) -> None:
    """The first process speaks, keeps checkpoints and saves; all others only compute."""
    checkpoint = arguments.out / CHECKPOINT
    name = name_of_run(points, config) if ranks.is_first else ""
    resume = _resume(checkpoint, device, name, ranks)
    if resume and ranks.is_first:
        print(f"going on after iteration {resume.iteration}", file=sys.stderr)

    def after_iteration(state: TrainingState, report: Report) -> None:
        if ranks.is_first:
            keep_checkpoint(checkpoint, state, name)
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
    if ranks.is_first:
        fit.mixture.save(arguments.out)
        np.save(arguments.out / "assignments.npy", fit.partition)
        forget_checkpoints(checkpoint)
        print(arguments.out)


def name_of_run(points: Points, config: TrainingConfig) -> str:
    """A hash of what is trained, and how."""
    told = f"{config.model_dump_json()} {points.dtype} {points.shape}"
    digest = hashlib.sha256(told.encode())
    for part in chunks(points):
        digest.update(np.ascontiguousarray(points[part]).data)
    return digest.hexdigest()


def _resume(checkpoint: Path, device: torch.device, run: str, ranks: Ranks) -> TrainingState | None:
    """What the first process has kept, for all of them: they may be on machines of their own.

    Raises TrainerError where a finished model would be overwritten.
    """
    kept = last_checkpoint(checkpoint, device, run) if ranks.is_first else None
    if ranks.is_first and kept is None and (checkpoint.parent / MODEL).exists():
        raise TrainerError(f"{checkpoint.parent} holds a model already; choose another folder")
    data = ranks.of_first(checkpoint_bytes(kept) if kept else b"", device)
    return restore(data, device) if data else None


def _line(report: Report) -> str:
    alpha = " ".join(f"{a:.3f}" for a in report.alpha)
    return (
        f"iteration {report.iteration} of {report.of}: {report.changed:.1%} moved, "
        f"alpha {alpha}, {report.seconds:.1f} s"
    )


def _complain(seat: Seat, message: str, status: int = 2) -> int:
    if seat.index == 0:
        print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return status
