"""Adapters: which is live, what the gate and the shadow say of others; promotion, rollback, shadow, canary."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request, Response

from adapters.registry import Canary
from adapters.tables import BASELINES, CANARY, LIVE, PREVIOUS, SHADOW
from domains.spec import InvalidInput
from retrieval.timestamps import show_instant
from service.auth.keys import Caller
from service.build import Services
from service.console.pages import go, page
from service.console.visitors import Administrator, OwnForm
from service.dependencies import Parts
from service.use_cases import adapter_admin
from service.use_cases.adapter_admin import AdapterOut

router = APIRouter(prefix="/adapters")
Action = Literal["promote", "rollback", "shadow", "end-shadow", "canary", "end-canary"]
_MOVES = 12  # that are shown
_ALIASES = (LIVE, SHADOW, CANARY, PREVIOUS)
_TUNED = "LoRA adapter"  # the method whose figures stand first in a card


@dataclass(frozen=True, slots=True)
class GateFigure:
    """A row of a card; None where the card does not say. Shares are 0..1."""

    field: str
    accuracy: float | None
    macro_f1: float | None
    calibration_error: float | None
    abstained: float | None
    best_other: float | None  # accuracy of the best method beside it


@router.get("")
def listed(request: Request, parts: Parts, caller: Administrator, done: str = "") -> Response:
    """All adapters."""
    found, zone = adapter_admin.listed(parts), parts.domain.zone
    told: dict[str, Any] = {
        "found": found,
        "adapters": sorted(found.adapters, key=_rank),
        "previous": parts.registry.target(PREVIOUS),
        "figures": {one.id: list(_figures(one.card)) for one in found.adapters},
        "reasons": {one.id: _reasons(parts, one.id) for one in found.adapters},
        "moves": [(show_instant(datetime.fromisoformat(m.at), zone), m) for m in found.history[:_MOVES]],
        "chat": parts.pipeline.prompted is not None,
        "pinned": parts.settings.adapter,
        "done": done,
    }
    return page(request, "adapters.html", title="Adapters", **told)


@router.get("/{action}")
def confirm(request: Request, parts: Parts, caller: Administrator, action: Action, id: str = "") -> Response:
    """What a button will do, before it does it."""
    found = adapter_admin.listed(parts)
    told: dict[str, Any] = {"action": action, "id": id, "found": found, "previous": parts.registry.target(PREVIOUS)}
    return page(request, "adapter_move.html", title="Adapters", **told)


@router.post("/{action}", dependencies=[OwnForm])
def move(
    parts: Parts,
    caller: Administrator,
    action: Action,
    id: Annotated[str, Form(max_length=100)] = "",
    share: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Do what was confirmed."""
    _moved(parts, caller, action, id, share)
    return go("/adapters", done=action)


def _moved(parts: Services, caller: Caller, action: Action, adapter: str, share: str) -> None:
    match action:
        case "promote":
            adapter_admin.promote(parts, caller, adapter)
        case "rollback":
            adapter_admin.rollback(parts, caller)
        case "shadow":
            adapter_admin.shadow(parts, caller, adapter)
        case "end-shadow":
            adapter_admin.shadow(parts, caller, None)
        case "canary":
            adapter_admin.canary(parts, caller, Canary(adapter, _share(share)))
        case "end-canary":
            adapter_admin.canary(parts, caller, None)


def _share(percent: str) -> float:
    try:
        share = float(percent) / 100
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise InvalidInput("share: that is no share of the tickets.", "Write a number from 0 to 100.", "share")
    return share


def _rank(adapter: AdapterOut) -> tuple[int, bool]:
    """What is live stands first, then what has another alias, then the rest, baselines last."""
    named = [_ALIASES.index(alias) for alias in adapter.aliases]
    return min(named, default=len(_ALIASES)), adapter.id in BASELINES


def _reasons(parts: Services, adapter: str) -> tuple[str, ...]:
    verdict = None if adapter in BASELINES else parts.registry.store.verdict(adapter)
    return verdict.reasons if verdict else ()


def _figures(card: dict[str, Any] | None) -> Iterator[GateFigure]:
    """What matters most in a card, which is JSON that training wrote and may lack anything."""
    for name, told in ((card or {}).get("fields") or {}).items():
        methods = told.get("methods") or {}
        own = methods.get(_TUNED, {})
        others = [m["accuracy"] for method, m in methods.items() if method != _TUNED and "accuracy" in m]
        yield GateFigure(
            field=name,
            accuracy=own.get("accuracy"),
            macro_f1=own.get("macro_f1"),
            calibration_error=own.get("calibration_error"),
            abstained=_abstained(told),
            best_other=max(others, default=None),
        )


def _abstained(told: dict[str, Any]) -> float | None:
    rows, given = told.get("rows"), told.get("given")
    return told.get("abstained") if rows is None or given is None else 1 - given / rows
