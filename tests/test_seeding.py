"""Seeding at start: shipped documents are published once, completed if interrupted, and never brought back."""

from __future__ import annotations

import io
import shutil
from datetime import UTC, datetime

import pytest
from rich.console import Console
from sqlalchemy import event, select

from domains.spec import load_domain
from ingest import guard
from ingest.folder import submission
from ingest.limits import DEFAULTS
from ingest.metadata import Metadata
from retrieval.timestamps import now
from service.auth.keys import Caller
from service.build import build
from service.db.tables import seeds
from service.prepare import prepare
from service.seeding import seed
from service.settings import Settings
from service.use_cases import documents

EVERYBODY = frozenset({"public", "customers", "agents"})
OWNER = Caller("test", frozenset({"ingest", "admin"}), EVERYBODY)
FEES = {1: ("2026-01-01", "41"), 2: ("2026-06-01", "57")}


class Crash(BaseException):
    """The process is gone."""


def page(doc_id, start, price):
    stated = f"doc_id: {doc_id}\ntitle: {doc_id}\naudience: public\neffective_from: {start}\n"
    return f"---\n{stated}---\n# {doc_id}\n\nThe {doc_id} fee is {price} EUR.\n"


def ship(folder, doc_id, number, start, price):
    path = folder / "documents" / doc_id / f"v{number}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(doc_id, start, price), encoding="utf-8")
    return path


@pytest.fixture
def shipped(tmp_path, domain):
    """A domain's folder with two documents of two versions each."""
    folder = tmp_path / "domain"
    folder.mkdir()
    shutil.copy(domain.folder / "domain.yaml", folder)
    shutil.copytree(domain.folder / "formats", folder / "formats")
    for doc_id in ("vault", "seal"):
        for number, (start, price) in FEES.items():
            ship(folder, doc_id, number, start, price)
    return folder


@pytest.fixture
def start(tmp_path, shipped, encoder):
    """Starts the service on one home, as often as it is called; returns its parts and what it printed."""
    opened = []

    def start(run=prepare):
        while opened:
            opened.pop().close()
        services = build(Settings(home=tmp_path / "home"), load_domain(str(shipped)), encoder)
        opened.append(services)
        said = io.StringIO()
        run(services, Console(file=said, width=500))
        return services, said.getvalue()

    yield start
    while opened:
        opened.pop().close()


def held(services):
    """Document -> the numbers and revisions of its versions."""
    return {d: [v.version for v in h.versions] for d, h in services.catalog.timeline().histories.items() if h.versions}


def lines_about(said, doc_id):
    return [line for line in said.splitlines() if line.startswith(f"{doc_id}:")]


def test_a_fresh_home_gets_every_version_and_a_second_start_reads_nothing(start, monkeypatch):
    services, said = start()
    assert held(services) == {"vault": [1, 2], "seal": [1, 2]}
    assert "2 new, 2 changed" in said
    head = services.catalog.head()
    monkeypatch.setattr(guard, "read_within", lambda *_: pytest.fail("a file was read again"))
    monkeypatch.setattr("ingest.drafting.read_within", lambda *_: pytest.fail("a file was read again"))
    services, said = start()
    assert (services.catalog.head(), said) == (head, "")


def test_what_was_purged_or_retracted_stays_gone_whatever_the_next_release_ships(start, shipped):
    services, _ = start()
    documents.purge(services, OWNER, "vault")
    documents.retract(services, OWNER, "seal", "2026-07-01")
    head = services.catalog.head()
    services, said = start()
    assert (services.catalog.head(), said) == (head, "")
    ship(shipped, "vault", 1, "2026-01-01", "42")
    ship(shipped, "seal", 2, "2026-06-01", "58")
    ship(shipped, "lantern", 1, "2026-01-01", "3")
    services, said = start()
    assert held(services) == {"seal": [1, 2], "lantern": [1]}
    (erased,), (retracted,) = lines_about(said, "vault"), lines_about(said, "seal")
    assert "it was erased" in erased
    assert "it was retracted" in retracted
    assert "formfact ingest" in erased


def test_a_purged_version_stays_purged(start, shipped):
    services, _ = start()
    documents.purge(services, OWNER, "vault", 2)
    services, said = start()
    assert (held(services)["vault"], said) == ([1], "")
    ship(shipped, "seal", 1, "2026-01-01", "40")  # any other change of the folder
    services, _ = start()
    assert held(services)["vault"] == [1]


def test_a_new_version_file_of_a_known_document_is_reported_until_somebody_publishes_it(start, shipped):
    start()
    path = ship(shipped, "vault", 3, "2026-09-01", "63")
    for _ in range(2):
        services, said = start()
        (line,) = lines_about(said, "vault")
        assert "vault/v3.md differs from the published versions" in line
        assert f"`formfact ingest {path}`" in line
        assert held(services)["vault"] == [1, 2]
    done = documents.publish(services, OWNER, submission(path, Metadata(), DEFAULTS))
    assert done.version == 3
    services, said = start()
    assert (held(services)["vault"], said) == ([1, 2, 3], "")


def test_a_changed_side_car_is_a_difference(start, shipped):
    path = shipped / "documents" / "lamp.txt"
    path.write_text("The lamp fee is 5 EUR.", encoding="utf-8")
    beside = path.with_name("lamp.txt.meta.yaml")
    beside.write_text("audience: public\neffective_from: 2026-01-01\n", encoding="utf-8")
    start()
    beside.write_text("audience: public\neffective_from: 2026-02-01\n", encoding="utf-8")
    services, said = start()
    assert len(lines_about(said, "lamp")) == 1
    assert held(services)["lamp"] == [1]


@pytest.mark.parametrize("after", [3, 17, 30, 45])  # of some fifty writes
def test_an_interrupted_seeding_is_completed_by_the_next_start(start, after):
    def interrupted(services, console):
        left = [after]

        def count(connection, cursor, statement, *_):
            left[0] -= statement.startswith(("INSERT", "UPDATE"))
            if left[0] < 0:
                raise Crash

        services.publisher.upkeep.start()
        event.listen(services.engine, "before_cursor_execute", count)
        seed(services, console)

    with pytest.raises(Crash):
        start(interrupted)
    services, _ = start()
    assert held(services) == {"vault": [1, 2], "seal": [1, 2]}
    assert services.publisher.upkeep.verify().problems == ()
    services, said = start()
    assert said == ""


def test_an_interrupted_document_that_somebody_retracted_is_not_completed(start):
    services, _ = start(crash_after_one_version)
    assert sorted(held(services)) == ["seal"]
    documents.retract(services, OWNER, "seal")
    seed(services, Console(quiet=True))
    view = services.catalog.view(EVERYBODY, now())
    assert [v.doc_id for v in view.versions] == ["vault"]
    with services.engine.connect() as connection:
        assert set(connection.execute(select(seeds.c.path).where(~seeds.c.done)).scalars()) == {"seal/v2.md"}


def crash_after_one_version(services, console):
    published = []

    def crash(connection, cursor, statement, *_):
        published.extend([statement] if statement.startswith("INSERT INTO versions") else [])
        if len(published) > 1:
            raise Crash

    services.publisher.upkeep.start()
    event.listen(services.engine, "before_cursor_execute", crash)
    with pytest.raises(Crash):
        seed(services, console)
    event.remove(services.engine, "before_cursor_execute", crash)


def test_a_file_that_is_refused_is_reported_at_each_start_and_published_once_it_can_be_read(start, shipped):
    path = shipped / "documents" / "vault" / "v3.md"
    path.write_text("---\ndoc_id: [vault\n---\nx\n", encoding="utf-8")
    for _ in range(2):
        services, said = start()
        assert "refused" in said
        assert held(services) == {"vault": [1, 2], "seal": [1, 2]}


def test_a_domain_without_documents_and_cases_serves(start, shipped, domain):
    from fastapi.testclient import TestClient

    from service.api.app import create_app

    shutil.rmtree(shipped / "documents")
    services, _ = start()
    with TestClient(create_app(services)) as client:
        client.headers["Authorization"] = f"Bearer {services.local_key}"
        assert client.get("/readyz").status_code == 200
        reply = client.post("/v1/respond", json={"ticket": {"body": "What does the vault cost?"}})
        assert reply.status_code == 200
        assert reply.json()["citations"] == []
        assert client.get("/v1/documents").json() == []
        sent = client.post("/v1/documents", files={"file": ("vault.md", page("vault", "2026-01-01", "41"))})
        assert sent.status_code == 201
        moment = datetime(2026, 2, 1, tzinfo=UTC)
        assert [v.doc_id for v in services.catalog.view(EVERYBODY, moment).versions] == ["vault"]


def test_the_check_of_a_domain_names_the_folders_that_are_missing(shipped):
    from typer.testing import CliRunner

    from domains.commands import app

    shutil.rmtree(shipped / "documents")
    said = CliRunner().invoke(app, ["check", "--domain", str(shipped)])
    assert said.exit_code == 0, said.output
    for name in ("documents", "cases", "tickets", "adapter"):
        assert f"{shipped / name} is missing" in said.output
    assert "is missing" not in CliRunner().invoke(app, ["check", "--domain", "support"]).output
