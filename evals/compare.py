"""The comparison: every arm answers the same cases, at the same dates, as the same callers, from the same documents."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from domains.spec import Unavailable
from evals import closed_book
from evals.answers import AnswerStore, ArmAnswer, Usage, bound_to, key
from evals.arms import AnswerSource, Arm
from evals.cases import Case, same
from evals.llm_cache import Recorded
from evals.pipelines import Pipelines, request_for
from evals.run import Result, caller_of, reader
from evals.score import Said, mark
from service.ticket import received

Asked = tuple[Arm, Case]
Track = Callable[[Sequence[Asked]], Iterator[Asked]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Answers cases by arms.

    Args:
        pipelines: make the arms.
        recorded: the chat model, remembering; None: no arm asks one.
        answers: where answers are kept.
    """

    pipelines: Pipelines
    recorded: Recorded | None
    answers: AnswerStore

    def run(self, arms: Sequence[Arm], cases: Sequence[Case], track: Track) -> list[ArmAnswer]:
        """All answers, arm by arm; those that are known are not asked for again.

        Raises:
            NotConfigured: an arm needs a chat model and there is none.
        """
        bound = self._bound()
        wanted = [(arm, case) for arm in arms for case in cases]
        return [self._known(arm, case, bound) for arm, case in track(wanted)]

    def _known(self, arm: Arm, case: Case, bound: str) -> ArmAnswer:
        name = key(case, arm, bound)
        if (row := self.answers.get(name)) is None:
            row = (
                self._from_memory(name, arm, case)
                if arm.answers is AnswerSource.ALONE
                else self._answer(name, arm, case)
            )
            self.answers.keep(row)
        return row

    def _answer(self, name: str, arm: Arm, case: Case) -> ArmAnswer:
        begun, busy = time.perf_counter(), time.process_time()
        result, failed = self.pipelines.answer(arm, case)
        return _row(name, arm, result, failed, self._usage(time.perf_counter() - begun, time.process_time() - busy))

    def _from_memory(self, name: str, arm: Arm, case: Case) -> ArmAnswer:
        """The chat model alone: what it says is marked as it came, and would not leave, since it cites nothing."""
        row = self._answer(name, replace(arm, answers=AnswerSource.NONE), case)
        chat, services = self.pipelines.chat, self.pipelines.services
        assert chat is not None
        ticket, failed = received(request_for(arm, case).as_ticket(), services.pipeline.scrub).ticket.model_text, 0
        begun, busy = time.perf_counter(), time.process_time()
        try:
            said = closed_book.from_memory(services.domain, chat, ticket)
        except Unavailable:
            said, failed = Said("handoff", "", (), 0, {}), 1
        spent = self._usage(time.perf_counter() - begun, time.process_time() - busy)
        labelled = replace(said, labels={field: value for field, (value, _) in row.labels.items()})
        marks = mark(case, labelled, reader(services, case, caller_of(services, case)), same(services.domain.folder))
        return replace(
            row,
            arm=arm.name,
            as_composed=marks,
            text=said.text or row.text,
            claims=int(said.action == "answer"),
            stopped=int(said.action == "answer"),
            failed=row.failed + failed,
            usage=_sum(row.usage, spent),
        )

    def _usage(self, seconds: float, cpu_seconds: float) -> Usage:
        """Of the answer that was just made; a call that was repeated counts as if it had been made."""
        taken = self.recorded.taken() if self.recorded else ()
        before = [t.call for t in taken if t.repeated]
        return Usage(
            calls=len(taken),
            input_tokens=sum(t.call.input_tokens for t in taken),
            output_tokens=sum(t.call.output_tokens for t in taken),
            seconds=round(seconds + sum(c.seconds for c in before), 4),
            cpu_seconds=round(cpu_seconds + sum(c.cpu_seconds for c in before), 4),
        )

    def _bound(self) -> str:
        services = self.pipelines.services
        return bound_to(
            services.domain.folder,
            services.encoder.fingerprint,
            services.pipeline.labelling.current().id,
            services.pipeline.selector.reader.fingerprint,
            self.pipelines.chat.name if self.pipelines.chat else "",
            str(services.settings.llm_max_tokens),
            str(self.pipelines.prompts),
            str(same(services.domain.folder)),
        )


def opened(path: Path) -> AnswerStore:
    """The answers kept in a folder."""
    path.mkdir(parents=True, exist_ok=True)
    return AnswerStore(path / "answers.jsonl")


def _row(name: str, arm: Arm, result: Result, failed: int, usage: Usage) -> ArmAnswer:
    reply = result.reply
    return ArmAnswer(
        key=name,
        arm=arm.name,
        case=result.case.id,
        marks=result.marks,
        as_composed=result.as_composed,
        action=reply.action,
        reason=reply.reason_code,
        text=reply.answer.text,
        quotes=tuple((c.doc_id, c.quote) for c in reply.citations),
        labels={field: (label.value, label.confidence) for field, label in (reply.labels or {}).items()},
        found=tuple(sorted(result.found)),
        confidence=result.confidence,
        claims=result.claims,
        stopped=result.stopped,
        failed=failed,
        usage=usage,
    )


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(*(getattr(one, name) + getattr(other, name) for name in Usage.__slots__))
