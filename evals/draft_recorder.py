"""What a composer drafted, before anything was verified: kept for evals, changed by nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from domains.spec import Unavailable
from retrieval.evidence import Evidence
from service.compose import Composer, Draft
from service.pipeline import Pipeline
from service.route import Decision


@dataclass(frozen=True, slots=True)
class Heard:
    """What was composed for one ticket."""

    drafts: tuple[Draft, ...]
    action: str | None  # that the first draft was to carry out
    confidence: float | None  # the lowest score of a question that was answered, 0..1; None: none was
    found: frozenset[str]  # documents of the passages that were looked at
    failed: int  # times that the composer did not answer


@dataclass(slots=True)
class Overheard:
    """A composer whose drafts are kept; for one thread."""

    composer: Composer
    _drafts: list[tuple[str, Draft]] = field(default_factory=list)
    _scores: list[float] = field(default_factory=list)
    _found: set[str] = field(default_factory=set)
    _failed: int = 0

    @property
    def name(self) -> str:
        return self.composer.name

    def compose(self, decision: Decision, evidence: Evidence | None) -> Draft:
        """See `Composer`."""
        self._found |= {hit.version.doc_id for finding in evidence or () for hit in finding.hits}
        if decision.action == "answer":
            self._scores += [finding.score for finding in evidence or () if finding.units]
        try:
            draft = self.composer.compose(decision, evidence)
        except Unavailable:
            self._failed += 1
            raise
        self._drafts.append((decision.action, draft))
        return draft

    def taken(self) -> Heard:
        """What was heard since it was asked last."""
        drafts, scores = self._drafts, self._scores
        heard = Heard(
            drafts=tuple(draft for _, draft in drafts),
            action=drafts[0][0] if drafts else None,
            confidence=min(scores) if scores else None,
            found=frozenset(self._found),
            failed=self._failed,
        )
        self._drafts, self._scores, self._found, self._failed = [], [], set(), 0
        return heard


def overheard(pipeline: Pipeline) -> tuple[Pipeline, Overheard]:
    """The pipeline with an ear at the composer that words answers: the chat model where one is set."""
    if pipeline.chat is None:
        ear = Overheard(pipeline.extractive)
        return replace(pipeline, extractive=ear), ear
    ear = Overheard(pipeline.chat)
    return replace(pipeline, chat=ear), ear
