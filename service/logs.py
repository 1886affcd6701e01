"""Logs: one line an event, as text or JSON, with the ids of what it is about and no secrets.

Ids are bound to the context (``structlog.contextvars``), so that any module's plain
``logging.getLogger(__name__)`` lines carry them.
"""

import logging
import re
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog
from pydantic_core import to_json
from structlog.typing import Processor

from service.settings import Settings

KEY = re.compile(r"(kvae_[0-9a-z]{26})_[\w-]+")
NAMED_SECRET = re.compile(
    r"""(?i)((?:secret|password|token|api[_-]?key|signature|authorization)["']?\s*[=:]\s*["']?)"""
    r"""(?:bearer\s+)?[^\s"'&,;]+"""
)
PASSWORD_IN_URL = re.compile(r"(://[^\s:/@]*:)[^\s/@]+(@)")
SUSPICIOUS = re.compile(r"[:=]|kvae_")  # what every secret that is looked for has about it
FRAMEWORKS = ("uvicorn", "uvicorn.error", "uvicorn.access", "celery", "celery.task")


def configure(settings: Settings) -> None:
    """Send everything that is logged through one handler to stderr."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.format_exc_info,
        without_secrets,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendered: Processor = (
        structlog.processors.JSONRenderer(_json)
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        )
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, rendered],
        )
    )
    # what no line tells: where it was written, by which thread and process
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    for name in FRAMEWORKS:  # they bring handlers of their own
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger("uvicorn.access").disabled = True  # it writes queries; we have our own line


def _json(event: Any, default: Callable[[Any], Any]) -> str:
    return to_json(event, fallback=default).decode()


def without_secrets(
    logger: Any, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Blot out keys, passwords and what is named a secret in every text of an event."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = redact(value)
    return event


def redact(text: str) -> str:
    """The text without the secrets in it; a key keeps its id."""
    if not SUSPICIOUS.search(text):
        return text
    text = KEY.sub(r"\1_***", text)
    text = PASSWORD_IN_URL.sub(r"\1***\2", text)
    return NAMED_SECRET.sub(r"\1***", text)
