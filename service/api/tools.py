"""Webhooks of support tools. They are authenticated by the tool's signature in the place of an API key."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Request, Security
from fastapi.security import APIKeyHeader, APIKeyQuery
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from service.auth.keys import Unauthorized
from service.dependencies import Parts
from service.integrations import chatwoot, zendesk
from service.integrations.desk import Taken
from service.integrations.tool import Webhook

router = APIRouter(prefix="/v1/tools", tags=["support tools"])

_zendesk = APIKeyHeader(
    name=zendesk.SIGNATURE,
    scheme_name="ZendeskSignature",
    auto_error=False,
    description="base64(HMAC-SHA256(secret, timestamp + body)); the timestamp in X-Zendesk-Webhook-Signature-Timestamp",
)
_token = APIKeyQuery(name="token", scheme_name="ChatwootToken", auto_error=False, description="unsigned webhooks")
_chatwoot = APIKeyHeader(
    name=chatwoot.SIGNATURE,
    scheme_name="ChatwootSignature",
    auto_error=False,
    description="sha256=hex(HMAC-SHA256(secret, timestamp.body)); the timestamp in X-Chatwoot-Timestamp",
)


class TakenOut(BaseModel):
    """What becomes of a webhook: it will be answered, is known already, or wants no reply."""

    status: Literal["accepted", "duplicate", "ignored"]


@router.post("/zendesk", status_code=202)
async def from_zendesk(
    request: Request, parts: Parts, signature: Annotated[str | None, Security(_zendesk)]
) -> TakenOut:
    """Take a Zendesk trigger's webhook; tags and a private note follow."""
    return TakenOut(status=await _take("zendesk", request, parts, signature))


@router.post("/chatwoot", status_code=202)
async def from_chatwoot(
    request: Request,
    parts: Parts,
    signature: Annotated[str | None, Security(_chatwoot)],
    token: Annotated[str | None, Security(_token)],
) -> TakenOut:
    """Take a Chatwoot webhook; labels and a private note follow."""
    return TakenOut(status=await _take("chatwoot", request, parts, signature or token, token or ""))


async def _take(tool: str, request: Request, parts: Parts, proof: str | None, token: str = "") -> Taken:
    if not proof:
        raise Unauthorized("This webhook is not signed.", f"See docs/support-tools.md for how {tool} signs.")
    webhook = Webhook(dict(request.headers), await request.body(), token)
    return await run_in_threadpool(parts.tools.take, tool, webhook)
