"""Takes the pictures of docs/console.md anew, in a home of its own: `python -m tests.screenshots`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from PIL import Image
from rich.console import Console

from adapters.encoder import Encoder
from domains.spec import load_domain
from service.build import Services
from service.prepare import prepare
from tests.console import browser, furnished, second_adapter, served

OUT = Path(__file__).parents[1] / "docs" / "console"
PRICE = "Hi, what does the Team plan cost per user if we pay monthly in euros? We are four people. Jo, jo@example.com"
DOUBLE = "I was charged twice this month and I want the second payment back today. This is the third time I write!"
COLOURS = 96  # of a picture; text on flat colours needs no more


def main() -> None:
    """Furnish a home, serve it, and take the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        domain = load_domain("support")
        parts = furnished(Path(folder) / "home", domain, Encoder(domain.encoder), review_sample=0.0)
        prepare(parts, Console(stderr=True))
        parts.registry.shadow(second_adapter(parts, Path(folder) / "other"), "setup")
        with served(parts) as url, browser() as chromium:
            _desk(chromium, url, parts)
            _night(chromium, url, parts)
            _phone(chromium, url, parts)
        parts.close()


def _desk(chromium, url: str, parts: Services) -> None:
    page = _signed_in(chromium, url, parts, viewport={"width": 1100, "height": 800})
    _ask(page, PRICE)
    _take(page, "ask")
    page.goto("/documents/plan-prices")
    _take(page, "document")
    page.goto("/documents/refund-policy/diff")
    _take(page, "changes")
    _ask(page, DOUBLE, "Charged twice")
    page.get_by_label("Comment").fill("It should open a refund.")
    page.get_by_role("button", name="Not helpful").click()
    parts.shadow.wait()
    page.goto("/reviews")
    page.locator("main td a").first.click()
    _take(page, "review")
    page.goto("/adapters")
    _take(page, "adapters")


def _night(chromium, url: str, parts: Services) -> None:
    page = _signed_in(chromium, url, parts, viewport={"width": 1100, "height": 800}, color_scheme="dark")
    page.goto("/operations")
    _take(page, "operations-dark")


def _phone(chromium, url: str, parts: Services) -> None:
    page = _signed_in(chromium, url, parts, viewport={"width": 360, "height": 740})
    _ask(page, PRICE)
    _take(page, "ask-phone")


def _signed_in(chromium, url: str, parts: Services, **options):
    page = chromium.new_context(base_url=url, **options).new_page()
    page.goto(parts.sign_in_path())
    page.get_by_role("button", name="Sign in").click()
    return page


def _ask(page, body: str, subject: str = "") -> None:
    page.goto("/")
    page.get_by_label("Message").fill(body)
    page.get_by_label("Subject").fill(subject)
    page.get_by_role("button", name="Ask").click()
    page.wait_for_url("**/answers/*", timeout=120_000)


def _take(page, name: str) -> None:
    path = OUT / f"{name}.png"
    OUT.mkdir(exist_ok=True)
    page.screenshot(path=path)
    with Image.open(path) as taken:
        small = taken.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
