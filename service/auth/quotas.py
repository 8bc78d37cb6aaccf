"""How often and how much at once a key may ask, and how often an address may guess keys.

Rates are moving windows of a minute, counted by the `limits` library in this process, or where `limits_url` says, so
that replicas share them; what is being answered is counted by each process for itself.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from limits import RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from domains.spec import TooMany
from service.auth.keys import Caller
from service.settings import Settings


class Quotas:
    """Counts requests by key, and failed keys by address."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._window = MovingWindowRateLimiter(storage_from_string(settings.limits_url))
        self._busy: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def held(self, caller: Caller) -> Iterator[None]:
        """Count a request of a caller while it is answered.

        Raises:
            TooMany: it asked too often in the last minute, or for too much at once.
        """
        self.spend(caller)
        self._enter(caller)
        try:
            yield
        finally:
            with self._lock:
                self._busy[caller.key_id] -= 1
                self._busy += Counter()  # forgets who has none left

    def guessed(self, address: str) -> None:
        """Count a wrong key.

        Raises:
            TooMany: the address sent too many in the last minute.
        """
        item = RateLimitItemPerMinute(self._settings.wrong_keys_per_minute)
        self._hit(item, "address", address, "Too many wrong keys came from this address.")

    def spend(self, caller: Caller) -> None:
        """Count one request of a caller.

        Raises:
            TooMany: it asked too often in the last minute.
        """
        most = caller.per_minute or self._settings.requests_per_minute
        self._hit(RateLimitItemPerMinute(most), "key", caller.key_id, f"This key may send {most} requests a minute.")

    def _enter(self, caller: Caller) -> None:
        most = caller.at_once or self._settings.requests_at_once
        with self._lock:
            if self._busy[caller.key_id] >= most:
                raise TooMany(f"This key may ask for {most} things at once.", "Wait for one of them.")
            self._busy[caller.key_id] += 1

    def _hit(self, item: RateLimitItemPerMinute, kind: str, name: str, refusal: str) -> None:
        if not self._window.hit(item, kind, name):
            opens = self._window.get_window_stats(item, kind, name).reset_time - time.time()
            raise TooMany(refusal, "Wait as long as Retry-After says.", max(1.0, opens))
