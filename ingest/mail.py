"""Mails: subject, then the text that the reader of the mail sees; forwarded mails with theirs."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes
from email.message import MIMEPart
from email.policy import default as mail_policy
from typing import Any

from bs4 import BeautifulSoup
from mailparser_reply import EmailReplyParser
from quotequail import quote_html

from domains.spec import InvalidInput
from ingest.blocks import Block, Reading, clean
from ingest.html import read_mail_html
from ingest.limits import Limits
from ingest.text import decode, read_text
from retrieval.contents import LeftOut

_DEEPEST = 20  # mails within mails


def read_eml(filename: str, data: bytes, limits: Limits) -> Reading:
    """A mail as blocks.

    Raises:
        InvalidInput: it has no headers, or no text at all.
    """
    mail = message_from_bytes(data, policy=mail_policy)
    if not mail.keys():
        raise InvalidInput(f"{filename}: this is not a mail.", "Save the text as a file.", "file")
    left_out: list[LeftOut] = []
    blocks = tuple(_mail_blocks(filename, mail, limits, left_out, 0))
    return Reading(blocks, tuple(left_out))


def _mail_blocks(
    filename: str, mail: MIMEPart[Any, Any], limits: Limits, left_out: list[LeftOut], depth: int
) -> Iterator[Block]:
    if subject := clean(_header(mail, "subject")):
        yield Block("heading", subject, min(depth + 1, 6))
    yield from _part_blocks(filename, mail, limits, left_out, depth)


def _part_blocks(
    filename: str, part: MIMEPart[Any, Any], limits: Limits, left_out: list[LeftOut], depth: int
) -> Iterator[Block]:
    kind = part.get_content_type()
    if kind == "message/rfc822" and depth < _DEEPEST:
        for inner in part.iter_parts() if part.is_multipart() else ():
            yield from _mail_blocks(filename, inner, limits, left_out, depth + 1)
    elif kind == "multipart/alternative":
        yield from _best_alternative(filename, part, limits, left_out, depth)
    elif part.is_multipart() and depth < _DEEPEST:
        for inner in part.iter_parts():
            yield from _part_blocks(
                filename, inner, limits, left_out, depth + 1 if kind != "multipart/mixed" else depth
            )
    elif kind in ("text/plain", "text/html") and part.get_content_disposition() != "attachment":
        yield from _text_blocks(filename, part, kind, limits, left_out)
    else:
        left_out.append(LeftOut(f"attachment ({kind})", clean(part.get_filename() or "")))


def _best_alternative(
    filename: str, part: MIMEPart[Any, Any], limits: Limits, left_out: list[LeftOut], depth: int
) -> Iterator[Block]:
    """The richest version that has words; mail programs show the last one that they understand."""
    chosen: list[Block] = []
    for inner in reversed(list(part.iter_parts())):
        kind = inner.get_content_type()
        if chosen:
            left_out.append(LeftOut(f"second version of the text ({kind})", "multipart/alternative"))
        else:
            chosen = list(_part_blocks(filename, inner, limits, left_out, depth + 1))
    yield from chosen


def _text_blocks(
    filename: str, part: MIMEPart[Any, Any], kind: str, limits: Limits, left_out: list[LeftOut]
) -> Iterator[Block]:
    """A text part without the earlier mail that it quotes below its own words."""
    raw = part.get_payload(decode=True)
    text = decode(filename, raw if isinstance(raw, bytes) else b"", part.get_content_charset())
    own, quoted = _own_html(text) if kind == "text/html" else _own_text(text)
    if quoted:
        left_out.append(LeftOut("quoted earlier mail", quoted[:80]))
    reading = read_mail_html(filename, own) if kind == "text/html" else read_text(filename, own, limits)
    left_out += reading.left_out
    yield from reading.blocks


def _own_text(text: str) -> tuple[str, str]:
    """The words above a quoted mail, and the quoted words; all words are own where nothing else would be left."""
    replies = (
        EmailReplyParser(languages=["en", "de", "fr", "es", "nl", "it", "pt", "da", "sv", "pl"]).read(text=text).replies
    )
    own = replies[0].full_body if replies else text
    if not own.strip() or len(replies) < 2:
        return text, ""
    return own, clean(" ".join(reply.full_body for reply in replies[1:]))


def _own_html(markup: str) -> tuple[str, str]:
    parts = quote_html(markup)
    own = "".join(part for is_own, part in parts if is_own)
    if not clean(BeautifulSoup(own, "html.parser").get_text(" ")):
        return markup, ""
    return own, clean(BeautifulSoup("".join(p for is_own, p in parts if not is_own), "html.parser").get_text(" "))


def _header(mail: MIMEPart[Any, Any], name: str) -> str:
    try:
        return str(mail.get(name, ""))
    except (LookupError, ValueError):  # a header that the standard library cannot decode
        return ""
