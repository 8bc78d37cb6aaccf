"""What must not be served beyond this machine: secrets that everybody knows."""

from __future__ import annotations

import ipaddress

from sqlalchemy import make_url

from domains.spec import NotConfigured
from service.settings import Settings

_KNOWN = frozenset({"", "admin", "changeme", "example", "formfact", "password", "postgres", "root", "secret", "test"})


def check(settings: Settings) -> None:
    """Refuse to serve beyond loopback with a database password that everybody knows.

    Keys need no such check: a home makes its own, of 256 random bits.

    Raises:
        NotConfigured: that is so.
    """
    if settings.database_url and not _loopback(settings.host):
        url = make_url(settings.database_url)
        if not url.drivername.startswith("sqlite") and str(url.password or "").lower() in _KNOWN:
            raise NotConfigured(
                f"{settings.host} is no loopback address, and the password in FORMFACT_DATABASE_URL is known to all.",
                "Give the database another password, or serve on 127.0.0.1.",
            )


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
