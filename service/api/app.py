"""The HTTP application: endpoints, limits, problems, metrics, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.concurrency import run_in_threadpool

from service.api import adapters, admin, documents, drift, openapi, operations, respond, reviews, tools
from service.build import Services
from service.console.errors import ErrorPages
from service.console.router import router as console
from service.middleware import problems
from service.middleware.admission import Deadlines, Turns
from service.middleware.headers import SecurityHeaders
from service.middleware.limits import BodyLimit
from service.monitoring.metrics import Measured
from service.settings import Settings

_ROUTERS = (
    respond.router,
    documents.router,
    documents.upkeep,
    reviews.router,
    adapters.router,
    drift.router,
    admin.router,
    operations.router,
    tools.router,
    console,
)


def create_app(services: Services) -> FastAPI:
    """The application around the parts of a process."""
    services.tools.check()
    about = "Tune for form, retrieve for facts."
    app = FastAPI(
        title="Formfact",
        version="0.1.0",
        description=about,
        lifespan=_answering_tools,
        generate_unique_id_function=openapi.named,
    )
    app.state.services = services
    app.state.turns = Turns(services.settings, services.metrics.load)
    problems.install(app)
    for router in _ROUTERS:
        app.include_router(router)
    _surround(app, services.settings)
    app.openapi = lambda: openapi.describe(app, services.domain)  # type: ignore[method-assign]
    return app


def _surround(app: FastAPI, settings: Settings) -> None:
    """What a request passes on its way in; the last that is added comes first."""
    app.add_middleware(BodyLimit, settings=settings)
    app.add_middleware(Deadlines, settings=settings)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=settings.cors_origins, allow_headers=["*"], allow_methods=["*"]
        )
    app.add_middleware(ErrorPages)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Measured, metrics=app.state.services.metrics)


@asynccontextmanager
async def _answering_tools(app: FastAPI) -> AsyncIterator[None]:
    """Answer support tools while the application runs; it ends when what they sent is answered."""
    desk = app.state.services.tools
    desk.start()
    yield
    await run_in_threadpool(desk.stop)
