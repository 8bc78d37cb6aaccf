"""Web pages and Markdown: what a browser would show of them.

css-inline parses a page as browsers do (html5ever) and applies its style sheets; what they hide is removed here, inline
markup is resolved into plain text, and docling finds the blocks. Markdown is rendered to HTML first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import css_inline
from bs4 import BeautifulSoup, Comment, Tag
from bs4.element import NavigableString
from markdown_it import MarkdownIt
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.tasklists import tasklists_plugin

from domains.spec import InvalidInput
from ingest.blocks import Reading, clean
from ingest.limits import Limits
from ingest.structure import blocks_of, convert
from ingest.text import LINE_BREAK, raised, split_lines
from retrieval.contents import LeftOut

_DEEPEST = 200  # levels of elements; parsers and walkers below recurse
_NEVER_SHOWN = [
    "script", "style", "template", "noscript", "head", "svg", "math", "iframe", "object", "canvas", "dialog",
]  # fmt: skip
_STRUCK = ["del", "s", "strike"]
_MEDIA = {"img": "image", "picture": "image", "video": "video", "audio": "audio", "iframe": "embedded page"}
_INLINE = [
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "button", "cite", "code", "data", "dfn", "em", "font", "i", "ins",
    "kbd", "label", "mark", "meter", "nobr", "output", "progress", "q", "ruby", "samp", "small", "span", "strong",
    "sub", "sup", "time", "tt", "u", "var",
]  # fmt: skip
_MARGINAL = ["header", "footer", "aside", "address"]  # docling takes them for furniture; a person reads them
# What pages call their navigation and consent notices in `class`, `id` and `role`.
_BOILERPLATE = {
    "nav", "navbar", "navigation", "breadcrumb", "breadcrumbs", "cookie", "cookies", "consent", "gdpr", "menubar",
    "skiplink", "skipnav",
}  # fmt: skip
_HIDING = re.compile(
    r"display:\s*none|visibility:\s*(hidden|collapse)|opacity:\s*0(\.0+)?\s*(;|$)|font-size:\s*0(px|pt|em|%)?\s*(;|$)"
    r"|clip:\s*rect\(\s*[01](px)?[\s,]|(left|text-indent|top):\s*-\d{3,}"
)
_ON_BLOCK = re.compile(r"display:\s*(block|flex|grid|list-item|table)")


def read_html(filename: str, markup: str, limits: Limits) -> Reading:
    """A web page: its content without navigation and consent notices."""
    return _read(filename, markup, is_page=True)


def read_mail_html(filename: str, markup: str) -> Reading:
    """The HTML part of a mail: everything that is visible in it."""
    return _read(filename, markup, is_page=False)


def read_markdown(filename: str, text: str, limits: Limits) -> Reading:
    """A Markdown document (CommonMark with tables, strikethrough, footnotes, definition and task lists)."""
    return _read(filename, _markdown().render(text), is_page=False)


def _markdown() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return parser.use(footnote_plugin).use(deflist_plugin).use(tasklists_plugin)


def _read(filename: str, markup: str, is_page: bool) -> Reading:
    soup = BeautifulSoup(css_inline.inline(markup, load_remote_stylesheets=False), "html.parser")
    _check_depth(filename, soup)
    title = clean(soup.title.get_text()) if soup.title else ""
    left_out = [*_remove_media(soup), *(_remove_boilerplate(soup) if is_page else [])]
    _remove_hidden(soup)
    _resolve_inline(soup)
    body = soup.body.decode_contents() if soup.body else str(soup)
    page = f'<html><head><meta charset="utf-8"></head><body>{body}</body></html>'
    found = convert("html", "page.html", page.encode())
    blocks = [line for block in blocks_of(found) for line in split_lines(block)]
    return Reading(tuple(blocks), tuple(left_out), title)


def _check_depth(filename: str, soup: BeautifulSoup) -> None:
    depth = 0
    node: Any = soup
    level = 0
    while node is not None:  # in document order, without recursion
        if isinstance(node, Tag) and node.contents:
            node, level = node.contents[0], level + 1
            depth = max(depth, level)
            continue
        while node is not None and node.next_sibling is None:
            node, level = node.parent, level - 1
        node = node.next_sibling if node is not None else None
    if depth > _DEEPEST:
        raise InvalidInput(
            f"{filename}: its elements are nested {depth} levels deep; at most {_DEEPEST} are read.",
            "Save the page's text with a simpler layout.",
            "file",
        )


def _remove_media(soup: BeautifulSoup) -> Iterator[LeftOut]:
    for name, what in _MEDIA.items():
        found = soup.find_all(name)
        named = [clean(str(tag.get("alt") or tag.get("title") or "")) for tag in found if not tag.decomposed]
        if found:
            yield LeftOut(f"{len(found)} {what}{'s' if len(found) > 1 else ''}", ", ".join(n for n in named if n)[:200])
        for tag in found:
            tag.replace_with(NavigableString(str(tag.get("alt") or "")))  # a tick mark is often an image


def _remove_boilerplate(soup: BeautifulSoup) -> Iterator[LeftOut]:
    for tag in soup.find_all(_is_boilerplate):
        if tag.decomposed:  # inside one that is gone already
            continue
        if words := clean(tag.get_text(" ")):
            yield LeftOut("navigation or notice", words[:80])
        tag.decompose()


def _is_boilerplate(tag: Tag) -> bool:
    if tag.name in ("html", "body", "main", "article") or tag.find("h1"):
        return False
    named = [tag.get("id") or "", tag.get("role") or "", *(tag.get_attribute_list("class"))]
    words = {word.casefold() for name in named if name for word in re.findall(r"[A-Za-z][a-z]*|[A-Z]+", str(name))}
    return tag.name == "nav" or not words.isdisjoint(_BOILERPLATE)


def _remove_hidden(soup: BeautifulSoup) -> None:
    for comment in soup.find_all(string=lambda text: isinstance(text, Comment)):
        comment.extract()
    for tag in soup.find_all([*_NEVER_SHOWN, *_STRUCK]):
        tag.decompose()
    for tag in soup.find_all(_is_hidden):
        if not tag.decomposed:
            tag.decompose()
    for tag in soup.find_all(_MARGINAL):
        tag.name = "div"


def _is_hidden(tag: Tag) -> bool:
    style = str(tag.get("style") or "").casefold()
    hidden_input = tag.name == "input" and tag.get("type") == "hidden"
    return tag.has_attr("hidden") or hidden_input or "line-through" in style or _HIDING.search(style) is not None


def _resolve_inline(soup: BeautifulSoup) -> None:
    """Inline markup becomes text, so that a word that is partly set in bold stays one word."""
    _replace(soup, "wbr", lambda _: "")
    _replace(soup, "br", lambda _: LINE_BREAK)
    _replace(soup, "sup", lambda tag: raised(tag.get_text()))
    for link in soup.find_all("a"):
        _keep_address(link)
    for tag in soup.find_all(_INLINE):
        if _ON_BLOCK.search(str(tag.get("style") or "").casefold()):
            tag.name = "div"
        elif not tag.find(_is_block):
            tag.unwrap()
    soup.smooth()


def _replace(soup: BeautifulSoup, name: str, written: Callable[[Tag], str]) -> None:
    for tag in soup.find_all(name):
        tag.replace_with(NavigableString(written(tag)))


def _is_block(tag: Tag) -> bool:
    return tag.name not in _INLINE


def _keep_address(link: Tag) -> None:
    """The address behind a link may be the answer: it is written behind the link's text."""
    address, text = str(link.get("href") or "").strip(), clean(link.get_text())
    shown = address.removeprefix("mailto:").removeprefix("tel:").partition("?")[0] if ":" in address else ""
    if address.startswith(("http://", "https://")):
        shown = address
    elif not address.startswith(("mailto:", "tel:")):
        return
    if text and shown and shown.rstrip("/") not in text and shown not in text.replace(" ", ""):
        link.append(f" ({shown})")
