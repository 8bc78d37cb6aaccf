"""Mails: subject, then the text that the reader of the mail sees; forwarded mails with theirs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import MIMEPart
from email.policy import default as mail_policy
from typing import Any, TypeAlias

import quotequail
from bs4 import BeautifulSoup

from domains.spec import InvalidInput
from ingest.blocks import Block, Reading, clean
from ingest.html import read_mail_html
from ingest.limits import Limits
from ingest.text import decode, read_text
from retrieval.contents import LeftOut
from retrieval.own_words import without_quoted

_DEEPEST = 20  # parts within parts

Part: TypeAlias = "MIMEPart[Any, Any]"


def read_eml(filename: str, data: bytes, limits: Limits) -> Reading:
    """A mail as blocks.

    Raises:
        InvalidInput: it has no headers, or no text at all.
    """
    mail = message_from_bytes(data, policy=mail_policy)
    if not mail.keys():
        raise InvalidInput(f"{filename}: this is not a mail.", "Save the text as a file.", "file")
    walk = _MailWalk(filename, limits)
    blocks = tuple(walk.mail(mail, 0))
    return Reading(blocks, tuple(walk.left_out))


@dataclass(slots=True)
class _MailWalk:
    """One pass over the parts of a mail; `left_out` fills as it goes."""

    filename: str
    limits: Limits
    left_out: list[LeftOut] = field(default_factory=list)

    def mail(self, mail: Part, depth: int) -> Iterator[Block]:
        """The subject as a heading, then the parts."""
        if subject := clean(_header(mail, "subject")):
            yield Block("heading", subject, min(depth + 1, 6))
        # A mail that answers another quotes it; without the header, a mail below the text was forwarded with it.
        yield from self._part(mail, depth, is_reply=bool(_header(mail, "in-reply-to")))

    def _part(self, part: Part, depth: int, is_reply: bool) -> Iterator[Block]:
        kind = part.get_content_type()
        if kind in _TEXTS and part.get_content_disposition() != "attachment":
            yield from self._text(part, kind, is_reply)
        elif depth >= _DEEPEST or not part.is_multipart():
            self.left_out.append(LeftOut(f"attachment ({kind})", clean(part.get_filename() or "")))
        elif kind == "message/rfc822":
            for inner in part.iter_parts():
                yield from self.mail(inner, depth + 1)
        elif kind == "multipart/alternative":
            yield from self._best(part, depth, is_reply)
        else:
            for inner in part.iter_parts():
                yield from self._part(inner, depth + 1, is_reply)

    def _best(self, part: Part, depth: int, is_reply: bool) -> Iterator[Block]:
        """The richest version that has words; mail programs show the last one that they understand."""
        chosen: list[Block] = []
        for inner in reversed(list(part.iter_parts())):
            if chosen:
                what = f"second version of the text ({inner.get_content_type()})"
                self.left_out.append(LeftOut(what, "multipart/alternative"))
            else:
                chosen = list(self._part(inner, depth + 1, is_reply))
        yield from chosen

    def _text(self, part: Part, kind: str, is_reply: bool) -> Iterator[Block]:
        """A text part without the earlier mail that it quotes below its own words."""
        raw = part.get_payload(decode=True)
        text = decode(self.filename, raw if isinstance(raw, bytes) else b"", part.get_content_charset())
        if part.get_param("format") == "flowed":  # RFC 3676: a space at the end of a line joins the next one
            text = re.sub(r"(?<!^--) \r?\n", " ", text, flags=re.M)
        own, quoted = _own_html(text, is_reply) if kind == "text/html" else _own_text(text, is_reply)
        if quoted:
            self.left_out.append(LeftOut("quoted earlier mail", clean(quoted)[:80]))
        reading = read_mail_html(self.filename, own) if kind == "text/html" else read_text("", own, self.limits)
        self.left_out += reading.left_out
        yield from reading.blocks


_TEXTS = ("text/plain", "text/html")


def _own_text(text: str, is_reply: bool) -> tuple[str, str]:
    """The words above a quoted mail, and the quoted words. A mail that is forwarded is no quotation."""
    found = quotequail.unwrap(text)
    if found and found["type"] == "forward" and not is_reply:
        return text, ""
    return without_quoted(text)


def _own_html(markup: str, is_reply: bool) -> tuple[str, str]:
    found = quotequail.unwrap_html(markup)
    # A block quotation alone may be content; a mail is quoted under a line that says so, or under its header.
    if not found or found["type"] == "quote" or (found["type"] == "forward" and not is_reply):
        return markup, ""
    own, quoted = (BeautifulSoup(found.get(name) or "", "html.parser") for name in ("html_top", "html"))
    return (str(own), quoted.get_text(" ")) if clean(own.get_text(" ")) else (markup, "")


def _header(mail: Part, name: str) -> str:
    try:
        return str(mail.get(name, ""))
    except (LookupError, ValueError):  # a header that the standard library cannot decode
        return ""
