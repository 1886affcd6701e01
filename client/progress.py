"""A job's progress on stderr: a bar, and above it a line an iteration."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from api_schemas.jobs import Job, JobEvent

BLOCKS = "▁▂▃▄▅▆▇█"
DOING = {"train": "Training", "assign": "Assigning"}

Events = Callable[[str | None], Iterable[JobEvent]]  # those after the one of this id


def shown(updates: Iterable[Job], events: Events) -> Iterator[Job]:
    """The same updates, of each of which the progress is shown."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    console = Console(stderr=True, highlight=False)
    last_event: str | None = None
    with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task("Queued", total=1.0)
        for job in updates:
            for event in events(last_event):
                last_event = event.id
                if line := told(event):
                    bar.console.print(line)
            bar.update(task, completed=job.progress.fraction, description=stage(job))
            yield job


def stage(job: Job) -> str:
    """What a job is at, in a word or two."""
    if job.status != "running":
        return job.status.capitalize()
    at = f" {job.progress.iteration} of {job.progress.of}" if job.progress.of else ""
    return DOING[job.type] + at


def told(event: JobEvent) -> str | None:
    """An event in a line, if it is worth one; alpha as a block a component, the largest full."""
    if event.type == "metrics":
        return f"  {event.message}: {_moved(event.data)}"
    return f"  {event.level}: {event.message}" if event.level != "info" else None


def _moved(metrics: dict[str, Any]) -> str:
    alpha = metrics["alpha"]
    blocks = "".join(BLOCKS[round(a / max(alpha) * (len(BLOCKS) - 1))] for a in alpha)
    return f"alpha {blocks}  {metrics['changed']:.1%} moved"
