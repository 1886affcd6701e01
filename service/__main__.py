"""`python -m service`: the embedded stack, until Ctrl-C."""

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from pydantic import ValidationError

from service.embedded import StartError, embedded_stack
from service.processes import die_with_parent
from service.settings import Settings


def main() -> int:
    """Returns the process's exit status."""
    parser = argparse.ArgumentParser(prog="python -m service", description="Run the whole service.")
    parser.add_argument("--folder", type=Path, default=Path("kvae-data"), help="where all data lie")
    parser.add_argument("--port", type=int, default=8000, help="0 takes any free one")
    parser.add_argument(
        "--with-parent", action="store_true", help="also end when the parent process does"
    )
    arguments = parser.parse_args()
    if arguments.with_parent:
        die_with_parent(os.getppid(), signal.SIGTERM)
    for stopping in (signal.SIGTERM, signal.SIGINT):  # SIGINT may be inherited as ignored
        signal.signal(stopping, _interrupt)
    try:
        Settings()  # a wrong one is told here, not in the logs of the children
        with embedded_stack(arguments.folder, arguments.port) as stack:
            print(f"kVAE is ready at {stack.address} (API: {stack.address}/docs)", flush=True)
            stack.watch()
        return 0
    except ValidationError as error:
        found = error.errors()[0]
        setting = f"{Settings.model_config['env_prefix']}{found['loc'][0]}".upper()
        print(f"error: {setting}: {found['msg']}", file=sys.stderr)
        return 1
    except (StartError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
