"""`python -m service`: the commands of `kvae` that run the service, without those of its client."""

from service.commands import commands

if __name__ == "__main__":
    commands(prog_name="python -m service")
