"""Which scope each endpoint asks for, read off the application: the table in `docs/api.md` is made of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from service.dependencies import Scoped, caller

ANY_KEY, NONE, SIGNATURE = "any key", "none", "the tool's signature"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method and path, and what it takes to be let in: a scope, any key, a tool's signature, or nothing."""

    method: str
    path: str
    needs: str
    does: str


def endpoints(app: FastAPI) -> Iterator[Endpoint]:
    """All that stand in the OpenAPI document, in its order."""
    for route in routes(app):
        does = (route.description or "").split("\n")[0]
        for method in sorted(route.methods or ()):
            yield Endpoint(method, route.path, _needs(route), does)


def routes(app: FastAPI) -> Iterator[APIRoute]:
    """The endpoints of an application and its routers, without the console's pages; none has a prefix from outside."""
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, APIRoute) and context.include_in_schema:
            yield context.original_route


def as_markdown(app: FastAPI) -> str:
    """The table."""
    rows = [f"| `{e.method} {e.path}` | {e.needs} | {e.does} |" for e in endpoints(app)]
    return "\n".join(["| endpoint | scope | what it does |", "| --- | --- | --- |", *rows])


def _needs(route: APIRoute) -> str:
    calls = list(_calls(route.dependant))
    for call in calls:
        if isinstance(call, Scoped):
            return call.scope
    if any(call is caller for call in calls):
        return ANY_KEY
    return SIGNATURE if "/tools/" in route.path else NONE


def _calls(dependant: Dependant) -> Iterator[object]:
    for inner in dependant.dependencies:
        yield inner.call
        yield from _calls(inner)
