"""The reference window: what requests looked like when the adapter was measured, kept in the domain's folder.

It is made of tickets that the shipped adapter was not fitted on, the validation and calibration rows of its data set,
answered by the whole pipeline. The sealed holdout is left alone: looking at it here would be an opening.

    drift/reference.json   columns of the requests (labels, confidences, lengths …), what it was made with, a checksum
    drift/vectors.npy      float16, (requests, dimensions)

No word of a ticket stands in either.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from adapters.data import rows
from domains.seal import fingerprint, refuse_sealed
from domains.spec import Conflict, IntegrityError, load_domain
from service.auth.keys import SCOPES, Caller
from service.build import Services
from service.ephemeral import apart
from service.monitoring.drift.observed import Guess, Observation, Window, observed
from service.monitoring.drift.vectors import vectors_of
from service.prepare import held
from service.reply import MessageIn, RespondRequest, TicketIn
from service.route import Mode
from service.settings import Settings

Progress = Callable[[Sequence[RespondRequest]], Iterator[RespondRequest]]

FOLDER, COLUMNS, VECTORS = "drift", "reference.json", "vectors.npy"
MODE: Mode = "hybrid"
_AGAIN = "`formfact drift reference` makes it anew."


@dataclass(frozen=True, slots=True)
class ReferenceInputs:
    """What a reference was made with: tests that depend on a part are left out when it is another one now."""

    adapter: str  # id of what labelled
    encoder: str  # fingerprint of the bare encoder
    judge: str  # the evidence reader and its calibration
    domain: str  # fingerprint of the definition
    dataset: str  # fingerprint of the file that the tickets are from
    at: str  # ISO 8601: documents of another day answer other questions


@dataclass(frozen=True, slots=True)
class Reference:
    """The window that later ones are compared with."""

    window: Window
    grounds: ReferenceInputs


def grounds_of(services: Services, at: str = "") -> ReferenceInputs:
    """What a reference would be made with now."""
    live = services.pipeline.labelling.current()
    return ReferenceInputs(
        adapter=live.id,
        encoder=services.encoder.fingerprint,
        judge=services.pipeline.selector.reader.fingerprint,
        domain=services.domain.fingerprint,
        dataset=live.dataset,
        at=at,
    )


def observe(services: Services, request_ids: Sequence[str]) -> tuple[Observation, ...]:
    """Requests that were answered, as drift sees them."""
    journal, reader = services.pipeline.journal, services.pipeline.selector.reader
    return tuple(observed(journal.read(one), services.domain, reader.sufficient) for one in request_ids)


def make(settings: Settings, progress: Progress) -> tuple[Path, Reference]:
    """Answer the tickets that the domain's adapter was not fitted on, in a home of their own; about a minute.

    Returns:
        The domain's folder for it, and the reference, not yet written.

    Raises:
        Conflict: what labels was trained on another file, so that nobody knows which of these rows it has seen.
        InvalidInput: a row of the domain's tickets is broken.
    """
    with apart(load_domain(settings.domain), settings) as services:
        requests = unfitted(services)
        caller = Caller("drift", frozenset(SCOPES), held(services))
        replies = [services.pipeline.respond(request, caller) for request in progress(tuple(requests.values()))]
        seen = observe(services, [reply.request_id for reply in replies])
        vectors = vectors_of(services.engine, services.encoder, seen)
        grounds = grounds_of(services, replies[0].provenance.as_of)
    named = tuple(replace(one, request_id=row, text="") for row, one in zip(requests, seen, strict=True))
    return services.domain.folder / FOLDER, Reference(Window(named, vectors), grounds)


def unfitted(services: Services) -> dict[str, RespondRequest]:
    """Validation and calibration rows as requests, by the row's id. They chose when training stopped, and thresholds.

    Raises:
        Conflict: see `make`.
    """
    path = services.domain.folder / "tickets" / "train.jsonl"
    refuse_sealed(path)
    dataset = services.pipeline.labelling.current().dataset
    if fingerprint(path) != dataset:
        raise Conflict(f"{path.name} is {fingerprint(path)}; the adapter was trained on {dataset}.", "Train anew.")
    parts = rows.split(rows.read(path, services.domain.label_names))
    wanted = {row.id for row in (*parts.validation, *parts.calibration)}
    return {raw["id"]: _request(raw) for _, raw in rows.lines(path) if raw["id"] in wanted}


def write(folder: Path, reference: Reference) -> None:
    """Write a reference, with the checksum over all of it."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / VECTORS, reference.window.vectors.astype(np.float16), allow_pickle=False)
    told: dict[str, Any] = {"made with": asdict(reference.grounds), "requests": _columns(reference.window)}
    told["sha256"] = _checksum(told, (folder / VECTORS).read_bytes())
    (folder / COLUMNS).write_text(json.dumps(told, separators=(",", ":")) + "\n", encoding="utf-8")


def read(folder: Path) -> Reference | None:
    """The reference of a domain; None where it has none.

    Raises:
        IntegrityError: a byte of it was changed, or a part is missing.
    """
    if not folder.is_dir():
        return None
    try:
        told = json.loads((folder / COLUMNS).read_text(encoding="utf-8"))
        packed = (folder / VECTORS).read_bytes()
        if told.pop("sha256") != _checksum(told, packed):
            raise IntegrityError(f"{folder / COLUMNS} and {VECTORS} are not what was written.", _AGAIN)
        vectors = np.load(folder / VECTORS, allow_pickle=False).astype(np.float32)
        grounds = ReferenceInputs(**told["made with"])
        return Reference(Window(tuple(_observations(told["requests"], grounds)), vectors), grounds)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(f"{folder} holds no reference: {error!r}"[:300] + ".", _AGAIN) from None


def _checksum(told: Mapping[str, Any], packed: bytes) -> str:
    canonical = json.dumps(told, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode() + b"\0" + packed).hexdigest()


def _request(raw: Mapping[str, Any]) -> RespondRequest:
    thread = [MessageIn.model_validate({"from": m["from"], "text": m["text"]}) for m in raw.get("thread") or ()]
    ticket = TicketIn(
        body=raw["body"], subject=raw.get("subject") or "", channel=raw.get("channel") or "", thread=tuple(thread)
    )
    return RespondRequest(ticket=ticket, mode=MODE)


def _columns(window: Window) -> dict[str, Any]:
    seen = window.seen
    return {
        "id": [o.request_id for o in seen],
        "characters": [o.characters for o in seen],
        "language": [o.language for o in seen],
        "sufficed": [o.sufficed for o in seen],
        "action": [o.action for o in seen],
        "labels": {
            name: {
                "value": [o.labels[name].value for o in seen],
                "confidence": [o.labels[name].confidence for o in seen],
                "abstained": [o.labels[name].abstained for o in seen],
            }
            for name in seen[0].labels
        },
    }


def _observations(columns: Mapping[str, Any], grounds: ReferenceInputs) -> Iterator[Observation]:
    at = datetime.fromisoformat(grounds.at)
    for i, row in enumerate(columns["id"]):
        labels = {
            name: Guess(of["value"][i], of["confidence"][i], of["abstained"][i])
            for name, of in columns["labels"].items()
        }
        yield Observation(
            request_id=row,
            at=at,
            mode=MODE,
            characters=columns["characters"][i],
            language=columns["language"][i],
            labels=labels,
            adapter=grounds.adapter,
            sufficed=columns["sufficed"][i],
            action=columns["action"][i],
        )
