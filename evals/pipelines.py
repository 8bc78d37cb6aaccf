"""An arm as a running thing: the service's own pipeline with some of its parts replaced, each part made once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from adapters.active import PinnedClassifier
from adapters.base import cache_by_text
from adapters.baselines import Embed
from adapters.classifier import Classifier, Labels
from adapters.data import rows
from adapters.prompted import Examples, Prompted
from adapters.structured import Structured
from adapters.zero_shot import ZeroShot
from domains.spec import Domain, NotConfigured, Unavailable
from evals.arms import AnswerSource, Arm, LabelSource
from evals.cases import Case
from evals.draft_recorder import overheard
from evals.label_sources import Fitted, Oracle
from evals.oracle_evidence import OracleSelector
from evals.prompting import FORMATS, Chosen, nearest
from evals.run import Result, answer
from service.build import Services
from service.chat_composer import ChatComposer
from service.pipeline import Pipeline
from service.reply import RespondRequest


@dataclass(slots=True)
class Counted:
    """A classifier, with the calls counted that gave no labels; for one thread."""

    classifier: Classifier
    failed: int = 0

    @property
    def id(self) -> str:
        return self.classifier.id

    @property
    def base_model(self) -> str:
        return self.classifier.base_model

    @property
    def dataset(self) -> str:
        return self.classifier.dataset

    def label(self, text: str) -> Labels:
        """Labels of one ticket.

        Raises:
            Unavailable: the model behind it does not answer.
        """
        try:
            return self.classifier.label(text)
        except Unavailable:
            self.failed += 1
            raise

    def label_all(self, texts: list[str]) -> list[Labels]:
        """See `label`."""
        return [self.label(text) for text in texts]


class LabelledTickets:
    """The tickets that label sources learn from, read and embedded once.

    Args:
        services: whose domain, scrubber and encoder are used.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    @property
    def path(self) -> Path:
        """The file of them, which a domain may lack."""
        return self._services.domain.folder / "tickets" / "train.jsonl"

    @cached_property
    def split(self) -> rows.Split:
        """As the adapter was trained on them, without personal data."""
        return rows.split(rows.load(self.path, self._services.domain.label_names, self._services.pipeline.scrub))

    @cached_property
    def embed(self) -> Embed:
        """The frozen encoder; the vector of a text is computed once."""
        return cache_by_text(self._services.encoder.unit)

    @cached_property
    def nearest(self) -> Examples:
        """The labelled tickets nearest to a ticket; none where the domain has none."""
        return nearest(self.split.train, self.embed) if self.path.is_file() else lambda ticket: ()


class Pipelines:
    """Makes the pipelines of arms.

    Args:
        services: whose parts are used.
        chat: the chat model of every arm that uses one, or None.
        prompts: what it is asked with.
        tickets: what label sources learn from; default: the domain's training tickets.
    """

    def __init__(
        self,
        services: Services,
        chat: Structured | None,
        prompts: Chosen | None = None,
        tickets: LabelledTickets | None = None,
    ) -> None:
        self.services, self.chat, self.prompts = services, chat, prompts or Chosen()
        self.tickets = tickets or LabelledTickets(services)
        self._classifiers: dict[LabelSource, Classifier] = {}

    @property
    def domain(self) -> Domain:
        """Whose cases are answered."""
        return self.services.domain

    def answer(self, arm: Arm, case: Case) -> tuple[Result, int]:
        """An arm's answer to a case, and how many calls for it failed; see `of`."""
        pipeline, classifier = self.of(arm, case)
        heard, ear = overheard(pipeline)
        result = answer(replace(self.services, pipeline=heard), ear, case, request_for(arm, case))
        return result, result.failed + classifier.failed

    def of(self, arm: Arm, case: Case) -> tuple[Pipeline, Counted]:
        """The pipeline of an arm for one case, and the classifier in it.

        Raises:
            NotConfigured: the arm needs a chat model and there is none.
        """
        if arm.asks_chat and self.chat is None:
            raise NotConfigured(f"The arm `{arm.name}` needs a chat model.", "Set FORMFACT_LLM, or leave it out.")
        real = self.services.pipeline
        oracle = Oracle(case, self.classifier(LabelSource.ADAPTER)) if arm.labels is LabelSource.ORACLE else None
        classifier = Counted(oracle or self.classifier(arm.labels))
        wording = self._composer if arm.answers is AnswerSource.CHAT else None
        found = arm.answers is AnswerSource.ORACLE
        selector = OracleSelector(real.selector, real.catalog, case) if found else real.selector
        return replace(real, labelling=PinnedClassifier(classifier), chat=wording, selector=selector), classifier

    def with_prompts(self, prompts: Chosen) -> Pipelines:
        """The same with other prompts."""
        return Pipelines(self.services, self.chat, prompts, self.tickets)

    def prompted(self) -> Prompted:
        """Labels by the chat model, with labelled tickets like the one that is asked about.

        Raises:
            NotConfigured: there is no chat model, or the domain has no such prompt.
        """
        return Prompted(self.domain, self._asked, FORMATS[self.prompts.labels], self.tickets.nearest)

    @property
    def labelled(self) -> int:
        """How many tickets were labelled to learn from."""
        if not self.tickets.path.is_file():
            return 0
        split = self.tickets.split
        return len(split.train) + len(split.validation) + len(split.calibration)

    def classifier(self, source: LabelSource) -> Classifier:
        """What labels tickets, made once; the right labels are a case's own and not to be had here."""
        if source not in self._classifiers:
            self._classifiers[source] = self._made(source)
        return self._classifiers[source]

    def _made(self, source: LabelSource) -> Classifier:
        match source:
            case LabelSource.ADAPTER | LabelSource.NONE | LabelSource.ORACLE:
                return self.services.pipeline.labelling.current()
            case LabelSource.ZERO_SHOT:
                return ZeroShot(self.services.encoder, self.domain)
            case LabelSource.PROMPT:
                return self.prompted()
            case _:
                return Fitted(source, self.domain, self.tickets.embed, self.tickets.split)

    @cached_property
    def _composer(self) -> ChatComposer:
        return ChatComposer(self.domain, self._asked, self.prompts.answers)

    @property
    def _asked(self) -> Structured:
        if self.chat is None:
            raise NotConfigured("Prompted labels need a chat model.", "Set FORMFACT_LLM.")
        return self.chat


def request_for(arm: Arm, case: Case) -> RespondRequest:
    """What an arm is asked for a case."""
    return RespondRequest(ticket=case.ticket, customer=case.customer, mode=arm.mode, as_of=case.as_of)
