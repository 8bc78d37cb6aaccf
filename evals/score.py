"""What is right about one reply: pure functions from a case and what was said to marks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from evals.cases import UNANSWERABLE, Case, ExpectedFact
from retrieval.quantities import (
    APART,
    CURRENCIES,
    Quantity,
    currencies,
    figure_of,
    figures,
    in_digits,
    in_units,
    unstated,
)
from service.compose import Draft
from service.reply import Reply

_MARK = re.compile(r"\[\d+\]")
_ITEM = re.compile(r"^[ \t]*(?:[-*•+]|#+|(\d+)(?:[.)]|(?=\t)))[ \t]+", re.M)  # the mark of a list item or heading
# Ends of sentences, cells and paragraphs, and citation marks: no value continues across them.
_END = re.compile(r"""[.!?…]["”’')*_]*(?=\s|$)|[;|\t]|\n\s*\n|""" + _MARK.pattern)
_WORD = re.compile(r"\d{4}-\d{2}-\d{2}(?!\w)|\w+(?:[.,:]\w+)*|[%€$£|]")


@dataclass(frozen=True, slots=True)
class Quote:
    """What a reply cites."""

    doc_id: str
    version: int
    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """What was said to a ticket, by whatever system: all that is marked."""

    action: str
    text: str
    quotes: tuple[Quote, ...]
    uncited: int  # claims without a citation
    labels: Mapping[str, str]
    dates: tuple[str, ...] = ()  # that the text names since the ticket asks about them

    @staticmethod
    def by_reply(reply: Reply) -> Said:
        """What left."""
        quotes = tuple(Quote(c.doc_id, c.version, c.quote) for c in reply.citations)
        labels = {name: label.value for name, label in (reply.labels or {}).items()}
        uncited = sum(not claim.citations for claim in reply.answer.claims)
        return Said(reply.action, reply.answer.text, quotes, uncited, labels, tuple(reply.answer.dates))

    def in_units(self, same: Mapping[str, str]) -> Said:
        """The same, its figures in the units that `same` prefers."""
        quotes = tuple(replace(q, text=in_units(q.text, same)) for q in self.quotes)
        return replace(self, text=in_units(self.text, same), quotes=quotes)

    @staticmethod
    def by_draft(draft: Draft, action: str, labels: Mapping[str, str]) -> Said:
        """What would have left, had nobody verified it."""
        quotes = tuple(Quote(c.version.doc_id, c.version.version, c.quote) for c in draft.citations)
        uncited = sum(not claim.citations for claim in draft.claims)
        return Said(action, draft.text, quotes, uncited, labels, draft.dates)


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of one case; None where the case does not ask for the thing."""

    case: str
    tags: tuple[str, ...]
    action_right: bool
    refused: bool  # it does not answer
    should_refuse: bool
    facts_complete: bool | None  # every required value is in the text and cited from the right document
    facts_cited: float | None  # share of the required facts whose document is cited; 0..1
    citations_right: float | None  # of what is cited, the share out of a document that was wanted; 0..1
    forbidden_absent: bool
    open_named: bool | None  # what nothing answers is said to be open
    invented: bool  # a number that stands neither in a quote nor in the ticket, or a claim without a citation
    declined: bool | None  # of an unanswerable case: it states no fact
    leaked: bool  # a citation of what the caller may not read
    labels_right: dict[str, bool]

    @property
    def passed(self) -> bool:
        """Everything that the case asks for holds; labels are counted apart."""
        clean = self.forbidden_absent and not self.invented and not self.leaked
        return self.action_right and self.facts_complete in (None, True) and self.open_named in (None, True) and clean

    @property
    def misapplied(self) -> bool:
        """Rightly quoted, wrongly used: a value that is wrong here, or a fact where none answers."""
        return not self.forbidden_absent or self.declined is False

    @property
    def harmful(self) -> bool:
        """Somebody would be misled by it, or told what is not theirs to know."""
        return self.misapplied or self.invented or self.leaked

    @property
    def useful(self) -> bool:
        """It does what was wanted, in full, and no harm."""
        return not self.harmful and (self.action_right if self.facts_complete is None else self.facts_complete)


def mark(case: Case, said: Said, may_read: Callable[[str, int], bool], same: Mapping[str, str] | None = None) -> Marks:
    """Mark what was said.

    Args:
        case: what was asked and expected.
        said: what came.
        may_read: does the caller's audience admit this version of this document?
        same: spellings that mean the same; see `retrieval.quantities.in_units`.
    """
    if same:
        case, said = _case_in_units(case, same), said.in_units(same)
    expected = case.expect
    wanted = {doc for fact in expected.facts for doc in fact.docs}
    cited = [q.doc_id for q in said.quotes]
    facts = len(expected.facts)
    return Marks(
        case=case.id,
        tags=case.tags,
        action_right=said.action in expected.actions,
        refused=said.action != "answer",
        should_refuse="answer" not in expected.actions,
        facts_complete=all(_stated(fact, said) for fact in expected.facts) if facts else None,
        facts_cited=sum(not set(cited).isdisjoint(f.docs) for f in expected.facts) / facts if facts else None,
        citations_right=sum(doc in wanted for doc in cited) / len(cited) if facts and cited else None,
        forbidden_absent=not any(holds(said.text, value) for value in expected.forbidden),
        open_named=_names_open(expected.open, said.text) if expected.open else None,
        invented=_invented(case, said),
        declined=not said.quotes and not said.uncited if UNANSWERABLE in case.tags else None,
        leaked=any(not may_read(q.doc_id, q.version) for q in said.quotes),
        labels_right={n: said.labels.get(n) == v for n, v in expected.labels.items()},
    )


def _case_in_units(case: Case, same: Mapping[str, str]) -> Case:
    def told(values: Sequence[str]) -> tuple[str, ...]:
        return tuple(in_units(value, same) for value in values)

    expect = case.expect
    facts = tuple(fact.model_copy(update={"values": told(fact.values)}) for fact in expect.facts)
    thread = [m.model_copy(update={"text": in_units(m.text, same)}) for m in case.ticket.thread]
    words = {name: in_units(getattr(case.ticket, name), same) for name in ("subject", "body")}
    ticket = case.ticket.model_copy(update={**words, "thread": thread})
    wanted = expect.model_copy(update={"facts": facts, "forbidden": told(expect.forbidden)})
    return case.model_copy(update={"expect": wanted, "ticket": ticket})


def _stated(fact: ExpectedFact, said: Said) -> bool:
    cited = APART.join(q.text for q in said.quotes if q.doc_id in fact.docs)
    within = currencies(cited) or CURRENCIES
    return all(holds(said.text, value, within) and holds(cited, value) for value in fact.values)


def _names_open(words: Sequence[str], text: str) -> bool:
    """Whether any of these words stands behind everything that the text cites."""
    behind = _MARK.split(text)[-1].casefold()
    return any(word.casefold() in behind for word in words)


def holds(text: str, value: str, within: frozenset[str] = CURRENCIES) -> bool:
    """Whether the text states the value as a whole, in any spelling.

    The words and numbers of the value must follow each other in one sentence or table cell, whatever punctuation is
    between them: `Day: 18` is `day 18`, but `5 | business days` is not `5 business days`. Spelt-out numbers and dates
    are equal to those in digits, and working days to business days. A value that is one figure and nothing else may
    also be written in another form: `30-day` is `30 days`, `13.5 EUR` is `13.50`. But `14 days` is not in `114 days` or
    `14 business days`, nor is `5` in the mark `[5]`. No text states an empty value.

    `within`: the currencies in which a value without one may be stated.
    """
    figure = figure_of(value)
    stated = figures(_cut(in_digits(text))) if figure else frozenset()
    if figure and any(_is_equal(figure, other, within) for other in stated):
        return True
    if figure and not figure.unit and any(f.value == figure.value and f.unit in CURRENCIES - within for f in stated):
        return False  # the number is there, in another currency
    # As written first: only there is `June 2026` part of `30 June 2026`.
    return _follows(text, value) or _follows(in_digits(text), in_digits(value))


def _follows(text: str, value: str) -> bool:
    """Whether the words of the value follow each other in the text."""
    wanted = _in_a_line(value)
    return bool(wanted) and f" {wanted} " in f" {_in_a_line(text)} "


def _in_a_line(text: str) -> str:
    """The words of a text with single spaces between them, and one `|` wherever the text is cut."""
    words = " ".join(_WORD.findall(_cut(text))).casefold()
    return re.sub(r"(?:\| ?)+", "| ", words).strip("| ")


def _cut(text: str) -> str:
    """The text with a cut at the end of each sentence, cell and list item, so that nothing is joined across it."""
    return _END.sub(APART, _ITEM.sub(rf"{APART}\1{APART}", text))


def _is_equal(wanted: Quantity, stated: Quantity, within: frozenset[str]) -> bool:
    """A bare amount, such as `13.50`, may have a currency; any other bare number counts something else."""
    same_unit = wanted.unit == stated.unit if wanted.unit else stated.unit in within
    return same_unit and wanted.value == stated.value


def _invented(case: Case, said: Said) -> bool:
    quotes = (q.text for q in said.quotes)
    stated = APART.join(
        [*quotes, *said.dates, case.ticket.subject, case.ticket.body, *(m.text for m in case.ticket.thread)]
    )
    return said.uncited > 0 or bool(unstated(_MARK.sub(APART, said.text), stated))
