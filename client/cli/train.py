"""`kvae train`"""

import json
from typing import Any, get_args

import click

from api_schemas.models import Model
from api_schemas.training import AUTO, PresetName, TrainingOptions
from client.cli.files import is_dataset, points_argument, source
from client.cli.options import as_json, connected, uploading
from client.cli.output import print_json, print_table
from client.kvae import KVAE
from client.models import DEFAULT


def _count(ctx: click.Context, param: click.Parameter, given: str) -> int | str:
    if given == AUTO:
        return AUTO
    if not given.isdecimal():
        raise click.BadParameter(f"{given!r} is neither a number nor {AUTO}")
    return int(given)


def _settings(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
    return dict(map(_setting, given))


def _setting(given: str) -> tuple[str, Any]:
    name, equals, text = given.partition("=")
    if not equals or name not in TrainingOptions.model_fields:
        known = ", ".join(TrainingOptions.model_fields)
        raise click.BadParameter(f"{given!r} is no NAME=VALUE with one of the names {known}")
    try:
        return name, json.loads(text)
    except ValueError:
        return name, text


@click.command()
@points_argument
@click.option(
    "-k",
    "--components",
    metavar="K",
    callback=_count,
    required=True,
    help="Number of generative models that compete; auto: by the data, at most 25.",
)
@click.option(
    "--preset",
    type=click.Choice(get_args(PresetName)),
    default="default",
    show_default=True,
    help="Where the options start from: what measured best, or the paper as written.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--name", help="What to call data set, job and model; else as the file.")
@click.option(
    "--set",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_settings,
    help="Another option of training, as iterations=3.",
)
@click.option(
    "--ranks",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Processes of the worker's machine that share the training.",
)
@click.option("--detach", is_flag=True, help="Print the job and leave it to the service.")
@uploading
@as_json
@connected
def train(
    kvae: KVAE,
    points: str,
    settings: dict[str, Any],
    options: dict[str, Any],
    detach: bool,
    as_json: bool,
    **request: Any,
) -> None:
    """Train on POINTS and show the model.

    POINTS is a file, - for stdin, or the id of a data set. Files are CSV, Parquet, Arrow, NPY, NPZ,
    IDX, or a ZIP of PNG or JPEG images. The model becomes the default one of assign and sample,
    unless the alias default was moved by hand: then it stays where it is until it is removed.

    \b
    Examples:
      kvae train points.csv -k 5
      kvae train table.csv -k auto --missing median --categories onehot
      kvae train digits.zip -k 10 --seed 7 --set iterations=4
      psql -c 'copy points to stdout csv header' | kvae train - -k 5
    """
    data = kvae.datasets.get(points) if is_dataset(points) else source(points)
    job = kvae.submit(data, config=settings, **request, **options)
    if detach:
        print_json(job) if as_json else click.echo(job.id)
        return
    try:
        done = kvae.wait(job.id)
    except KeyboardInterrupt:
        click.echo(f"{job.id} goes on: kvae jobs watch {job.id}, or cancel", err=True)
        raise
    model = kvae.models.get(str(done.model))
    print_json(model) if as_json else show(model)


def show(model: Model) -> None:
    """A model for people."""
    click.echo(f"{model.id}  {model.name}  {model.rows:,} points")
    if DEFAULT not in model.aliases:
        click.echo(f"not the default one: kvae models alias {DEFAULT} {model.id}", err=True)
    rows = zip(range(model.components), model.sizes, model.alpha, strict=True)
    print_table(["component", "points", "alpha"], rows)
