"""Who may ask what: every endpoint with every scope, and a caller of another audience at each that tells of documents."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.api.app import create_app
from service.auth.keys import SCOPES, Wanted
from service.build import build
from service.settings import Settings
from tests.endpoints import ANY_KEY, NONE, SIGNATURE, as_markdown, endpoints

DOCS = Path(__file__).parents[1] / "docs" / "api.md"
SECRET = "wolverine"  # stands in a hidden document, in its title and in its name


@pytest.fixture(scope="module")
def parts(tmp_path_factory, domain, encoder):
    """A home whose one document most callers may not read."""
    made = build(Settings(home=tmp_path_factory.mktemp("home"), wrong_keys_per_minute=10**6), domain, encoder)
    made.publisher.upkeep.start()
    made.registry.promote("baseline:zero-shot", "test")
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(parts):
    with TestClient(create_app(parts), raise_server_exceptions=False) as made:
        yield made


def caller(parts, scopes, audiences):
    with parts.engine.begin() as tx:
        _, secret = parts.keys.create(Wanted("test", tuple(scopes), tuple(audiences)), "test", tx)
    return {"Authorization": f"Bearer {secret}"}


def asked(client, endpoint, headers):
    path = endpoint.path.replace("{number}", "1").replace("{", "").replace("}", "")
    sent = {} if endpoint.method in ("GET", "DELETE") else {"json": {"nothing": "right"}}
    return client.request(endpoint.method, path, headers=headers, **sent)


def test_each_endpoint_lets_in_its_scope_and_no_other(parts, client, domain):
    everybody = {scope: caller(parts, [scope], domain.audiences) for scope in SCOPES}
    cells = 0
    for endpoint in endpoints(client.app):
        if endpoint.needs in (NONE, SIGNATURE):
            continue
        assert asked(client, endpoint, {}).status_code == 401, endpoint
        assert asked(client, endpoint, {"Authorization": "Bearer ff_wrong"}).status_code == 401, endpoint
        for scope, headers in everybody.items():
            status = asked(client, endpoint, headers).status_code
            assert status != 401
            assert (status == 403) == (endpoint.needs not in (scope, ANY_KEY)), (endpoint, scope, status)
            cells += 1
    assert cells >= 150


def test_what_needs_no_key_is_little(client):
    assert {e.path for e in endpoints(client.app) if e.needs == NONE} == {"/healthz", "/readyz"}
    signed = [e for e in endpoints(client.app) if e.needs == SIGNATURE]
    assert {asked(client, e, {}).status_code for e in signed} == {401}


def test_the_table_in_the_docs_is_the_applications(client):
    text = DOCS.read_text(encoding="utf-8")
    before, _, rest = text.partition("<!-- endpoints -->\n")
    table, _, _ = rest.partition("\n<!-- /endpoints -->")
    assert before
    assert table == as_markdown(client.app), "run `python -m tests.write_endpoints`"


def test_no_endpoint_tells_another_audience_of_a_document(parts, client, domain):
    """Each endpoint answers an outsider with a hidden document as it does without it."""
    hidden = next(a for a in domain.audiences if a not in domain.readable_by(["public"]))
    insider = caller(parts, SCOPES, domain.audiences)
    outsider = caller(parts, SCOPES, ["public"])
    before = told(client, outsider)
    page = f"---\ntitle: The {SECRET} fee\naudience: {hidden}\n---\n# {SECRET}\n\nThe {SECRET} fee is 66 EUR.\n"
    sent = client.post(
        "/v1/documents", headers=insider, files={"file": (f"{SECRET}.md", page)}, data={"doc_id": SECRET}
    )
    assert sent.status_code == 201, sent.text
    reply = client.post(
        "/v1/respond", headers=insider, json={"ticket": {"body": f"How much is the {SECRET} fee?"}}
    ).json()
    assert "66 EUR" in reply["answer"]["text"]
    client.post("/v1/feedback", headers=insider, json={"request_id": reply["request_id"], "helpful": False})
    after = told(client, outsider)
    assert after == before
    assert "66 EUR" in client.get("/v1/reviews", headers=insider).text
    assert "66 EUR" not in client.get("/v1/reviews", headers=outsider).text, "its own questions alone"
    for method, path in ((m, p.format(reply["request_id"])) for m, p in BY_ID):
        answer = client.request(method, path, headers=outsider, json={} if method == "POST" else None)
        assert answer.status_code in (404, 422), (method, path, answer.text)
        assert SECRET not in answer.text.replace(f"`{SECRET}`", ""), (method, path)
    assert insider_sees(client, insider)


def test_a_document_whose_history_is_restricted_is_as_one_that_is_not_there(parts, client, domain):
    hidden = next(a for a in domain.audiences if a not in domain.readable_by(["public"]))
    insider, outsider = caller(parts, SCOPES, domain.audiences), caller(parts, SCOPES, ["public"])

    def send(start, price, **fields):
        page = f"# Badger\n\nThe badger fee is {price} EUR.\n"
        data = {"doc_id": "badger", "effective_from": start, **fields}
        return client.post("/v1/documents", headers=insider, files={"file": ("b.md", page)}, data=data)

    def answers(doc_id, headers):
        body = {"ticket": {"body": f"How much is the {doc_id} fee?"}, "as_of": "2026-02-01"}
        sent = [
            client.get(f"/v1/documents/{doc_id}", headers=headers),
            client.get(f"/v1/documents/{doc_id}?as_of=2026-02-01&revision={first}", headers=headers),
            client.get(f"/v1/documents/{doc_id}/versions/1", headers=headers),
            client.post(f"/v1/documents/{doc_id}/retract", headers=headers, json={}),
        ]
        told = [(a.status_code, a.json()["detail"].replace(doc_id, "DOC")) for a in sent]
        reply = client.post("/v1/respond", headers=headers, json=body).json()
        search = {"query": f"{doc_id} fee", "as_of": "2026-02-01", "revision": first}
        found = client.post("/v1/search", headers=headers, json=search).json()["passages"]
        return told, reply["action"], reply["citations"], found

    first = send("2026-01-01", 66, audience="public").json()["catalog_revision"]
    assert "66 EUR" in client.get("/v1/documents/badger/versions/1", headers=outsider).text
    sent = send("2026-06-01", 77, audience=hidden, restrict_history="true")
    assert (sent.status_code, sent.json()["version"]) == (201, 2)
    assert answers("badger", outsider) == answers("unicorn", outsider)
    listed = client.get("/v1/documents", headers=outsider, params={"as_of": "2026-02-01"}).text
    assert "badger" not in listed
    versions = client.get("/v1/documents/badger", headers=insider).json()["versions"]
    assert [v["restricted_to"] for v in versions] == [sorted(domain.reach([hidden])), None]
    assert "66 EUR" in client.get("/v1/documents/badger/versions/1", headers=insider).text
    (event,) = [e for e in client.get("/v1/audit", headers=insider).json()["latest"] if e["subject"] == "badger v2"]
    assert event["details"] == {"restrict_history": True}
    assert send("2026-01-01", 66, audience="public").status_code == 422
    assert send("2026-01-01", 66, audience="public", allow_widen="true").status_code == 201
    assert "66 EUR" in client.get("/v1/documents/badger/versions/3", headers=outsider).text
    assert client.get("/v1/documents/badger/versions/1", headers=outsider).status_code == 404


BY_ID = (
    ("GET", f"/v1/documents/{SECRET}"),
    ("GET", f"/v1/documents/{SECRET}/versions/1"),
    ("POST", f"/v1/documents/{SECRET}/retract"),
    ("DELETE", f"/v1/documents/{SECRET}"),
    ("DELETE", f"/v1/documents/{SECRET}?purge=true"),
    ("POST", "/v1/replay/{}"),
)
QUESTION = {"ticket": {"body": f"How much is the {SECRET} fee?"}}
OPEN = (
    ("POST", "/v1/respond", QUESTION),
    ("POST", "/v1/triage", QUESTION),
    ("POST", "/v1/search", {"query": f"{SECRET} fee"}),
    ("GET", "/v1/documents", None),
    ("GET", "/v1/documents?as_of=2030-01-01", None),
    ("GET", "/v1/domain", None),
    ("GET", "/v1/judged", None),
    ("GET", f"/v1/documents/{SECRET}", None),
)


def told(client, headers):
    """What each endpoint says, without what differs from call to call."""
    said = {}
    for method, path, body in OPEN:
        answer = client.request(method, path, headers=headers, json=body)
        found = answer.json()
        if isinstance(found, dict):
            for name in ("request_id", "timings_ms", "catalog_revision"):
                found.pop(name, None)
            if "provenance" in found:
                found["provenance"] = {
                    k: v for k, v in found["provenance"].items() if k not in ("catalog_revision", "as_of")
                }
        said[method, path] = (answer.status_code, json.dumps(found, sort_keys=True))
    return said


def insider_sees(client, headers):
    return all(
        SECRET in client.get(path, headers=headers).text
        for path in ("/v1/documents", f"/v1/documents/{SECRET}", "/v1/reviews")
    )
