"""What a caller may not read comes out nowhere."""

from __future__ import annotations

import pytest
from rich.console import Console

from service.build import build
from service.prepare import take_in_adapter
from service.settings import Settings
from tests.leaks import look


@pytest.mark.parametrize("times", [60, pytest.param(1000, marks=pytest.mark.slow)])
def test_no_forbidden_word_comes_out(tmp_path, domain, encoder, times):
    services = build(Settings(home=tmp_path, requests_per_minute=10**6), domain, encoder)
    services.publisher.upkeep.start()
    take_in_adapter(services, Console(quiet=True))
    figures = look(services, times)
    services.close()
    assert figures["forbidden words"] == 0
    assert figures["answered"] > times / 6, "too few answers to find a leak in"
