"""Options that commands share."""

from collections.abc import Callable
from functools import partial, wraps
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import click

from api_schemas.datasets import DatasetOptions, FileOptions
from client.kvae import KVAE

PIPE = "-"

Run = Callable[..., Any]

as_json = click.option("--json", "as_json", is_flag=True, help="As JSON, one object a line.")
limited = click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many to show."
)
of_model = click.option(
    "-m", "--model", default="default", show_default=True, help="Id or alias of a model."
)
of_component = click.option("--component", type=int, help="Only this one.")


def connected(run: Run) -> Run:
    """Gives a command its client, and the options that say of which service."""

    @click.option(
        "--url",
        envvar="KVAE_URL",
        default="http://localhost:8000",
        show_default=True,
        show_envvar=True,
        help="Address of the service.",
    )
    @click.option(
        "--key",
        envvar="KVAE_KEY",
        show_envvar=True,
        help="Your key; on a command line others on this machine see it.",
    )
    @wraps(run)
    def with_service(url: str, key: str | None, **given: Any) -> Any:
        try:
            kvae = KVAE(url, key)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        with kvae:
            return run(kvae, **given)

    return with_service


def options_of(schema: type[FileOptions], run: Run) -> Run:
    """Gives a command ``options``, those fields of the schema that were given."""

    @wraps(run)
    def with_options(**given: Any) -> Any:
        options = {name: given.pop(name) for name in schema.model_fields}
        chosen = {name: value for name, value in options.items() if value not in (None, ())}
        return run(options=chosen, **given)

    for name, field in reversed(schema.model_fields.items()):
        kind = _kind(field.annotation)
        with_options = click.option(
            f"--{name}/--no-{name}" if kind is bool else f"--{name}",
            default=None,
            type=click.Choice(get_args(kind)) if get_origin(kind) is Literal else None,
            multiple=get_origin(kind) is list,
            help=_sentence(field.description or ""),
        )(with_options)
    return with_options


reading = partial(options_of, FileOptions)
uploading = partial(options_of, DatasetOptions)


def _kind(annotation: Any) -> Any:
    """Of what may be none, what else it is."""
    kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
    return kinds[0] if NoneType in get_args(annotation) else annotation


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
