"""Calls to a support tool's HTTP API: time limits, retries, and errors that hold no word of a ticket.

Zendesk ("Rate limits", developer.zendesk.com) answers 429 with `Retry-After` in seconds; Chatwoot does likewise.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import structlog

from domains.spec import Unavailable
from service.integrations.tool import ToolBusy, ToolRefused

_TIMEOUT = httpx.Timeout(10.0, connect=5.0)  # seconds
_WAITS = (0.5, 1.0, 2.0)  # seconds before the second, third and fourth try of a call
_LONGEST_WAIT = 10.0  # of a Retry-After; for a longer one the whole delivery is put off
_LONGEST_PUT_OFF = 3600.0

log = structlog.get_logger()


class Api:
    """The HTTP API of one tool.

    Args:
        tool: its name in messages.
        url: where it is, as `https://example.zendesk.com`.
        headers: sent with every call.
        auth: user and password, for tools that want these.
        pause: waits some seconds; the desk hands in one that a shutdown ends.
    """

    def __init__(
        self,
        tool: str,
        url: str,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._tool, self._pause = tool, pause
        # No redirect is followed: it would carry the token to another host.
        self._client = httpx.Client(base_url=url, headers=headers, auth=auth, timeout=_TIMEOUT)

    def read(self, path: str, params: dict[str, str] | None = None) -> Any:
        """GET as JSON. See `write` for the errors."""
        return self._json(self._call("GET", path, params=params))

    def write(self, method: str, path: str, body: Any, allow: int = 200) -> int:
        """A write that may be repeated without harm; returns the status.

        Args:
            method: as `PUT`.
            path: under the tool's address.
            body: sent as JSON.
            allow: a status that is no error beside the 2xx, as 409.

        Raises:
            Unavailable: after four tries there is no answer, or a 5xx.
            ToolBusy: 429 with a long Retry-After.
            ToolRefused: any other answer.
        """
        return self._call(method, path, body, allow=allow).status_code

    def write_once(self, method: str, path: str, body: Any) -> None:
        """A write that must not happen twice. Repeated at once only where the tool surely did not do it.

        Raises: as `write`; after `Unavailable` it is unknown whether it was done, and the caller looks first.
        """
        self._call(method, path, body, once=True)

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def _call(
        self, method: str, path: str, body: Any = None, params: Any = None, allow: int = 200, once: bool = False
    ) -> httpx.Response:
        for wait in _WAITS:
            try:
                return self._tried(method, path, body, params, allow)
            except ToolBusy as busy:
                if busy.seconds > _LONGEST_WAIT:
                    raise
                self._pause(max(busy.seconds, wait))
            except Unavailable as error:
                if once and not isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout):
                    raise
                self._pause(wait)
        return self._tried(method, path, body, params, allow)

    def _tried(self, method: str, path: str, body: Any, params: Any, allow: int) -> httpx.Response:
        try:
            response = self._client.request(method, path, json=body, params=params)
        except httpx.HTTPError as error:  # its words may hold the address and more
            told = f"{self._tool} does not answer ({type(error).__name__})."
            raise Unavailable(told, "It is tried again.") from error
        status = response.status_code
        if response.is_success or status == allow:
            return response
        log.info("tool_call_failed", tool=self._tool, method=method, status=status)
        if status == 429:
            raise ToolBusy(f"{self._tool} answers 429: too many calls.", _seconds(response.headers.get("Retry-After")))
        if status >= 500:
            raise Unavailable(f"{self._tool} answers {status}.", "It is tried again.")
        raise ToolRefused(f"{self._tool} answers {status} to {method}.", _REMEDIES.get(status, ""))

    def _json(self, response: httpx.Response) -> Any:
        try:
            return response.json()
        except ValueError:
            raise ToolRefused(f"{self._tool} answers with something that is no JSON.", "Check its URL.") from None


_REMEDIES = {
    401: "Check the token that is set for it.",
    403: "The owner of the token may not do this there.",
    404: "The ticket is gone, or its owner may not see it.",
}


def _seconds(retry_after: str | None) -> float:
    """A Retry-After in seconds; the form with a date is not used by these tools, and counts as a minute."""
    if retry_after is None:
        return 1.0
    return min(float(retry_after), _LONGEST_PUT_OFF) if retry_after.strip().isdigit() else 60.0
