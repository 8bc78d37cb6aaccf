"""Keys as administrators see them: one set of functions behind the HTTP API and the console."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from domains.spec import Conflict
from retrieval.catalog_writer import writing
from retrieval.timestamps import now, show_instant
from service.auth.keys import Forbidden, Scope, Wanted
from service.reply import WHOLE

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from service.auth.keys import Caller, Key
    from service.build import Services

T = TypeVar("T")


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


def listed(services: Services) -> list[KeyOut]:
    """All keys, oldest first, without their secrets."""
    return [_out(services, key) for key in services.keys.list()]


def make(
    services: Services,
    caller: Caller,
    request: KeyRequest,
    keep: Callable[[Connection, KeyOut], None] = lambda _tx, _made: None,
) -> MadeKey:
    """Make a key. Nobody gives what it does not hold: scopes and audiences are those of the caller, or fewer.

    Raises:
        Forbidden: the caller does not hold it.
        InvalidInput: see `Keys.create`.
    """
    wanted = _wanted(request, caller)
    with writing(services.engine) as tx:
        made, secret = services.keys.create(wanted, caller.key_id, tx)
        keep(tx, _out(services, made))
    return MadeKey(**_out(services, made).model_dump(), key=secret)


def revoke(services: Services, caller: Caller, key_id: str) -> None:
    """Revoke a key from now on. Its own a key cannot revoke: nobody locks the last door.

    Raises:
        NotFound: there is no such key.
        Conflict: it is the one that asks.
    """
    if key_id == caller.key_id:
        raise Conflict("This is the key that asks.", "Revoke it with another key of scope admin.")
    services.keys.revoke(key_id, caller.key_id)


def _wanted(asked: KeyRequest, caller: Caller) -> Wanted:
    if beyond := sorted({*asked.scopes} - caller.scopes | {*asked.audiences} - caller.audiences):
        raise Forbidden(f"{', '.join(beyond)[:200]}: this key does not hold it.", "Give what it holds, or less.")
    until = now() + timedelta(days=asked.days) if asked.days else None
    return Wanted(
        asked.name,
        tuple(asked.scopes),
        tuple(asked.audiences),
        _least(until, caller.expires_at),
        _least(asked.per_minute, caller.per_minute),
        _least(asked.at_once, caller.at_once),
    )


def _least(asked: T | None, own: T | None) -> T | None:
    """The stricter limit: nobody sheds its own by making another key."""
    given = [limit for limit in (asked, own) if limit is not None]
    return min(given) if given else None  # type: ignore[type-var]


def _out(services: Services, key: Key) -> KeyOut:
    dates = ("created_at", "revoked_at", "expires_at", "last_used_at")
    told = asdict(key) | {name: show_instant(getattr(key, name), services.domain.zone) for name in dates}
    return KeyOut.model_validate(told)
