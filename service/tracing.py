"""Traces from the request to the worker, by OpenTelemetry, where an endpoint is configured.

All of it is set by OpenTelemetry's own environment variables; without
OTEL_EXPORTER_OTLP_ENDPOINT none of it is imported here. A message carries its request's trace
along.
"""

import os
from typing import TYPE_CHECKING, Any

from celery.signals import worker_process_init, worker_process_shutdown
from fastapi import FastAPI
from sqlalchemy import ExceptionContext, event

from service.database import Database

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


def install_api(app: FastAPI, database: Database) -> None:
    """Trace requests, their queries and the messages they send."""
    if ENDPOINT not in os.environ:
        return
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

    provider = _provider("kvae-api")
    FastAPIInstrumentor.instrument_app(app, tracer_provider=provider, exclude_spans=["send"])
    _trace_queries(database, provider)
    _trace_messages(provider)


def install_worker() -> None:
    """Trace tasks in the worker's children, which are forked anew for each."""
    if ENDPOINT not in os.environ:
        return

    def start(**_: Any) -> None:
        provider = _provider("kvae-worker")  # its thread would not outlive the fork
        _trace_messages(provider)
        worker_process_shutdown.connect(lambda **_: provider.shutdown(), weak=False)

    worker_process_init.connect(start, weak=False)


def _provider(name: str) -> "TracerProvider":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    service = os.environ.get("OTEL_SERVICE_NAME", name)
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _trace_queries(database: Database, provider: "TracerProvider") -> None:
    """A span for each statement of a request, with its text but not its values."""
    from opentelemetry.trace import SpanKind, StatusCode, get_current_span

    tracer = provider.get_tracer(__name__)
    system = database.engine.dialect.name

    def begin(_: Any, cursor: Any, statement: str, values: Any, context: Any, many: bool) -> None:
        if get_current_span().is_recording():
            attributes = {"db.system.name": system, "db.query.text": statement}
            name = statement.split(maxsplit=1)[0]
            context.span = tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)

    def end(_: Any, cursor: Any, statement: str, values: Any, context: Any, many: bool) -> None:
        if span := getattr(context, "span", None):
            span.end()

    def fail(error: ExceptionContext) -> None:
        if span := getattr(error.execution_context, "span", None):
            span.set_status(StatusCode.ERROR, type(error.original_exception).__name__)
            span.end()

    event.listen(database.engine, "before_cursor_execute", begin)
    event.listen(database.engine, "after_cursor_execute", end)
    event.listen(database.engine, "handle_error", fail)


def _trace_messages(provider: "TracerProvider") -> None:
    from opentelemetry.instrumentation.celery import CeleryInstrumentor

    CeleryInstrumentor().instrument(tracer_provider=provider)
