"""The OpenAPI document: what FastAPI makes of the endpoints, with our problems in the place of its errors.

Generated clients take their names from the functions, and every refusal that there is stands in it.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from domains.spec import Domain

_OPEN = ("/healthz", "/readyz")  # need no key
_REFUSALS = {
    "401": "no key, or none that is known and valid",
    "403": "the key does not carry the scope",
    "404": "it does not exist, or not for this key",
    "408": "the request did not arrive in time",
    "409": "it contradicts what is stored, or a setting is missing",
    "413": "larger than a setting allows",
    "415": "a kind of file that is not read",
    "422": "a field is wrong; `errors` says which",
    "429": "the key asks more than it may; see `Retry-After`",
    "503": "too much to do, too little time, or a part that does not answer; see `Retry-After`",
}
_PROBLEM = {
    "title": "Problem",
    "description": "Problem details (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "what is wrong, and what to do"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "detail"],
                "properties": {"field": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}


def named(route: APIRoute) -> str:
    """The operation's identifier: the name of its function."""
    return route.name


def describe(app: FastAPI, domain: Domain) -> dict[str, Any]:
    """The document of an application, with the domain's slots and labels where they are asked for; made once."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schemas = made["components"]["schemas"]
        schemas["Problem"] = _PROBLEM
        for path, operations in made["paths"].items():
            for operation in operations.values():
                _state_refusals(operation["responses"], open_to_all=path in _OPEN)
        _state_domain(schemas, domain)
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        app.openapi_schema = made
    return app.openapi_schema


def _state_refusals(responses: dict[str, Any], open_to_all: bool) -> None:
    responses.pop("422", None)
    schema = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status, text in ({} if open_to_all else _REFUSALS).items():
        if status not in responses:
            responses[status] = {"description": text, "content": schema}


def _state_domain(schemas: dict[str, Any], domain: Domain) -> None:
    slot = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    slots = dict.fromkeys((*domain.slots, "language"), slot)
    customer = schemas["RespondRequest"]["properties"]["customer"]
    customer.update(properties=slots, additionalProperties=False)
    fields = {name: {"type": "string", "enum": list(field.labels)} for name, field in domain.fields.items()}
    schemas["JudgementRequest"]["properties"]["labels"].update(properties=fields, additionalProperties=False)
    # What these modes never do cannot be asked of them.
    never = {"mode": {"enum": ["tuned", "prompt"]}, "facts": {"enum": ["always"]}}
    schemas["RespondRequest"]["not"] = {"properties": never, "required": list(never)}
