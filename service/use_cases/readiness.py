"""Is the process ready to answer? Each part is looked at; what is not ready is told by name, without secrets."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import SQLAlchemyError

from domains.spec import FormfactError

if TYPE_CHECKING:
    from service.build import Services

_ROOM = 50_000_000  # bytes; under it the next documents or replies would not fit
log = structlog.get_logger()


def readiness(services: Services) -> dict[str, str]:
    """What is not ready: part -> why, in words. Empty: it answers."""
    checks: Mapping[str, Callable[[Services], str]] = {
        "catalog": _catalog,
        "index": _index,
        "adapter": _adapter,
        "disk": _disk,
    }
    return {name: why for name, check in checks.items() if (why := _tried(name, check, services))}


def _tried(name: str, check: Callable[[Services], str], services: Services) -> str:
    try:
        return check(services)
    except FormfactError as error:
        return str(error)
    except (SQLAlchemyError, OSError) as error:
        log.error("not_ready", part=name, kind=type(error).__name__)
        return f"It does not answer ({type(error).__name__})."


def _catalog(services: Services) -> str:
    services.catalog.head()
    return ""


def _index(services: Services) -> str:
    services.publisher.dense.count()
    return ""


def _adapter(services: Services) -> str:
    services.pipeline.labelling.current()
    return ""


def _disk(services: Services) -> str:
    free = shutil.disk_usage(services.settings.home).free
    return "" if free >= _ROOM else f"{free // 1_000_000} MB are left where the home lies; make room."
