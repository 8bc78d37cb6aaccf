"""Freshness: a document is published in the middle, and the answer has to follow. What was learnt by heart cannot.

A line of `domains/support/cases/freshness.jsonl` is a case with two expectations, `before` and `after`, and what is
published between them: a new version, a new document, one that the asker may not read, or a retraction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from domains.spec import Domain, Frozen
from evals.arms import Arm
from evals.cases import Case, Expected, records
from evals.pipelines import Pipelines
from ingest.drafting import Submission
from ingest.metadata import stated
from retrieval.timestamps import parse_instant
from service.build import Services
from service.reply import TicketIn


class Publication(Frozen):
    """What happens between the two askings."""

    doc_id: str
    retract: bool = False
    title: str = ""
    effective_from: str = ""
    audience: tuple[str, ...] = ()
    precedence: int = 50
    text: str = ""

    def submission(self) -> Submission:
        """As it is published."""
        told: dict[str, Any] = self.model_dump(include={"doc_id", "title", "effective_from", "audience", "precedence"})
        return Submission(f"{self.doc_id}.md", self.text.encode(), stated("publish", told))


class Turn(Frozen):
    """A ticket whose right answer turns when a document is published."""

    id: str
    ticket: TicketIn
    customer: dict[str, str | None] = {}
    audiences: tuple[str, ...]
    as_of: str
    before: Expected
    publish: Publication
    after: Expected

    def case(self, expect: Expected) -> Case:
        """The case before or after."""
        told = self.model_dump(include={"id", "ticket", "customer", "audiences", "as_of"})
        return Case.model_validate({**told, "tags": ("freshness",), "expect": expect})


@dataclass(frozen=True, slots=True)
class Fresh:
    """How an arm did."""

    arm: str
    turns: int
    before: int  # right before
    after: int  # right afterwards
    both: int


def load(domain: Domain) -> tuple[Turn, ...]:
    """The turns of a domain, retractions last: they are not taken back.

    Raises:
        InvalidInput: the file is missing or a line of it wrong.
    """
    path = domain.folder / "cases" / "freshness.jsonl"
    return tuple(sorted(records(path, Turn, "evals/freshness.py"), key=lambda turn: turn.publish.retract))


def compare(
    pipelines: Pipelines, arms: Sequence[Arm], turns: Sequence[Turn], track: Callable[[Sequence[Turn]], Iterator[Turn]]
) -> list[Fresh]:
    """Ask every arm before and after each turn; the documents of the service are changed meanwhile."""
    told: dict[str, list[tuple[bool, bool]]] = {arm.name: [] for arm in arms}
    for turn in track(turns):
        before = {arm.name: _passes(pipelines, arm, turn.case(turn.before)) for arm in arms}
        undo = _publish(pipelines.services, turn)
        for arm in arms:
            told[arm.name].append((before[arm.name], _passes(pipelines, arm, turn.case(turn.after))))
        undo()
    return [
        Fresh(name, len(found), sum(b for b, _ in found), sum(a for _, a in found), sum(b and a for b, a in found))
        for name, found in told.items()
    ]


def _passes(pipelines: Pipelines, arm: Arm, case: Case) -> bool:
    return pipelines.answer(arm, case)[0].marks.passed


def _publish(services: Services, turn: Turn) -> Callable[[], object]:
    """Publish, and tell how it is taken back."""
    publisher, doc_id = services.publisher, turn.publish.doc_id
    if turn.publish.retract:
        publisher.retract(doc_id, parse_instant(turn.as_of, services.domain.zone), "evals")
        return lambda: None
    done = publisher.publish(turn.publish.submission(), "evals", frozenset(services.domain.audiences))
    return lambda: publisher.purge(doc_id, done.version, "evals")
