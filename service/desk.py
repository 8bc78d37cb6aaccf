"""The desk of the command line: the same work through the service that owns the home, or in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rich.console import Console

from domains.spec import Unavailable
from service.home import owned, owner
from service.settings import Settings

if TYPE_CHECKING:
    from ingest.drafting import Submission
    from retrieval.contents import Published
    from service.auditing import AuditOut
    from service.documents import DocumentOut, ErasedOut, IndexReport, RetractedOut, RevisionOut, VersionText
    from service.drift.outcome import DriftReport
    from service.labelling import AdaptersOut, MoveOut
    from service.replayed import ReplayOut
    from service.reply import Reply, RespondRequest, SearchReply, SearchRequest
    from service.reviewing import JudgedTickets

Audiences = Sequence[str] | None  # None: all
NOT_SERVING = Unavailable("No service runs on this home, and the console is a part of it.", "Run `formfact serve`.")


class Desk(Protocol):
    """What the command line asks for, as whoever sits at this machine."""

    def respond(self, request: RespondRequest, audiences: Audiences) -> Reply: ...
    def search(self, request: SearchRequest, audiences: Audiences) -> SearchReply: ...
    def publish(self, submission: Submission) -> Published: ...
    def documents(self, audiences: Audiences, as_of: str | None, revision: int | None) -> list[DocumentOut]: ...
    def version(self, doc_id: str, number: int) -> VersionText: ...
    def retract(self, doc_id: str, at: str | None) -> RetractedOut: ...
    def purge(self, doc_id: str, version: int | None) -> ErasedOut: ...
    def log(self, doc_id: str | None, limit: int) -> list[RevisionOut]: ...
    def verify(self) -> IndexReport: ...
    def rebuild(self) -> IndexReport: ...
    def adapters(self) -> AdaptersOut: ...
    def promote(self, adapter: str) -> MoveOut: ...
    def rollback(self) -> MoveOut: ...
    def shadow(self, adapter: str | None) -> MoveOut: ...
    def audit(self, limit: int, expect: str | None) -> AuditOut: ...
    def replay(self, request_id: str) -> ReplayOut: ...
    def judged(self) -> JudgedTickets: ...
    def drift(self, last: int | None) -> DriftReport: ...
    def link(self) -> str: ...


@contextmanager
def open_desk(settings: Settings, console: Console) -> Iterator[Desk]:
    """The running service where there is one, else the parts of this process with the home owned and prepared.

    Raises:
        Unavailable: the home is owned by a process that serves nothing (yet).
    """
    if running := owner(settings):
        if "url" not in running:
            raise Unavailable(
                f"{settings.home} is owned by process {running['pid']}, which does not serve.",
                "Wait until it is done, stop it, or set FORMFACT_HOME to another folder.",
            )
        from service.remote import connected

        with connected(running["url"], settings.home / "local.key") as remote:
            yield remote
        return
    with owned(settings), console.status("Loading models") as status:
        from service.local import opened  # models take seconds to load, and a client needs none

        with opened(settings, console, status.stop) as local:
            yield local
