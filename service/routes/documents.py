"""Documents: publish, read, list, retract, purge."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, Query, Request, Response, UploadFile
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from domains.spec import FormfactError, TooLarge
from ingest.metadata import DOC_ID, Metadata, stated
from ingest.publish import Submission
from retrieval.catalog import Published
from retrieval.instants import now, parse_instant, show_instant
from retrieval.versions import Version, View
from service.build import Services
from service.dependencies import IdempotencyKey, Ingester, Parts, Reader
from service.keys import Caller

router = APIRouter(prefix="/v1/documents", tags=["documents"])

DocId = Annotated[str, Query(pattern=DOC_ID)]


class VersionOut(BaseModel):
    """A version without its text; dates as stated."""

    version: int
    title: str
    effective_from: str
    effective_to: str | None
    audience: list[str]


class DocumentOut(BaseModel):
    """A document and the versions of it that this key may read; `holds` is the one that holds now."""

    doc_id: str
    title: str
    holds: int | None
    versions: list[VersionOut]


class VersionText(VersionOut):
    """A version with its canonical text, to which the offsets of citations refer."""

    doc_id: str
    text: str


class PublishedOut(BaseModel):
    """What publishing did."""

    doc_id: str
    version: int
    status: str
    passages: int
    catalog_revision: int


class RetractRequest(BaseModel):
    """When a document ends; default: now."""

    at: str | None = None


def _stated(
    doc_id: Annotated[str | None, Form()] = None,
    title: Annotated[str | None, Form()] = None,
    effective_from: Annotated[str | None, Form()] = None,
    effective_to: Annotated[str | None, Form()] = None,
    audience: Annotated[list[str] | None, Form()] = None,
    precedence: Annotated[int | None, Form()] = None,
) -> Metadata:
    fields: dict[str, Any] = dict(locals())
    return stated("form", fields)


@router.post("", status_code=201, responses={200: {"model": PublishedOut, "description": "unchanged"}})
def publish(
    request: Request,
    parts: Parts,
    caller: Ingester,
    file: Annotated[UploadFile, File()],
    meta: Annotated[Metadata, Depends(_stated)],
    allow_widen: Annotated[bool, Form()] = False,
    key: IdempotencyKey = None,
) -> PublishedOut:
    """Publish a document version. Fields left out are taken from the file's front matter."""
    data = file.file.read(parts.settings.max_upload_bytes + 1)
    if len(data) > parts.settings.max_upload_bytes:
        raise TooLarge(f"file: larger than {parts.settings.max_upload_bytes:,} bytes.", "Split it.", "file")
    name = file.filename or "document"
    fields = meta.model_dump() | {"name": name, "allow_widen": allow_widen}
    fields["audience"] = sorted(meta.audience or ())
    attempt = parts.idempotency.attempt((caller.key_id, "POST", request.url.path), key, fields, data)
    if first := parts.idempotency.first_answer(attempt):
        return JSONResponse(first.body, first.status)  # type: ignore[return-value]
    published = parts.publisher.publish(
        Submission(name, data, meta, allow_widen),
        actor=caller.key_id,
        held=caller.audiences,
        within=lambda tx, done: attempt.keep(tx, _status(done), _published(done).model_dump()),
    )
    return JSONResponse(_published(published).model_dump(), _status(published))  # type: ignore[return-value]


@router.get("")
def list_documents(parts: Parts, caller: Reader) -> list[DocumentOut]:
    """The documents of which this key may read some version."""
    view = _view(parts, caller)
    found = []
    for doc_id in sorted(parts.catalog.timeline().histories):
        try:
            found.append(_document(parts, view, doc_id))
        except FormfactError:
            continue  # nothing of it is for this caller
    return found


@router.get("/{doc_id}")
def read_document(doc_id: str, parts: Parts, caller: Reader) -> DocumentOut:
    """A document and its versions."""
    return _document(parts, _view(parts, caller), doc_id)


@router.get("/{doc_id}/versions/{number}")
def read_version(doc_id: str, number: int, parts: Parts, caller: Reader) -> VersionText:
    """A version with its text."""
    version = parts.catalog.version(_view(parts, caller), doc_id, number)
    text = parts.catalog.text(version.content)
    return VersionText(**_version(parts, version).model_dump(), doc_id=doc_id, text=text)


@router.post("/{doc_id}/retract")
def retract(doc_id: str, body: RetractRequest, parts: Parts, caller: Ingester) -> dict[str, Any]:
    """End all versions of a document at a date; its history stays."""
    parts.catalog.history(_view(parts, caller), doc_id)
    at = parse_instant(body.at, parts.domain.zone, "at") if body.at else now()
    return {"doc_id": doc_id, "catalog_revision": parts.publisher.retract(doc_id, at, caller.key_id)}


@router.delete("/{doc_id}", status_code=204)
def delete(doc_id: str, parts: Parts, caller: Ingester, purge: bool = False) -> Response:
    """Retract a document from now; with `purge=true` erase its words."""
    parts.catalog.history(_view(parts, caller), doc_id)
    if purge:
        parts.publisher.purge(doc_id, caller.key_id)
    else:
        parts.publisher.retract(doc_id, now(), caller.key_id)
    return Response(status_code=204)


def _view(parts: Services, caller: Caller) -> View:
    return parts.catalog.view(caller.audiences, now())


def _document(parts: Services, view: View, doc_id: str) -> DocumentOut:
    versions = parts.catalog.history(view, doc_id)
    holds = next((v.version for v in view.versions if v.doc_id == doc_id), None)
    return DocumentOut(
        doc_id=doc_id, title=versions[-1].title, holds=holds, versions=[_version(parts, v) for v in versions]
    )


def _version(parts: Services, version: Version) -> VersionOut:
    return VersionOut(
        version=version.version,
        title=version.title,
        effective_from=show_instant(version.effective_from, parts.domain.zone) or "",
        effective_to=show_instant(version.effective_to, parts.domain.zone),
        audience=sorted(version.audience),
    )


def _published(done: Published) -> PublishedOut:
    return PublishedOut(
        doc_id=done.doc_id,
        version=done.version,
        status=done.status,
        passages=done.passages,
        catalog_revision=done.revision,
    )


def _status(done: Published) -> int:
    return 201 if done.status == "published" else 200
