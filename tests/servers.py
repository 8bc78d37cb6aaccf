"""Real servers for the tests: Chroma, and a database that several processes share."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import pytest


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def chroma(tmp_path_factory):
    """A real Chroma server (the Rust one) on loopback."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen([*command, "--path", str(tmp_path_factory.mktemp("chroma"))], stdout=subprocess.DEVNULL)
    try:
        wait(lambda: httpx.get(f"http://127.0.0.1:{port}/api/v2/heartbeat").is_success)
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=20)


def postgres_programs() -> Path | None:
    """The folder of `initdb` and `pg_ctl`; Debian keeps them out of the PATH."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((folder for folder in reversed(folders) if (folder / "initdb").exists()), None)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request, tmp_path_factory):
    """A database that two engines share."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'shared.db'}"
        return
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL's programs are not on this machine")
    folder, port = Path(tempfile.mkdtemp(prefix="formfact-postgres-")), free_port()
    folder.chmod(0o777)  # PostgreSQL runs as somebody else, see below
    user = {"user": "nobody"} if os.getuid() == 0 else {}  # PostgreSQL refuses to run as root

    def run(program, *options):
        command = [str(programs / program), *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **user)

    data = str(folder / "data")
    run("initdb", "-D", data, "-A", "trust", "-U", "formfact")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    run("pg_ctl", "-w", "-D", data, "-o", options, "-l", str(folder / "log"), "start")
    yield f"postgresql+psycopg://formfact@127.0.0.1:{port}/postgres"
    run("pg_ctl", "-D", data, "-m", "immediate", "stop")
    shutil.rmtree(folder)


def wait(ready) -> None:
    for _ in range(100):
        try:
            if ready():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError("it did not start")
