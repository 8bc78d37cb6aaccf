"""Replay: a journalled request is answered again, as everything was known then, and compared with what was replied.

First with the labels that the journal kept: route, search, selection, wording and verification must give every value,
text and citation again. Then the adapter labels the ticket again, and confidences may differ by a hundredth.
Embeddings are not journalled but made again: the encoder is the same or does not start (its fingerprint is checked).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from adapters.classifier import Alternative, Label, Labels
from domains.spec import Conflict, FormfactError
from service.pipeline import ParsedRequest
from service.records.journal import Record, unknown
from service.route import Options
from service.ticket import Message, Received, Ticket, received
from service.use_cases.replay_report import Difference, ReplayOut

if TYPE_CHECKING:
    from service.auth.keys import Caller
    from service.build import Services

_TOLERANCE = 0.011  # of confidences, which have two decimals
_OF_THE_CALL = frozenset({"request_id", "timings_ms"})  # differ by nature
_WORDED = frozenset({"answer", "citations", "flags"})  # what a chat model wrote is not asked for again


def replay(services: Services, caller: Caller, request_id: str) -> ReplayOut:
    """Answer a journalled request again; nothing is journalled.

    Raises:
        NotFound: there is no such request, or not for this caller.
        Conflict: it was recorded before replies could be replayed.
    """
    record = services.pipeline.journal.read(request_id)
    if not record.outputs:
        raise Conflict(f"`{request_id}` was recorded without what a replay needs.", "Later requests can be replayed.")
    if not record.audiences <= caller.audiences:
        raise unknown(request_id)
    asked, notes = _asked(services, record), list(_erased(services, record))
    worded = record.reply["provenance"]["composer"] != services.pipeline.extractive.name
    pipeline = replace(services.pipeline, chat=None)
    answered = services.catalog.reading(
        lambda: services.catalog.view(record.audiences, asked.moment, asked.view.revision),
        lambda view: pipeline.answer(replace(asked, view=view)),
    )
    again = answered.reply.model_dump(mode="json")
    left_out = _OF_THE_CALL | (_WORDED if worded else frozenset())
    differences = list(_compared(_comparable(record.reply, left_out), _comparable(again, left_out)))
    if worded:
        notes.append("A chat model worded the answer: it is not asked again, and its words are not compared.")
        differences = [d for d in differences if d.where != "provenance.composer"]
    labels, same_labels, told = _labelled_again(services, record, asked)
    return ReplayOut(
        request_id=request_id,
        same=not differences,
        differences=differences,
        labels_same=same_labels,
        label_differences=labels,
        notes=[*notes, *told],
    )


@dataclass(frozen=True, slots=True)
class _Told:
    """Gives the labels that the journal kept, under the names that provenance gives."""

    labels: Labels
    id: str
    base_model: str
    dataset: str

    def label(self, text: str) -> Labels:
        return self.labels

    def label_all(self, texts: list[str]) -> list[Labels]:
        return [self.labels for _ in texts]


def _asked(services: Services, record: Record) -> ParsedRequest:
    told, kept, request = record.reply["provenance"], record.outputs or {}, record.request
    moment = datetime.fromisoformat(kept["moment"])
    labels = _labels(kept["labels"] or {})
    thread = tuple(Message(m["sender"], m["text"]) for m in request["thread"])
    ticket = Ticket(request["body"], request["subject"], request["channel"], thread, request["customer"])
    asks = tuple(tuple((start, end) for start, end in spans) for spans in request.get("asks", ()))
    got = Received(ticket, asks) if asks else received(ticket, services.pipeline.scrub)  # older records tell none
    return ParsedRequest(
        got=got,
        enquiry=services.pipeline.enquiry(got),
        options=Options(request["mode"], request["labels"], request["facts"]),
        moment=moment,
        view=services.catalog.view(record.audiences, moment, kept["revision"]),
        sees_revisions=kept["sees_revisions"],
        classifier=_Told(labels, told["adapters"]["labels"], told["base_model"], told["dataset"]),
    )


def _labels(kept: dict[str, dict[str, Any]]) -> Labels:
    return {
        name: Label(**label | {"alternatives": tuple(Alternative(**one) for one in label["alternatives"])})
        for name, label in kept.items()
    }


def _erased(services: Services, record: Record) -> Iterator[str]:
    """What was looked at then and is not there any more."""
    seen = {(hit[0], hit[1]) for finding in record.request["evidence"] or () for hit in finding["hits"]}
    for doc_id, version in sorted(seen):
        if all(v.version != version for v in services.catalog.timeline().history(doc_id).versions):
            yield f"{doc_id} version {version} was erased since: what it said cannot be replayed."


def _labelled_again(
    services: Services, record: Record, asked: ParsedRequest
) -> tuple[list[Difference], bool | None, tuple[str, ...]]:
    then = (record.outputs or {})["labels"]
    if then is None:
        return [], None, ()
    try:
        classifier = services.live.load(asked.classifier.id)
    except FormfactError as error:
        return [], None, (f"Not labelled again: {error.detail}",)
    found = classifier.label(services.pipeline.read_by(asked.ticket, asked.enquiry))
    kept = _labels(then)
    differing = [name for name in kept if not _alike(kept[name], found[name])]
    told = [Difference(where=n, then=_short(kept[n]), now=_short(found[n])) for n in differing]
    return told, not told, ()


def _alike(one: Label, other: Label) -> bool:
    near = abs(one.confidence - other.confidence) < _TOLERANCE
    return near and (one.value, one.abstained) == (other.value, other.abstained)


def _short(label: Label) -> str:
    return f"{label.value} {label.confidence:.2f}{' (abstained)' * label.abstained}"


def _comparable(reply: dict[str, Any], left_out: frozenset[str]) -> dict[str, Any]:
    kept = {name: value for name, value in reply.items() if name not in left_out}
    if "flags" in kept:  # a chat model that did not answer then is not asked now
        kept["flags"] = [flag for flag in kept["flags"] if flag != "composer_fell_back"]
    return kept


def _compared(then: Any, now: Any, where: str = "") -> Iterator[Difference]:
    """The innermost values that differ."""
    if isinstance(then, dict) and isinstance(now, dict) and then.keys() == now.keys():
        for name in then:
            yield from _compared(then[name], now[name], f"{where}.{name}".lstrip("."))
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for number, pair in enumerate(zip(then, now, strict=True)):
            yield from _compared(*pair, where=f"{where}.{number}")
    elif then != now:
        yield Difference(where=where, then=then, now=now)
