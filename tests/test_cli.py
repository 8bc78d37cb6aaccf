"""The command line as a person meets it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def formfact(*arguments, **environment):
    env = {**os.environ, **environment, "COLUMNS": "160"}
    command = [sys.executable, "-m", "cli", *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize(
    "command", [[], ["serve"], ["console"], ["respond"], ["search"], ["ingest"], ["documents"], ["evals", "run"]]
)
def test_help_shows_an_example(command):
    done = formfact(*command, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout
    assert not command or "Example" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["respond", " "], "body"),
        (["ingest", "/no/such/folder"], "does not exist"),
        (["respond", "x", "--as-of", "soon"], "2026-03-01"),
        (["search", "x", "--audience", "martians"], "nobody declared"),
        (["console"], "formfact serve"),
        (["domain", "check", "--domain", "nowhere"], "domain.yaml"),
    ],
)
def test_errors_are_told_in_words_and_exit_with_1(arguments, told, shared_home):
    done = formfact(*arguments, FORMFACT_HOME=str(shared_home))
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def shared_home(seeded):
    return seeded()


def test_a_second_process_is_refused_by_name(tmp_path):
    from service.data_dir import owned
    from service.settings import Settings

    with owned(Settings(home=tmp_path)):
        done = formfact("documents", FORMFACT_HOME=str(tmp_path))
    assert done.returncode == 1
    assert str(os.getpid()) in done.stderr


def test_a_client_of_the_running_service_loads_no_model():
    code = "import service.cli.remote, service.cli.adapter_commands, sys; print([m for m in ('torch', 'peft', 'chromadb') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
