"""`kvae serve`, and `python -m service.serve FD`: on a socket that the parent listens on."""

import socket
import sys
from typing import Any

import uvicorn

from service.protocol import BoundedHead

APP = "service.app:create_app"
ALONE_SECONDS, EMBEDDED_SECONDS = 20, 2  # that requests have to end after SIGTERM


def serve_at(host: str, port: int) -> None:
    """Serve at an address until SIGTERM."""
    uvicorn.run(APP, host=host, port=port, **_options(ALONE_SECONDS))


def main() -> None:
    """Serve until SIGTERM."""
    # uvicorn's own --fd takes any socket for a Unix one, and so leaves Nagle's delay of 40 ms on
    listener = socket.socket(fileno=int(sys.argv[1]))
    uvicorn.Server(uvicorn.Config(APP, **_options(EMBEDDED_SECONDS))).run(sockets=[listener])


def _options(grace_seconds: int) -> dict[str, Any]:
    return {
        "factory": True,
        "http": BoundedHead,
        "access_log": False,  # its lines hold queries; service.middleware writes one a request
        "timeout_graceful_shutdown": grace_seconds,  # cuts event streams; clients come back to them
        "timeout_keep_alive": 75,  # longer than clients and proxies keep idle connections
    }


if __name__ == "__main__":
    main()
