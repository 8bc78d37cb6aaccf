"""What drift looks at of a request, and windows of requests. Knows nothing of tests, thresholds or HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Engine, select

from adapters.data.rows import model_text
from domains.spec import Domain
from service.db.tables import feedback
from service.language import foreign
from service.records.journal import Record

Vectors = npt.NDArray[np.float32]  # (requests, dimensions), each of length 1
Floats = npt.NDArray[np.float64]

DECLARED = "declared"  # a language of the domain, or too little text to tell
_BY_ADAPTER = ("hybrid", "tuned")  # modes whose labels come from what is live; `prompt` asks a chat model


@dataclass(frozen=True, slots=True)
class Guess:
    """A label as it left: `confidence` 0..1; `abstained` says that nobody should rely on it."""

    value: str
    confidence: float
    abstained: bool


@dataclass(frozen=True, slots=True)
class Observation:
    """One request.

    `text` is what the models read of it, scrubbed; it is never stored by drift and stands in no report.
    `labels` is empty where no adapter was asked. `sufficed` is None where no facts were asked, else whether any
    question found enough: False is a retrieval miss. `helpful` is None where nobody said.
    """

    request_id: str
    at: datetime
    mode: str
    characters: int
    language: str
    labels: Mapping[str, Guess]
    adapter: str
    sufficed: bool | None
    action: str
    helpful: bool | None = None
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Window:
    """Requests in the order in which they came, as columns; `vectors` are of the bare encoder, in the same order."""

    seen: tuple[Observation, ...]
    vectors: Vectors

    def __len__(self) -> int:
        return len(self.seen)

    @property
    def lengths(self) -> Floats:
        """Characters that the models read: (requests,)."""
        return np.array([o.characters for o in self.seen], dtype=np.float64)

    @property
    def languages(self) -> list[str]:
        """Language codes, or `DECLARED`."""
        return [o.language for o in self.seen]

    def guesses(self, name: str) -> list[Guess]:
        """The labels of a field, of those requests that have any."""
        return [o.labels[name] for o in self.seen if name in o.labels]

    def labelled_by(self, adapter: str) -> Window:
        """The requests whose labels are of one adapter."""
        return self.where(lambda o: bool(o.labels) and o.adapter == adapter)

    def where(self, keep: Callable[[Observation], bool]) -> Window:
        """The requests for which `keep` holds."""
        return self.take([i for i, o in enumerate(self.seen) if keep(o)])

    def take(self, places: Sequence[int]) -> Window:
        """The requests at some places, in that order."""
        return Window(tuple(self.seen[i] for i in places), self.vectors[list(places)])


def observed(record: Record, domain: Domain, sufficient: float) -> Observation:
    """What there is to see in a record of the journal.

    Args:
        record: as the pipeline wrote it.
        domain: whose languages are declared.
        sufficient: score, 0..1, from which on evidence answers; see `retrieval.readings.Reader`.
    """
    request, reply = record.request, record.reply
    text = model_text(request["subject"], request["body"], [m["text"] for m in request["thread"]])
    by_adapter = reply["mode"] in _BY_ADAPTER
    return Observation(
        request_id=record.request_id,
        at=record.at,
        mode=reply["mode"],
        characters=len(text),
        language=foreign(request["body"], domain.languages) or DECLARED,
        labels=_guesses(reply["labels"]) if by_adapter else {},
        adapter=reply["provenance"]["adapters"].get("labels", "") if by_adapter else "",
        sufficed=_sufficed(request.get("evidence"), sufficient),
        action=reply["action"],
        text=text,
    )


def with_feedback(engine: Engine, seen: Sequence[Observation]) -> tuple[Observation, ...]:
    """The same requests with what people said of their replies; who said it twice is held to the last word."""
    wanted = [o.request_id for o in seen]
    asked = select(feedback.c.request_id, feedback.c.helpful).where(feedback.c.request_id.in_(wanted))
    with engine.connect() as connection:
        said = {row.request_id: bool(row.helpful) for row in connection.execute(asked.order_by(feedback.c.at))}
    return tuple(replace(o, helpful=said.get(o.request_id)) for o in seen)


def _guesses(labels: Mapping[str, Any] | None) -> dict[str, Guess]:
    return {n: Guess(g["value"], float(g["confidence"]), bool(g["abstained"])) for n, g in (labels or {}).items()}


def _sufficed(evidence: Sequence[Mapping[str, Any]] | None, sufficient: float) -> bool | None:
    """Did any question find enough? None where nothing was asked: no facts wanted, or no question in the ticket."""
    return any(found["score"] >= sufficient for found in evidence) if evidence else None
