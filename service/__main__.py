"""`kvae`, or `python -m service`: the embedded stack until Ctrl-C, or one of its commands."""

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from pydantic import ValidationError

from service import commands
from service.embedded import LOOPBACK, StartError, embedded_stack
from service.errors import ServiceError
from service.processes import die_with_parent
from service.settings import Settings


def main() -> int:
    """Returns the process's exit status."""
    arguments = _parser().parse_args()
    try:
        arguments.run(arguments)
        return 0
    except ValidationError as error:
        found = error.errors()[0]
        setting = f"{Settings.model_config['env_prefix']}{found['loc'][0]}".upper()
        print(f"error: {setting}: {found['msg']}", file=sys.stderr)
        return 1
    except (StartError, ServiceError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kvae", description="Run the whole service.")
    folder: dict[str, Any] = {"type": Path, "help": "where all data lie"}
    parser.add_argument("--folder", default=Path("kvae-data"), **folder)
    parser.add_argument("--host", default=LOOPBACK, help="where to listen; others need a key")
    parser.add_argument("--port", type=int, default=8000, help="0 takes any free one")
    parser.add_argument(
        "--with-parent", action="store_true", help="also end when the parent process does"
    )
    parser.set_defaults(run=_serve)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--folder", default=argparse.SUPPRESS, **folder)
    commands.add_to(parser, shared)
    return parser


def _serve(arguments: argparse.Namespace) -> None:
    """Run the stack until a signal interrupts. Raises StartError, OSError or ValidationError."""
    if arguments.with_parent:
        die_with_parent(os.getppid(), signal.SIGTERM)
    for stopping in (signal.SIGTERM, signal.SIGINT):  # SIGINT may be inherited as ignored
        signal.signal(stopping, _interrupt)
    Settings()  # a wrong one is told here, not in the logs of the children
    with embedded_stack(arguments.folder, arguments.port, arguments.host) as stack:
        print(f"kVAE is ready at {stack.address} (API: {stack.address}/docs)", flush=True)
        stack.watch()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
