"""Composing: claims out of the evidence, laid out in the domain's reply formats; the extractive composer is verbatim.

Knows nothing of HTTP or of how the evidence was found. The other composer stands in `service/chat_composer.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import Protocol

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from domains.spec import Domain
from retrieval.evidence import Evidence, Finding
from retrieval.lexical import tokens
from retrieval.units import Unit
from retrieval.versions import Version
from service.route import Decision

_MOST_TOLD_QUESTION = 120  # characters of a question that is said back to the customer


@dataclass(frozen=True, slots=True)
class Citation:
    """A verbatim piece of a version's text: offsets in Unicode code points, `end` exclusive."""

    n: int
    version: Version
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement, with the numbers of the citations that it rests on."""

    text: str
    citations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """A reply before it is verified: template segments and claims, nothing else."""

    format: str
    text: str
    claims: tuple[Claim, ...] = ()
    citations: tuple[Citation, ...] = ()
    dates: tuple[str, ...] = ()  # that the ticket asks about and that the text names, in words


@dataclass(frozen=True, slots=True)
class _Part:
    """A question and the marked claims that answer it, as the templates read it; `when`: not today, but then."""

    question: str
    claims: tuple[str, ...]
    when: str = ""


Numbers = Mapping[tuple[str, int, int, int], int]  # see `place` -> the number of its citation
Claims = Callable[[Finding, Sequence[Unit], Numbers], list[Claim]]


class Composer(Protocol):
    """Makes a draft of a decision and its evidence; what it drafts is verified before it leaves."""

    @property
    def name(self) -> str:
        """As it stands in a reply's provenance."""
        ...

    def compose(self, decision: Decision, evidence: Evidence | None) -> Draft:
        """Compose the customer's text; a decision that states no fact gives the bare template.

        Raises:
            Unavailable: what it needs does not answer.
        """
        ...


class ExtractiveComposer:
    """Claims are sentences and table rows of the evidence."""

    name = "extractive"

    def __init__(self, domain: Domain) -> None:
        self._domain, self._layout = domain, Layout(domain)

    def compose(self, decision: Decision, evidence: Evidence | None) -> Draft:
        """See `Composer`."""
        return self._layout.draft(decision, evidence and _once(evidence), self._claims)

    def _claims(self, finding: Finding, units: Sequence[Unit], numbers: Numbers) -> list[Claim]:
        asked = finding.question.text
        return [Claim(_as_text(u, asked, self._domain.sentences), (numbers[place(u)],)) for u in units]


class Layout:
    """Puts claims into the reply format of a decision."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain

    def draft(self, decision: Decision, evidence: Evidence | None, claims_of: Claims) -> Draft:
        """The customer's text, with `claims_of` each finding where the decision states facts."""
        findings = evidence or ()
        stated = [(f, f.conflict if decision.reason_code == "evidence_conflict" else f.units) for f in findings]
        if decision.reason_code not in ("answered", "evidence_conflict"):
            stated = []
        citations = _cite([unit for _, units in stated for unit in units])
        numbers = {place(c): c.n for c in citations}
        parts: list[_Part] = []
        claims: list[Claim] = []
        for finding, units in stated:
            new = [c for c in claims_of(finding, units, numbers) if c not in claims] if units else []
            claims += new
            if new:
                parts.append(_Part(_told(finding), tuple(_marked(c) for c in new), self._when(finding)))
        unanswered = [_told(f) for f, units in stated if not units and not f.ask and not f.unclear]
        ask = [self._domain.slots[slot].ask for f in findings for slot in f.ask]
        ask += [self._domain.dates.ask for f in findings if f.unclear]
        text = self._render(decision, parts, unanswered, list(dict.fromkeys(ask)))
        dates = tuple(part.when for part in parts if part.when)
        return Draft(decision.format, text, tuple(claims), tuple(citations), dates)

    def _when(self, finding: Finding) -> str:
        return finding.period.shown(self._domain.languages[0]) if finding.period else ""

    def _render(self, decision: Decision, parts: Sequence[_Part], unanswered: Sequence[str], ask: Sequence[str]) -> str:
        template = _environment(self._domain.folder / "formats").get_template(f"{decision.format}.j2")
        labels = {name: decision.labels.get(name, "") for name in self._domain.fields}  # empty: it abstains
        text = template.render(parts=parts, unanswered=unanswered, ask=ask, labels=labels)
        return re.sub(r"\n{3,}", "\n\n", text).strip()


@lru_cache(maxsize=8)
def _environment(folder: Path) -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )


def place(cited: Unit | Citation) -> tuple[str, int, int, int]:
    """Document, version, start and end of what is cited."""
    return (cited.version.doc_id, cited.version.version, cited.start, cited.end)


def _marked(claim: Claim) -> str:
    return f"{claim.text} {''.join(f'[{n}]' for n in claim.citations)}"


def _once(evidence: Evidence) -> Evidence:
    """Without sentences that were told for an earlier question, and without questions that these answer.

    Rows stay: each question names its own figures.
    """
    told: list[Unit] = []
    left: list[Finding] = []
    for finding in evidence:
        new = tuple(u for u in finding.units if u.is_row or not any(u.within(other) for other in told))
        if new or not finding.units:
            left.append(replace(finding, units=new))
        told += new
    return tuple(left)


def _cite(units: Sequence[Unit]) -> list[Citation]:
    seen: dict[tuple[str, int, int, int], Citation] = {}
    for unit in units:
        seen.setdefault(place(unit), Citation(len(seen) + 1, unit.version, unit.start, unit.end, unit.text))
    return list(seen.values())


def _as_text(unit: Unit, question: str, sentences: Sequence[str]) -> str:
    """A sentence as it stands; a table row by the domain's sentences, or as `Team, EUR: price per month 13.50`.

    The first column says what the row is about, and is always told; of the columns with figures those that the
    question names, or all where it names none.
    """
    names = [c for n, c in enumerate(unit.cells) if len(c.value) <= 40 and (n == 0 or not re.search(r"\d", c.value))]
    figures = [c for c in unit.cells if c not in names]
    if not names or not figures or sum(len(c.value) for c in unit.cells) > 300 or not all(c.column for c in figures):
        return unit.text
    asked = set(tokens(question))
    shared = {cell: asked & set(tokens(cell.column)) for cell in figures}
    named = [c for c in figures if _is_named(shared[c], shared.values())]
    values = {c.column: c.value for c in unit.cells}
    for sentence in sentences:
        columns = {name for _, name, *_ in Formatter().parse(sentence) if name}
        if columns <= values.keys() and {c.column for c in named} <= columns:
            return sentence.format_map(values)
    told = [c for c in figures if c in named or not re.search(r"\d", c.value)] if named else figures
    listed = ", ".join(f"{c.column[0].lower()}{c.column[1:]} {c.value}" for c in told)
    return f"{', '.join(c.value for c in names)}: {listed}"


def _is_named(words: set[str], others: Iterable[set[str]]) -> bool:
    """Whether a column shares words with the question, and no other column shares these and more."""
    return bool(words) and not any(words < other for other in others)


def _told(finding: Finding) -> str:
    """The question as it is said back: one line, shortened at a word."""
    text = " ".join(finding.question.text.split())
    if len(text) <= _MOST_TOLD_QUESTION:
        return text
    return text[:_MOST_TOLD_QUESTION].rsplit(" ", 1)[0] + " …"
