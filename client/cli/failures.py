"""What goes wrong as a line on stderr and an exit status."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from click.exceptions import Exit

from client.errors import JobCancelled, JobFailed, KVAEError, ServiceError, Unreachable

HERE, REFUSED, NO_ANSWER, FAILED, CANCELLED, INTERRUPTED = 1, 3, 4, 5, 6, 130


@contextmanager
def told() -> Iterator[None]:
    """Turns what is foreseen into such an end."""
    try:
        yield
    except KVAEError as error:
        raise _end(_message(error), _status(error)) from error
    except BrokenPipeError:
        raise  # of `| head`: click knows
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise _end(f"{where}{error.strerror or error}", HERE) from error
    except ModuleNotFoundError as error:
        message = f"{error}; install kvae[service], or for `kvae up` kvae[embedded]"
        raise _end(message, HERE) from error
    except KeyboardInterrupt:
        raise _end("interrupted", INTERRUPTED) from None


def _end(message: str, status: int) -> Exit:
    click.echo(f"Error: {message}", err=True)
    return Exit(status)


def _message(error: KVAEError) -> str:
    message = " ".join(str(error).split())
    if isinstance(error, Unreachable):
        message += "; --url or KVAE_URL says where else"
    return f"{message} ({error.code})" if isinstance(error, ServiceError) else message


def _status(error: KVAEError) -> int:
    if isinstance(error, ServiceError):
        return REFUSED if error.status < 500 else NO_ANSWER
    if isinstance(error, JobFailed):
        return FAILED
    return CANCELLED if isinstance(error, JobCancelled) else NO_ANSWER
