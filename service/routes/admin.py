"""Keys, the domain's definition, health and metrics."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ConfigDict, Field

from retrieval.instants import show_instant
from service.dependencies import Administrator, AnyCaller, IdempotencyKey, Parts
from service.keys import Key

router = APIRouter()


class KeyRequest(BaseModel):
    """What a new key may do and read."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[str], Field(min_length=1)]
    audiences: Annotated[list[str], Field(min_length=1)]


@router.post("/v1/keys", status_code=201, tags=["keys"])
def create_key(
    body: KeyRequest, request: Request, parts: Parts, caller: Administrator, key: IdempotencyKey = None
) -> dict[str, Any]:
    """Make a key. Its secret is shown in this answer and never again, not even to a repeated request."""
    attempt = parts.idempotency.attempt((caller.key_id, "POST", request.url.path), key, body.model_dump())
    if first := parts.idempotency.first_answer(attempt):
        return JSONResponse(first.body, first.status)  # type: ignore[return-value]
    with parts.keys.transaction() as tx:
        made, secret = parts.keys.create(body.name, body.scopes, body.audiences, tx)
        attempt.keep(tx, 201, _key(parts, made))
    return _key(parts, made) | {"key": secret}


@router.get("/v1/keys", tags=["keys"])
def list_keys(parts: Parts, caller: Administrator) -> list[dict[str, Any]]:
    """All keys, without their secrets."""
    return [_key(parts, key) for key in parts.keys.list()]


@router.delete("/v1/keys/{key_id}", status_code=204, tags=["keys"])
def revoke_key(key_id: str, parts: Parts, caller: Administrator) -> Response:
    """Revoke a key; it is dead with the next request."""
    parts.keys.revoke(key_id)
    return Response(status_code=204)


@router.get("/v1/domain", tags=["domain"])
def domain(parts: Parts, caller: AnyCaller) -> dict[str, Any]:
    """The taxonomy: fields with their labels, slots, formats."""
    found = parts.domain.model_dump(mode="json", exclude={"audiences", "encoder"})
    return found | {"fingerprint": parts.domain.fingerprint}


@router.get("/healthz", tags=["health"])
def healthz() -> dict[str, str]:
    """Is the process alive?"""
    return {"status": "ok"}


@router.get("/readyz", tags=["health"])
def readyz(parts: Parts) -> dict[str, str]:
    """Does it answer? Reads the catalog once."""
    parts.catalog.head()
    return {"status": "ready"}


@router.get("/metrics", tags=["health"], response_class=Response)
def metrics(request: Request, caller: Administrator) -> Response:
    """Prometheus metrics. They hold no text of a ticket or document."""
    return Response(generate_latest(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _key(parts: Parts, key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": list(key.scopes),
        "audiences": list(key.audiences),
        "created_at": show_instant(key.created_at, parts.domain.zone),
        "revoked_at": show_instant(key.revoked_at, parts.domain.zone),
    }
