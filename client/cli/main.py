"""`kvae`: the commands of the client, and those that other packages add."""

from importlib.metadata import entry_points
from typing import Any

import click

from client.cli.assign import assign
from client.cli.datasets import datasets
from client.cli.failures import told
from client.cli.jobs import jobs
from client.cli.models import models
from client.cli.sample import sample
from client.cli.train import train

PLUGGED = "kvae.commands"  # the group of entry points, each a group of commands

HELP = """Cluster unlabelled points and make new ones, with a kVAE service.

\b
Start here:
  kvae up                                  a service on this machine, until Ctrl-C
  kvae train points.csv -k 5               upload, train, show the model
  kvae assign new.csv -o assigned.csv      a component for each row
  kvae sample -n 100 -o samples.csv        new rows

KVAE_URL and KVAE_KEY name the service and the key, if it is not http://localhost:8000 without one.
Data go to stdout, progress and errors to stderr; files are read and written by their ending, and -
is a pipe.

\b
Exit status:
  0  done                       4  no answer, or none that makes sense
  1  something on this machine  5  the job failed
  2  wrong usage                6  the job was cancelled
  3  refused by the service     130  interrupted

\b
Completion, for .bashrc (zsh_source and fish_source for those shells):
  eval "$(_KVAE_COMPLETE=bash_source kvae)"
"""


class Commands(click.Group):
    """Looks among what other packages add only for what is not its own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*self.commands, *_plugged()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self.commands.get(cmd_name) or _plugged().get(cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        with told():
            return super().invoke(ctx)


kvae = Commands("kvae", [assign, datasets, jobs, models, sample, train], help=HELP)
click.version_option(package_name="kvae", message="%(prog)s %(version)s")(kvae)


def main() -> None:
    """The command line of this process."""
    kvae(prog_name="kvae", windows_expand_args=False)


def _plugged() -> dict[str, click.Command]:
    groups = [entry.load() for entry in entry_points(group=PLUGGED)]
    return {name: command for group in groups for name, command in group.commands.items()}
