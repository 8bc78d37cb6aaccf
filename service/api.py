"""The HTTP application: endpoints, limits, problems, metrics, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from service import problems
from service.build import Services
from service.limits import BodyLimit
from service.metrics import Measured, Metrics
from service.routes import adapters, admin, documents, respond, tools


def create_app(services: Services) -> FastAPI:
    """The application around the parts of a process."""
    services.tools.check()
    about = "Tune for form, retrieve for facts."
    app = FastAPI(title="Formfact", version="0.1.0", description=about, lifespan=_answering_tools)
    app.state.services = services
    app.state.metrics = Metrics()
    problems.install(app)
    for router in (respond.router, documents.router, documents.upkeep, adapters.router, admin.router, tools.router):
        app.include_router(router)
    app.add_middleware(BodyLimit, settings=services.settings)
    app.add_middleware(Measured, metrics=app.state.metrics)
    return app


@asynccontextmanager
async def _answering_tools(app: FastAPI) -> AsyncIterator[None]:
    """Answer support tools while the application runs; it ends when what they sent is answered."""
    desk = app.state.services.tools
    desk.start()
    yield
    await run_in_threadpool(desk.stop)
