"""What endpoints ask for, as aliases: a signature reads as prose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from service.build import Services
from service.keys import Caller, Forbidden

_bearer = HTTPBearer(auto_error=False, description="A key `ff_…`; var/local.key holds one.")


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Parts = Annotated[Services, Depends(_services)]


def _caller(parts: Parts, sent: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Caller:
    return parts.keys.check(sent.credentials if sent else None)


AnyCaller = Annotated[Caller, Depends(_caller)]


def _scoped(scope: str) -> Callable[[Caller], Caller]:
    def check(caller: AnyCaller) -> Caller:
        if scope not in caller.scopes:
            raise Forbidden(f"This needs a key with the scope `{scope}`.", "POST /v1/keys makes one.")
        return caller

    return check


Responder = Annotated[Caller, Depends(_scoped("respond"))]
Reader = Annotated[Caller, Depends(_scoped("read"))]
Ingester = Annotated[Caller, Depends(_scoped("ingest"))]
Administrator = Annotated[Caller, Depends(_scoped("admin"))]

IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200)]
