"""What runs the service from a shell: `kvae up` and its like, or `python -m service up`.

What a command computes with is imported when it runs: neither help nor completion waits for it.
"""

from service.commands.base import Commands
from service.commands.keys import keys
from service.commands.stack import serve, settings, up, worker

commands = Commands(
    "service", [up, serve, worker, keys, settings], help="Run the kVAE service, and its keys."
)

__all__ = ["commands"]
