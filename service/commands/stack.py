"""The processes of the service: all of them at once, or one by one."""

import os
import signal
from contextlib import suppress
from pathlib import Path
from types import FrameType

import click

from service.commands.base import FOLDER, Command

LOOPBACK = "127.0.0.1"
PORT = click.IntRange(0, 65535)


@click.command(cls=Command)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=FOLDER,
    show_default=True,
    help="Where everything is kept.",
)
@click.option("--host", default=LOOPBACK, show_default=True, help="Others than this need a key.")
@click.option("--port", type=PORT, default=8000, show_default=True, help="0 takes any free one.")
@click.option("--with-parent", is_flag=True, help="Also end when the parent process does.")
def up(folder: Path, host: str, port: int, with_parent: bool) -> None:
    """Run the whole service on this machine until Ctrl-C.

    API, worker and broker as children of one process, over SQLite and a folder.

    \b
    Examples:
      kvae up
      kvae up --folder /srv/kvae --port 9000
    """
    from service.embedded import StartError, embedded_stack
    from service.processes import die_with_parent
    from service.settings import Settings

    if with_parent:
        die_with_parent(os.getppid(), signal.SIGTERM)
    for stopping in (signal.SIGTERM, signal.SIGINT):  # SIGINT may be inherited as ignored
        signal.signal(stopping, _interrupt)
    Settings()  # a wrong one is told here, not in the logs of the children
    try:
        with suppress(KeyboardInterrupt), embedded_stack(folder, port, host) as stack:
            click.echo(f"kVAE is ready at {stack.address} (API: {stack.address}/docs)")
            stack.watch()
    except StartError as error:
        raise click.ClickException(str(error)) from error


@click.command(cls=Command)
@click.option("--host", default=LOOPBACK, show_default=True, help="Where to listen.")
@click.option("--port", type=PORT, default=8000, show_default=True)
def serve(host: str, port: int) -> None:
    """Run the API alone.

    The settings (KVAE_...) name its database, broker and storage. The schema must be there:
    `alembic upgrade head` brings it up to date. Workers are processes of their own.

    \b
    Examples:
      KVAE_DATABASE_URL=postgresql+psycopg://kvae@db/kvae kvae serve --host 0.0.0.0
    """
    from service.serve import serve_at
    from service.settings import Settings

    Settings()
    serve_at(host, port)


@click.command(cls=Command)
def worker() -> None:
    """Run one worker, which trains one job at a time.

    The settings (KVAE_...) must be those of the API. On SIGTERM it gives its job back.
    """
    from service.worker.__main__ import main

    main()


@click.command(cls=Command)
def settings() -> None:
    """Print every setting as a Markdown table."""
    from service.settings import settings_table

    click.echo(settings_table(), nl=False)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
