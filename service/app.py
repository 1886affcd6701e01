"""The FastAPI application: parts are made at start and closed at the end, routes only use them."""

import gc
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from service import logs, media, oip, openapi, problems, tracing, web
from service.access import Gate, Keyring
from service.archives.export import Exporter
from service.archives.imports import Importer
from service.collector import collect_until
from service.database import Database
from service.deliveries import delivering
from service.dependencies import Parts
from service.event_stream import EventStreams
from service.inference import Inference
from service.metrics import Metrics
from service.middleware import BodyLimit, HeadAsGet, Observed
from service.queue import JobQueue, create_celery
from service.rate_limits import RateLimiter
from service.routes import (
    aliases,
    assign,
    assignments,
    datasets,
    health,
    job_history,
    jobs,
    metrics,
    models,
    sample,
    webhooks,
)
from service.routes import oip as open_inference
from service.settings import Settings
from service.storage import open_storage
from service.sweeper import sweep_until

DESCRIPTION = """Clustering and generation by competition: K generative models compete for the
training points (Locatello et al., 2018). Upload points, train, assign new ones, sample."""
LARGE_BODIES = ("/assign", "/datasets", "/jobs", "/models")
ANSWER_HEADERS = (
    *("Kvae-Ignored-Columns", "Kvae-Iteration", "Kvae-Model", "Kvae-Seed"),
    *("Content-Disposition", "ETag", "Idempotency-Replayed", "Location"),
    *("RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID"),
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application; nothing is opened before it starts."""
    settings = settings or Settings()

    database = Database(settings.database_url)
    counters = Metrics(database)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        logs.configure(settings)
        parts = open_parts(settings, database, counters)
        app.state.parts = parts
        app.state.gate = open_gate(settings, database)
        stop = threading.Event()
        arguments = (stop, settings, database, parts.queue, counters.sweeps.inc)
        sweeper = threading.Thread(target=sweep_until, args=arguments, name="sweeper")
        sweeper.start()
        cleaning = (stop, settings, database, parts.storage)
        # not waited for: a storage that is away would hold up the end
        threading.Thread(target=collect_until, args=cleaning, name="collector", daemon=True).start()
        async with delivering(settings, parts.database):
            with collected_once():
                yield
        stop.set()
        sweeper.join()
        if app.state.gate.limiter:
            app.state.gate.limiter.close()
        parts.inference.close()
        database.close()

    app = FastAPI(
        title="kVAE",
        version=version("kvae"),
        description=DESCRIPTION,
        lifespan=lifespan,
        generate_unique_id_function=openapi.operation_id,
        webhooks=webhooks.router,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    refusals = problems.responses(401, 403, 415, 429, 500)
    # those first that are asked most: each router before costs a request a look at all its routes
    for module in (assign, sample):
        app.include_router(module.router, responses=refusals)
    for router in (open_inference.router, open_inference.probes, health.router):
        app.include_router(router)
    for module in (datasets, jobs, job_history, models, assignments, aliases, metrics):
        app.include_router(module.router, responses=refusals)
    web.install(app)
    problems.install(app)
    openapi.install(app)
    add_middleware(app, settings, counters)
    tracing.install_api(app, database)
    return app


@contextmanager
def collected_once() -> Iterator[None]:
    """Spare what is there from the garbage collector, for as long as the block lasts.

    With torch and all else there are 400,000 objects: every look at them stops all requests for a
    quarter of a second.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def add_middleware(app: FastAPI, settings: Settings, counters: Metrics) -> None:
    """The last one added is the first to see a request."""
    app.add_middleware(BodyLimit, cap_of=partial(body_cap, settings), seconds=settings.body_seconds)
    if origins := settings.cors_origins.replace(" ", ""):
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins.split(","),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=ANSWER_HEADERS,
        )
    app.add_middleware(HeadAsGet)
    app.add_middleware(Observed, observe=counters.observe)


def body_cap(settings: Settings, path: str, media_type: str) -> int:
    """The largest body, in bytes: only what goes through the disk may be larger than JSON."""
    caps = [settings.max_body_bytes]
    speaks_oip = oip.is_spoken_at(path)
    if speaks_oip:
        caps.append(oip.MAX_BYTES)
    if media_type == media.JSON or not (speaks_oip or path in LARGE_BODIES):
        caps.append(settings.max_json_bytes)
    return min(caps)


def open_parts(settings: Settings, database: Database, counters: Metrics) -> Parts:
    """Connect what routes use. Raises OSError when the storage can't be written."""
    storage = open_storage(settings)
    storage.prepare()
    parts = Parts(
        settings=settings,
        database=database,
        storage=storage,
        queue=JobQueue(create_celery(settings)),
        inference=Inference(database, settings.model_cache_bytes, settings.inference_threads),
        metrics=counters,
        exporter=Exporter(),
        importer=Importer(settings.model_cache_bytes),
        streams=EventStreams(database),
    )
    show_cache(parts)
    return parts


def open_gate(settings: Settings, database: Database) -> Gate:
    """What requests are checked against."""
    limit = settings.rate_limit
    limiter = RateLimiter(settings.broker_url, limit) if limit else None
    return Gate(Keyring(database, settings), limiter)


def show_cache(parts: Parts) -> None:
    """Put the model cache among the metrics."""
    cache, shown = parts.inference.cache, parts.metrics
    shown.gauge("kvae_model_cache_bytes", "weights that are kept loaded", lambda: cache.bytes)
    shown.total("kvae_model_cache_hits", "models found loaded", lambda: cache.hits)
    shown.total("kvae_model_cache_misses", "models that had to be loaded", lambda: cache.misses)
