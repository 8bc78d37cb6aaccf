"""The desk of the command line: the same work in this process, or through the service that owns the home."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import httpx
from pydantic import TypeAdapter
from rich.console import Console

from domains.spec import Conflict, FormfactError, InvalidInput, NotFound, TooLarge, Unavailable, UnsupportedMedia
from ingest.drafting import Submission
from retrieval.contents import Published
from service import documents
from service.build import Services, build, owned, owner
from service.documents import DocumentOut, ErasedOut, IndexReport, RetractedOut, RevisionOut, VersionText
from service.keys import SCOPES, Caller
from service.prepare import prepare
from service.reply import Reply, RespondRequest, SearchReply, SearchRequest
from service.settings import Settings

Audiences = Sequence[str] | None  # None: all
_TIMEOUT = httpx.Timeout(5.0, read=3600.0)  # seconds; a rebuild is answered when it is done
_PROBLEMS: Mapping[int, type[FormfactError]] = {
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    415: UnsupportedMedia,
    503: Unavailable,
}


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
        key = (settings.home / "local.key").read_text(encoding="utf-8").strip()
        with httpx.Client(base_url=running["url"], timeout=_TIMEOUT) as client:
            yield Remote(client, key)
        return
    with owned(settings):
        with console.status("Loading models"):
            services = build(settings)
        prepare(services, console)
        try:
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
        return self._services.publisher.publish(submission, self._caller.key_id, self._caller.audiences)

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

    def _as(self, audiences: Audiences) -> Caller:
        domain = self._services.domain
        if unknown := set(audiences or ()) - set(domain.audiences):
            known = ", ".join(domain.audiences)
            raise InvalidInput(f"--audience: nobody declared {', '.join(unknown)}.", f"Declared: {known}.")
        return Caller("command line", frozenset(SCOPES), domain.readable_by(audiences or domain.audiences))


class Remote:
    """Through the HTTP API, with the local key."""

    def __init__(self, client: httpx.Client, key: str) -> None:
        self._client, self._key = client, key

    def respond(self, request: RespondRequest, audiences: Audiences) -> Reply:
        with self._reading_as(audiences) as key:
            return Reply.model_validate(self._post("/v1/respond", key, json=request.model_dump(exclude_none=True)))

    def search(self, request: SearchRequest, audiences: Audiences) -> SearchReply:
        with self._reading_as(audiences) as key:
            return SearchReply.model_validate(self._post("/v1/search", key, json=request.model_dump(exclude_none=True)))

    def publish(self, submission: Submission) -> Published:
        stated = submission.stated.model_dump(exclude_none=True)
        fields = {k: sorted(v) if isinstance(v, frozenset) else v for k, v in stated.items()}
        allowed = {"allow_widen": submission.allow_widen, "allow_retitle": submission.allow_retitle}
        file = {"file": (submission.filename, submission.data)}
        done = self._post("/v1/documents", self._key, data={**fields, **allowed}, files=file)
        return Published(done["doc_id"], done["version"], done["status"], done["passages"], done["catalog_revision"])

    def documents(self, audiences: Audiences, as_of: str | None, revision: int | None) -> list[DocumentOut]:
        asked = {k: v for k, v in {"as_of": as_of, "revision": revision}.items() if v is not None}
        with self._reading_as(audiences) as key:
            found = self._ask("GET", "/v1/documents", key, params=asked)
        return TypeAdapter(list[DocumentOut]).validate_python(found)

    def version(self, doc_id: str, number: int) -> VersionText:
        return VersionText.model_validate(self._ask("GET", f"/v1/documents/{doc_id}/versions/{number}", self._key))

    def retract(self, doc_id: str, at: str | None) -> RetractedOut:
        return RetractedOut.model_validate(self._post(f"/v1/documents/{doc_id}/retract", self._key, json={"at": at}))

    def purge(self, doc_id: str, version: int | None) -> ErasedOut:
        asked = {"purge": True} | ({"version": version} if version else {})
        return ErasedOut.model_validate(self._ask("DELETE", f"/v1/documents/{doc_id}", self._key, params=asked))

    def log(self, doc_id: str | None, limit: int) -> list[RevisionOut]:
        asked = {"limit": limit} | ({"doc_id": doc_id} if doc_id else {})
        found = self._ask("GET", "/v1/revisions", self._key, params=asked)
        return TypeAdapter(list[RevisionOut]).validate_python(found)

    def verify(self) -> IndexReport:
        return IndexReport.model_validate(self._ask("GET", "/v1/index", self._key))

    def rebuild(self) -> IndexReport:
        return IndexReport.model_validate(self._post("/v1/index/rebuild", self._key))

    @contextmanager
    def _reading_as(self, audiences: Audiences) -> Iterator[str]:
        """A key that reads as these audiences, for as long as the block runs."""
        if audiences is None:
            yield self._key
            return
        wanted = {"name": "command line", "scopes": list(SCOPES), "audiences": list(audiences)}
        made = self._post("/v1/keys", self._key, json=wanted)
        try:
            yield made["key"]
        finally:
            self._ask("DELETE", f"/v1/keys/{made['id']}", self._key)

    def _post(self, path: str, key: str, **sent: Any) -> Any:
        return self._ask("POST", path, key, **sent)

    def _ask(self, method: str, path: str, key: str, **sent: Any) -> Any:
        try:
            answer = self._client.request(method, path, headers={"Authorization": f"Bearer {key}"}, **sent)
        except httpx.TransportError as error:
            raise Unavailable(f"{self._client.base_url} does not answer: {error}.", "Try again.") from None
        if answer.is_error:
            raise _problem(answer)
        return answer.json() if answer.content else None


def _problem(answer: httpx.Response) -> FormfactError:
    """The error that the service named, as it would have been raised here."""
    try:
        detail = str(answer.json()["detail"])
    except (json.JSONDecodeError, KeyError, TypeError):
        detail = f"The service answered {answer.status_code}."
    known = _PROBLEMS.get(answer.status_code)
    return known(detail) if known else Unavailable(detail) if answer.is_server_error else InvalidInput(detail)
