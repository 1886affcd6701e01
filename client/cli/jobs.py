"""`kvae jobs`"""

from typing import get_args

import click

from api_schemas.jobs import Job, JobStatus, JobType
from client.cli.files import Target, writing
from client.cli.options import as_json, connected, limited, of_component
from client.cli.output import first, print_json, print_table
from client.kvae import KVAE

TITLES = ("id", "type", "status", "done", "created", "model", "name")


@click.group()
def jobs() -> None:
    """List and watch jobs, cancel, resume and delete them."""


@jobs.command("list")
@click.option("--type", type=click.Choice(get_args(JobType)), help="Only these.")
@click.option("--status", type=click.Choice(get_args(JobStatus)), help="Only these.")
@limited
@as_json
@connected
def list_jobs(
    kvae: KVAE, type: JobType | None, status: JobStatus | None, limit: int, as_json: bool
) -> None:
    """Show jobs, newest first."""
    _print(first(kvae.jobs.list(type, status=status), limit), as_json)


@jobs.command()
@click.argument("job")
@connected
def show(kvae: KVAE, job: str) -> None:
    """Show all about one, as JSON."""
    click.echo(kvae.jobs.get(job).model_dump_json(indent=2))


@jobs.command()
@click.argument("job")
@as_json
@connected
def watch(kvae: KVAE, job: str, as_json: bool) -> None:
    """Print its log, live until it ends; exits as train does.

    \b
    Examples:
      kvae jobs watch job_01kagx4h8s2f6d0r9mjw3c5xkp
      kvae jobs watch job_01kagx4h8s2f6d0r9mjw3c5xkp --json | jq .data.alpha
    """
    for event in kvae.jobs.watch(job):
        if as_json:
            print_json(event)
        else:
            at = event.created_at.isoformat(timespec="seconds")
            click.echo(f"{at}  {event.level:7}  {event.message}")
    kvae.wait(job, progress=False)


@jobs.command()
@click.argument("job")
@as_json
@connected
def cancel(kvae: KVAE, job: str, as_json: bool) -> None:
    """Ask for its end, within a step."""
    _print([kvae.jobs.cancel(job)], as_json)


@jobs.command()
@click.argument("job")
@as_json
@connected
def resume(kvae: KVAE, job: str, as_json: bool) -> None:
    """Go on with one that failed or was cancelled."""
    _print([kvae.jobs.resume(job)], as_json)


@jobs.command()
@click.argument("job")
@connected
def delete(kvae: KVAE, job: str) -> None:
    """Delete one that has ended."""
    kvae.jobs.delete(job)


@jobs.command()
@click.argument("job")
@of_component
@writing("csv", "parquet", "arrow", "npy")
@connected
def assignments(
    kvae: KVAE, job: str, component: int | None, target: Target, media_type: str
) -> None:
    """Write what a job of assigning has found."""
    kvae.jobs.assignments_file(target, job, component, media_type=media_type)


def _print(found: list[Job], as_json: bool) -> None:
    if as_json:
        print_json(*found)
    else:
        print_table(TITLES, map(_row, found))


def _row(job: Job) -> tuple[object, ...]:
    done, created = f"{job.progress.fraction:.0%}", f"{job.created_at:%Y-%m-%d %H:%M}"
    return job.id, job.type, job.status, done, created, job.model or job.assigned_by, job.name
