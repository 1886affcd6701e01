"""`kvae assign`"""

from typing import Any, get_args

import click

from api_schemas.inference import AssignField
from client.cli.files import Target, is_dataset, points_argument, source, writing
from client.cli.options import connected, of_model, reading
from client.kvae import KVAE


@click.command()
@points_argument
@click.option(
    "--include", type=click.Choice(get_args(AssignField)), multiple=True, help="Also tell these."
)
@of_model
@reading
@writing("csv", "parquet", "arrow", "npy", "npz", "json")
@connected
def assign(
    kvae: KVAE,
    points: str,
    include: tuple[Any, ...],
    model: str,
    options: dict[str, Any],
    target: Target,
    media_type: str,
) -> None:
    """Find the component of each row of POINTS.

    POINTS is a file, - for stdin, or the id of a data set, which workers then share. The answers
    are in the order of the rows. A table's columns are matched by name. Images are NPY, NPZ, PNG,
    JPEG, or a ZIP of such pictures.

    \b
    Examples:
      kvae assign new.csv -o assigned.csv
      kvae assign new.csv --include confidence --include outlier_score | head
      kvae assign images.npy -o assigned.npy --model champion
      kvae assign ds_01kagx3w0c8m5y2v4zq7t9e6bn -o assigned.parquet
    """
    if not is_dataset(points):
        asked: dict[str, Any] = {"include": include, "model": model, **options}
        kvae.assign_file(source(points), target, media_type=media_type, **asked)
        return
    for name in options:
        raise click.UsageError(f"--{name} tells how to read a file; this is a stored data set")
    job = kvae.assign_dataset(points, include=include, model=model)
    kvae.wait(job.id)
    kvae.jobs.assignments_file(target, job.id, media_type=media_type)
