"""The desk through the HTTP API of the running service, with the local key. Loads no model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from pydantic import TypeAdapter

from domains.spec import (
    Conflict,
    FormfactError,
    InvalidInput,
    NotFound,
    TooLarge,
    TooMany,
    Unavailable,
    UnsupportedMedia,
)
from retrieval.contents import Contradiction, LeftOut, Published
from service.cli.protocol import Audiences
from service.monitoring.outcome import DriftReport
from service.reply import Reply, RespondRequest, SearchReply, SearchRequest
from service.use_cases.adapter_admin import AdaptersOut, MoveOut
from service.use_cases.audit_log import AuditOut
from service.use_cases.documents import DocumentOut, ErasedOut, IndexReport, RetractedOut, RevisionOut, VersionText
from service.use_cases.replay_report import ReplayOut
from service.use_cases.review_queue import JudgedTickets

if TYPE_CHECKING:
    from ingest.drafting import Submission

_TIMEOUT = httpx.Timeout(5.0, read=3600.0)  # seconds; a rebuild is answered when it is done
_SCOPES = ["respond", "read"]
_PROBLEMS: Mapping[int, type[FormfactError]] = {
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    415: UnsupportedMedia,
    429: TooMany,
    503: Unavailable,
}


@contextmanager
def connected(url: str, key: Path) -> Iterator[Remote]:
    """A connection to the service at `url` with the key in a file."""
    with httpx.Client(base_url=url, timeout=_TIMEOUT) as client:
        yield Remote(client, key.read_text(encoding="utf-8").strip())


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
        options = ("allow_widen", "allow_retitle", "restrict_history")
        allowed = {name: getattr(submission, name) for name in options}
        file = {"file": (submission.filename, submission.data)}
        done = self._post("/v1/documents", self._key, data={**fields, **allowed}, files=file)
        left_out = tuple(LeftOut(item["what"], item["where"]) for item in done["left_out"])
        found = tuple(Contradiction(**item) for item in done["contradictions"])
        return Published(
            done["doc_id"], done["version"], done["status"], done["passages"], done["catalog_revision"], left_out, found
        )

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

    def adapters(self) -> AdaptersOut:
        return AdaptersOut.model_validate(self._ask("GET", "/v1/adapters", self._key))

    def promote(self, adapter: str) -> MoveOut:
        return MoveOut.model_validate(self._post(f"/v1/adapters/{adapter}/promote", self._key))

    def rollback(self) -> MoveOut:
        return MoveOut.model_validate(self._post("/v1/adapters/rollback", self._key))

    def shadow(self, adapter: str | None) -> MoveOut:
        return MoveOut.model_validate(self._ask("PUT", "/v1/adapters/shadow", self._key, json={"id": adapter}))

    def audit(self, limit: int, expect: str | None) -> AuditOut:
        asked = {"limit": limit} | ({"expect": expect} if expect else {})
        return AuditOut.model_validate(self._ask("GET", "/v1/audit", self._key, params=asked))

    def replay(self, request_id: str) -> ReplayOut:
        return ReplayOut.model_validate(self._post(f"/v1/replay/{request_id}", self._key))

    def judged(self) -> JudgedTickets:
        return JudgedTickets.model_validate(self._ask("GET", "/v1/judged", self._key))

    def drift(self, last: int | None) -> DriftReport:
        asked = {} if last is None else {"last": last}
        return DriftReport.model_validate(self._ask("GET", "/v1/drift", self._key, params=asked))

    def link(self) -> str:
        return str(self._post("/v1/links", self._key)["url"])

    @contextmanager
    def _reading_as(self, audiences: Audiences) -> Iterator[str]:
        """A key that reads as these audiences, for as long as the block runs."""
        if audiences is None:
            yield self._key
            return
        wanted = {"name": "command line", "scopes": _SCOPES, "audiences": list(audiences)}
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
