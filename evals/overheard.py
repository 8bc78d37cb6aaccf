"""What a composer drafted, before anything was verified: kept for evals, changed by nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from retrieval.evidence import Evidence
from service.compose import Composer, Draft
from service.pipeline import Pipeline
from service.route import Decision


@dataclass(slots=True)
class Overheard:
    """A composer whose drafts are kept; for one thread."""

    composer: Composer
    drafts: list[Draft] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.composer.name

    def compose(self, decision: Decision, evidence: Evidence | None) -> Draft:
        """See `Composer`."""
        draft = self.composer.compose(decision, evidence)
        self.drafts.append(draft)
        return draft

    def taken(self) -> tuple[Draft, ...]:
        """The drafts since it was asked last."""
        found, self.drafts = tuple(self.drafts), []
        return found


def overheard(pipeline: Pipeline) -> tuple[Pipeline, Overheard]:
    """The pipeline with an ear at the composer that words answers: the chat model where one is set."""
    if pipeline.chat is None:
        ear = Overheard(pipeline.extractive)
        return replace(pipeline, extractive=ear), ear
    ear = Overheard(pipeline.chat)
    return replace(pipeline, chat=ear), ear
