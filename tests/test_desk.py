"""The command line as a client of the running service, and on its own: the same commands, the same answers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.servers import free_port

ROOT = Path(__file__).parents[1]
V1 = "---\ndoc_id: tern\ntitle: Tern\naudience: public\neffective_from: 2026-01-01\n---\n# Tern\n\nThe tern fee is 93 EUR.\n"


def formfact(*arguments, home):
    env = {**os.environ, "FORMFACT_HOME": str(home), "COLUMNS": "160", "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )


def told(*arguments, home):
    done = formfact(*arguments, home=home)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def serving(seeded):
    """A home that a service owns."""
    home = seeded()
    port = str(free_port())
    env = {**os.environ, "FORMFACT_HOME": str(home)}
    service = subprocess.Popen(
        [sys.executable, "-m", "cli", "serve", "--port", port],
        cwd=ROOT,
        env=env,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    for _ in range(240):
        note = home / "service.json"
        if note.exists() and "url" in note.read_text():
            break
        assert service.poll() is None, "the service did not start"
        time.sleep(0.5)
    time.sleep(1)
    yield home
    service.send_signal(signal.SIGTERM)
    service.wait(timeout=20)


def test_the_same_without_a_service(seeded, tmp_path):
    home, folder = seeded(), tmp_path / "in"
    folder.mkdir()
    (folder / "tern.md").write_text(V1)
    (folder / "bad.pdf").write_bytes(b"no pdf")
    done = formfact("ingest", str(folder), home=home)
    assert done.returncode == 1, "a refused file is told by the exit code"
    assert "1 new, 1 refused" in done.stdout
    assert "bad.pdf" in done.stdout
    reply = json.loads(told("respond", "How much is the tern fee?", "--as-of", "2026-07-01", "--json", home=home))
    assert "93 EUR" in reply["answer"]["text"]
    erased = json.loads(told("documents", "purge", "tern", "--yes", "--json", home=home))
    assert (erased["versions"], erased["journal_records"]) == (1, 1)
    assert "agree" in told("documents", "verify", home=home)


def test_a_document_from_the_first_version_to_its_erasure(serving, tmp_path):
    home = serving
    file = tmp_path / "tern.md"
    file.write_text(V1)
    assert "1 new" in told("ingest", str(file), home=home)
    file.write_text(V1.replace("2026-01-01", "2026-06-01").replace("93", "97"))
    assert json.loads(told("ingest", str(file), "--json", home=home))[0]["version"] == 2
    reply = json.loads(
        told(
            "respond", "How much is the tern fee?", "--as-of", "2026-07-01", "--audience", "public", "--json", home=home
        )
    )
    assert "97 EUR" in reply["answer"]["text"]
    found = json.loads(told("search", "tern fee", "--as-of", "2026-02-01", "--json", home=home))
    assert (found["passages"][0]["doc_id"], found["passages"][0]["version"]) == ("tern", 1)
    changed = told("documents", "diff", "tern", "1", "2", home=home)
    assert "-The tern fee is 93 EUR." in changed
    assert "+The tern fee is 97 EUR." in changed
    log = json.loads(told("documents", "log", "tern", "--json", home=home))
    assert [r["change"] for r in log] == ["published", "published"]
    as_known = json.loads(told("documents", "--revision", str(log[1]["revision"]), "--json", home=home))
    assert next(d for d in as_known if d["doc_id"] == "tern")["holds"] == 1
    assert "agree" in told("documents", "verify", home=home)
    assert "agree" in told("documents", "rebuild", home=home)
    assert "2026-09-01" in told("documents", "retract", "tern", "--at", "2026-09-01", home=home)
    erased = json.loads(told("documents", "purge", "tern", "--yes", "--json", home=home))
    assert (erased["versions"], erased["texts"], erased["left"]) == (2, 2, "nothing")
    assert b"tern fee" not in b"".join(p.read_bytes() for p in home.rglob("*") if p.is_file()).lower().replace(
        b"how much is the tern fee", b""
    )
    refused = formfact("documents", "diff", "tern", "1", "2", home=home)
    assert (refused.returncode, "There is no document" in refused.stderr) == (1, True)


def test_restricting_history_through_the_service(serving, tmp_path):
    file = tmp_path / "stoat.md"
    for text in (V1, V1.replace("2026-01-01", "2026-06-01").replace("public", "agents")):
        file.write_text(text.replace("tern", "stoat"))
        told("ingest", str(file), "--restrict-history", home=serving)
    listed = json.loads(told("documents", "--as-of", "2026-02-01", "--json", home=serving))
    assert next(d for d in listed if d["doc_id"] == "stoat")["versions"][0]["restricted_to"] == ["agents"]
    public = json.loads(told("documents", "--as-of", "2026-02-01", "--audience", "public", "--json", home=serving))
    assert "stoat" not in {d["doc_id"] for d in public}
    assert "1 unchanged" in told("ingest", str(file), "--restrict-history", home=serving)


def test_a_link_into_the_console(serving):
    page = httpx.get(told("console", home=serving).strip())
    assert (page.status_code, "Sign in" in page.text) == (200, True)


def test_a_second_service_is_refused_soon_with_the_owners_process_id(serving):
    owner = json.loads((serving / "service.json").read_text())
    done = formfact("serve", home=serving)
    assert done.returncode == 1
    assert str(owner["pid"]) in done.stderr
    assert "FORMFACT_HOME" in done.stderr


def test_another_audience_reads_through_a_key_that_is_gone_afterwards(serving):
    listed = json.loads(told("documents", "--audience", "public", "--json", home=serving))
    assert listed
    assert not any(d["doc_id"].startswith("agent-") for d in listed)
    assert formfact("search", "x", "--audience", "martians", home=serving).returncode == 1


@pytest.mark.slow
def test_a_dry_run_says_what_would_change_and_changes_nothing(seeded, tmp_path, monkeypatch):
    home, domain = seeded(), shutil.copytree(ROOT / "domains" / "support", tmp_path / "support")
    monkeypatch.setenv("FORMFACT_DOMAIN", str(domain))
    cases = domain / "cases" / "dev.jsonl"
    cases.write_text("".join(cases.read_text().splitlines(keepends=True)[:12]))
    prices = (ROOT / "domains/support/documents/plan-prices/v3.csv").read_text().replace("13.50", "14.75")
    (tmp_path / "new.csv").write_text(prices)
    before = told("documents", "--json", home=home)
    done = told(
        "ingest",
        str(tmp_path / "new.csv"),
        "--doc-id",
        "plan-prices",
        "--title",
        "Price list",
        "--effective-from",
        "2026-10-02",
        "--dry-run",
        home=home,
    )
    assert "1 changed" in done
    assert "development cases change" in done
    assert "14.75" in done
    assert told("documents", "--json", home=home) == before


def test_a_folder_is_followed(serving, tmp_path):
    (tmp_path / "first.md").write_text(V1.replace("tern", "plover").replace("Tern", "Plover"))
    env = {**os.environ, "FORMFACT_HOME": str(serving), "COLUMNS": "160", "PYTHONUNBUFFERED": "1"}
    follower = subprocess.Popen(
        [sys.executable, "-m", "cli", "ingest", str(tmp_path), "--watch"],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in follower.stdout:
        if "Following" in line:
            break
    time.sleep(1)
    (tmp_path / "second.md").write_text(V1.replace("tern", "curlew").replace("Tern", "Curlew"))
    for _ in range(60):
        time.sleep(0.5)
        listed = {d["doc_id"] for d in json.loads(told("documents", "--json", home=serving))}
        if "curlew" in listed:
            break
    follower.send_signal(signal.SIGINT)
    assert follower.wait(timeout=20) in (0, 1, 130)
    follower.stdout.close()
    assert {"plover", "curlew"} <= listed
