"""From a file as it came to a draft: its words, its passages, and what is stated about it. No index is touched."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domains.spec import Domain, InvalidInput
from ingest.blocks import Reading, render, with_title
from ingest.guard import read_within
from ingest.limits import Limits
from ingest.metadata import Metadata, derived, front_matter
from ingest.passages import cut
from retrieval.contents import VersionDraft
from retrieval.timestamps import now, parse_instant


@dataclass(frozen=True, slots=True)
class Submission:
    """A file as it came, and what its sender states about it."""

    filename: str
    data: bytes
    stated: Metadata = Metadata()
    allow_widen: bool = False
    allow_retitle: bool = False
    restrict_history: bool = False


def drafted(submission: Submission, domain: Domain, limits: Limits) -> VersionDraft:
    """Read a file into a draft.

    Raises:
        InvalidInput: the file or its metadata; see `ingest.readers`, `ingest.guard` and `ingest.metadata`.
    """
    name, data = submission.filename, submission.data
    meta = _stated(submission)
    reading = read_within(limits, name, data)
    title = next((b.text for b in reading.blocks if b.kind == "heading" and b.level == 1), "") or _first(reading)
    meta = meta.over(derived(name, title)) if not (meta.doc_id and meta.title) else meta
    if not meta.doc_id:
        raise InvalidInput(f"{name}: doc_id: there is none and the name gives none.", "State one.", "doc_id")
    blocks = with_title(reading.blocks, meta.title or meta.doc_id)
    return VersionDraft(
        doc_id=meta.doc_id,
        title=meta.title or meta.doc_id,
        effective_from=_instant(meta.effective_from, domain, "effective_from") or now(),
        effective_to=_instant(meta.effective_to, domain, "effective_to"),
        audience=meta.audience,
        precedence=50 if meta.precedence is None else meta.precedence,
        supersedes=meta.supersedes or (),
        text=render(blocks),
        spans=cut(blocks),
        source=data,
        filename=name[:300],
        left_out=reading.left_out,
        allow_widen=submission.allow_widen,
        allow_retitle=submission.allow_retitle,
        restrict_history=submission.restrict_history,
    )


def _first(reading: Reading) -> str:
    """The heading that a file begins with, or else the title that it states beside its content."""
    first = reading.blocks[0]
    return first.text if first.kind == "heading" else reading.title


def states_start(submission: Submission) -> bool:
    """Does anybody say from when on it holds?"""
    return _stated(submission).effective_from is not None


def _stated(submission: Submission) -> Metadata:
    return submission.stated.over(front_matter(submission.filename, submission.data))


def _instant(text: str | None, domain: Domain, name: str) -> datetime | None:
    return parse_instant(text, domain.zone, name) if text else None
