"""The console in a real browser: what a person does in it, with a mouse, with keys alone, on a phone."""

from __future__ import annotations

import re

import pytest

from tests.console import browser, furnished, publish, second_adapter, served

pytestmark = pytest.mark.browser

V1 = "# Tern fees\n\nThe tern fee is 93 EUR.\n"
V2 = "# Tern fees\n\nThe tern fee is 97 EUR.\n"
QUESTION = "How much is the tern fee?"
HOSTILE = '<script>window.hurt=1;alert(1)</script><img src=x onerror="window.hurt=1"><svg onload="window.hurt=1">'


@pytest.fixture(scope="module")
def parts(tmp_path_factory, domain, encoder):
    home = tmp_path_factory.mktemp("browser")
    made = furnished(home / "home", domain, encoder, review_sample=0.0, report=home / "report.html")
    publish(made, "tern", V1, title="Tern fees")
    publish(made, "hostile", f"# Hostile\n\nThe skua fee {HOSTILE} is 12 EUR.\n", title=f"Skua {HOSTILE}"[:300])
    second_adapter(made, home / "other")
    (home / "report.html").write_text(f"<h1>Comparison</h1>{HOSTILE}", encoding="utf-8")
    yield made
    made.close()


@pytest.fixture(scope="module")
def url(parts):
    with served(parts) as address:
        yield address


@pytest.fixture(scope="module")
def chromium():
    with browser() as launched:
        yield launched


@pytest.fixture
def person(chromium, url, parts):
    """A page that is signed in, and that tells what should never happen: dialogs, errors, blocked or foreign loads."""
    opened = []

    def sign_in(**options):
        context = chromium.new_context(base_url=url, **options)
        page = context.new_page()
        page.odd = []
        page.on("dialog", lambda dialog: (page.odd.append(dialog.message), dialog.dismiss()))
        page.on("pageerror", lambda error: page.odd.append(str(error)))
        page.on("console", lambda said: page.odd.append(said.text) if said.type == "error" else None)
        page.on("request", lambda sent: None if sent.url.startswith(url) else page.odd.append(sent.url))
        page.goto(parts.sign_in_path())
        page.get_by_role("button", name="Sign in").click()
        opened.append(context)
        return page

    yield sign_in
    for context in opened:
        context.close()


def ask(page, question):
    page.goto("/")
    page.get_by_label("Message").fill(question)
    page.get_by_role("button", name="Ask").click()
    return page.locator(".reply").inner_text()


def test_a_day_at_the_console(person, parts, tmp_path):
    page = person()
    assert "93 EUR" in ask(page, QUESTION)
    page.locator(".reply a.cite").first.click()
    assert page.url.endswith("#quote")
    assert "93 EUR" in page.locator("mark#quote").inner_text()
    assert page.locator("mark#quote").is_visible()

    page.get_by_role("link", name="tern", exact=True).click()
    page.get_by_role("link", name="New version").click()
    (tmp_path / "tern.md").write_text(V2)
    page.get_by_label("File").set_input_files(tmp_path / "tern.md")
    page.get_by_label("Holds from").fill("2026-02-01")
    page.get_by_role("button", name="Publish").click()
    assert "Version 2 is published" in page.get_by_role("status").inner_text()
    page.get_by_role("link", name="changes").first.click()
    assert page.locator("ins").inner_text() == "97"
    assert "97 EUR" in ask(page, QUESTION), "the new version answers at once"

    page.get_by_label("Comment").fill("The fee went up?")
    page.get_by_role("button", name="Not helpful").click()
    assert "Thank you" in page.get_by_role("status").inner_text()
    page.get_by_role("link", name="Reviews").click()
    page.get_by_role("link", name=re.compile(QUESTION[:20])).click()
    page.get_by_label("yes").check()
    page.get_by_role("button", name="Save").click()
    if page.url.endswith("/reviews?done=True"):
        assert "Nothing waits" in page.locator(".empty").inner_text()
    judged = parts.reviews.rows(parts.reviews.judged(parts.keys.check(parts.local_key)))
    assert any(row["body"] == QUESTION for row in judged)

    live = parts.registry.target("live")
    page.get_by_role("link", name="Adapters").click()
    page.get_by_role("link", name="Promote").first.click()
    assert live in page.locator("main").inner_text()
    page.get_by_role("button", name="Promote").click()
    assert parts.registry.target("live") != live
    page.get_by_role("link", name="Roll back").click()
    page.get_by_role("button", name="Roll back").click()
    assert "Rolled back" in page.get_by_role("status").inner_text()
    assert parts.registry.target("live") == live

    page.get_by_role("button", name="Sign out").click()
    page.goto("/documents")
    assert "/sign-in" in page.url
    assert not page.odd


def test_scripts_in_tickets_documents_and_reports_do_not_run(person):
    page = person()
    ask(page, f"How much is the skua fee? {HOSTILE}")
    assert HOSTILE[:40] in page.get_by_label("Message").input_value()
    page.get_by_role("button", name="Not helpful").click()
    pages = ["/documents", "/documents/hostile", "/documents/hostile/versions/1", "/documents/new?doc_id=hostile"]
    for path in [page.url, *pages, "/reviews", "/operations", "/sign-in"]:
        page.goto(path)
        assert page.evaluate("window.hurt") is None, path
    page.goto("/reviews")
    page.locator("main td a").first.click()
    assert page.evaluate("window.hurt") is None
    assert not page.odd, "no dialog, no error, no load that the policy had to stop"
    page.goto("/evals")
    frame = page.frame_locator("iframe")
    assert frame.get_by_role("heading", name="Comparison").is_visible()
    assert page.frames[1].evaluate("window.hurt") is None
    added = page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.hurt = 1';"
        " document.body.append(s); return window.hurt }"
    )
    assert added is None, "the policy stops a script even where one came in"


def test_a_ticket_is_asked_with_keys_alone(person):
    page = person()
    page.goto("/")
    assert page.evaluate("document.activeElement.name") == "body"
    page.keyboard.type(QUESTION)
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").strip() == "Ask":
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "where the focus is can be seen"
    page.keyboard.press("Enter")
    page.wait_for_url("**/answers/*")
    assert "EUR" in page.locator(".reply").inner_text()
    page.goto("/documents")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_control_and_enter_send_a_ticket(person):
    page = person()
    page.goto("/")
    page.get_by_label("Message").fill(QUESTION)
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/answers/*")
    assert page.locator(".reply").inner_text()


@pytest.mark.parametrize("width", [320, 360])
def test_on_a_phone_no_page_is_wider_than_the_screen(person, width):
    page = person(viewport={"width": width, "height": 740})
    ask(page, f"{QUESTION} Reference {'9x' * 60}")
    page.get_by_role("button", name="Not helpful").click()
    answer, paths = page.url, ["/", "/documents", "/documents/tern", "/documents/tern/versions/1", "/documents/new"]
    more = ["/documents/tern/diff", "/documents/tern/retract", "/reviews", "/adapters", "/adapters/promote?id=x"]
    for path in [*paths, *more, "/evals", "/operations", "/documents/nobody", answer, f"{answer.split('?')[0]}/replay"]:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path
    page.goto("/reviews")
    page.locator("main td a").first.click()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_dark_and_light_follow_the_system(person, tmp_path):
    shades = {}
    for scheme in ("light", "dark"):
        page = person(color_scheme=scheme)
        page.goto("/documents")
        red, green, blue = map(
            int, re.findall(r"\d+", page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))[:3]
        )
        shades[scheme] = red + green + blue
        assert page.screenshot(path=tmp_path / f"{scheme}.png")
    assert shades["dark"] < 150 < 600 < shades["light"]


def test_without_scripts_everything_works(person):
    page = person(java_script_enabled=False)
    assert "EUR" in ask(page, QUESTION)


def test_a_missing_browser_is_a_failure_that_says_what_to_install(monkeypatch):
    monkeypatch.setenv("FORMFACT_CHROMIUM", "/nowhere/chromium")
    with pytest.raises(AssertionError, match="apt-get install -y chromium"), browser():
        pass
