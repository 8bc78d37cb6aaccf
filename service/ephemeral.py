"""A service with a state of its own that is gone afterwards: for evals, and for the reference of drift."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from adapters.structured import Structured
from domains.spec import Domain
from service.build import Services, build
from service.data_dir import owned
from service.prepare import prepare
from service.settings import Settings


@contextmanager
def apart(domain: Domain, settings: Settings | None = None, chat: Structured | None = None) -> Iterator[Services]:
    """A service as the environment sets it, or as told, with a state of its own that is gone afterwards."""
    with TemporaryDirectory() as home:
        own = (settings or Settings(domain=str(domain.folder))).elsewhere(Path(home))
        with owned(own):
            services = build(own, domain=domain, chat=chat)
            prepare(services, Console(stderr=True, quiet=True))
            try:
                yield services
            finally:
                services.close()
