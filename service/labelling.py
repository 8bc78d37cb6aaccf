"""Adapters as callers see them: one set of functions behind the HTTP API and the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from adapters.tables import BASELINES, LIVE, PREVIOUS, SHADOW
from domains.spec import Conflict

if TYPE_CHECKING:
    from service.build import Services
    from service.keys import Caller


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


class AdaptersOut(BaseModel):
    """All adapters, how aliases moved (latest first), and how often the shadow agrees with the live one, by field."""

    live: str | None
    shadow: str | None
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
        adapters=[
            AdapterOut(
                id=one,
                aliases=sorted(alias for alias, target in named.items() if target == one),
                gate=_gate(services, one),
                card=_card(services, one),
            )
            for one in registry.store.ids()
        ],
        history=[MoveOut(**{name: getattr(m, name) for name in MoveOut.model_fields}) for m in registry.history()],
        agreement=services.shadow.compared(),
    )


def promote(services: Services, caller: Caller, adapter: str) -> AdaptersOut:
    """Make an adapter live, once it has been seen to load; running replicas ask it from their next request on.

    Raises:
        NotFound: there is none of that id.
        Conflict: the gate has not passed it, or a setting pins another.
        IntegrityError: it does not load.
    """
    _not_pinned(services)
    services.registry.store.promotable(adapter)
    services.live.load(adapter)
    services.registry.promote(adapter, caller.key_id)
    return listed(services)


def rollback(services: Services, caller: Caller) -> AdaptersOut:
    """Make the adapter live that was live before, once it has been seen to load.

    Raises:
        Conflict: there is none, or a setting pins one.
        IntegrityError: it does not load any more.
    """
    _not_pinned(services)
    if previous := services.registry.target(PREVIOUS):
        services.live.load(previous)
    services.registry.rollback(caller.key_id)
    return listed(services)


def shadow(services: Services, caller: Caller, adapter: str | None) -> AdaptersOut:
    """Let an adapter see tickets without touching replies; None ends it.

    Raises:
        NotFound: there is none of that id.
        InvalidInput: it is live.
        IntegrityError: it does not load.
    """
    if adapter is not None:
        services.live.load(adapter)
    services.registry.shadow(adapter, caller.key_id)
    return listed(services)


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
