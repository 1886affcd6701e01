"""Files to read and write on the command line, or pipes."""

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import IO, Any

import click

from client import media
from client.cli.options import PIPE, Run

FORMATS = {ending.removeprefix("."): kind for ending, kind in media.ENDINGS.items()}
TEXT = (media.CSV, media.JSON)

Target = Path | IO[bytes]


def _there(ctx: click.Context, param: click.Parameter, given: str) -> str:
    if given == PIPE or given.startswith("ds_") or Path(given).is_file():
        return given
    raise click.BadParameter(f"there is no file {given!r}")


points_argument = click.argument("points", type=click.Path(allow_dash=True), callback=_there)


def is_dataset(given: str) -> bool:
    """Whether it is an id."""
    return given != PIPE and not Path(given).is_file()


def source(given: str) -> Path | IO[bytes]:
    """What to read."""
    return sys.stdin.buffer if given == PIPE else Path(given)


def writing(*formats: str) -> Callable[[Run], Run]:
    """Gives a command its ``target`` and the ``media_type`` to write there."""

    def decorate(run: Run) -> Run:
        @click.option(
            "-o",
            "--output",
            type=click.Path(dir_okay=False, allow_dash=True),
            default=PIPE,
            help=f"File to write, by its ending (.{', .'.join(formats)}); else stdout.",
        )
        @click.option(
            "--format",
            "format_name",
            type=click.Choice(formats),
            help=f"What to write, where no ending tells it; else {formats[0]}.",
        )
        @wraps(run)
        def with_target(output: str, format_name: str | None, **given: Any) -> Any:
            media_type = _media_type(output, format_name, formats)
            return run(target=_target(output, media_type), media_type=media_type, **given)

        return with_target

    return decorate


def _media_type(output: str, format_name: str | None, formats: tuple[str, ...]) -> str:
    name = format_name or Path(output).suffix.removeprefix(".").lower()
    if output == PIPE and not name:
        name = formats[0]
    if name not in formats:
        message = f"{output}: what to write is told by its ending, one of .{', .'.join(formats)}"
        raise click.BadParameter(message, param_hint="--output")
    return FORMATS[name]


def _target(output: str, media_type: str) -> Target:
    if output != PIPE:
        return Path(output)
    stdout = sys.stdout.buffer
    if stdout.isatty() and media_type not in TEXT:
        raise click.UsageError("this is nothing for a terminal; name a file with -o, or pipe it")
    return stdout
