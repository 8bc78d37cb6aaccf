"""Keys and the domain's definition."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from domains.spec import Conflict
from retrieval.instants import now, show_instant
from retrieval.recorder import writing
from service.dependencies import Administrator, AnyCaller, Once, Parts
from service.keys import Caller, Forbidden, Key, Scope, Wanted
from service.reply import WHOLE

router = APIRouter()


class KeyRequest(BaseModel):
    """What a new key may do and read."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=20)]
    audiences: Annotated[list[str], Field(min_length=1, max_length=100)]
    days: Annotated[int, Field(ge=1, le=3650, description="that it is valid; default: for ever"), WHOLE] | None = None
    per_minute: Annotated[int, Field(ge=1, le=1_000_000, description="requests"), WHOLE] | None = None
    at_once: Annotated[int, Field(ge=1, le=10_000, description="requests being answered"), WHOLE] | None = None


class KeyOut(BaseModel):
    """A key without its secret."""

    id: str
    name: str
    scopes: list[str]
    audiences: list[str]
    created_at: str
    revoked_at: str | None
    expires_at: str | None
    last_used_at: str | None
    per_minute: int | None
    at_once: int | None


class MadeKey(KeyOut):
    """A new key; `key` is its secret, left out where the request was answered before."""

    key: str = ""


@router.post("/v1/keys", status_code=201, tags=["keys"])
def create_key(body: KeyRequest, parts: Parts, caller: Administrator, once: Once) -> MadeKey:
    """Make a key. Its secret is shown in this answer and never again, not even to a repeated request.

    Nobody gives what it does not hold: scopes and audiences are those of the asking key, or fewer.
    """
    attempt = once.attempt(body.model_dump())
    wanted = _wanted(body, caller)
    with writing(parts.engine) as tx:
        made, secret = parts.keys.create(wanted, caller.key_id, tx)
        attempt.keep(tx, 201, _key(parts, made).model_dump())
    return MadeKey(**_key(parts, made).model_dump(), key=secret)


@router.get("/v1/keys", tags=["keys"])
def list_keys(parts: Parts, caller: Administrator) -> list[KeyOut]:
    """All keys, without their secrets."""
    return [_key(parts, key) for key in parts.keys.list()]


@router.delete("/v1/keys/{key_id}", status_code=204, tags=["keys"])
def revoke_key(key_id: str, parts: Parts, caller: Administrator) -> Response:
    """Revoke a key; it is dead with the next request. Its own a key cannot revoke: nobody locks the last door."""
    if key_id == caller.key_id:
        raise Conflict("This is the key that asks.", "Revoke it with another key of scope admin.")
    parts.keys.revoke(key_id, caller.key_id)
    return Response(status_code=204)


@router.get("/v1/domain", tags=["domain"])
def domain(parts: Parts, caller: AnyCaller) -> dict[str, Any]:
    """The taxonomy: fields with their labels, slots, formats."""
    found = parts.domain.model_dump(mode="json", exclude={"audiences", "encoder"})
    return found | {"fingerprint": parts.domain.fingerprint}


def _wanted(body: KeyRequest, caller: Caller) -> Wanted:
    if beyond := sorted({*body.scopes} - caller.scopes | {*body.audiences} - caller.audiences):
        raise Forbidden(f"{', '.join(beyond)[:200]}: this key does not hold it.", "Give what it holds, or less.")
    until = now() + timedelta(days=body.days) if body.days else None
    return Wanted(body.name, tuple(body.scopes), tuple(body.audiences), until, body.per_minute, body.at_once)


def _key(parts: Parts, key: Key) -> KeyOut:
    dates = ("created_at", "revoked_at", "expires_at", "last_used_at")
    told = asdict(key) | {name: show_instant(getattr(key, name), parts.domain.zone) for name in dates}
    return KeyOut.model_validate(told)
