"""Documents: what holds today, histories, texts, differences; publishing and retracting."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile

from ingest.drafting import Submission
from ingest.metadata import stated
from retrieval.timestamps import now, parse_instant
from service.auth.keys import Caller
from service.build import Services
from service.console.diffs import compared
from service.console.pages import go, page, segment
from service.console.texts import lines
from service.console.timeline import Chart, Stated, chart
from service.console.visitors import Ingester, OwnForm, Reader
from service.dependencies import Parts, Room, Turn
from service.use_cases import documents
from service.use_cases.documents import DocumentOut

router = APIRouter(prefix="/documents")

Text = Annotated[str, Form(max_length=300)]
_A_PAGE = 100  # documents


@router.get("")
def listed(
    request: Request,
    parts: Parts,
    caller: Reader,
    as_of: str = "",
    named: Annotated[str, Query(max_length=300)] = "",
    at: Annotated[int, Query(ge=1, le=1_000_000, alias="page")] = 1,
) -> Response:
    """Documents of which this key may read something, with what holds today or at a date, a hundred a page."""
    named = named.strip()
    wanted, all_of_them = named.casefold(), documents.listed(parts, caller, as_of or None)
    found = [d for d in all_of_them if wanted in f"{d.title} {d.doc_id}".casefold()]
    pages = max(1, -(-len(found) // _A_PAGE))
    at = min(at, pages)
    shown: dict[str, Any] = {"documents": found[(at - 1) * _A_PAGE : at * _A_PAGE], "total": len(found)}
    shown |= {"as_of": as_of, "named": named, "at": at, "pages": pages}
    return page(request, "documents.html", title="Documents", **shown)


@router.get("/new")
def upload(request: Request, parts: Parts, caller: Ingester, doc_id: str = "") -> Response:
    """The form for a new document, or for a new version of one."""
    known = documents.described(parts, caller, doc_id) if doc_id else None
    offered = {name: told.description for name, told in parts.domain.audiences.items() if name in caller.audiences}
    return page(request, "upload.html", title="Publish", known=known, audiences=offered)


@router.post("", dependencies=[Room, OwnForm])
def publish(
    parts: Parts,
    caller: Ingester,
    turn: Turn,
    file: Annotated[UploadFile, File()],
    doc_id: Text = "",
    title: Text = "",
    effective_from: Text = "",
    effective_to: Text = "",
    audience: Annotated[list[str] | None, Form()] = None,
    allow_widen: Annotated[bool, Form()] = False,
    allow_retitle: Annotated[bool, Form()] = False,
    restrict_history: Annotated[bool, Form()] = False,
) -> Response:
    """Publish a version; fields that are left empty are taken from the file's front matter."""
    dates = {"effective_from": effective_from, "effective_to": effective_to}
    meta = stated("form", {"doc_id": doc_id.strip(), "title": title.strip(), "audience": audience, **dates})
    options = {"allow_widen": allow_widen, "allow_retitle": allow_retitle, "restrict_history": restrict_history}
    done = documents.publish(parts, caller, Submission(file.filename or "document", file.file.read(), meta, **options))
    return go(f"/documents/{done.doc_id}", done=done.status, version=done.version)


@router.get("/{doc_id}")
def history(
    request: Request, parts: Parts, caller: Reader, doc_id: str, done: str = "", version: int | None = None
) -> Response:
    """A document: its versions, when which of them holds, and what may be done."""
    found = documents.described(parts, caller, doc_id)
    ends = documents.ends(parts, caller, doc_id)
    drawn = _chart(parts, caller, found, ends)
    missing = documents.left_out(parts, caller, doc_id, version) if done and version else []
    shown: dict[str, Any] = {"document": found, "chart": drawn, "ends": ends, "done": done, "version": version}
    shown["left_out"] = missing
    shown["contradictions"] = documents.contradictions(parts, caller, doc_id, version) if done and version else []
    return page(request, "document.html", title=found.title, **shown)


@router.get("/{doc_id}/versions/{number}")
def version_text(
    request: Request, parts: Parts, caller: Reader, doc_id: str, number: int, start: int = 0, end: int = 0
) -> Response:
    """The text of a version; where a quote is asked for, it is marked."""
    found = documents.version_text(parts, caller, doc_id, number)
    holds, told = documents.described(parts, caller, doc_id).holds, list(lines(found.text, start, end))
    quoted = any(piece.quoted for line in told for piece in line.pieces)
    shown: dict[str, Any] = {"found": found, "lines": told, "quoted": quoted, "holds": holds}
    shown["left_out"] = documents.left_out(parts, caller, doc_id, number)
    return page(request, "version.html", title=found.title, **shown)


@router.get("/{doc_id}/diff")
def diff(
    request: Request, parts: Parts, caller: Reader, doc_id: str, before: int | None = None, after: int | None = None
) -> Response:
    """What changed between two versions; by default between the last two."""
    numbers = [v.version for v in documents.described(parts, caller, doc_id).versions]
    old, new = before or numbers[-2:][0], after or numbers[-1]
    left = documents.version_text(parts, caller, doc_id, old)
    right = documents.version_text(parts, caller, doc_id, new)
    rows = compared(left.text, right.text)
    shown: dict[str, Any] = {"doc_id": doc_id, "left": left, "right": right, "numbers": numbers, "rows": rows}
    return page(request, "diff.html", title=f"Changes of {right.title}", **shown)


@router.get("/{doc_id}/retract")
def confirm_retract(request: Request, parts: Parts, caller: Ingester, doc_id: str, at: str = "") -> Response:
    """What retracting would do, before it is done."""
    found = documents.described(parts, caller, doc_id)
    return page(request, "retract.html", title=f"Retract {found.title}", document=found, at=at)


@router.post("/{doc_id}/retract", dependencies=[OwnForm])
def retract(parts: Parts, caller: Ingester, doc_id: str, at: Text = "") -> Response:
    """End all versions at a date, or now."""
    done = documents.retract(parts, caller, doc_id, at or None)
    return go(f"/documents/{segment(done.doc_id)}", done="retracted")


def _chart(parts: Services, caller: Caller, found: DocumentOut, ends: list[str]) -> Chart:
    zone = parts.domain.zone
    versions = [
        Stated(
            v.version,
            parse_instant(v.effective_from, zone),
            parse_instant(v.effective_to, zone) if v.effective_to else None,
        )
        for v in found.versions
    ]
    return chart(
        versions,
        [parse_instant(one, zone) for one in ends],
        now(),
        lambda moment: documents.described(parts, caller, found.doc_id, moment.isoformat()).holds,
    )
