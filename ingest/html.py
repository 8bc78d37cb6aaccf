"""Web pages and Markdown: what a browser would show of them.

css-inline parses a page as browsers do (html5ever) and applies its style sheets; what they hide is removed here, inline
markup is resolved into plain text, and docling finds the blocks. Markdown is rendered to HTML first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import css_inline
import tinycss2
from bs4 import BeautifulSoup, Comment, Tag
from bs4.element import NavigableString
from markdown_it import MarkdownIt
from mdit_py_plugins.admon import admon_plugin
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.tasklists import tasklists_plugin

from domains.spec import InvalidInput
from ingest.blocks import Reading, clean
from ingest.limits import Limits
from ingest.structure import blocks_of, convert
from ingest.text import LINE_BREAK, raised, split_lines
from retrieval.contents import LeftOut

_DEEPEST = 200  # levels of elements; parsers recurse
_NEVER_SHOWN = [
    "script", "style", "template", "noscript", "head", "svg", "math", "iframe", "object", "canvas", "dialog",
    "datalist",
]  # fmt: skip
_STRUCK = ["del", "s", "strike"]
_MEDIA = {"img": "image", "picture": "image", "video": "video", "audio": "audio", "iframe": "embedded page"}
_INLINE = [
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "button", "cite", "code", "data", "dfn", "em", "font", "i", "ins",
    "kbd", "label", "mark", "meter", "nobr", "output", "progress", "q", "ruby", "samp", "small", "span", "strong",
    "sub", "sup", "time", "tt", "u", "var",
]  # fmt: skip
# What docling takes for furniture or moves, although a person reads it where it is.
_SECTIONS = ["header", "footer", "aside", "address", "details", "summary", "figure", "figcaption", "fieldset", "legend"]
_KEPT_ATTRIBUTES = {"colspan", "rowspan", "scope", "start", "type", "value", "reversed"}
_CLOSED_BY_OTHERS = {
    "p", "li", "dt", "dd", "td", "th", "tr", "thead", "tbody", "tfoot", "option", "optgroup", "rt", "rp", "area",
    "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
}  # fmt: skip
# What pages call their navigation and consent notices in `class`, `id` and `role`.
_BOILERPLATE = {
    "nav", "navbar", "navigation", "breadcrumb", "breadcrumbs", "cookie", "cookies", "consent", "gdpr", "menubar",
    "skiplink", "skipnav",
}  # fmt: skip
_STYLE = re.compile(r"(<style\b[^>]*>)(.*?)(</style)", re.I | re.S)
_LINE = "text-decoration-line"
_ZERO = re.compile(r"0+(\.0+)?(px|pt|r?em|%)?|rect\(\s*[01](px)?\b.*|-\d{3,}.*")
_BLOCK_DISPLAYS = ("block", "flex", "grid", "list-item", "table")


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
    parser = MarkdownIt("commonmark", {"html": True, "maxNesting": 10_000}).enable(["table", "strikethrough"])
    parser.use(footnote_plugin).use(deflist_plugin).use(tasklists_plugin).use(admon_plugin)
    parser.add_render_rule("footnote_anchor", lambda *_: "")  # an arrow back to the text
    parser.add_render_rule("footnote_caption", lambda _, tokens, index, *__: str(tokens[index].meta["id"] + 1))
    return parser


def _read(filename: str, markup: str, is_page: bool) -> Reading:
    _check_depth(filename, markup)
    inlined = css_inline.inline(_screen_styles(markup), load_remote_stylesheets=False)
    soup = BeautifulSoup(inlined, "html.parser")
    title = clean(soup.title.get_text()) if soup.title else ""
    left_out = [*_remove_media(soup), *(_remove_boilerplate(soup) if is_page else [])]
    _remove_hidden(soup)
    _resolve_inline(soup)
    _simplify_blocks(soup)
    body = soup.body.decode_contents() if soup.body else str(soup)
    page = f'<html><head><meta charset="utf-8"></head><body>{body}</body></html>'
    found = convert("html", "page.html", page.encode())
    blocks = [line for block in blocks_of(found) for line in split_lines(block)]
    return Reading(tuple(blocks), tuple(left_out), title)


def _check_depth(filename: str, markup: str) -> None:
    """Refuse a page that nests too deeply, before a parser recurses into it."""
    depth = deepest = 0
    for closing, name in re.findall(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*)", markup):
        if name.casefold() not in _CLOSED_BY_OTHERS:
            depth = max(depth - 1, 0) if closing else depth + 1
            deepest = max(deepest, depth)
    if deepest > _DEEPEST:
        raise InvalidInput(
            f"{filename}: its elements are nested {deepest} levels deep; at most {_DEEPEST} are read.",
            "Save the page's text with a simpler layout.",
            "file",
        )


def _screen_styles(markup: str) -> str:
    """A page whose style rules for screens hold without condition: css-inline leaves out all that have one."""
    return _STYLE.sub(lambda found: f"{found[1]}{_for_screens(found[2])}{found[3]}", markup)


def _for_screens(css: str) -> str:
    rules = tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)
    return "".join(
        tinycss2.serialize(rule.content)
        if rule.type == "at-rule" and rule.lower_at_keyword == "media" and rule.content and _is_for_screens(rule)
        else rule.serialize()
        for rule in rules
        if rule.type != "error"
    )


def _is_for_screens(rule: Any) -> bool:
    return tinycss2.serialize(rule.prelude).strip().casefold() in ("screen", "all", "only screen")


def _remove_media(soup: BeautifulSoup) -> Iterator[LeftOut]:
    for name, what in _MEDIA.items():
        found = soup.find_all(name)
        named = [clean(str(tag.get("alt") or tag.get("title") or "")) for tag in found if not tag.decomposed]
        if found:
            yield LeftOut(f"{len(found)} {what}{'s' if len(found) > 1 else ''}", ", ".join(n for n in named if n)[:200])
        for tag in found:
            tag.replace_with(NavigableString(_apart(tag, str(tag.get("alt") or ""))))  # a tick mark is often an image


def _apart(tag: Tag, text: str) -> str:
    """Text that takes the place of a tag, with spaces where words meet."""
    before, after = tag.previous_sibling, tag.next_sibling
    left = " " if text and isinstance(before, NavigableString) and before[-1:].isalnum() else ""
    right = " " if text and isinstance(after, NavigableString) and after[:1].isalnum() else ""
    return f"{left}{text}{right}"


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
    for text in soup.find_all(string=True):
        stated = (_style(parent).get("visibility") for parent in text.parents)
        if next((visibility for visibility in stated if visibility), "visible") in ("hidden", "collapse"):
            text.extract()


def _is_hidden(tag: Tag) -> bool:
    if tag.has_attr("hidden") or (tag.name == "input" and tag.get("type") == "hidden"):
        return True
    style = _style(tag)
    if style.get("display") == "none" or "line-through" in style.get("text-decoration", "") + style.get(_LINE, ""):
        return True
    return any(_ZERO.fullmatch(style.get(name, "")) for name in ("opacity", "font-size", "clip", "left", "text-indent"))


def _style(tag: Tag) -> dict[str, str]:
    """The declarations of a tag's style, css-inline having written the style sheets' there too."""
    declared = str(tag.get("style") or "").casefold().replace("!important", "")
    pairs = (declaration.partition(":") for declaration in declared.split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _resolve_inline(soup: BeautifulSoup) -> None:
    """Inline markup becomes text, so that a word that is partly set in bold stays one word."""
    _replace(soup, "wbr", lambda _: "")
    _replace(soup, "br", lambda _: LINE_BREAK)
    for tag in soup.find_all(_is_raised):
        tag.replace_with(NavigableString(raised(tag.get_text())))
    for link in soup.find_all("a"):
        _keep_address(link)
    for tag in soup.find_all(_INLINE):
        if _style(tag).get("display") in _BLOCK_DISPLAYS:
            tag.name = "div"
        elif not tag.find(_is_block):
            tag.unwrap()
    soup.smooth()


def _is_raised(tag: Tag) -> bool:
    return tag.name == "sup" or _style(tag).get("vertical-align") in ("super", "text-top")


def _simplify_blocks(soup: BeautifulSoup) -> None:
    """Blocks as docling keeps them all and in order: no attributes but of tables and lists, no special sections."""
    for tag in soup.find_all(_SECTIONS):
        tag.name = "div"
    for nested in soup.select("li > ul, li > ol"):
        _move_behind(nested)
    for tag in soup.find_all(True):
        tag.attrs = {name: value for name, value in tag.attrs.items() if name in _KEPT_ATTRIBUTES}


def _move_behind(nested: Tag) -> None:
    """Text of a list item behind a nested list becomes an item of its own."""
    following = [node for node in nested.next_siblings if clean(node.get_text())]
    if following and not any(isinstance(node, Tag) and node.name in ("ul", "ol") for node in following):
        item = BeautifulSoup("", "html.parser").new_tag("li")
        for node in following:
            item.append(node.extract())
        if nested.parent is not None:
            nested.parent.insert_after(item)


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
