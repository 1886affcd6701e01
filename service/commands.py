"""`kvae keys` and `kvae settings`: what is done beside the running service."""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

from service import keys
from service.database import Database, migrate
from service.embedded import database_url
from service.settings import Settings, settings_table
from service.table_types import Role

LISTED = "{:30} {:6} {:30} {:10} {:10} {:10} {}"


def add_to(parser: argparse.ArgumentParser, folder: argparse.ArgumentParser) -> None:
    """Add the commands to a parser; those that need the database take the options of ``folder``."""
    commands = parser.add_subparsers(title="commands", metavar="")
    settings = commands.add_parser("settings", help="print every setting as a Markdown table")
    settings.set_defaults(run=show_settings)
    of_keys = commands.add_parser("keys", help="create, list and revoke bearer keys")
    actions = of_keys.add_subparsers(required=True, metavar="create | list | revoke")

    create = actions.add_parser("create", parents=[folder], help="make a key and print it")
    create.add_argument("--name", required=True, type=_text(200), help="what or whom it is for")
    create.add_argument("--role", required=True, choices=get_args(Role))
    create.add_argument(
        "--owner", type=_text(40), help="whose things it shares; unset: a new owner"
    )
    create.add_argument("--max-bytes", type=_limit, help="quota of data sets and models, in bytes")
    create.add_argument("--max-jobs", type=_limit, help="quota of jobs queued or running")
    create.set_defaults(run=create_key)

    actions.add_parser("list", parents=[folder], help="all keys").set_defaults(run=list_keys)
    revoke = actions.add_parser("revoke", parents=[folder], help="end a key for good")
    revoke.add_argument("id")
    revoke.set_defaults(run=revoke_key)


def show_settings(arguments: argparse.Namespace) -> None:
    print(settings_table(), end="")


def create_key(arguments: argparse.Namespace) -> None:
    with _database(arguments.folder) as database, database.write() as session:
        fields: dict[str, Any] = {
            name: getattr(arguments, name)
            for name in ("name", "role", "owner", "max_bytes", "max_jobs")
        }
        key, token = keys.create(session, **fields)
    print(f"{key.id} with the role {key.role}; this is shown once:", file=sys.stderr)
    print(token)


def list_keys(arguments: argparse.Namespace) -> None:
    with _database(arguments.folder) as database, database.read() as session:
        print(LISTED.format("id", "role", "owner", "created", "last used", "revoked", "name"))
        for key in keys.all_keys(session):
            dates = (key.created_at, key.last_used_at, key.revoked_at)
            days = (at.date().isoformat() if at else "-" for at in dates)
            print(LISTED.format(key.id, key.role, key.owner or "-", *days, key.name))


def revoke_key(arguments: argparse.Namespace) -> None:
    """Raises NotFound."""
    with _database(arguments.folder) as database, database.write() as session:
        key = keys.revoke(session, arguments.id)
    print(f"{key.id} is revoked", file=sys.stderr)


@contextmanager
def _database(folder: Path) -> Iterator[Database]:
    """The database that is configured, else that of the embedded stack over ``folder``."""
    settings = Settings()
    url = settings.database_url
    if "database_url" not in settings.model_fields_set:
        folder.mkdir(parents=True, exist_ok=True)
        url = database_url(folder)
        migrate(url)  # the stack may not have run yet
    database = Database(url)
    try:
        yield database
    finally:
        database.close()


def _text(longest: int) -> Callable[[str], str]:
    def text(given: str) -> str:
        if len(given) > longest:
            raise argparse.ArgumentTypeError(f"at most {longest} characters")
        return given

    return text


def _limit(text: str) -> int:
    limit = int(text)
    if limit < 0:
        raise ValueError
    return limit
