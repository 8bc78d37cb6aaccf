"""A customer's own words: a message without markup and without the earlier mail that it quotes.

quotequail and mail-parser-reply know the marks of mail programs in many languages; what one misses the other finds.
"""

from __future__ import annotations

import re

import quotequail
from bs4 import BeautifulSoup
from mailparser_reply import EmailReplyParser

_MARKUP = re.compile(r"<(p|div|br|html|body|table|span|blockquote|ul|ol|a|b|i|strong|em|font)\b[^<>]*>", re.I)
_BLOCKS = ["p", "div", "br", "tr", "li", "blockquote", "table", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6"]
_DESK_LINE = re.compile(r"^##- .* -##\s*$", re.M)  # what help desks put above the history of a ticket
_LANGUAGES = ["en", "de", "fr", "es", "nl", "it", "pt", "da", "sv", "pl"]


def plain_text(message: str) -> str:
    """A message in HTML as the text that it shows, without the mail that it quotes; other messages as they are."""
    if not _MARKUP.search(message):
        return message
    parts = quotequail.quote_html(message)
    own = "".join(part for is_own, part in parts if is_own) or message
    soup = BeautifulSoup(own, "html.parser")
    for tag in soup.find_all(["script", "style", "head"]):
        tag.decompose()
    for tag in soup.find_all(_BLOCKS):
        tag.insert_before("\n")
        tag.append("\n")
    return re.sub(r"\n\s*\n+", "\n\n", soup.get_text()).strip()


def without_quoted(message: str) -> tuple[str, str]:
    """The own words of a message, and the earlier mail that it quotes below them (empty: none).

    A forwarded mail belongs to a message that has no question mark itself. Signatures and disclaimers are dropped.
    """
    message = message.replace("\r\n", "\n")
    if line := _DESK_LINE.search(message):
        message, below = message[: line.start()], message[line.end() :]
        return (_unsigned(message), below.strip()) if message.strip() else (below.strip(), "")
    found = quotequail.unwrap(message)
    if found and (own := (found.get("text_top") or "").strip()):
        quoted = (found.get("text") or "").strip()
        if found["type"] == "forward" and "?" not in own:
            return f"{_unsigned(own)}\n\n{quoted}", ""
        return _unsigned(own), quoted
    replies = EmailReplyParser(languages=_LANGUAGES).read(text=message).replies
    own = replies[0].full_body.strip() if replies else ""
    if len(replies) > 1 and own:
        return _unsigned(own), "\n".join(reply.full_body for reply in replies[1:]).strip()
    return _unsigned(message), ""


def _unsigned(message: str) -> str:
    """A message without its signature and disclaimer; as it is where nothing else would be left."""
    replies = EmailReplyParser(languages=_LANGUAGES).read(text=message).replies
    return (replies[0].body.strip() if replies else "") or message.strip()
