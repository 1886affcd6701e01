"""`python -m service.serve FD`: the API on a socket that the parent listens on."""

import socket
import sys

import uvicorn


def main() -> None:
    """Serve until SIGTERM."""
    # uvicorn's own --fd takes any socket for a Unix one, and so leaves Nagle's delay of 40 ms on
    listener = socket.socket(fileno=int(sys.argv[1]))
    config = uvicorn.Config(
        "service.app:create_app",
        factory=True,
        access_log=False,  # its lines hold queries; service.middleware writes one a request
        timeout_graceful_shutdown=2,  # cuts event streams; clients come back to them
        timeout_keep_alive=75,  # longer than clients and proxies keep idle connections to use again
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
