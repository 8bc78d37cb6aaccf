"""Keys, links into the console, and the domain's definition."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from service.dependencies import Administrator, AnyCaller, Once, Parts
from service.use_cases import api_keys
from service.use_cases.api_keys import KeyOut, KeyRequest, MadeKey

router = APIRouter()


class LinkOut(BaseModel):
    """A page that signs in as the asking key, once, within ten minutes."""

    url: str


@router.post("/v1/keys", status_code=201, tags=["keys"])
def create_key(body: KeyRequest, parts: Parts, caller: Administrator, once: Once) -> MadeKey:
    """Make a key. Its secret is shown in this answer and never again, not even to a repeated request.

    Nobody gives what it does not hold: scopes and audiences are those of the asking key, or fewer.
    """
    attempt = once.attempt(body.model_dump())
    return api_keys.make(parts, caller, body, lambda tx, made: attempt.keep(tx, 201, made.model_dump()))


@router.get("/v1/keys", tags=["keys"])
def list_keys(parts: Parts, caller: Administrator) -> list[KeyOut]:
    """All keys, without their secrets."""
    return api_keys.listed(parts)


@router.delete("/v1/keys/{key_id}", status_code=204, tags=["keys"])
def revoke_key(key_id: str, parts: Parts, caller: Administrator) -> Response:
    """Revoke a key; it is dead with the next request. Its own a key cannot revoke."""
    api_keys.revoke(parts, caller, key_id)
    return Response(status_code=204)


@router.post("/v1/links", status_code=201, tags=["keys"])
def create_link(request: Request, parts: Parts, caller: Administrator) -> LinkOut:
    """Make a link that signs a browser into the console as the asking key; a repeated request makes another."""
    return LinkOut(url=f"{str(request.base_url).rstrip('/')}{parts.sessions.link(caller.key_id)}")


@router.get("/v1/domain", tags=["domain"])
def domain(parts: Parts, caller: AnyCaller) -> dict[str, Any]:
    """The taxonomy: fields with their labels, slots, formats."""
    found = parts.domain.model_dump(mode="json", exclude={"audiences", "encoder"})
    return found | {"fingerprint": parts.domain.fingerprint}
