"""Does the scorer mark as people do who read? Judged replies of a domain, marked again and compared.

A line of `domains/support/cases/judged-replies.jsonl`:

    {"id": "j-004", "case": "dv-012", "by": "rag", "action": "answer", "text": "…", "quotes": [["plan-limits", "…"]],
     "uncited": 0, "dates": [], "read": {"stated": true, "forbidden": false, "fact_where_none": null,
     "open_named": null, "invented": false}}

`by` is the arm that made the reply, or `worded`: written as a chat model would, half of them wrong in ways that are
hard to see, as no arm's replies are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from sklearn.metrics import cohen_kappa_score

from domains.spec import Domain, InvalidInput
from evals.cases import Case, load, records, same
from evals.score import Marks, Quote, Said, mark

WORDED = "worded"


class ReplyReading(BaseModel):
    """What somebody said who read the reply; None where the case does not ask for the thing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stated: bool | None  # every required value, rightly cited, in whatever spelling
    forbidden: bool  # a value that is wrong here is told as one that holds
    fact_where_none: bool | None  # a fact is stated though nothing answers
    open_named: bool | None
    invented: bool  # a figure out of neither quotes nor ticket

    def useful(self, case: Case, action: str) -> bool:
        """The same as `Marks.useful`, from what was read."""
        harmful = self.forbidden or bool(self.fact_where_none) or self.invented
        return not harmful and (action in case.expect.actions if self.stated is None else self.stated)


class JudgedReply(BaseModel):
    """A reply to a development case, and how it was read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    case: str
    by: str
    action: str
    text: str
    quotes: tuple[tuple[str, str], ...]
    uncited: int = 0
    dates: tuple[str, ...] = ()
    read: ReplyReading


@dataclass(frozen=True, slots=True)
class ScorerAgreement:
    """How far scorer and reader agree in one mark: share of equal ones, 0..1, and Cohen's kappa (1960), -1..1."""

    replies: str
    figure: str
    judged: int
    equal: float
    kappa: float


_MARKS: Mapping[str, tuple[Callable[[ReplyReading], bool | None], Callable[[Marks], bool | None]]] = {
    "every value stated": (lambda r: r.stated, lambda m: m.facts_complete),
    "a forbidden value": (lambda r: r.forbidden, lambda m: not m.forbidden_absent),
    "a fact where none answers": (
        lambda r: r.fact_where_none,
        lambda m: None if m.declined is None else not m.declined,
    ),
    "open parts named": (lambda r: r.open_named, lambda m: m.open_named),
    "an invented figure": (lambda r: r.invented, lambda m: m.invented),
}


def load_judged(domain: Domain) -> tuple[JudgedReply, ...]:
    """The judged replies of a domain.

    Raises:
        InvalidInput: the file is missing, or a line of it is wrong.
    """
    return tuple(records(domain.folder / "cases" / "judged-replies.jsonl", JudgedReply, "evals/agreement.py"))


def agreement(domain: Domain, judged: Sequence[JudgedReply]) -> tuple[ScorerAgreement, ...]:
    """Mark every judged reply, and compare: arms' replies apart from those that were worded to be hard.

    Raises:
        InvalidInput: a reply is to no case of the domain.
    """
    names = [name for name in ("dev", "situations") if (domain.folder / "cases" / f"{name}.jsonl").is_file()]
    cases = {case.id: case for name in names for case in load(domain, name)}
    if unknown := {reply.case for reply in judged} - cases.keys():
        raise InvalidInput(f"judged-replies.jsonl: there is no case {sorted(unknown)[0]}.", "See cases/dev.jsonl.")
    found = []
    for kind, replies in (
        ("of the arms", [r for r in judged if r.by != WORDED]),
        ("worded to be hard", [r for r in judged if r.by == WORDED]),
    ):
        marks = [_marked(reply, cases[reply.case], domain.folder) for reply in replies]
        useful = [reply.read.useful(cases[reply.case], reply.action) for reply in replies]
        found.append(_compared(kind, "useful", useful, [m.useful for m in marks]))
        for name, (read, marked) in _MARKS.items():
            pairs = [(read(r.read), marked(m)) for r, m in zip(replies, marks, strict=True)]
            both = [(bool(a), bool(b)) for a, b in pairs if a is not None and b is not None]
            if both:
                found.append(_compared(kind, name, [a for a, _ in both], [b for _, b in both]))
    return tuple(found)


def _marked(reply: JudgedReply, case: Case, folder: Path) -> Marks:
    quotes = tuple(Quote(doc, 1, words) for doc, words in reply.quotes)
    said = Said(reply.action, reply.text, quotes, reply.uncited, {}, reply.dates)
    return mark(case, said, lambda doc, version: True, same(folder))


def _compared(replies: str, figure: str, read: Sequence[bool], marked: Sequence[bool]) -> ScorerAgreement:
    equal = sum(a == b for a, b in zip(read, marked, strict=True)) / len(read)
    kappa = 1.0 if len({*read, *marked}) == 1 else float(cohen_kappa_score(read, marked))
    return ScorerAgreement(replies, figure, len(read), equal, kappa)
