"""Documents as callers see them: one set of functions behind the HTTP API and the command line."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from pydantic import BaseModel
from sqlalchemy import Connection, select

from domains.spec import NotFound
from retrieval.tables import revisions
from retrieval.timestamps import now, parse_instant, show_instant

if TYPE_CHECKING:
    from ingest.drafting import Submission
    from retrieval.catalog_writer import Erased
    from retrieval.contents import Published
    from retrieval.maintenance import MaintenanceReport
    from retrieval.versions import Version, View
    from service.auth.keys import Caller
    from service.build import Services
    from service.records.idempotency import Keep

_BEYOND = "Backups, and copies outside the home, are not reached."


class VersionOut(BaseModel):
    """A version without its text; dates as stated."""

    version: int
    title: str
    effective_from: str
    effective_to: str | None
    audience: list[str]
    restricted_to: list[str] | None = None  # whose members may still read it; null: no restriction


class DocumentOut(BaseModel):
    """A document and the versions of it that this key may read; `holds` is the one that holds at the date asked."""

    doc_id: str
    title: str
    holds: int | None
    versions: list[VersionOut]


class VersionText(VersionOut):
    """A version with its canonical text, to which the offsets of citations refer."""

    doc_id: str
    text: str


class UnreadContent(BaseModel):
    """Content of the file that was knowingly not read: what it is, and where it is in the file."""

    what: str
    where: str


class ContradictionOut(BaseModel):
    """A sentence or row of the new version, and one of another document that states another figure."""

    text: str
    doc_id: str
    version: int
    other: str


class PublishedOut(BaseModel):
    """What publishing did; `contradictions` are hints, for a person to look at."""

    doc_id: str
    version: int
    status: str
    passages: int
    catalog_revision: int
    left_out: list[UnreadContent] = []
    contradictions: list[ContradictionOut] = []


class RetractedOut(BaseModel):
    """From when on nothing of the document holds."""

    doc_id: str
    at: str
    catalog_revision: int


class ErasedOut(BaseModel):
    """What a purge erased, what it left because other versions hold the same text, and what it cannot reach."""

    doc_id: str
    versions: int
    texts: int
    passages: int
    embeddings: int
    original_files: int
    journal_records: int
    left: str
    not_reached: str = _BEYOND


class RevisionOut(BaseModel):
    """One change to the catalog: who did what, when."""

    revision: int
    at: str
    actor: str
    change: str
    doc_id: str
    version: int | None


class IndexReport(BaseModel):
    """How catalog, dense and lexical index compare; no problems: they agree."""

    clean: bool
    versions: int
    contents: int
    passages: int
    problems: list[str]


def listed(
    services: Services, caller: Caller, as_of: str | None = None, revision: int | None = None
) -> list[DocumentOut]:
    """The documents of which the caller may read some version."""
    _, view = services.pipeline.view(as_of, revision, caller)
    found = []
    for doc_id in sorted(services.catalog.timeline().histories):
        try:
            found.append(_document(services, view, doc_id))
        except NotFound:
            continue  # nothing of it is for this caller
    return found


def described(
    services: Services, caller: Caller, doc_id: str, as_of: str | None = None, revision: int | None = None
) -> DocumentOut:
    """A document and its versions.

    Raises:
        NotFound: it does not exist, or nothing of it is for the caller.
    """
    _, view = services.pipeline.view(as_of, revision, caller)
    return _document(services, view, doc_id)


def ends(services: Services, caller: Caller, doc_id: str) -> list[str]:
    """When a document was retracted; told to callers who may ask by revision: an end may be that of hidden versions."""
    if not caller.sees_revisions:
        return []
    history, zone = services.catalog.timeline().history(doc_id), services.domain.zone
    return sorted({show_instant(end.at, zone) or "" for end in history.retractions})


def version_text(services: Services, caller: Caller, doc_id: str, number: int) -> VersionText:
    """A version with its text; raises like `described`."""

    def read(view: View) -> VersionText:
        version = services.catalog.version(view, doc_id, number)
        text = services.catalog.text(version.content)
        return VersionText(**_version(services, version).model_dump(), doc_id=doc_id, text=text)

    return services.catalog.reading(lambda: services.pipeline.view(None, None, caller)[1], read)


def left_out(services: Services, caller: Caller, doc_id: str, number: int) -> list[UnreadContent]:
    """What was knowingly not read of the file of a version; for callers who may publish."""
    if not caller.sees_revisions:
        return []
    _, view = services.pipeline.view(None, None, caller)
    version = services.catalog.version(view, doc_id, number)
    return [UnreadContent(what=item.what, where=item.where) for item in version.left_out]


def contradictions(services: Services, caller: Caller, doc_id: str, number: int) -> list[ContradictionOut]:
    """What a version says differently from other documents; for callers who may publish."""
    if not caller.sees_revisions:
        return []
    _, view = services.pipeline.view(None, None, caller)
    version = services.catalog.version(view, doc_id, number)
    return [
        ContradictionOut(**asdict(found)) for found in services.publisher.contradicted_by(version, caller.audiences)
    ]


def publish(
    services: Services, caller: Caller, submission: Submission, keep: Keep[Published] | None = None
) -> Published:
    """Publish a file; `keep` writes what belongs to it into the same transaction. Raises like `Publisher.publish`."""

    def within(tx: Connection, done: Published) -> None:
        if done.status == "published":
            restricted = {"restrict_history": True} if submission.restrict_history else {}
            services.audit.add(tx, caller.key_id, "published", f"{done.doc_id} v{done.version}", **restricted)
        if keep:
            keep(tx, done)

    return services.publisher.publish(submission, caller.key_id, caller.audiences, within)


def retract(
    services: Services, caller: Caller, doc_id: str, at: str | None = None, keep: Keep[RetractedOut] | None = None
) -> RetractedOut:
    """End all versions of a document at a date (default: now); its history stays."""
    described(services, caller, doc_id)
    moment = parse_instant(at, services.domain.zone, "at") if at else now()
    shown = show_instant(moment, services.domain.zone) or ""

    def within(tx: Connection, revision: int) -> None:
        services.audit.add(tx, caller.key_id, "retracted", doc_id, at=shown)
        if keep:
            keep(tx, RetractedOut(doc_id=doc_id, at=shown, catalog_revision=revision))

    revision = services.publisher.retract(doc_id, moment, caller.key_id, within)
    return RetractedOut(doc_id=doc_id, at=shown, catalog_revision=revision)


def purge(services: Services, caller: Caller, doc_id: str, version: int | None = None) -> ErasedOut:
    """Erase the words of a version, or with None of a document, wherever this service keeps them."""
    if version is None:
        described(services, caller, doc_id)
    else:
        version_text(services, caller, doc_id, version)
    blanked: list[int] = []

    def within(tx: Connection, _: Erased) -> None:
        blanked.append(services.pipeline.journal.erase(tx, doc_id, version))
        services.audit.add(tx, caller.key_id, "purged", doc_id, version=version)

    erased = services.publisher.purge(doc_id, version, caller.key_id, within)
    return _erased(doc_id, erased, sum(blanked))


def log(services: Services, doc_id: str | None = None, limit: int = 100) -> list[RevisionOut]:
    """The latest changes to the catalog, or to one document, newest first."""
    query = select(revisions).order_by(revisions.c.revision.desc()).limit(limit)
    if doc_id:
        query = query.where(revisions.c.doc_id == doc_id)
    with services.engine.connect() as connection:
        rows = connection.execute(query).all()
    zone = services.domain.zone
    return [RevisionOut.model_validate({**row._mapping, "at": show_instant(row.at, zone)}) for row in rows]


def verify(services: Services) -> IndexReport:
    """Compare catalog and indexes; publishing waits meanwhile."""
    with services.publisher.turn():
        return _report(services.publisher.upkeep.verify())


def rebuild(services: Services) -> IndexReport:
    """Make the indexes anew beside the live ones, swap, and compare; questions are answered meanwhile."""
    with services.publisher.turn():
        services.publisher.upkeep.rebuild()
        services.publisher.upkeep.settle()
        return _report(services.publisher.upkeep.verify())


def published_out(done: Published) -> PublishedOut:
    """What publishing did, for the caller."""
    return PublishedOut(
        doc_id=done.doc_id,
        version=done.version,
        status=done.status,
        passages=done.passages,
        catalog_revision=done.revision,
        left_out=[UnreadContent(what=item.what, where=item.where) for item in done.left_out],
        contradictions=[ContradictionOut(**asdict(found)) for found in done.contradictions],
    )


def _document(services: Services, view: View, doc_id: str) -> DocumentOut:
    versions = services.catalog.history(view, doc_id)
    holds = next((v.version for v in view.versions if v.doc_id == doc_id), None)
    return DocumentOut(
        doc_id=doc_id, title=versions[-1].title, holds=holds, versions=[_version(services, v) for v in versions]
    )


def _version(services: Services, version: Version) -> VersionOut:
    return VersionOut(
        version=version.version,
        title=version.title,
        effective_from=show_instant(version.effective_from, services.domain.zone) or "",
        effective_to=show_instant(version.effective_to, services.domain.zone),
        audience=sorted(version.audience),
        restricted_to=sorted(version.readers(services.domain.reach)) if version.restricted_to else None,
    )


def _erased(doc_id: str, erased: Erased, journal_records: int) -> ErasedOut:
    shared = f"{len(erased.shared)} texts stay, since other versions hold the same words." if erased.shared else ""
    return ErasedOut(
        doc_id=doc_id,
        versions=erased.versions,
        texts=len(erased.contents),
        passages=erased.passages,
        embeddings=erased.passages,
        original_files=erased.sources,
        journal_records=journal_records,
        left=shared or "nothing",
    )


def _report(report: MaintenanceReport) -> IndexReport:
    return IndexReport(
        clean=report.clean,
        versions=report.versions,
        contents=report.contents,
        passages=report.passages,
        problems=list(report.problems[:100]),
    )
