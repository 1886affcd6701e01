"""`kvae datasets`"""

from typing import Any

import click

from client.cli.files import points_argument, source
from client.cli.options import as_json, connected, limited, uploading
from client.cli.output import first, print_json, print_table
from client.kvae import KVAE


@click.group()
def datasets() -> None:
    """Upload, list, show and delete data sets."""


@datasets.command("list")
@limited
@as_json
@connected
def list_datasets(kvae: KVAE, limit: int, as_json: bool) -> None:
    """Show data sets, newest first."""
    found = first(kvae.datasets.list(), limit)
    if as_json:
        print_json(*found)
        return
    rows = ((one.id, one.rows, _shape(one.shape), one.format, one.name) for one in found)
    print_table(["id", "rows", "shape", "format", "name"], rows)


@datasets.command()
@click.argument("dataset")
@connected
def show(kvae: KVAE, dataset: str) -> None:
    """Show all about one, as JSON."""
    click.echo(kvae.datasets.get(dataset).model_dump_json(indent=2))


@datasets.command()
@points_argument
@click.option("--name", help="What to call it; else as the file.")
@uploading
@as_json
@connected
def upload(
    kvae: KVAE, points: str, name: str | None, options: dict[str, Any], as_json: bool
) -> None:
    """Upload POINTS, a file or - for stdin, and print the data set's id.

    \b
    Examples:
      kvae datasets upload table.csv --categories onehot
    """
    dataset = kvae.upload(source(points), name=name, **options)
    for warning in dataset.warnings:
        click.echo(f"warning: {warning}", err=True)
    print_json(dataset) if as_json else click.echo(dataset.id)


@datasets.command()
@click.argument("dataset")
@connected
def delete(kvae: KVAE, dataset: str) -> None:
    """Delete one; models made from it stay."""
    kvae.datasets.delete(dataset)


def _shape(shape: list[int]) -> str:
    return " x ".join(map(str, shape))
