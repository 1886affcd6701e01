"""Commands that tell what went wrong in a line."""

from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from service.errors import ServiceError

FOLDER = Path("kvae-data")


class Command(click.Command):
    """Its foreseen errors become one line, and exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ValidationError as error:
            raise click.ClickException(_setting(error)) from error
        except (ServiceError, OSError) as error:
            raise click.ClickException(str(error)) from error


class Commands(click.Group):
    """Of such commands, and groups of them."""

    command_class = Command
    group_class = type


def _setting(error: ValidationError) -> str:
    """Which setting is wrong."""
    from service.settings import ENV_PREFIX

    first = error.errors()[0]
    return f"{ENV_PREFIX}{first['loc'][0]}".upper() + f": {first['msg']}"
