"""Dates and instants: how they are read, stored and shown.

A bare date is the start of that day in the domain's zone; inside the program every instant is aware and in UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import String
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from domains.spec import InvalidInput

_EARLIEST, _LATEST = 1000, 8999  # years
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def now() -> datetime:
    """The current instant, in UTC."""
    return datetime.now(UTC)


def parse_instant(text: str, zone: ZoneInfo, field: str = "as_of") -> datetime:
    """Read `2026-03-01` (start of day in `zone`) or an ISO 8601 instant with an offset.

    Raises:
        InvalidInput: it is neither, or an instant without an offset.
    """
    try:
        if _DATE.fullmatch(text):
            moment = datetime.combine(datetime.strptime(text, "%Y-%m-%d").date(), time(), zone)
        else:
            moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("no offset")
        if not _EARLIEST <= moment.year <= _LATEST:
            raise ValueError("beyond what every zone can show")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{field}: `{text[:40]}` is neither a date nor an instant between the years {_EARLIEST} and {_LATEST}.",
            "Write 2026-03-01, or 2026-03-01T09:30:00+01:00; for ever is said by no date.",
            field=field,
        ) from None


def show_instant(moment: datetime | None, zone: ZoneInfo) -> str | None:
    """The inverse of `parse_instant`: a bare date where the instant is the start of a day in `zone`."""
    if moment is None:
        return None
    try:
        local = moment.astimezone(zone)
    except OverflowError:  # stored before such dates were refused
        local = moment
    return local.date().isoformat() if local.time() == time() else local.isoformat()


class Instant(TypeDecorator[datetime]):
    """An aware datetime as fixed-width ISO 8601 text in UTC: sorts as text, and no database drops its offset."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return None if value is None else value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)
