"""Adapters over HTTP: list, promote, roll back, shadow."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from adapters.registry import Canary
from service.dependencies import Administrator, Once, Parts
from service.use_cases import adapter_admin
from service.use_cases.adapter_admin import AdaptersOut, MoveOut

router = APIRouter(prefix="/v1/adapters", tags=["adapters"])

AdapterId = Annotated[str, Path(min_length=1, max_length=100)]


class ShadowRequest(BaseModel):
    """Which adapter looks on; null ends it."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str | None, Field(max_length=100)]


class CanaryRequest(BaseModel):
    """Which adapter answers which part of the traffic; a null id ends it."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str | None, Field(max_length=100)]
    share: Annotated[float, Field(ge=0, le=1, strict=True, description="of the tickets, by a hash of their text")] = 0.0
    keys: Annotated[list[str], Field(max_length=1000, description="ids of keys that it always answers")] = []


@router.get("")
def list_adapters(parts: Parts, caller: Administrator) -> AdaptersOut:
    """All adapters with their cards, which one is live, and how aliases moved."""
    return adapter_admin.listed(parts)


@router.post("/rollback")
def rollback(parts: Parts, caller: Administrator, once: Once) -> MoveOut:
    """Make the adapter live that was live before; a repeated request with the same key does not roll back twice."""
    attempt = once.attempt()
    return adapter_admin.rollback(parts, caller, lambda tx, move: attempt.keep(tx, 200, move.model_dump()))


@router.put("/shadow")
def shadow(body: ShadowRequest, parts: Parts, caller: Administrator) -> MoveOut:
    """Let an adapter label the same tickets in the background; replies stay those of the live one."""
    return adapter_admin.shadow(parts, caller, body.id)


@router.put("/canary")
def canary(body: CanaryRequest, parts: Parts, caller: Administrator) -> MoveOut:
    """Let an adapter that the gate has passed label a part of the traffic; the rest stays with the live one."""
    wanted = None if body.id is None else Canary(body.id, body.share, frozenset(body.keys))
    return adapter_admin.canary(parts, caller, wanted)


@router.post("/{adapter_id}/promote")
def promote(adapter_id: AdapterId, parts: Parts, caller: Administrator, once: Once) -> MoveOut:
    """Make an adapter live that the gate has passed, or a baseline; the next request is labelled by it."""
    attempt = once.attempt()
    return adapter_admin.promote(parts, caller, adapter_id, lambda tx, move: attempt.keep(tx, 200, move.model_dump()))
