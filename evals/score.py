"""What is right about one reply: pure functions from a case and its reply to marks."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from evals.cases import UNANSWERABLE, Case, Fact
from retrieval.figures import APART, unstated
from service.reply import Reply

_MARK = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of one case; None where the case does not ask for the thing."""

    case: str
    tags: tuple[str, ...]
    action_right: bool
    facts_complete: bool | None  # every required value is in the text and cited from the right document
    forbidden_absent: bool
    invented: bool  # a number that stands neither in a quote nor in the ticket, or a claim without a citation
    declined: bool | None  # of an unanswerable case: it states no fact
    leaked: bool  # a citation of what the caller may not read
    labels_right: dict[str, bool]

    @property
    def passed(self) -> bool:
        """Everything that the case asks for holds; labels are counted apart."""
        clean = self.forbidden_absent and not self.invented and not self.leaked
        return self.action_right and self.facts_complete in (None, True) and clean


def mark(case: Case, reply: Reply, may_read: Callable[[str, int], bool]) -> Marks:
    """Mark a reply.

    Args:
        case: what was asked and expected.
        reply: what came.
        may_read: does the caller's audience admit this version of this document?
    """
    expected = case.expect
    answerable = bool(expected.facts)
    labels = reply.labels or {}
    return Marks(
        case=case.id,
        tags=case.tags,
        action_right=reply.action in expected.actions,
        facts_complete=all(_stated(fact, reply) for fact in expected.facts) if answerable else None,
        forbidden_absent=not any(_holds(reply.answer.text, value) for value in expected.forbidden),
        invented=_invented(case, reply),
        declined=not reply.citations if UNANSWERABLE in case.tags else None,
        leaked=any(not may_read(c.doc_id, c.version) for c in reply.citations),
        labels_right={n: n in labels and labels[n].value == v for n, v in expected.labels.items()},
    )


def _stated(fact: Fact, reply: Reply) -> bool:
    cited = " ".join(c.quote for c in reply.citations if c.doc_id in fact.docs)
    return all(_holds(reply.answer.text, value) and _holds(cited, value) for value in fact.values)


def _holds(text: str, value: str) -> bool:
    """Does the text hold the value as a whole: `14 days` is not in `114 days`, nor is `5` in the mark `[5]`."""
    wanted = r"\s+".join(re.escape(part) for part in value.split())
    return re.search(rf"(?<![\w.,]){wanted}(?!\w|[.,]\d)", _MARK.sub(" ", text), re.I) is not None


def _invented(case: Case, reply: Reply) -> bool:
    quotes = (c.quote for c in reply.citations)
    stated = APART.join([*quotes, case.ticket.subject, case.ticket.body, *(m.text for m in case.ticket.thread)])
    uncited = any(not claim.citations for claim in reply.answer.claims)
    return uncited or bool(unstated(_MARK.sub(APART, reply.answer.text), stated))
