"""The API against its own OpenAPI document: Schemathesis asks everything, a generated client works."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
import uvicorn

from service.api.app import create_app
from service.build import build
from service.prepare import prepare
from service.settings import Settings

CONFIG = Path(__file__).with_name("schemathesis.toml")


@pytest.fixture(scope="module")
def service(seeded, domain, encoder):
    """A service on a free port, with its address and key; nobody limits how often it is asked."""
    from rich.console import Console

    made = build(Settings(home=seeded(), requests_per_minute=10**6, wrong_keys_per_minute=10**6), domain, encoder)
    prepare(made, Console(quiet=True))
    server = uvicorn.Server(uvicorn.Config(create_app(made), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", made.local_key
    server.should_exit = True
    thread.join()
    made.close()


@pytest.mark.slow
def test_schemathesis_finds_nothing(service):
    """All phases and all checks over every operation; the only exception stands with its reason in the config."""
    url, key = service
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG), "run"]
    options = ["-H", f"Authorization: Bearer {key}", "--checks", "all", "--max-examples", "20", "--seed", "1"]
    done = subprocess.run(
        [*command, f"{url}/openapi.json", *options, "--continue-on-failure", "--no-color"],
        capture_output=True, text=True, timeout=1500, check=False,
    )  # fmt: skip
    print(done.stdout[-1500:])
    assert done.returncode == 0, done.stdout[-8000:]
    sent = int(re.search(r"(\d+) generated", done.stdout)[1])
    assert sent > 1000
    assert re.search(r"Selected: (\d+)/\1\s+Tested: \1", done.stdout), "every operation was asked"
    assert httpx.get(f"{url}/v1/domain", headers={"Authorization": f"Bearer {key}"}).status_code == 200, "with its key"


def test_a_generated_client_works(service, tmp_path, monkeypatch):
    url, key = service
    schema = tmp_path / "openapi.json"
    schema.write_text(httpx.get(f"{url}/openapi.json").text)
    tools = Path(sys.executable).parent  # the generator calls the formatter beside it
    path = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    command = [tools / "openapi-python-client", "generate", "--path", schema, "--output-path", tmp_path / "client"]
    subprocess.run([*command, "--fail-on-warning"], env=os.environ | path, check=True, capture_output=True, text=True)
    monkeypatch.syspath_prepend(str(tmp_path / "client"))
    client = importlib.import_module("formfact_client").AuthenticatedClient(base_url=url, token=key)
    respond = importlib.import_module("formfact_client.api.tickets.respond")
    models = importlib.import_module("formfact_client.models")
    ticket = models.TicketIn(body="What does the Team plan cost per user in EUR, billed monthly?")
    with client:
        reply = respond.sync(client=client, body=models.RespondRequest(ticket=ticket))
    assert reply.action == "answer"
    assert reply.citations[0].doc_id == "plan-prices"
    stranger = importlib.import_module("formfact_client").AuthenticatedClient(base_url=url, token="ff_no")
    with stranger:
        refusal = respond.sync(client=stranger, body=models.RespondRequest(ticket=ticket))
    assert isinstance(refusal, models.Problem)
    assert refusal.status == 401
