"""Documents over HTTP: publish, read, list, retract, purge; the state of the indexes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, Query, Response, UploadFile
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from domains.spec import TooLarge
from ingest.drafting import Submission
from ingest.metadata import Metadata, stated
from retrieval.contents import Published
from service.dependencies import Administrator, Ingester, Once, Parts, Reader, Room, Turn
from service.reply import InstantIn
from service.use_cases import documents
from service.use_cases.documents import (
    DocumentOut,
    ErasedOut,
    IndexReport,
    PublishedOut,
    RetractedOut,
    RevisionOut,
    VersionText,
    published_out,
)

router = APIRouter(prefix="/v1/documents", tags=["documents"])
upkeep = APIRouter(tags=["upkeep"])

AsOf = Annotated[InstantIn | None, Query(description="date or instant; default: now")]
Revision = Annotated[int | None, Query(ge=0, description="what was known then; needs scope ingest or admin")]


class RetractRequest(BaseModel):
    """When a document ends; default: now."""

    at: InstantIn | None = None


def _stated(
    doc_id: Annotated[str | None, Form()] = None,
    title: Annotated[str | None, Form()] = None,
    effective_from: Annotated[str | None, Form()] = None,
    effective_to: Annotated[str | None, Form()] = None,
    audience: Annotated[list[str] | None, Form()] = None,
    precedence: Annotated[int | None, Form()] = None,
    supersedes: Annotated[list[str] | None, Form()] = None,
) -> Metadata:
    fields: dict[str, Any] = dict(locals())
    return stated("form", fields)


@router.post(
    "", status_code=201, responses={200: {"model": PublishedOut, "description": "unchanged"}}, dependencies=[Room]
)
def publish(
    parts: Parts,
    caller: Ingester,
    turn: Turn,
    file: Annotated[UploadFile, File()],
    meta: Annotated[Metadata, Depends(_stated)],
    once: Once,
    allow_widen: Annotated[bool, Form()] = False,
    allow_retitle: Annotated[bool, Form()] = False,
    restrict_history: Annotated[bool, Form(description="who may not read this may not read older versions")] = False,
) -> PublishedOut:
    """Publish a document version. Fields left out are taken from the file's front matter."""
    data = file.file.read(parts.settings.max_upload_bytes + 1)
    if len(data) > parts.settings.max_upload_bytes:
        raise TooLarge(f"file: larger than {parts.settings.max_upload_bytes:,} bytes.", "Split it.", "file")
    name = file.filename or "document"
    options = {"allow_widen": allow_widen, "allow_retitle": allow_retitle, "restrict_history": restrict_history}
    fields = meta.model_dump() | {"name": name} | options
    fields["audience"] = sorted(meta.audience or ())
    attempt = once.attempt(fields, data)
    published = documents.publish(
        parts,
        caller,
        Submission(name, data, meta, **options),
        keep=lambda tx, done: attempt.keep(tx, _status(done), published_out(done).model_dump()),
    )
    return JSONResponse(published_out(published).model_dump(), _status(published))  # type: ignore[return-value]


@router.get("")
def list_documents(parts: Parts, caller: Reader, as_of: AsOf = None, revision: Revision = None) -> list[DocumentOut]:
    """The documents of which this key may read some version."""
    return documents.listed(parts, caller, as_of, revision)


@router.get("/{doc_id}")
def read_document(
    doc_id: str, parts: Parts, caller: Reader, as_of: AsOf = None, revision: Revision = None
) -> DocumentOut:
    """A document and its versions."""
    return documents.described(parts, caller, doc_id, as_of, revision)


@router.get("/{doc_id}/versions/{number}")
def read_version(doc_id: str, number: int, parts: Parts, caller: Reader) -> VersionText:
    """A version with its text."""
    return documents.version_text(parts, caller, doc_id, number)


@router.post("/{doc_id}/retract")
def retract(doc_id: str, body: RetractRequest, parts: Parts, caller: Ingester, once: Once) -> RetractedOut:
    """End all versions of a document at a date; its history stays."""
    attempt = once.attempt(body.model_dump())
    return documents.retract(
        parts, caller, doc_id, body.at, keep=lambda tx, done: attempt.keep(tx, 200, done.model_dump())
    )


@router.delete("/{doc_id}", responses={200: {"model": ErasedOut, "description": "purged"}, 204: {}})
def delete(
    doc_id: str, parts: Parts, caller: Ingester, purge: bool = False, version: Annotated[int | None, Query(ge=1)] = None
) -> Response:
    """Retract a document from now; with `purge=true` erase its words, or those of one `version`."""
    if purge:
        return JSONResponse(documents.purge(parts, caller, doc_id, version).model_dump())
    documents.retract(parts, caller, doc_id)
    return Response(status_code=204)


@upkeep.get("/v1/revisions")
def revisions(
    parts: Parts, caller: Administrator, doc_id: str | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> list[RevisionOut]:
    """Who changed what, when, newest first."""
    return documents.log(parts, doc_id, limit)


@upkeep.get("/v1/index")
def verify(parts: Parts, caller: Administrator) -> IndexReport:
    """Compare catalog, dense and lexical index."""
    return documents.verify(parts)


@upkeep.post("/v1/index/rebuild")
def rebuild(parts: Parts, caller: Administrator) -> IndexReport:
    """Make both indexes anew beside the live ones and swap."""
    return documents.rebuild(parts)


def _status(done: Published) -> int:
    return 201 if done.status == "published" else 200
