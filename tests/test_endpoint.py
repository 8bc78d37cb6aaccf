"""The comparison against an OpenAI-compatible endpoint, by its command."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.chat_server import ChatServer

TIMES = {"made"}


@pytest.fixture
def endpoint():
    made = ChatServer()
    yield made
    made.close()


def compare(out, url):
    asked = ["evals", "compare", "--limit", "3", "--no-ablations", "--llm", "openai:some-model", "--out", str(out)]
    told = os.environ | {"FORMFACT_LLM_URL": url, "FORMFACT_LLM_KEY": "none", "FORMFACT_HOME": str(out / "home")}
    done = subprocess.run(
        [sys.executable, "-m", "cli", *asked, "--json"], env=told, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.slow
def test_any_openai_compatible_endpoint_is_compared_and_not_asked_twice(endpoint, tmp_path):
    first = compare(tmp_path, endpoint.url)
    arms = {arm["arm"]: arm for arm in first["arms"]}
    assert {"hybrid", "rag", "tuned", "prompt", "hybrid, chat", "rag, chat"} <= arms.keys()
    assert not first["run"]["weak_chat"], "only a model that is known to be weak is called so"
    assert endpoint.seen
    assert all(asked["model"] == "some-model" for asked in endpoint.seen)
    assert max(asked.get("max_tokens") or asked["max_completion_tokens"] for asked in endpoint.seen) <= 96
    asked = len(endpoint.seen)
    again = compare(tmp_path, endpoint.url)
    assert len(endpoint.seen) == asked, "what was answered is kept"
    assert timeless(again) == timeless(first)


def timeless(found):
    """A report without what is measured by the clock, or made of that."""
    if isinstance(found, dict):
        return {name: timeless(value) for name, value in found.items() if name not in TIMES}
    return [timeless(value) for value in found] if isinstance(found, list) else found
