"""The FastAPI application: parts are made at start and closed at the end, routes only use them."""

import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version

from fastapi import Depends, FastAPI

from service import media, oip, openapi, problems
from service.archives.export import Exporter
from service.database import Database
from service.deliveries import delivering
from service.dependencies import Parts, refuse_unknown_query
from service.event_stream import EventStreams
from service.inference import Inference
from service.middleware import BodyLimit, RequestId
from service.queue import JobQueue, create_celery
from service.routes import (
    aliases,
    datasets,
    health,
    inference,
    job_history,
    jobs,
    models,
    webhooks,
)
from service.routes import oip as open_inference
from service.settings import Settings
from service.storage import open_storage
from service.sweeper import sweep_until

DESCRIPTION = """Clustering and generation by competition: K generative models compete for the
training points (Locatello et al., 2018). Upload points, train, assign new ones, sample."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application; nothing is opened before it starts."""
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        logging.basicConfig(level=settings.log_level)
        parts = open_parts(settings)
        app.state.parts = parts
        stop = threading.Event()
        arguments = (stop, settings, parts.database, parts.queue)
        sweeper = threading.Thread(target=sweep_until, args=arguments, name="sweeper")
        sweeper.start()
        async with delivering(settings, parts.database):
            yield
        stop.set()
        sweeper.join()
        parts.inference.close()
        parts.database.close()

    app = FastAPI(
        title="kVAE",
        version=version("kvae"),
        description=DESCRIPTION,
        lifespan=lifespan,
        webhooks=webhooks.router,
    )
    for module in (  # in this order they are tried
        inference,
        open_inference,
        datasets,
        jobs,
        job_history,
        models,
        aliases,
        health,
    ):
        app.include_router(module.router, dependencies=[Depends(refuse_unknown_query)])
    problems.install(app)
    openapi.install(app)
    app.add_middleware(BodyLimit, cap_of=partial(body_cap, settings))
    app.add_middleware(RequestId)
    return app


def body_cap(settings: Settings, path: str, media_type: str) -> int:
    """The largest body, in bytes: what is held in memory as a whole has caps of its own."""
    caps = [settings.max_body_bytes]
    if oip.is_spoken_at(path):
        caps.append(oip.MAX_BYTES)
    if media_type == media.JSON:
        caps.append(settings.max_json_bytes)
    return min(caps)


def open_parts(settings: Settings) -> Parts:
    """Connect what routes use. Raises OSError when the storage can't be written."""
    database = Database(settings.database_url)
    storage = open_storage(settings)
    storage.prepare()
    return Parts(
        settings=settings,
        database=database,
        storage=storage,
        queue=JobQueue(create_celery(settings)),
        inference=Inference(database, settings.model_cache_bytes, settings.inference_threads),
        exporter=Exporter(database),
        streams=EventStreams(database),
    )
