"""What endpoints ask for, as aliases: a signature reads as prose."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from service.auth.keys import Caller, Forbidden, Scope, Unauthorized
from service.build import Services
from service.middleware.admission import Turns
from service.records.idempotency import Attempt

_bearer = HTTPBearer(auto_error=False, description="A key `ff_…`; var/local.key holds one.")


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Parts = Annotated[Services, Depends(_services)]


def address_of(request: Request) -> str:
    """Where a request comes from, as far as is known."""
    return request.client.host if request.client else ""


def caller(
    parts: Parts, request: Request, sent: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Iterator[Caller]:
    """Whoever holds the key that was sent, within what it may ask; see `Keys.check` and `Quotas`.

    Wrong keys slow down who sends them. A right one is let in all the same: others may stand behind its address.
    """
    try:
        found = parts.keys.check(sent.credentials if sent else None)
    except Unauthorized:
        if sent:
            parts.quotas.guessed(address_of(request))
        raise
    with parts.quotas.held(found):
        yield found


AnyCaller = Annotated[Caller, Depends(caller)]


class Scoped:
    """Lets in whose key carries a scope."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def __call__(self, caller: AnyCaller) -> Caller:
        """The caller.

        Raises:
            Forbidden: the key lacks the scope.
        """
        if self.scope not in caller.scopes:
            raise Forbidden(f"This needs a key with the scope `{self.scope}`.", "POST /v1/keys makes one.")
        return caller


Responder = Annotated[Caller, Depends(Scoped("respond"))]
Reader = Annotated[Caller, Depends(Scoped("read"))]
Ingester = Annotated[Caller, Depends(Scoped("ingest"))]
Reviewer = Annotated[Caller, Depends(Scoped("review"))]
Administrator = Annotated[Caller, Depends(Scoped("admin"))]


class Write:
    """The write that a request is; `attempt` gives the first answer again where it was made before."""

    def __init__(
        self,
        parts: Parts,
        request: Request,
        caller: AnyCaller,
        key: Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200)] = None,
    ) -> None:
        self._parts, self._key = parts, key
        self._where = (caller.key_id, request.method, request.url.path)

    def attempt(self, fields: dict[str, Any] | None = None, data: bytes = b"") -> Attempt:
        """This try at the write; see `Idempotency.attempt`."""
        return self._parts.idempotency.attempt(self._where, self._key, fields or {}, data)


Once = Annotated[Write, Depends()]


async def _deadline(request: Request) -> float:
    deadline: float = request.state.deadline
    return deadline


Deadline = Annotated[float, Depends(_deadline)]  # of time.monotonic()


async def _turns(request: Request) -> Turns:
    turns: Turns = request.app.state.turns
    return turns


TurnsOfAll = Annotated[Turns, Depends(_turns)]


async def _room(turns: TurnsOfAll) -> None:
    turns.look()


# The first dependency: what is refused for want of room costs no thread and no look at the database, however many come.
Room = Depends(_room)


async def _turn(turns: TurnsOfAll, deadline: Deadline) -> AsyncIterator[None]:
    async with turns.taken(deadline):
        yield


Turn = Annotated[None, Depends(_turn)]  # stands behind the caller: nobody waits for who is not let in
