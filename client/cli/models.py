"""`kvae models`"""

from pathlib import Path

import click

from client.cli.files import Target, writing
from client.cli.options import as_json, connected, limited, of_component
from client.cli.output import first, print_json, print_table
from client.kvae import KVAE


@click.group()
def models() -> None:
    """List, show, name and delete models.

    MODEL is an id or an alias.
    """


@models.command("list")
@limited
@as_json
@connected
def list_models(kvae: KVAE, limit: int, as_json: bool) -> None:
    """Show models, newest first."""
    found = first(kvae.models.list(), limit)
    if as_json:
        print_json(*found)
        return
    rows = (
        (one.id, one.components, one.rows, ",".join(one.aliases) or None, one.name) for one in found
    )
    print_table(["id", "components", "points", "aliases", "name"], rows)


@models.command()
@click.argument("model", default="default")
@connected
def show(kvae: KVAE, model: str) -> None:
    """Show all about one, as JSON."""
    click.echo(kvae.models.get(model).model_dump_json(indent=2))


@models.command()
@click.argument("model", default="default")
@as_json
@connected
def components(kvae: KVAE, model: str, as_json: bool) -> None:
    """Show the components of one."""
    found = list(kvae.models.components(model))
    if as_json:
        print_json(*found)
        return
    rows = ((one.component, one.size, one.alpha) for one in found)
    print_table(["component", "points", "alpha"], rows)


@models.command()
@click.argument("model", default="default")
@of_component
@writing("csv", "parquet", "arrow", "npy")
@connected
def assignments(
    kvae: KVAE, model: str, component: int | None, target: Target, media_type: str
) -> None:
    """Write which component each training point belongs to."""
    kvae.models.assignments_file(target, model, component, media_type=media_type)


@models.command()
@click.argument("model", default="default")
@click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="A ZIP."
)
@connected
def export(kvae: KVAE, model: str, output: Path) -> None:
    """Write one as an archive that loads anywhere.

    \b
    Examples:
      kvae models export champion -o champion.zip
    """
    kvae.models.export(output, model)


@models.command("import")
@click.argument("archive", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@as_json
@connected
def import_model(kvae: KVAE, archive: Path, as_json: bool) -> None:
    """Import an exported archive and print the model's id."""
    model = kvae.models.load(archive)
    print_json(model) if as_json else click.echo(model.id)


@models.command()
@click.argument("model")
@connected
def delete(kvae: KVAE, model: str) -> None:
    """Delete one, unless an alias or a job needs it."""
    kvae.models.delete(model)


@models.command()
@click.argument("name")
@click.argument("model")
@connected
def alias(kvae: KVAE, name: str, model: str) -> None:
    """Point NAME, new or in use, at a model.

    \b
    Examples:
      kvae models alias champion mdl_01kagx5vq7e4n1b8tz6y0h2gsd
    """
    kvae.aliases.move(name, model)


@models.command()
@click.argument("name")
@connected
def unalias(kvae: KVAE, name: str) -> None:
    """Drop NAME; its model stays."""
    kvae.aliases.delete(name)
