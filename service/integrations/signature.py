"""Checks of webhooks: a signature in constant time, and how old it may be."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from datetime import UTC, datetime

from service.auth.keys import Unauthorized

OLDEST_SECONDS = 300.0  # what Chatwoot's documentation advises; Zendesk's names no figure

Clock = Callable[[], float]  # seconds since 1970
WALL: Clock = time.time


def as_base64(secret: str, signed: bytes) -> str:
    """HMAC-SHA256 of `signed`, as Zendesk writes it."""
    return base64.b64encode(_digest(secret, signed)).decode()


def as_hex(secret: str, signed: bytes) -> str:
    """HMAC-SHA256 of `signed`, as Chatwoot writes it."""
    return _digest(secret, signed).hex()


def same(expected: str, sent: str) -> bool:
    """Equal? Takes as long for a wrong first character as for a wrong last one."""
    return hmac.compare_digest(expected.encode(), sent.encode(errors="replace"))


def check_age(moment: float | None, clock: Clock) -> None:
    """Refuse what was signed too long ago, or ahead of time: who recorded a webhook cannot send it later.

    Raises:
        Unauthorized: it is older than five minutes, from the future, or not dated.
    """
    if moment is None or abs(clock() - moment) > OLDEST_SECONDS:
        raise Unauthorized("The webhook's timestamp is missing or too old.", "Set the clocks of both machines by NTP.")


def from_iso(text: str) -> float | None:
    """`2026-11-21T09:30:00Z` as seconds; None where it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def from_seconds(text: str) -> float | None:
    """`1795000000` as seconds; None where it is none."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 13 else None


def wrong(tool: str) -> Unauthorized:
    """The one answer to every wrong signature: it does not tell what is wrong with it."""
    remedy = f"Compare FORMFACT_{tool.upper()}_SECRET with the secret that {tool.capitalize()} shows."
    return Unauthorized("This webhook is not signed with the secret that is set here.", remedy)


def _digest(secret: str, signed: bytes) -> bytes:
    return hmac.new(secret.encode(), signed, hashlib.sha256).digest()
