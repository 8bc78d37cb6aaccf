"""The HTTP application: endpoints, limits, problems, metrics, put together."""

from __future__ import annotations

from fastapi import FastAPI

from service import problems
from service.build import Services
from service.limits import BodyLimit
from service.metrics import Measured, Metrics
from service.routes import adapters, admin, documents, drift, respond


def create_app(services: Services) -> FastAPI:
    """The application around the parts of a process."""
    app = FastAPI(title="Formfact", version="0.1.0", description="Tune for form, retrieve for facts.")
    app.state.services = services
    app.state.metrics = Metrics()
    problems.install(app)
    for router in (respond.router, documents.router, documents.upkeep, adapters.router, drift.router, admin.router):
        app.include_router(router)
    app.add_middleware(BodyLimit, settings=services.settings)
    app.add_middleware(Measured, metrics=app.state.metrics)
    return app
