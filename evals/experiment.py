"""One run of the comparison from end to end: what is asked, of whom, and what is measured beside the cases."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from adapters.structured import Structured
from domains.seal import openings
from domains.spec import Domain, InvalidInput
from evals import consistency, freshness, inspect_log, prompting
from evals.answers import ArmAnswer
from evals.arms import ARMS, HYBRID, RAG, Arm, Group, LabelSource
from evals.cases import Case, is_sealed, load
from evals.compare import Comparison, opened
from evals.consistency import Consistent, Paraphrased
from evals.cost import Prices
from evals.freshness import Fresh
from evals.judge import JudgeSummary, judged
from evals.llm_cache import Recorded
from evals.pipelines import Pipelines
from evals.progress import shown
from evals.prompting import Chosen, Try
from evals.report import Beside, Report, Run, report
from evals.result_table import command_line, hardware
from service.ephemeral import apart
from service.settings import Settings

MODES = ("prompt", "rag", "tuned", "hybrid")
DRAWN = 20  # cases of what asks a chat model many times over: ten prompts, two orders of a judge
PARAPHRASED = 10  # cases whose variants a chat model labels: each has thirteen
TICKETS = ("tickets/train.jsonl",)  # files of a domain that a part of the comparison needs
_DEVELOPMENT = ("cases/dev.jsonl",)
_PARAPHRASES = ("cases/paraphrases.jsonl", *_DEVELOPMENT)
_FRESHNESS = ("cases/freshness.jsonl",)
_WEAK = ("local:",)  # what runs on a laptop beside everything else is too small for its rows to be evidence


@dataclass(frozen=True, slots=True)
class ComparisonPlan:
    """What is compared.

    `name`: of the cases, `dev`, `sealed` or a file. `chat`: None where no arm asks a chat model. `judge`: ask it for a
    second opinion. `out`: folder of answers, calls and logs; a run that was cut off goes on from them.
    """

    domain: Domain
    name: str
    cases: tuple[Case, ...]
    arms: tuple[Arm, ...]
    settings: Settings
    chat: Recorded | None
    prices: Prices
    judge: bool
    out: Path

    @property
    def is_weak(self) -> bool:
        """Is the chat model too small for its rows to be evidence?"""
        return self.chat is not None and self.chat.name.startswith(_WEAK)

    @property
    def missing(self) -> tuple[str, ...]:
        """What the domain lacks, and what is therefore not measured: a sentence each."""
        needed = [
            ("Consistency is not measured", _PARAPHRASES),
            ("Freshness is not measured", _FRESHNESS),
            ("Label sources that learn from labelled tickets are left out", TICKETS),
        ]
        if self.chat:
            needed.append(("Prompts are taken as they are", _DEVELOPMENT))
        absent = ((what, [path for path in paths if not has(self.domain, [path])]) for what, paths in needed)
        return tuple(f"{what}: {self.domain.folder} lacks {' and '.join(paths)}." for what, paths in absent if paths)


def has(domain: Domain, paths: Sequence[str]) -> bool:
    """Does the domain's folder have all of these files?"""
    return all((domain.folder / path).is_file() for path in paths)


def arms_of(modes: str | None, ablations: bool, chat: bool, tickets: bool) -> tuple[Arm, ...]:
    """The arms of the modes that are called, hybrid always.

    Those that ask a chat model or learn from labelled tickets run only where there is one, and where there are some.

    Raises:
        InvalidInput: there is no such mode.
    """
    called = [part.strip() for part in (modes or ",".join(MODES)).split(",") if part.strip()]
    if unknown := set(called) - set(MODES):
        raise InvalidInput(f"--modes: there is no {', '.join(sorted(unknown))}.", f"There are: {', '.join(MODES)}.")
    arms = [a for a in ARMS if (chat or not a.asks_chat) and (tickets or not a.needs_tickets)]
    of_modes = [a for a in arms if a.group is Group.MODE and (a.name.split(",")[0] in called or a.name == HYBRID)]
    return (*of_modes, *(a for a in arms if ablations and a.group is not Group.MODE))


def sample(cases: Sequence[Case], limit: int | None, seed: int = 0) -> tuple[Case, ...]:
    """So many cases, spread evenly over their tags, in their order; all where there is no limit.

    A systematic sample: cases are sorted by tags, by chance within equal ones, and every n-th is taken.
    """
    if limit is None or limit >= len(cases):
        return tuple(cases)
    draw = random.Random(seed)  # noqa: S311 -- no secret depends on it
    ranked = sorted(range(len(cases)), key=lambda i: (cases[i].tags, draw.random()))
    step = len(cases) / limit
    return tuple(cases[i] for i in sorted(ranked[int((n + 0.5) * step)] for n in range(limit)))


def experiment(plan: ComparisonPlan) -> Report:
    """Answer, then measure what needs more than the cases; one service for all of it, with a state of its own."""
    chat = Structured(plan.chat, plan.chat.name) if plan.chat else None
    with apart(plan.domain, plan.settings.model_copy(update={"llm": ""}), chat) as services:
        first = Pipelines(services, chat)
        tries = _tries(first, plan.domain) if chat else ()
        pipelines = first.with_prompts(Chosen.best(tries))
        answered = Comparison(pipelines, plan.chat, opened(plan.out)).run(plan.arms, plan.cases, shown("Answering"))
        beside = Beside(
            consistency=_consistency(pipelines, plan),
            tries=tries,
            judged=_judged(plan, chat, answered) if chat and plan.judge else None,
            freshness=_freshness(pipelines, plan),
        )
    found = report(_run(plan), plan.arms, plan.cases, answered, plan.prices, pipelines.labelled, beside)
    inspect_log.write(plan.out / "inspect", found.run, found.arms, plan.cases, answered)
    return found


def _tries(pipelines: Pipelines, domain: Domain) -> tuple[Try, ...]:
    """What each prompt is worth on development cases, the same number for labels and for answers."""
    if not has(domain, _DEVELOPMENT):
        return ()
    return prompting.measured(pipelines, drawn(load(domain, "dev")), shown("Choosing prompts"))


def paraphrased(plan: ComparisonPlan) -> tuple[Paraphrased, ...]:
    """The paraphrases that a run uses; none where the domain lacks them, or the cases that they paraphrase."""
    return consistency.load(plan.domain)[: len(plan.cases)] if has(plan.domain, _PARAPHRASES) else ()


def drawn(cases: Sequence[Case]) -> tuple[Case, ...]:
    """Twenty cases, always the same ones: for what asks a chat model many times over."""
    return sample(cases, DRAWN)


def _freshness(pipelines: Pipelines, plan: ComparisonPlan) -> list[Fresh]:
    if not has(plan.domain, _FRESHNESS):
        return []
    turns, modes = freshness.load(plan.domain)[: len(plan.cases)], [a for a in plan.arms if a.group is Group.MODE]
    return freshness.compare(pipelines, modes, turns, shown("Publishing and asking again"))


def _consistency(pipelines: Pipelines, plan: ComparisonPlan) -> list[Consistent]:
    """Of the label sources among the arms."""
    if not (paraphrases := paraphrased(plan)):
        return []
    cases = load(plan.domain, "dev")
    scrub = pipelines.services.pipeline.scrub
    found = []
    for source in shown("Asking in other words")(list(dict.fromkeys(arm.labels for arm in plan.arms))):
        if source not in (LabelSource.NONE, LabelSource.ORACLE):
            asked = paraphrases[:PARAPHRASED] if source is LabelSource.PROMPT else paraphrases
            found.append(consistency.measure(pipelines.classifier(source), cases, asked, scrub))
    return found


def _judged(plan: ComparisonPlan, chat: Structured, answered: Sequence[ArmAnswer]) -> JudgeSummary:
    """Hybrid against RAG, on some cases."""
    by_key = {(row.arm, row.case): row for row in answered}
    pairs = [(c, by_key[HYBRID, c.id], by_key[RAG, c.id]) for c in drawn(plan.cases) if (RAG, c.id) in by_key]
    return judged(plan.domain, chat, pairs, shown("Judging"))


def _run(plan: ComparisonPlan) -> Run:
    path = plan.domain.folder / "cases" / f"{plan.name}.jsonl"
    return Run(
        domain=plan.domain.title,
        cases=plan.name,
        n=len(plan.cases),
        openings=openings(path) if is_sealed(plan.name) else 0,
        chat=plan.chat.name if plan.chat else "",
        weak_chat=plan.is_weak,
        command=command_line(),
        hardware=hardware(),
        made=datetime.now(UTC).date().isoformat(),
        skipped=plan.missing,
    )
