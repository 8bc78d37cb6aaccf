"""The desk in this process: the whole service without HTTP, for a home that nobody else owns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

from domains.spec import InvalidInput
from ingest.drafting import Submission
from retrieval.contents import Published
from service.auth.keys import SCOPES, Caller
from service.build import Services, build
from service.cli.protocol import NOT_SERVING, Audiences
from service.monitoring.drift.report import look
from service.monitoring.outcome import DriftReport
from service.prepare import prepare
from service.reply import Reply, RespondRequest, SearchReply, SearchRequest
from service.settings import Settings
from service.use_cases import adapter_admin, documents
from service.use_cases.adapter_admin import AdaptersOut, MoveOut
from service.use_cases.audit_log import AuditOut, audited
from service.use_cases.documents import DocumentOut, ErasedOut, IndexReport, RetractedOut, RevisionOut, VersionText
from service.use_cases.replay import replay
from service.use_cases.replay_report import ReplayOut
from service.use_cases.review_queue import JudgedTickets, judged


@contextmanager
def opened(settings: Settings, console: Console, loaded: Callable[[], None]) -> Iterator[Local]:
    """The parts of this process, prepared; `loaded` is called when the models are there."""
    services = build(settings)
    loaded()
    try:
        prepare(services, console)
        yield Local(services)
    finally:
        services.close()


class Local:
    """In this process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._caller = self._as(None)

    def respond(self, request: RespondRequest, audiences: Audiences) -> Reply:
        return self._services.pipeline.respond(request, self._as(audiences))

    def search(self, request: SearchRequest, audiences: Audiences) -> SearchReply:
        return self._services.pipeline.search(request, self._as(audiences))

    def publish(self, submission: Submission) -> Published:
        return documents.publish(self._services, self._caller, submission)

    def documents(self, audiences: Audiences, as_of: str | None, revision: int | None) -> list[DocumentOut]:
        return documents.listed(self._services, self._as(audiences), as_of, revision)

    def version(self, doc_id: str, number: int) -> VersionText:
        return documents.version_text(self._services, self._caller, doc_id, number)

    def retract(self, doc_id: str, at: str | None) -> RetractedOut:
        return documents.retract(self._services, self._caller, doc_id, at)

    def purge(self, doc_id: str, version: int | None) -> ErasedOut:
        return documents.purge(self._services, self._caller, doc_id, version)

    def log(self, doc_id: str | None, limit: int) -> list[RevisionOut]:
        return documents.log(self._services, doc_id, limit)

    def verify(self) -> IndexReport:
        return documents.verify(self._services)

    def rebuild(self) -> IndexReport:
        return documents.rebuild(self._services)

    def adapters(self) -> AdaptersOut:
        return adapter_admin.listed(self._services)

    def promote(self, adapter: str) -> MoveOut:
        return adapter_admin.promote(self._services, self._caller, adapter)

    def rollback(self) -> MoveOut:
        return adapter_admin.rollback(self._services, self._caller)

    def shadow(self, adapter: str | None) -> MoveOut:
        return adapter_admin.shadow(self._services, self._caller, adapter)

    def audit(self, limit: int, expect: str | None) -> AuditOut:
        return audited(self._services, limit, expect)

    def replay(self, request_id: str) -> ReplayOut:
        return replay(self._services, self._caller, request_id)

    def judged(self) -> JudgedTickets:
        return judged(self._services, self._caller)

    def drift(self, last: int | None) -> DriftReport:
        return look(self._services, last)

    def link(self) -> str:
        raise NOT_SERVING

    def _as(self, audiences: Audiences) -> Caller:
        domain = self._services.domain
        if unknown := set(audiences or ()) - set(domain.audiences):
            known = ", ".join(domain.audiences)
            raise InvalidInput(f"--audience: nobody declared {', '.join(unknown)}.", f"Declared: {known}.")
        return Caller("command line", frozenset(SCOPES), domain.readable_by(audiences or domain.audiences))
