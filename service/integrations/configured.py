"""The tools that the settings name, each whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

from domains.spec import Domain, NotConfigured
from service.integrations.chatwoot import Chatwoot
from service.integrations.client import Api
from service.integrations.tool import Tool
from service.integrations.zendesk import Zendesk
from service.settings import Settings

SHORTEST_SECRET = 16  # characters
NEEDED = {
    "zendesk": ("zendesk_url", "zendesk_email", "zendesk_token", "zendesk_secret", "tools_key"),
    "chatwoot": ("chatwoot_url", "chatwoot_token", "chatwoot_secret", "tools_key"),
}

Pause = Callable[[float], object]


def tools_of(settings: Settings, domain: Domain, pause: Pause) -> Mapping[str, Tool]:
    """The tools that are set up, by name. `pause` waits some seconds between calls.

    Raises:
        NotConfigured: one of a tool's settings is missing or unsafe; the message names it and shows no value.
    """
    slots = frozenset(domain.slots) | {"language"}
    made: dict[str, Tool] = {}
    if _asked_for(settings, "zendesk"):
        user, token = f"{settings.zendesk_email}/token", settings.zendesk_token.get_secret_value()
        api = Api("zendesk", settings.zendesk_url, auth=(user, token), pause=pause)
        made["zendesk"] = Zendesk(api, settings.zendesk_secret.get_secret_value(), slots)
    if _asked_for(settings, "chatwoot"):
        headers = {"api_access_token": settings.chatwoot_token.get_secret_value()}
        api = Api("chatwoot", settings.chatwoot_url, headers, pause=pause)
        secret = settings.chatwoot_secret.get_secret_value()
        made["chatwoot"] = Chatwoot(api, secret, slots, settings.chatwoot_public)
    return made


def not_set_up(tool: str) -> NotConfigured:
    """What a webhook of a tool is told that nobody has set up."""
    return NotConfigured(f"{tool} is not set up here.", f"Set {_named(NEEDED[tool])} and start again.")


def _asked_for(settings: Settings, tool: str) -> bool:
    """Is anything of the tool's own set? Then all of it must be."""
    values = {name: _value(settings, name) for name in NEEDED[tool]}
    if not any(value for name, value in values.items() if name != "tools_key"):
        return False
    if missing := [name for name, value in values.items() if not value]:
        others = _named(n for n in NEEDED[tool] if n != "tools_key")
        raise NotConfigured(f"{tool} is half set up: {_named(missing)} is missing.", f"Set it, or none of {others}.")
    for name in (f"{tool}_secret", f"{tool}_token"):
        if len(values[name]) < SHORTEST_SECRET:
            raise NotConfigured(
                f"{_named([name])} is shorter than {SHORTEST_SECRET} characters.", f"Take the one that {tool} shows."
            )
    _check_url(f"{tool}_url", values[f"{tool}_url"])
    return True


def _check_url(name: str, url: str) -> None:
    """A token goes over TLS, or nowhere but to this machine."""
    parts = urlsplit(url)
    here = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and here)):
        raise NotConfigured(f"{_named([name])} is no https:// address.", "Write it as https://support.example.com.")
    if parts.username or parts.query or parts.fragment:
        raise NotConfigured(f"{_named([name])} holds more than an address.", "Leave out user, query and fragment.")


def _value(settings: Settings, name: str) -> str:
    value = getattr(settings, name)
    return value if isinstance(value, str) else str(value.get_secret_value())


def _named(names: Iterable[str]) -> str:
    return ", ".join(f"FORMFACT_{name.upper()}" for name in names)
