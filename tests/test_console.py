"""The console as a client sees it that is no browser: sessions, forms, scopes, audiences, escaping, errors."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from retrieval.timestamps import now
from service.api.app import create_app
from service.auth.keys import Wanted, hashed
from service.console import adapters, ask, diffs, documents, drift, evals, operations, reviews, sign_in, static_files
from service.console.pages import cited
from service.console.texts import lines
from service.console.timeline import Stated, chart
from service.console.visitors import COOKIE, OwnForm
from service.db.tables import links, sessions
from tests.console import furnished, publish, second_adapter

HERE = {"Origin": "http://testserver", "Accept": "text/html"}
SCRIPT = "<script>window.hurt=1</script>"
QUOTED = '"><img src=x onerror="window.hurt=1">'
DOMAIN_FEE = "# Tern\n\nThe tern fee is 93 EUR.\n"


@pytest.fixture(scope="module")
def parts(tmp_path_factory, domain, encoder):
    home = tmp_path_factory.mktemp("console")
    made = furnished(home / "home", domain, encoder, review_sample=1.0, report=home / "report.html")
    publish(made, "tern", DOMAIN_FEE, title="Tern fees")
    publish(made, "secret-fees", "# Secret fees\n\nThe heron fee is 11 EUR.\n", audience=["agents"])
    yield made
    made.close()


@pytest.fixture(scope="module")
def app(parts):
    return create_app(parts)


class Browser:
    """A client with cookies of its own; it sends forms with the token that the page before holds."""

    def __init__(self, app, parts, key=None):
        self.client = TestClient(app, raise_server_exceptions=False, follow_redirects=False)
        if key:
            assert self.client.post("/sign-in", data={"key": key}, headers=HERE).status_code == 303
            self.csrf = parts.sessions.read(self.client.cookies[COOKIE]).csrf

    def get(self, path, **sent):
        return self.client.get(path, headers={"Accept": "text/html"}, **sent)

    def send(self, path, fields=None, follow=True, headers=HERE, **sent):
        answer = self.client.post(path, data={"csrf": self.csrf} | (fields or {}), headers=headers, **sent)
        return self.get(answer.headers["location"]) if follow and answer.status_code == 303 else answer

    def ask(self, body, **fields):
        answer = self.send("/", {"body": body, **fields}, follow=False)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]


def key_of(parts, *scopes, audiences=("public",)):
    with parts.engine.begin() as tx:
        return parts.keys.create(Wanted("somebody", scopes, audiences), "test", tx)


@pytest.fixture
def someone(app, parts):
    return lambda *scopes, **more: Browser(app, parts, key_of(parts, *scopes, **more)[1])


@pytest.fixture(scope="module")
def admin(app, parts):
    return Browser(app, parts, parts.local_key)


# signing in and out


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(app, parts):
    client = TestClient(app, base_url="https://testserver", follow_redirects=False)
    answer = client.post("/sign-in", data={"key": parts.local_key}, headers={"Origin": "https://testserver"})
    flags = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert flags == {"httponly", "samesite=strict", "path=/", "secure", "max-age=43200"}
    secret = client.cookies[COOKIE]
    with parts.engine.connect() as connection:
        kept = connection.execute(select(sessions).where(sessions.c.hash == hashed(secret))).one()
    assert secret not in map(str, kept)


def test_over_http_the_cookie_is_sent_too(app, parts):
    client = TestClient(app, follow_redirects=False)
    answer = client.post("/sign-in", data={"key": parts.local_key}, headers=HERE)
    assert "secure" not in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize("path", ["/", "/documents", "/reviews", "/adapters", "/evals", "/operations", "/answers/x"])
def test_nothing_is_shown_to_whom_nobody_knows(app, parts, path):
    answer = Browser(app, parts).get(path)
    assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/sign-in")


def test_after_signing_in_one_comes_to_the_page_that_was_asked_for(app, parts):
    browser = Browser(app, parts)
    asked = browser.get("/documents/tern?done=published").headers["location"]
    assert 'name="next" value="/documents/tern?done=published"' in browser.get(asked).text
    for wanted, reached in {
        "/documents/tern?x=1": "/documents/tern?x=1",
        "//evil.example/": "/",
        "/\\evil.example": "/",
        "https://evil.example": "/",
    }.items():
        answer = browser.client.post("/sign-in", data={"key": parts.local_key, "next": wanted}, headers=HERE)
        assert answer.headers["location"] == reached


def test_a_link_works_once_and_not_by_being_looked_at(app, parts, admin):
    made = admin.client.post("/v1/links", headers={"Authorization": f"Bearer {parts.local_key}"})
    assert made.status_code == 201
    path = made.json()["url"].removeprefix("http://testserver")
    browser = Browser(app, parts)
    assert "Sign in" in browser.get(path).text
    assert "Sign in" in browser.get(path).text, "looking does not use it up"
    answer = browser.client.post(path, headers=HERE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert browser.get("/").status_code == 200
    again = Browser(app, parts).client.post(path, headers=HERE)
    assert (again.status_code, "was used already" in again.text) == (401, True)
    assert COOKIE not in again.headers.get("set-cookie", "")


def test_a_link_is_for_ten_minutes_and_stored_as_a_hash(app, parts):
    path = parts.sessions.link(parts.keys.check(parts.local_key).key_id)
    own = links.c.hash == hashed(path.rsplit("/", 1)[1])
    with parts.engine.begin() as tx:
        ends = tx.scalar(select(links.c.expires_at).where(own))
        assert timedelta(minutes=9) < ends - now() <= timedelta(minutes=10)
        tx.execute(update(links).where(own).values(expires_at=now()))
    assert Browser(app, parts).client.post(path, headers=HERE).status_code == 401


def test_only_administrators_make_links(app, parts):
    _, secret = key_of(parts, "respond", "read", "ingest", "review")
    answer = TestClient(app).post("/v1/links", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 403


def test_signing_out_and_revoking_end_a_session_at_once(app, parts):
    key, secret = key_of(parts, "respond", "read")
    browser, other = Browser(app, parts, secret), Browser(app, parts, secret)
    before = browser.client.cookies[COOKIE]
    assert "Sign in" in browser.send("/sign-out").text
    browser.client.cookies.set(COOKIE, before)
    assert browser.get("/").status_code == 303, "the cookie is worth nothing any more"
    assert other.get("/").status_code == 200
    parts.keys.revoke(key.id, "test")
    assert other.get("/").headers["location"] == "/sign-in"
    path = parts.sessions.link(key.id)
    assert Browser(app, parts).client.post(path, headers=HERE).status_code == 401


def test_a_session_ends_after_twelve_hours(app, parts):
    browser = Browser(app, parts, parts.local_key)
    own = sessions.c.hash == hashed(browser.client.cookies[COOKIE])
    with parts.engine.begin() as tx:
        assert timedelta(hours=11, minutes=59) < tx.scalar(select(sessions.c.expires_at).where(own)) - now()
        tx.execute(update(sessions).where(own).values(expires_at=now()))
    assert browser.get("/").status_code == 303


def test_wrong_keys_count_against_the_address(tmp_path, domain, encoder):
    parts = furnished(tmp_path, domain, encoder, wrong_keys_per_minute=3)
    client = TestClient(create_app(parts), follow_redirects=False)
    tries = [client.post("/sign-in", data={"key": "ff_wrong"}, headers=HERE) for _ in range(2)]
    tries.append(client.post("/sign-in/wrong", headers=HERE))
    assert [t.status_code for t in tries] == [401] * 3
    refused = client.post("/sign-in", data={"key": "ff_wrong"}, headers=HERE)
    assert (refused.status_code, refused.headers["content-type"][:9]) == (429, "text/html")
    assert int(refused.headers["retry-after"]) > 0
    right = client.post("/sign-in", data={"key": parts.local_key}, headers=HERE)
    assert right.status_code == 303, "others may stand behind its address"
    parts.close()


def test_pages_count_as_requests_of_the_key(app, parts):
    with parts.engine.begin() as tx:
        _, secret = parts.keys.create(Wanted("slow", ("read",), ("public",), per_minute=2), "test", tx)
    browser = Browser(app, parts, secret)
    assert [browser.get("/documents").status_code for _ in range(3)] == [200, 200, 429]


# forms


@pytest.mark.parametrize("token", ["", "wrong", None])
def test_a_form_without_the_sessions_token_is_refused(admin, token):
    fields = {"name": "k", "scopes": ["read"], "audiences": ["public"]} | ({} if token is None else {"csrf": token})
    answer = admin.client.post("/operations/keys", data=fields, headers=HERE)
    assert (answer.status_code, "does not belong to your session" in answer.text) == (403, True)


def test_the_token_of_another_session_is_refused(app, parts, admin):
    other = Browser(app, parts, parts.local_key)
    assert admin.send("/sign-out", {"csrf": other.csrf}).status_code == 403
    assert admin.get("/").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://testserver:81"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
        {},
    ],
)
def test_a_form_of_another_site_is_refused(admin, parts, headers):
    assert admin.send("/sign-out", headers=headers).status_code == 403
    assert admin.client.post("/sign-in", data={"key": parts.local_key}, headers=headers).status_code == 403
    assert admin.get("/").status_code == 200


def test_every_form_asks_for_the_token_but_those_that_sign_in():
    parts = (adapters, ask, documents, drift, evals, operations, reviews, sign_in, static_files)
    posts = [route for part in parts for route in part.router.routes if "POST" in route.methods]
    assert len(posts) > 8
    assert {r.path for r in posts if OwnForm not in r.dependencies} == {"/sign-in", "/sign-in/{token}"}


# scopes and audiences


@pytest.mark.parametrize(
    ("scope", "shown", "refused"),
    [
        ("respond", {"Ask"}, ["/documents", "/documents/new", "/reviews", "/adapters", "/evals/report", "/operations"]),
        ("read", {"Documents"}, ["/documents/new", "/documents/tern/retract", "/reviews", "/answers/x", "/adapters"]),
        ("review", {"Reviews"}, ["/documents", "/adapters/promote?id=x", "/evals", "/operations"]),
        ("ingest", set(), ["/documents", "/reviews", "/operations/keys/x/revoke"]),
    ],
)
def test_a_key_opens_what_its_scopes_allow_and_sees_nothing_else(someone, scope, shown, refused):
    browser = someone(scope)
    for path in refused:
        answer = browser.get(path)
        assert (answer.status_code, "scope" in answer.text) == (403, True), path
        assert set(re.findall(r'<a href="/\w*"(?: aria-current="page")?>(\w+)</a>', answer.text)) == shown
    if scope != "respond":
        start = browser.get("/")
        assert start.headers.get("location", "") == {"read": "/documents", "review": "/reviews"}.get(scope, "")


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/", {"body": "x"}),
        ("/documents/tern/retract", {}),
        ("/reviews/x", {}),
        ("/adapters/rollback", {}),
        ("/operations/keys", {"name": "x"}),
        ("/operations/keys/x/revoke", {}),
    ],
)
def test_writes_check_scopes_themselves(someone, path, fields):
    assert someone("read").send(path, fields).status_code == 403


def test_documents_are_found_by_name_a_page_at_a_time(admin, someone, monkeypatch):
    monkeypatch.setattr(documents, "_A_PAGE", 1)

    def shown(path):
        return re.findall(r'<td class="id wide">([^<]+)</td>', admin.get(path).text)

    first, second = shown("/documents"), shown("/documents?page=2")
    assert len(first) == len(second) == 1 != len({*first, *second})
    assert 'rel="next"' in admin.get("/documents").text
    assert shown("/documents?named=TERN+fees") == ["tern"]
    assert shown("/documents?named=tern&page=99") == ["tern"]
    assert "Nothing found." in admin.get("/documents?named=%3Cb%3E").text
    assert "Nothing found." in someone("read").get("/documents?named=secret").text
    assert admin.get("/documents?page=0").status_code == 422


def test_a_hidden_document_is_as_one_that_is_not_there(someone):
    browser = someone("read", "ingest")
    assert "tern" in browser.get("/documents").text
    assert "ecret" not in browser.get("/documents").text
    for path in ("", "/versions/1", "/diff", "/retract"):
        told = [
            (answer.status_code, re.sub(r"01[0-9A-Z]{24}", "", answer.text.replace(name, "NAME")))
            for name in ("secret-fees", "nobody-wrote")
            for answer in [browser.get(f"/documents/{name}{path}")]
        ]
        assert told[0] == told[1]
        assert told[0][0] == 404
    assert browser.get("/documents/new?doc_id=secret-fees").status_code == 404
    assert browser.send("/documents/secret-fees/retract").status_code == 404


def test_the_upload_form_restricts_older_versions(admin, someone):
    form = admin.get("/documents/new").text
    assert 'name="restrict_history"' in form

    def send(price, **fields):
        stated = {"doc_id": "stoat", "title": "Stoat", "effective_from": "2026-01-01", **fields}
        text = f"# Stoat\n\nThe stoat fee is {price} EUR.\n"
        return admin.send("/documents", stated, files={"file": ("stoat.md", text.encode())})

    send(3, audience="public")
    assert someone("read").get("/documents/stoat/versions/1").status_code == 200
    page = send(4, effective_from="2026-06-01", audience="agents", restrict_history="true")
    assert "restricted to agents" in page.text
    assert someone("read").get("/documents/stoat").status_code == 404
    assert someone("read").get("/documents/stoat/versions/1").status_code == 404


def test_an_answer_is_shown_to_whom_it_was_given(someone, admin):
    first, second = someone("respond"), someone("respond")
    path = first.ask("How much is the tern fee?")
    assert first.get(path).status_code == 200
    assert second.get(path).status_code == 404
    assert admin.get(path).status_code == 200
    inside = admin.ask("How much is the heron fee?")
    assert first.get(inside).status_code == 404


# what others wrote


class _Pages(HTMLParser):
    """Collects what a page would run."""

    def __init__(self):
        super().__init__()
        self.runs = []

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        script = tag == "script" and not told.get("src", "").startswith("/static/console.js")
        if (
            script
            or any(name.startswith("on") for name in told)
            or (tag in ("img", "object") and told.get("src") == "x")
        ):
            self.runs.append((tag, attrs))
        assert "style" not in told, "the policy would not show it"


def harmless(answer):
    assert answer.status_code == 200, answer.text
    seen = _Pages()
    seen.feed(answer.text)
    assert not seen.runs
    return answer.text


def test_what_customers_and_documents_say_is_text_on_every_page(admin, parts):
    name = f"a{QUOTED}.md"
    text = f"# Grebe {SCRIPT}\n\nThe grebe fee {SCRIPT} is 41 EUR.\n\n{QUOTED} is no fee.\n"
    fields = {"doc_id": "grebe", "title": f"Grebe {SCRIPT}{QUOTED}", "audience": "public"}
    harmless(admin.send("/documents", fields, files={"file": (name, text.encode())}))
    changed = text.replace("41", "43")
    harmless(admin.send("/documents", fields, files={"file": (name, changed.encode())}))
    path = admin.ask(f"How much is the grebe fee? {SCRIPT}{QUOTED}", subject=f"{SCRIPT}{QUOTED}")
    page = harmless(admin.get(path))
    assert SCRIPT in unescape(page)
    assert re.search(r'class="cite" href="/documents/grebe/versions/2\?start=\d+&(amp;)?end=\d+#quote"', page)
    harmless(admin.send(f"{path}/feedback", {"helpful": "false", "comment": f"{SCRIPT}{QUOTED}"}))
    found = parts.reviews.open(parts.keys.check(parts.local_key), 100, "thumbs_down")
    assert found
    review = f"/reviews/{found[0].id}"
    shown = ["/documents", "/documents/grebe", "/documents/grebe/diff", "/documents/grebe/versions/2", "/reviews"]
    more = ["/documents/new?doc_id=grebe", "/documents/grebe/retract", "/documents?as_of=2030-01-01", f"{path}/replay"]
    for one in [*shown, *more, review, "/adapters", "/operations"]:
        harmless(admin.get(one))
    admin.send(review, {"verdict": "correct", "right": "no", "comment": f"{SCRIPT}{QUOTED}"})
    assert SCRIPT in unescape(harmless(admin.get(review)))
    fields = {"name": f"{SCRIPT}{QUOTED}", "scopes": ["read"], "audiences": ["public"]}
    harmless(admin.send("/operations/keys", fields))
    made = next(key for key in parts.keys.list() if SCRIPT in key.name)
    harmless(admin.get(f"/operations/keys/{made.id}/revoke"))
    for wrong in (f"/documents/{SCRIPT}", f"/documents?as_of={SCRIPT}", f"/reviews?reason={QUOTED}"):
        seen = _Pages()
        seen.feed(admin.get(wrong).text)
        assert not seen.runs


def test_only_citations_of_the_reply_become_links():
    citation = {"n": 1, "doc_id": "a/b", "version": 2, "start": 3, "end": 9}
    made = str(cited("One [1], two [2], <b>[1]</b>", [citation]))
    assert made.count("<a ") == 2
    assert "[2]" in made
    assert "<b>" not in made
    assert "/documents/a%2Fb/versions/2" in made


def test_pages_let_a_browser_run_nothing_but_their_own_script(admin):
    for path in ("/", "/documents", "/operations", "/documents/nobody-wrote", "/sign-in"):
        policy = admin.get(path).headers["content-security-policy"]
        assert policy == (
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; "
            "frame-ancestors 'none'; base-uri 'none'"
        )
    assert admin.get("/").headers["cache-control"] == "no-store"
    for name in ("console.css", "console.js", "icon.svg"):
        answer = admin.get(f"/static/{name}")
        assert (answer.status_code, "immutable" in answer.headers["cache-control"]) == (200, True)
    assert admin.get("/static/..%2fpages.py").status_code in (404, 422)


# pages


def test_answers_show_where_they_come_from_and_quotes_are_marked(admin):
    page = admin.get(admin.ask("How much is the tern fee?")).text
    assert "93 EUR" in page
    where = unescape(re.search(r'class="cite" href="([^"]+)"', page)[1])
    text = admin.get(where.split("#")[0]).text
    assert "93 EUR" in re.search(r'<mark id="quote">(.*?)</mark>', text, re.S)[1]
    for odd in ("start=99999&end=999999", "start=-5&end=-1", "start=9&end=2"):
        assert admin.get(f"/documents/tern/versions/1?{odd}").status_code == 200


def test_what_cannot_be_asked_is_told_beside_the_form_with_what_was_written(admin):
    answer = admin.send("/", {"body": "How much is the tern fee?", "as_of": "soon", "slot": ["plan=Team"]})
    assert (answer.status_code, "soon" in answer.text, "tern fee?" in answer.text) == (422, True, True)
    assert re.search(r'value="plan=Team" selected', answer.text)
    assert "write what the customer asks" in admin.send("/", {"body": "  "}).text
    assert admin.send("/", {"body": "x", "slot": ["nonsense=1"]}).status_code == 422


def test_a_version_that_is_published_is_what_answers_cite(admin):
    fields = {"doc_id": "auk", "title": "Auk", "audience": "public", "effective_from": "2026-01-01"}
    first = admin.send("/documents", fields, files={"file": ("auk.md", b"# Auk\n\nThe auk fee is 21 EUR.\n")})
    assert "Version 1 is published" in first.text
    fields["effective_from"] = "2026-02-01"
    admin.send("/documents", fields, files={"file": ("auk.md", b"# Auk\n\nThe auk fee is 22 EUR.\n")})
    assert "22 EUR" in admin.get(admin.ask("How much is the auk fee?")).text
    assert "<ins>22</ins>" in admin.get("/documents/auk/diff").text
    assert "holds now" in admin.get("/documents/auk").text
    again = admin.send("/documents", fields, files={"file": ("auk.md", b"# Auk\n\nThe auk fee is 22 EUR.\n")})
    assert "Unchanged" in again.text
    assert "Retracted" in admin.send("/documents/auk/retract").text
    assert "nothing of it holds now" in admin.get("/documents/auk").text
    assert "<td>nothing</td>" in admin.get("/documents").text
    assert "nothing of it holds now" in admin.get("/documents/auk/versions/1").text


def test_refusals_of_a_publication_are_pages(admin):
    wide = {"doc_id": "secret-fees", "audience": ["public"]}
    answer = admin.send("/documents", wide, files={"file": ("s.md", b"# Secret fees\n\nOther.\n")})
    assert (answer.status_code, "allow_widen" in answer.text) == (422, True)
    assert answer.headers["content-type"].startswith("text/html")
    assert admin.send("/documents", {"doc_id": "x"}).status_code == 422
    large = {"file": ("a.md", b"x" * 20_200_000)}
    answer = admin.send("/documents", {"doc_id": "x"}, files=large)
    assert (answer.status_code, answer.headers["content-type"][:9]) == (413, "text/html")


def test_a_review_is_judged_and_the_next_one_comes(admin, parts):
    caller = parts.keys.check(parts.local_key)
    for number in range(2):
        admin.ask(f"How much is the tern fee, number {number}?")
    first = next(r for r in parts.reviews.open(caller, 100) if not r.judged)
    page = admin.get(f"/reviews/{first.id}").text
    given = first.record.reply["labels"]["queue"]["value"]
    assert f'value="queue={given}" selected' in page
    other = next(name for name in parts.domain.fields["queue"].labels if name != given)
    after = admin.send(f"/reviews/{first.id}", {"verdict": "correct", "label": [f"queue={other}", ""], "right": "yes"})
    assert "This one is next" in after.text
    said = parts.reviews.read(first.id, caller).judged[0].judgement
    assert (said.labels["queue"], said.answer_right) == (other, True)
    again = admin.send(f"/reviews/{first.id}", {"verdict": "accept"})
    assert (again.status_code, "You have judged this one" in again.text) == (409, True)
    assert admin.send(f"/reviews/{first.id}", {"label": ["queue=nonsense"]}).status_code == 422


def test_adapters_are_moved_after_a_page_that_says_what_will_happen(admin, parts, tmp_path):
    live, other = parts.registry.target("live"), second_adapter(parts, tmp_path / "other")
    card = json.loads((parts.domain.folder / "adapter" / "card.json").read_text("utf-8"))
    accuracy = f"{card['fields']['queue']['methods']['LoRA adapter']['accuracy']:.3f}"
    assert accuracy in admin.get("/adapters").text, "the card of what is live"
    for action, told in [("promote", "in the place of"), ("shadow", "in the background"), ("canary", "percent")]:
        assert told in admin.get(f"/adapters/{action}?id={other}").text
        assert "Adapters" in admin.send(f"/adapters/{action}", {"id": other, "share": "5"}).text
        if action == "promote":
            assert parts.registry.target("live") == other
            assert live in admin.get("/adapters/rollback").text
            admin.send("/adapters/rollback")
            assert parts.registry.target("live") == live
    assert parts.registry.canary().share == 0.05
    for action in ("end-shadow", "end-canary"):
        assert admin.get(f"/adapters/{action}").status_code == 200
        admin.send(f"/adapters/{action}")
    assert parts.registry.canary() is None
    assert admin.send("/adapters/canary", {"id": other, "share": "much"}).status_code == 422
    assert admin.send("/adapters/promote", {"id": "nobody@0123456789ab"}).status_code == 404
    assert admin.get("/adapters/explode").status_code == 422


def test_a_key_is_made_shown_once_and_revoked(admin, app, parts):
    fields = {"name": "desk", "scopes": ["respond"], "audiences": ["public"], "expires_at": "2099-01-01"}
    secret = re.search(r"ff_[\w-]{43}", admin.send("/operations/keys", fields).text)[0]
    assert secret not in admin.get("/operations").text
    made = parts.keys.check(secret)
    assert "Whoever uses it is refused" in admin.get(f"/operations/keys/{made.key_id}/revoke").text
    assert "Revoked" in admin.send(f"/operations/keys/{made.key_id}/revoke").text
    assert Browser(app, parts).client.post("/sign-in", data={"key": secret}, headers=HERE).status_code == 401
    assert admin.get("/operations/keys/nobody/revoke").status_code == 404
    assert admin.send("/operations/keys", {"name": "desk"}).status_code == 422
    assert "unbroken" in admin.get("/operations").text


def test_the_report_is_shown_in_a_frame_that_runs_nothing(admin, parts):
    assert "formfact evals compare" in admin.get("/evals").text
    assert admin.get("/evals/report").status_code == 404
    Path(parts.settings.report).write_text(f"<h1>Report</h1>{SCRIPT}", encoding="utf-8")
    page, report = admin.get("/evals"), admin.get("/evals/report")
    assert '<iframe class="report" src="/evals/report" sandbox=""' in page.text
    assert "frame-src 'self'" in page.headers["content-security-policy"]
    assert report.headers["content-security-policy"].startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert report.headers["x-frame-options"] == "SAMEORIGIN"


# errors


def test_errors_are_pages_and_those_of_the_api_stay_json(admin, app):
    for path, status in {
        "/documents/nobody": 404,
        "/reviews/nobody": 404,
        "/static/x.js": 422,
        "/documents/a/b/c": 404,
    }.items():
        answer = admin.get(path)
        assert (answer.status_code, answer.headers["content-type"][:9]) == (status, "text/html"), path
        assert "Traceback" not in answer.text
        assert not answer.text.lstrip().startswith("{")
    assert admin.client.get("/v1/documents/x").headers["content-type"] == "application/problem+json"
    assert admin.client.get("/v1/nothing").headers["content-type"] == "application/problem+json"
    assert admin.client.put("/documents").status_code == 405


def test_a_fault_is_a_page_without_its_cause(parts, app):
    browser = Browser(app, parts, parts.local_key)
    kept = parts.audit.verify
    parts.audit.verify = lambda *_: 1 / 0
    answer = browser.get("/operations")
    parts.audit.verify = kept
    assert (answer.status_code, "Something failed on this side" in answer.text) == (500, True)
    assert "ZeroDivision" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_pages_are_no_part_of_the_apis_description(app):
    paths = set(app.openapi()["paths"])
    assert "/v1/links" in paths
    assert not {path for path in paths if not path.startswith(("/v1/", "/healthz", "/readyz", "/metrics"))}


# drawings


def test_bars_tell_what_is_stated_and_what_holds():
    first, second, third = (now() + timedelta(days=day) for day in (-300, -100, 100))
    holds = {first: 1, second: 2}
    made = chart(
        [Stated(1, first, None), Stated(2, second, third)],
        [],
        now(),
        lambda moment: 1 if moment < second or moment >= third else holds[second],
    )
    assert [line.version for line in made.lines] == [2, 1]
    upper, lower = made.lines
    assert lower.holding[0].x == lower.stated.x
    assert abs(lower.holding[0].x + lower.holding[0].width - upper.holding[0].x) < 0.2
    assert len(lower.holding) == 2, "it comes back when the one over it ends"
    assert all(
        bar.x >= 0 and bar.x + bar.width <= 1000.5 for line in made.lines for bar in (line.stated, *line.holding)
    )


@pytest.mark.parametrize(("start", "end"), [(0, 0), (2, 12), (9, 11), (6, 6), (-4, 99), (12, 2), (6, 12), (50, 60)])
def test_a_text_in_lines_is_the_text_with_its_quote(start, end):
    text = "# Tern\n\nThe fee\nis 93 EUR."
    found = list(lines(text, start, end))
    assert "\n".join("".join(p.text for p in line.pieces) for line in found) == text
    a, b = sorted((max(0, start), max(0, end)))
    assert "".join(p.text for line in found for p in line.pieces if p.quoted) == text[a:b].replace("\n", "")
    assert sum(p.first for line in found for p in line.pieces if p.quoted) == (text[a:b] != "")
    assert [line.heading for line in found] == [True, False, False, False]


def test_a_diff_marks_words_and_leaves_out_what_is_far_from_changes():
    before = "\n".join(["a", "b", "c", "The fee is 3 EUR.", *"defghijk"])
    rows = diffs.compared(before, before.replace("3", "4").replace("k", "k\nnew"))
    changed = [row for row in rows if not row.same]
    assert [part.text for part in changed[0].before if part.changed] == ["3"]
    assert [part.text for part in changed[0].after if part.changed] == ["4"]
    assert changed[1].before is None
    assert changed[1].after[0].text == "new"
    assert any(row.gap for row in rows)
    assert diffs.compared("same", "same") == []
