"""What tests and screenshots of the console share: a small home with two adapters, a served application, a browser."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from playwright.sync_api import sync_playwright

from adapters.store import Verdict
from service.api.app import create_app
from service.auth.keys import Caller
from service.build import Services, build
from service.settings import Settings
from service.use_cases import documents
from tests.servers import free_port
from tests.shelf import EVERYONE, submitted

CHROMIUM = "FORMFACT_CHROMIUM"
_SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SETUP = Caller("setup", frozenset(), EVERYONE)


def furnished(home: Path, domain, encoder, **settings) -> Services:
    """A home with the shipped adapter live and no documents."""
    made = build(Settings(home=home, **settings), domain, encoder)
    made.registry.promote(made.registry.store.register(domain.folder / "adapter"), "setup")
    made.publisher.upkeep.start()
    return made


def second_adapter(services: Services, folder: Path) -> str:
    """The shipped adapter under a stricter threshold, passed by the gate."""
    shutil.copytree(services.domain.folder / "adapter", folder)
    manifest = json.loads((folder / "adapter.json").read_text())
    manifest["thresholds"]["queue"] = 1.001
    (folder / "adapter.json").write_text(json.dumps(manifest))
    made = services.registry.store.register(folder)
    services.registry.store.record(Verdict(made, services.domain.fingerprint, "sha256:cases", True, (), {}))
    return made


def publish(services: Services, doc_id: str, text: str, **stated):
    """Publish a Markdown text as somebody who may publish to all."""
    return documents.publish(services, SETUP, submitted(doc_id, text, **stated))


@contextmanager
def served(services: Services):
    """The application on a free port of this machine; gives its address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(create_app(services), port=port, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(timeout=20)


@contextmanager
def browser():
    """Debian's Chromium, headless. Its absence is a failure, for nothing else sees what a person sees."""
    path = os.environ.get(CHROMIUM, "/usr/bin/chromium")
    if not Path(path).is_file():
        raise AssertionError(f"{path} is not there: `apt-get install -y chromium`, or {CHROMIUM}=path of a Chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=_SWITCHES)
        yield launched
        launched.close()
