"""Adapters as callers see them: one set of functions behind the HTTP API and the command line."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from sqlalchemy import Connection

from adapters.tables import BASELINES, LIVE, PREVIOUS, SHADOW
from domains.spec import Conflict

if TYPE_CHECKING:
    from adapters.registry import Canary, Move, Within
    from service.auth.keys import Caller
    from service.build import Services
    from service.records.idempotency import Keep


class AdapterOut(BaseModel):
    """An adapter of the store: what aliases name it, what the gate said, its card."""

    id: str
    aliases: list[str]
    gate: str  # passed, refused, not judged, or not needed
    card: dict[str, Any] | None


class MoveOut(BaseModel):
    """An alias that was set; `target` is null where it was taken away."""

    at: str
    actor: str
    alias: str
    target: str | None
    before: str | None
    why: str


class CanaryOut(BaseModel):
    """An adapter that answers a share (0..1) of the traffic, and all of some keys."""

    id: str
    share: float
    keys: list[str]


class AdaptersOut(BaseModel):
    """All adapters, how aliases moved (latest first), and how often the shadow agrees with the live one, by field."""

    live: str | None
    shadow: str | None
    canary: CanaryOut | None
    adapters: list[AdapterOut]
    history: list[MoveOut]
    agreement: dict[str, dict[str, float]]


def listed(services: Services) -> AdaptersOut:
    """Everything that there is to know of the adapters."""
    registry = services.registry
    named = registry.aliases()
    return AdaptersOut(
        live=named.get(LIVE),
        shadow=named.get(SHADOW),
        canary=_canary(registry.canary()),
        adapters=[
            AdapterOut(
                id=one,
                aliases=sorted(alias for alias, target in named.items() if target == one),
                gate=_gate(services, one),
                card=_card(services, one),
            )
            for one in registry.store.ids()
        ],
        history=[_move(m) for m in registry.history()],
        agreement=services.shadow.compared(),
    )


def promote(services: Services, caller: Caller, adapter: str, keep: Keep[MoveOut] | None = None) -> MoveOut:
    """Make an adapter live, once it has been seen to load; running replicas ask it from their next request on.

    Raises:
        NotFound: there is none of that id.
        Conflict: the gate has not passed it, the shadow has seen too little, or a setting pins another.
        IntegrityError: it does not load.
    """
    _not_pinned(services)
    _ready(services, adapter)
    _seen_enough(services, adapter)
    return _move(services.registry.promote(adapter, caller.key_id, within=_noted(services, "promoted", keep)))


def rollback(services: Services, caller: Caller, keep: Keep[MoveOut] | None = None) -> MoveOut:
    """Make the adapter live that was live before, once it has been seen to load.

    Raises:
        Conflict: there is none, or a setting pins one.
        IntegrityError: it does not load any more.
    """
    _not_pinned(services)
    if previous := services.registry.target(PREVIOUS):
        services.live.load(previous)
    return _move(services.registry.rollback(caller.key_id, _noted(services, "rolled back", keep)))


def shadow(services: Services, caller: Caller, adapter: str | None) -> MoveOut:
    """Let an adapter see tickets without touching replies; None ends it.

    Raises:
        NotFound: there is none of that id.
        Conflict: it is live.
        IntegrityError: it does not load.
    """
    if adapter is not None:
        services.live.load(adapter)
    return _move(services.registry.shadow(adapter, caller.key_id, _noted(services, "shadow set")))


def canary(services: Services, caller: Caller, wanted: Canary | None) -> MoveOut:
    """Let an adapter answer a part of the traffic; None ends it.

    Raises:
        NotFound: there is none of that id.
        Conflict: it is live, the gate has not passed it, or a setting pins another.
        IntegrityError: it does not load.
    """
    _not_pinned(services)
    if wanted is not None:
        _ready(services, wanted.target)
    told = {} if wanted is None else {"share": wanted.share, "keys": sorted(wanted.keys)}
    return _move(services.registry.set_canary(wanted, caller.key_id, _noted(services, "canary set", details=told)))


def _ready(services: Services, adapter: str) -> None:
    services.registry.store.promotable(adapter)
    services.live.load(adapter)


def _seen_enough(services: Services, adapter: str) -> None:
    """An adapter that takes over has looked on for as many tickets as the setting wants; baselines need not."""
    wanted = services.settings.promote_after
    if wanted and adapter not in BASELINES and (seen := services.shadow.seen(adapter)) < wanted:
        raise Conflict(
            f"{adapter} has looked on at {seen} of {wanted} tickets.",
            f"`formfact adapters shadow {adapter}`, and wait; or set FORMFACT_PROMOTE_AFTER.",
        )


def _noted(
    services: Services, event: str, keep: Keep[MoveOut] | None = None, details: dict[str, Any] | None = None
) -> Within:
    """Writes the audit entry of a move, and what the caller keeps, into its transaction."""

    def within(tx: Connection, move: Move) -> None:
        services.audit.add(tx, move.actor, event, move.target or "none", before=move.before, **details or {})
        if keep:
            keep(tx, _move(move))

    return within


def _move(move: Move) -> MoveOut:
    return MoveOut.model_validate(asdict(move))


def _canary(found: Canary | None) -> CanaryOut | None:
    return None if found is None else CanaryOut(id=found.target, share=found.share, keys=sorted(found.keys))


def _not_pinned(services: Services) -> None:
    if services.settings.adapter:
        raise Conflict(
            f"FORMFACT_ADAPTER pins {services.settings.adapter}.", "Start without it to follow the registry."
        )


def _gate(services: Services, adapter: str) -> str:
    if adapter in BASELINES:
        return "not needed"
    verdict = services.registry.store.verdict(adapter)
    if verdict is None or verdict.domain != services.domain.fingerprint:
        return "not judged"
    return "passed" if verdict.passed else "refused"


def _card(services: Services, adapter: str) -> dict[str, Any] | None:
    if adapter in BASELINES:
        return None
    path = services.registry.store.folder(adapter) / "card.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None
