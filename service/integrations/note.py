"""What is written into a tool, whichever it is: the labels' names there, and the note for the agent.

Words of customers and documents are escaped: nothing that they hold becomes a link, an image or a layout.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass

from service.reply import Reply

PREFIX = "ff"  # tags and labels that begin with `ff_` are this service's own: it adds and removes no others


@dataclass(frozen=True, slots=True)
class Note:
    """The private note, in paragraphs: what was decided, the draft, its sources, and where it comes from."""

    heading: str
    draft: str
    sources: tuple[str, ...]
    origin: str


def note(reply: Reply, key: str) -> Note:
    """The note of a reply; `key` names the message that it answers, see `Incoming.key`."""
    given = [f"{name}: {label.value}" for name, label in (reply.labels or {}).items() if not label.abstained]
    flags = [f"Noticed: {', '.join(reply.flags)}."] if reply.flags else []
    labels = [f"Labels: {', '.join(given)}."] if given else []
    sources = (f"[{c.n}] {c.title}, version {c.version}, from {c.effective_from}: “{c.quote}”" for c in reply.citations)
    return Note(
        heading=f"Formfact: {reply.action} ({reply.reason_code})",
        draft=reply.answer.text,
        sources=tuple(sources),
        origin=" ".join([*flags, *labels, f"Request {reply.request_id}, {marker(key)}"]),
    )


def marker(key: str) -> str:
    """Stands in the note; who finds it knows that the message has its reply. No character of it needs escaping."""
    return f"message {key}"


def as_html(told: Note) -> str:
    """For tools that take HTML."""
    parts = [f"<p><strong>{html.escape(told.heading)}</strong></p>", _paragraphs(told.draft)]
    if told.sources:
        listed = "".join(f"<li>{html.escape(source)}</li>" for source in told.sources)
        parts.append(f"<p>Sources:</p><ul>{listed}</ul>")
    return "".join([*parts, f"<p>{html.escape(told.origin)}</p>"])


def as_markdown(told: Note) -> str:
    """For tools that render Markdown (CommonMark 0.31)."""
    parts = [f"**{escaped(told.heading)}**", escaped(told.draft)]
    if told.sources:
        parts.append("Sources:\n\n" + "\n".join(f"- {escaped(' '.join(s.split()))}" for s in told.sources))
    return "\n\n".join([*parts, escaped(told.origin)])


def escaped(text: str) -> str:
    """Plain text as Markdown that shows it; figures and `[1]` look as they are also where nothing renders it."""
    return _LINE_START.sub(r"\1\\\2", _MARKS.sub(r"\\\1", text))


# Emphasis, code, tags, tables; a bracket only where it would end a link's text or begin an image.
_MARKS = re.compile(r"([\\`*_<>~|]|\](?=[(\[:])|!(?=\[))")
_LINE_START = re.compile(r"^( *)(#+|[-+]|=+)(?=\s|$|-|=)", re.MULTILINE)


def tags_of(reply: Reply) -> frozenset[str]:
    """A tag for each label that is relied on, as `ff_queue_billing`; what the model abstained on has none."""
    labels = (reply.labels or {}).items()
    return frozenset(_tag(name, label.value) for name, label in labels if not label.abstained)


def stale(present: Iterable[str], reply: Reply) -> frozenset[str]:
    """Tags that an earlier message left and this reply's labels replace."""
    fields = tuple(f"{_tag(name, '')}" for name in (reply.labels or {}))
    wanted = tags_of(reply)
    return frozenset(tag for tag in present if tag.startswith(fields) and tag not in wanted) if fields else frozenset()


def _tag(field: str, value: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "_", f"{PREFIX}_{field}_{value}".lower())


def _paragraphs(text: str) -> str:
    blocks = re.split(r"\n{2,}", text.strip())
    return "".join(f"<p>{html.escape(block).replace(chr(10), '<br>')}</p>" for block in blocks)
