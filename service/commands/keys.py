"""`kvae keys`: what is done in the database, beside the running service."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from api_schemas.common import Role
from service.commands.base import FOLDER, Commands

if TYPE_CHECKING:
    from service.database import Database
    from service.tables import KeyRow

TITLES = (
    *("id", "role", "owner", "max bytes", "max jobs"),
    *("created", "last used", "revoked", "name"),
)
NAME_LENGTH, OWNER_LENGTH = 200, 40

in_folder = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help=f"Of `kvae up`; {FOLDER} if neither it nor KVAE_DATABASE_URL is given.",
)


@click.group(cls=Commands)
def keys() -> None:
    """Create, list and revoke bearer keys.

    \b
    Examples:
      kvae keys create --name me --role admin
      kvae keys create --name app --role write --new-owner shop --max-jobs 5
      kvae keys create --name dashboard --role read --owner shop
      kvae keys revoke key_01kagx3w0c8m5y2v4zq7t9e6bn
    """


@keys.command()
@click.option("--name", required=True, help="What or whom it is for.")
@click.option("--role", required=True, type=click.Choice(get_args(Role)), help="What it may do.")
@click.option("--owner", help="Whose things it shares, as `list` shows owners; else its own.")
@click.option("--new-owner", help="A name for an owner that no key has yet.")
@click.option("--max-bytes", type=click.IntRange(0), help="Quota of data sets and models.")
@click.option("--max-jobs", type=click.IntRange(0), help="Quota of jobs queued or running.")
@in_folder
def create(
    name: str,
    role: Role,
    owner: str | None,
    new_owner: str | None,
    max_bytes: int | None,
    max_jobs: int | None,
    folder: Path | None,
) -> None:
    """Make a key and print it, once."""
    from service.keys import all_keys
    from service.keys import create as create_key

    _check_length("--name", name, NAME_LENGTH)
    _check_length("--new-owner", new_owner or "", OWNER_LENGTH)
    with _database(folder, makes_one=owner is None) as database, database.write() as session:
        _check_owner(owner, new_owner, {key.owner for key in all_keys(session)})
        whose = owner if new_owner is None else new_owner
        key, token = create_key(session, name, role, whose, max_bytes, max_jobs)
    click.echo(f"{key.id} with the role {key.role}; this is shown once:", err=True)
    click.echo(token)


@keys.command("list")
@in_folder
def list_keys(folder: Path | None) -> None:
    """Show all keys, with their quotas where they have any of their own."""
    from service.keys import all_keys

    with _database(folder) as database, database.read() as session:
        rows = [TITLES, *(_shown(key) for key in all_keys(session))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


@keys.command()
@click.argument("key")
@in_folder
def revoke(key: str, folder: Path | None) -> None:
    """End a key for good; KEY is its id, as `list` shows it."""
    from service.keys import revoke as revoke_key

    with _database(folder) as database, database.write() as session:
        revoked = revoke_key(session, key)
    click.echo(f"{revoked.id} is revoked", err=True)


def _shown(key: "KeyRow") -> tuple[str, ...]:
    quotas = ("-" if quota is None else str(quota) for quota in (key.max_bytes, key.max_jobs))
    dates = (key.created_at, key.last_used_at, key.revoked_at)
    days = (at.date().isoformat() if at else "-" for at in dates)
    return (key.id, key.role, key.owner or "-", *quotas, *days, key.name)


def _check_length(option: str, given: str, longest: int) -> None:
    if len(given) > longest:
        raise click.BadParameter(f"at most {longest} characters", param_hint=option)


def _check_owner(owner: str | None, new_owner: str | None, known: set[str]) -> None:
    """'' is the owner of what was there before the first key."""
    if owner is not None and new_owner is not None:
        raise click.UsageError("give either --owner or --new-owner")
    if owner and owner not in known:
        owners = ", ".join(sorted(known - {""})) or "none"
        msg = f"no key has the owner {owner!r} (there are: {owners}); --new-owner makes one"
        raise click.BadParameter(msg, param_hint="--owner")
    if new_owner is not None and new_owner in known | {""}:
        msg = f"{new_owner!r} is there already; --owner shares what it has"
        raise click.BadParameter(msg, param_hint="--new-owner")


@contextmanager
def _database(folder: Path | None, makes_one: bool = False) -> Iterator["Database"]:
    """The database that is configured, else that of the embedded stack over a folder."""
    from sqlalchemy.exc import DBAPIError

    from service.database import Database
    from service.settings import Settings

    settings = Settings()
    is_configured = "database_url" in settings.model_fields_set
    if is_configured and folder is None:
        url = settings.database_url
    else:
        url = _embedded_url(folder, makes_one)
    database = Database(url)
    try:
        yield database
    except DBAPIError as error:
        what = str(error.orig).splitlines()[0]
        raise click.ClickException(f"the database can't be used: {what}") from error
    finally:
        database.close()


def _embedded_url(given: Path | None, makes_one: bool) -> str:
    """Brought up to date; of a folder that has none it is made only where that was named."""
    from service.database import migrate
    from service.embedded import database_path, database_url

    folder = (given or FOLDER).resolve()
    if not database_path(folder).exists():
        if given is None or not makes_one:
            raise click.ClickException(
                f"there is no service in {folder}: name its folder by --folder, or its database by "
                "KVAE_DATABASE_URL"
            )
        click.echo(f"there was no service in {folder}: a new one is made", err=True)
        folder.mkdir(parents=True, exist_ok=True)
    url = database_url(folder)
    migrate(url)
    return url
