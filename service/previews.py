"""Pictures of what each component of a job makes, one after each iteration."""

from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from service.errors import NotFound
from service.pictures import grid
from service.scatter import Plane, scatter
from service.tables import JobRow, PreviewRow
from service.transitions import ENDED

KEPT = 100  # of a job
SAMPLES = 8  # of each component's images
DOTS = 64  # of each component's rows
MAX_TILE = 64  # pixels; larger images are thinned out
MAX_TILES = 512


def samples_wanted(k: int, is_image: bool) -> int:
    """How many points of each of K components make a good picture."""
    return max(1, min(SAMPLES, MAX_TILES // k)) if is_image else DOTS


def render(made: NDArray[Any], plane: Plane | None) -> bytes:
    """PNG: images (K, n, H, W) or (K, n, C, H, W), a row a component; points (K, n, D) as dots in
    the plane of the data.

    Of too many components only the first `MAX_TILES` are shown, in as many columns as rows.
    """
    k, n = made.shape[:2]
    points = np.nan_to_num(made.reshape(k * n, *made.shape[2:]))
    if points.ndim == 2:
        return scatter(points, np.repeat(np.arange(k), n), plane)
    step = ceil(max(points.shape[-2:]) / MAX_TILE)
    return grid(points[:MAX_TILES, ..., ::step, ::step], columns=n if n > 1 else None)


def add(session: Session, job_id: str, iteration: int, png: bytes) -> None:
    """Keep the picture of an iteration; one far back, or of what was done again, goes."""
    outdated = (PreviewRow.iteration <= iteration - KEPT) | (PreviewRow.iteration >= iteration)
    session.execute(delete(PreviewRow).where(PreviewRow.job_id == job_id, outdated))
    session.add(PreviewRow(job_id=job_id, iteration=iteration, png=png))


def get(session: Session, job: JobRow, iteration: int | None = None) -> PreviewRow:
    """The picture of an iteration, or of the last one. Raises NotFound."""
    newest = session.scalar(
        select(func.max(PreviewRow.iteration)).where(PreviewRow.job_id == job.id)
    )
    if newest is None:
        raise NotFound("preview_not_found", _why_none(job))
    row = session.get(PreviewRow, (job.id, newest if iteration is None else iteration))
    if row is None:
        missing = (
            f"job {job.id!r} has no preview of iteration {iteration}; "
            f"its last {KEPT} are kept, the newest is of iteration {newest}"
        )
        raise NotFound("preview_not_found", missing)
    return row


def _why_none(job: JobRow) -> str:
    if job.type == "assign":
        return f"job {job.id!r} assigns a data set; only jobs that train have previews"
    if job.status in ENDED:
        return f"job {job.id!r} has no preview: it ended before its first iteration was done"
    return f"job {job.id!r} has no preview yet: its first iteration is not done"
