"""Running the cases: each as its own caller at its own date, through the same pipeline that serves HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median

from evals.cases import UNANSWERABLE, Case, same
from evals.draft_recorder import Overheard, overheard
from evals.score import Marks, Said, mark
from service.auth.keys import SCOPES, Caller
from service.build import Services
from service.reply import Reply, RespondRequest
from service.route import Mode
from service.ticket import received
from service.verify import verify


@dataclass(frozen=True, slots=True)
class Result:
    """A case with its reply and marks."""

    case: Case
    reply: Reply
    marks: Marks  # of what left
    as_composed: Marks  # of the first draft, as if nobody had verified it
    found: frozenset[str]  # documents of the passages that were looked at
    confidence: float | None  # the lowest score of a question that was answered, 0..1
    claims: int  # as they were composed, whether they left or not
    stopped: int  # of these, by verification
    failed: int  # calls of the composer that gave no draft


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many."""

    right: int
    of: int

    @property
    def share(self) -> float:
        """0..1; 0 of none."""
        return self.right / max(self.of, 1)

    def __str__(self) -> str:
        return f"{self.right}/{self.of}" + (f" ({self.right / self.of:.3f})" if self.of else "")


def run(services: Services, cases: Iterable[Case], mode: Mode) -> Iterator[Result]:
    """Answer each case and mark it."""
    pipeline, ear = overheard(services.pipeline)
    heard = replace(services, pipeline=pipeline)
    for case in cases:
        yield answer(heard, ear, case, request_of(case, mode))


def answer(services: Services, ear: Overheard, case: Case, request: RespondRequest) -> Result:
    """Answer one case by a pipeline with an ear at its composer, and mark what left and what was composed."""
    caller = caller_of(services, case)
    reply = services.pipeline.respond(request, caller)
    heard, words = ear.taken(), received(request.as_ticket(), services.pipeline.scrub).ticket.everything
    stopped = [{f.claim for f in verify(d, services.catalog.text, words)} - {None} for d in heard.drafts]
    left, may_read, alike = Said.by_reply(reply), reader(services, case, caller), same(services.domain.folder)
    first = Said.by_draft(heard.drafts[0], str(heard.action), left.labels) if heard.drafts else left
    return Result(
        case=case,
        reply=reply,
        marks=mark(case, left, may_read, alike),
        as_composed=mark(case, first, may_read, alike),
        found=heard.found,
        confidence=heard.confidence,
        claims=sum(len(d.claims) for d in heard.drafts),
        stopped=sum(map(len, stopped)),
        failed=heard.failed,
    )


def caller_of(services: Services, case: Case) -> Caller:
    """Who asks: any scope, and the audiences that the case names."""
    return Caller("evals", frozenset(SCOPES), services.domain.readable_by(case.audiences))


def request_of(case: Case, mode: Mode) -> RespondRequest:
    """What is sent: at the date of the case."""
    return RespondRequest(ticket=case.ticket, customer=case.customer, mode=mode, as_of=case.as_of)


def summary(results: Sequence[Result]) -> dict[str, Share | float]:
    """The figures of a run: shares of cases, and the median time in milliseconds."""
    marks = [r.marks for r in results]
    figures: dict[str, Share | float] = {
        "cases passed": _share(m.passed for m in marks),
        "right action": _share(m.action_right for m in marks),
        "answerable: every required value": _share(m.facts_complete for m in marks if m.facts_complete is not None),
        "useful answers": _share(m.useful for m in marks),
        "harmful answers": _share(m.harmful for m in marks),
        "labels right": _share(right for m in marks for right in m.labels_right.values()),
        "no forbidden value": _share(m.forbidden_absent for m in marks),
        "unanswerable: invented nothing": _share(not m.invented for m in marks if UNANSWERABLE in m.tags),
        "unanswerable: stated no fact": _share(m.declined for m in marks if m.declined is not None),
        "invented": sum(m.invented for m in marks),
        "permission leaks": sum(m.leaked for m in marks),
        "claims stopped by verification": Share(sum(r.stopped for r in results), sum(r.claims for r in results)),
        "fell back to quotations": sum("composer_fell_back" in r.reply.flags for r in results),
        "median ms": round(median(r.reply.timings_ms["total"] for r in results), 1),
    }
    for name in sorted({name for m in marks for name in m.labels_right}):
        figures[f"label {name}"] = _share(m.labels_right[name] for m in marks if name in m.labels_right)
    return figures


def by_tag(results: Sequence[Result]) -> dict[str, Share]:
    """Share of cases passed under each tag."""
    tags = sorted({tag for r in results for tag in r.case.tags})
    return {tag: _share(r.marks.passed for r in results if tag in r.case.tags) for tag in tags}


def _share(marks: Iterable[bool | None]) -> Share:
    told = [bool(m) for m in marks]
    return Share(sum(told), len(told))


def reader(services: Services, case: Case, caller: Caller) -> Callable[[str, int], bool]:
    """Which versions the caller of a case may read, on whatever date."""
    histories = services.catalog.timeline().histories.values()
    admitted = {(v.doc_id, v.version) for h in histories for v in h.versions if v.admits(caller.audiences)}
    return lambda doc_id, version: (doc_id, version) in admitted
