"""From passages to what answers: sentences and table rows, a sufficiency score, and contradictions.

A unit is one sentence or one table row of a passage. Its score joins the cosine of question and unit in context with
the share of the question's words that the unit covers, each word weighted by how rare it is in what the caller may
read. A word that stands nowhere there weighs most: a question about a thing that no document names is not answered by
a document about another thing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from domains.spec import Domain
from retrieval.contents import Passage
from retrieval.injection import commands_in
from retrieval.lexical import LexicalIndex, idf, words
from retrieval.questions import Question, sentence_spans
from retrieval.relevance import Relevance
from retrieval.retriever import Hit, Retriever
from retrieval.slots import Slots, outright, slots_in
from retrieval.versions import Version, View
from retrieval.wording import WEAK, Wording

# Chosen on the development cases; `formfact evals run --cases dev` gives their effect.
_WORDS = 0.45  # the say of the words that are covered, beside that of the cosine
_RIGHT_CIRCUMSTANCE = 0.04  # for each plan, currency, period or region that was named and is the unit's
_WRONG_CIRCUMSTANCE = 0.12  # taken off a sentence about another plan, currency, period or region
_WITHIN = 0.9  # the worth of covering the question together with what surrounds it
_AROUND = 0.1  # the say of what surrounds the question
_WEAK = 0.25  # the weight of words that say how somebody asks
_STRANGE = 0.2  # taken off where the question holds a name that no document of the caller's uses
_POINTER = 0.15  # taken off a sentence that only names another document
_NO_QUANTITY = 0.15  # taken off a unit without a number where one is asked for
_CLOSE = 0.08  # how near the best unit another must come to be said beside it
_RIVAL = 0.16  # … and to count as contradicting it
_SAME_SUBJECT = 0.7  # cosine from which on two units speak of the same thing
_HITS = 30  # passages whose units are looked at
_MOST_UNITS = 3
_MOST_ROWS = 6
_MOST_STEPS = 9

_AMOUNT = re.compile(
    r"\d[\d.,]*\s*(EUR|USD|GBP|€|\$|£)|(EUR|USD|GBP|€|\$|£)\s*\d|\bprice\b|\bfree\b|\bno (charge|fee)", re.I
)
_EXPECTED = (
    (
        re.compile(
            r"\bhow expensive\b|\bhow much\b(?! (data|memory|room|space|storage|time|traffic)\b)"
            r"|\bpric(e|es|ing)\b|\bcosts?\b|\bfees?\b|\brate\b",
            re.I,
        ),
        _AMOUNT,
    ),
    (
        re.compile(
            r"\b(how|until|since|by) (long|many|big|large|old|fast|soon|often|late|when)\b"
            r"|\b(biggest|largest|limit|max)\b",
            re.I,
        ),
        re.compile(r"\d"),
    ),
    # A length of time; "by 7 days" is a difference, not a length.
    (
        re.compile(r"\bhow long\b(?! ago)", re.I),
        re.compile(r"(?<!by )\b\d[\d.,]* (business |working )?(minutes?|hours?|days?|weeks?|months?|years?)\b", re.I),
    ),
)
_HOW_TO = re.compile(r"\bhow (do|can|to|would|should)\b|\bsteps?\b|\bwhere (do|can) (i|we)\b", re.I)
_QUANTITY = re.compile(
    r"(?P<n>\d[\d.,:]*\d|\d)\s*"
    r"(?P<unit>%|percent|(?:business |working )?(?:minutes?|hours?|days?|weeks?|months?|years?)"
    r"|EUR|USD|GBP|CET|[KMGT]B|users?|files?|signers?|guests?|teams?|requests?|calls?|pages?|attempts?)?",
    re.I,
)
# What holds for the rest: not for a plan, region or currency that is named beside it.
_REST = re.compile(r"\b(all )?other (plans|regions|countries|currencies|periods)\b", re.I)
# What looks like a name: a capital inside a sentence, or the word before "plan".
_NAME = re.compile(r"(?<=[a-z,] )([A-Z]\w+)|\b(\w+)(?= (?:plan|add-on|bundle|package)\b)")
_REFERENCE = re.compile(r"\bsee below\b|\b(see|stands? in|told in|depends on the plan)\b[^.]{0,25}[\"“]")
_CONDITION = re.compile(r"^(except|however|but|unless|only|this does not|exceptions?|otherwise|not included)\b", re.I)


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence or table row: offsets are those of the version's whole text, `text` is verbatim."""

    version: Version
    passage: Passage
    start: int
    end: int
    text: str
    score: float = 0.0
    covered: float = 0.0  # share of the question's words, by weight, that the unit holds; 0..1

    @property
    def in_context(self) -> str:
        """The unit with the headings above it: what is compared with the question."""
        return f"{self.passage.heading}: {self.text}"

    @property
    def is_row(self) -> bool:
        return self.passage.kind == "row"

    @property
    def cells(self) -> dict[str, str]:
        """Column -> cell of a table row; a piece that names no column goes on with the cell before it."""
        found: dict[str, str] = {}
        for part in self.text.split("; "):
            column, colon, cell = part.partition(": ")
            if colon:
                found[column] = cell
            elif found:
                found[next(reversed(found))] += f"; {part}"
        return found

    @property
    def states(self) -> bool:
        """Does it say anything alone? A document's question, what introduces a list, and program code do not."""
        return not self.text.rstrip('"”’) ').endswith(("?", ":")) and "```" not in self.text


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found for one question.

    `units` answer it (empty: nothing does), `ask` names the slots on which the answer turns and that nobody gave,
    `conflict` holds units that contradict each other and that nothing settles, `score` is 0..1.
    """

    question: Question
    units: tuple[Unit, ...]
    score: float
    ask: tuple[str, ...] = ()
    conflict: tuple[Unit, ...] = ()
    hits: tuple[Hit, ...] = ()


Evidence = tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Fit:
    """How many of the circumstances that are known a unit is about, and whether it is about another one."""

    matching: int
    wrong: bool


class Selector:
    """Chooses the units that answer a question, in a view.

    Args:
        domain: its slots.
        retriever: finds the passages.
        lexical: gives the term statistics of the view.
        relevance: compares questions and units as wholes.
        wording: compares them word by word.
    """

    def __init__(
        self, domain: Domain, retriever: Retriever, lexical: LexicalIndex, relevance: Relevance, wording: Wording
    ) -> None:
        self._domain, self._retriever, self._lexical = domain, retriever, lexical
        self.relevance = relevance
        self._wording = wording
        self._words = lru_cache(maxsize=16)(self._read_words)

    def select(self, view: View, question: Question, given: Slots) -> Finding:
        """What answers a question among what the caller may read; `given` is what ticket and context say of the slots.

        The finding holds the question as it was asked: a mended word is a word of some document.
        """
        mended = replace(question, text=self._wording.mended(question.text, self._words(view)))
        return replace(self._select(view, mended, given), question=question)

    def warm(self, view: View, stop: Callable[[], bool]) -> None:
        """Embed the units of a view, until told to stop, so that the first replies need not wait for that."""
        for content, versions in view.by_content.items():
            if stop():
                return
            hits = [Hit(passage, versions[0], 0.0) for passage in self._retriever.catalog.passages(content)]
            self.relevance.keep([u.in_context for hit in hits for u in units_of(hit)])

    def units(self, view: View, asked: Question, hits: Sequence[Hit], given: Slots | None = None) -> list[Unit]:
        """The units of passages that say anything to the question, best first."""
        return self._ranked(view, asked, hits, given or {})[0]

    def _ranked(self, view: View, asked: Question, hits: Sequence[Hit], given: Slots) -> tuple[list[Unit], Slots]:
        """The units, and what is known of the slots: the question's own words come before ticket and context."""
        units = [u for hit in hits for u in units_of(hit) if u.states and not commands_in(u.text)]
        named = {**slots_in(asked.text, self._domain), **given, **outright(asked.text, self._domain)}
        wanted = {**named, **self._named_in_tables(asked, units)}
        return self._rank(view, asked, wanted, units), wanted

    def _select(self, view: View, asked: Question, given: Slots) -> Finding:
        hits = self._retriever.search(view, asked.text, asked.context, self._wording.expanded(asked.text), _HITS)
        ranked, wanted = self._ranked(view, asked, hits, given)
        if not ranked or ranked[0].score < self.relevance.scale.sufficient:
            return Finding(asked, (), ranked[0].score if ranked else 0.0, hits=hits)
        settled = _settle(ranked)
        if conflict := self._contradiction(settled):
            return Finding(asked, (), ranked[0].score, conflict=conflict, hits=hits)
        found = self._rows(settled, wanted) if settled[0].is_row else self._prose(asked, settled)
        return replace(found, score=settled[0].score, hits=hits)

    def _rank(self, view: View, asked: Question, wanted: Slots, units: Sequence[Unit]) -> list[Unit]:
        if not units:
            return []
        whole = f"{asked.context} {asked.text}".strip()
        meaning = self.relevance.of([asked.text, whole], [u.in_context for u in units])
        alone, within = self._covered(view, asked.text, units), self._covered(view, whole, units)
        covered = within if asked.leans else [max(a, _WITHIN * w) for a, w in zip(alone, within, strict=True)]
        unknown = self._strangers(view, asked.text)
        around = self._covered(view, asked.context, units)
        fits = [self._fit(unit, wanted) for unit in units]
        told = {u.version.doc_id for u, fit in zip(units, fits, strict=True) if fit.matching}
        scored = []
        for u, m, c, a, fit in zip(units, meaning, covered, around, fits, strict=True):
            wrong = fit.wrong or (u.version.doc_id in told and _REST.search(u.text) is not None)
            score = float(m) + _WORDS * c + _AROUND * a + _RIGHT_CIRCUMSTANCE * fit.matching - _missing(asked, u)
            score -= _STRANGE * bool(unknown) + _WRONG_CIRCUMSTANCE * wrong
            scored.append(replace(u, covered=round(c, 3), score=0.0 if wrong and u.is_row else round(score, 3)))
        kept = [u for u in scored if u.score > 0]
        return sorted(kept, key=lambda u: (-u.score, -u.version.precedence, u.version.doc_id, u.start))

    def _named(self, unit: Unit) -> Slots:
        """The circumstances that a unit is about; in a table row the column says which slot a cell fills."""
        if not unit.is_row:
            return slots_in(unit.text, self._domain)
        named: dict[str, frozenset[str]] = {}
        for column, cell in unit.cells.items():
            slot = column.casefold().replace(" ", "_")
            found = {} if re.search(r"\d", cell) else slots_in(cell, self._domain)
            named |= found if found or slot not in self._domain.slots else {slot: frozenset({cell})}
        return named

    def _named_in_tables(self, asked: Question, units: Sequence[Unit]) -> Slots:
        """Slot values that only a table knows, such as a plan added yesterday, where the question names them."""
        text = f"{asked.text} {asked.context}"
        found: dict[str, frozenset[str]] = {}
        for unit in units:
            for slot, values in self._named(unit).items() if unit.is_row else ():
                known = self._domain.slots[slot].values
                new = frozenset(v for v in values if v not in known and re.search(rf"(?i)\b{re.escape(v)}\b", text))
                found |= {slot: found.get(slot, frozenset()) | new} if new else {}
        told = slots_in(asked.text, self._domain)
        return {slot: values | told.get(slot, frozenset()) for slot, values in found.items()}

    def _covered(self, view: View, text: str, units: Sequence[Unit]) -> list[float]:
        """The share of the text's words that each unit holds or comes near to, rare words weighing more; 0..1."""
        weights = self._weights(view, text)
        held = [frozenset(self._wording.terms(f"{u.in_context} {u.version.title}")) for u in units]
        near = self._wording.nearness(weights, frozenset().union(*held))
        total = sum(weights.values()) or 1.0
        return [sum(w * _held(term, terms, near) for term, w in weights.items()) / total for terms in held]

    def _weights(self, view: View, text: str) -> dict[str, float]:
        """The words of a text with their weight: how rare they are in what the caller may read."""
        passages = max(len(self._retriever.catalog.lengths(view)), 1)
        terms = {term: self._wording.members(term) for term in self._wording.terms(text)}
        found = self._lexical.statistics(view, frozenset().union(*terms.values()))
        counts = {term: min(sum(found[m] for m in members), passages) for term, members in terms.items()}
        return {t: idf(count, passages) * (_WEAK if t in WEAK else 1.0) for t, count in counts.items()}

    def _strangers(self, view: View, text: str) -> set[str]:
        """Names in a question that no document of the caller's uses: an answer would be about something else."""
        names = {t for found in _NAME.findall(text) for name in found for t in self._wording.terms(name)}
        counts = self._lexical.statistics(view, frozenset().union(*(self._wording.members(n) for n in names)))
        return {n for n in names if n not in WEAK and not any(counts[m] for m in self._wording.members(n))}

    def _fit(self, unit: Unit, wanted: Slots) -> _Fit:
        named = self._named(unit)
        shared = [not named[slot].isdisjoint(values) for slot, values in wanted.items() if slot in named]
        return _Fit(sum(shared), not all(shared) and (unit.is_row or "only" not in unit.text))

    def _read_words(self, view: View) -> frozenset[str]:
        catalog = self._retriever.catalog
        return frozenset(w for c in view.by_content for p in catalog.passages(c) for w in words(p.in_context))

    def _rows(self, ranked: Sequence[Unit], wanted: Slots) -> Finding:
        """A table row answers, together with those that differ from it only in what nobody gave."""
        best = ranked[0]
        same = [u for u in ranked if u.is_row and u.passage.content == best.passage.content]
        alike = [u for u in same if u.passage.heading == best.passage.heading and u.covered >= best.covered]
        open_slots = [
            slot
            for slot in self._domain.slots
            if slot not in wanted and len({slots_in(u.text, self._domain).get(slot) for u in alike}) > 1
        ]
        if len(alike) > _MOST_ROWS and open_slots:
            return Finding(_NOBODY, (), best.score, ask=tuple(open_slots))
        if not open_slots:
            alike = [u for u in alike if u.score >= best.score - _CLOSE / 2][:2]
        return Finding(_NOBODY, tuple(sorted(alike[:_MOST_ROWS], key=lambda u: u.start)), best.score)

    def _contradiction(self, ranked: Sequence[Unit]) -> tuple[Unit, ...]:
        """The best unit and one of equal standing and of the same subject that contradicts it, or nothing."""
        best = ranked[0]
        for other in ranked[1:]:
            if other.score < best.score - 2 * _RIVAL:
                break
            equal = other.version.precedence == best.version.precedence
            if equal and _rivals(best, other) and self.relevance.alike(best.text, other.text) >= _SAME_SUBJECT:
                return (best, other)
        return ()

    def _prose(self, asked: Question, ranked: Sequence[Unit]) -> Finding:
        """The best sentence, those nearly as good, a condition that follows; or all the steps."""
        best = ranked[0]
        lines = [u for u in ranked if u.passage.key == best.passage.key and not u.is_row]
        if _HOW_TO.search(asked.text) and len(steps := [u for u in lines if _is_item(u)]) > 1 and _is_item(best):
            return Finding(_NOBODY, tuple(sorted(steps, key=lambda u: u.start)[:_MOST_STEPS]), best.score)
        near = [u for u in ranked if u.score >= best.score - _CLOSE][:_MOST_UNITS]
        after = [u for u in lines if u not in near and _CONDITION.match(u.text) and _follows(u, near)]
        # The best document first; within a document in its own order.
        documents = list(dict.fromkeys(u.version.doc_id for u in near))
        told = sorted({*near, *after[:1]}, key=lambda u: (documents.index(u.version.doc_id), u.start))
        return Finding(_NOBODY, tuple(told), best.score)


_NOBODY = Question("")


def _missing(asked: Question, unit: Unit) -> float:
    """What is taken off a unit that only points elsewhere, or lacks a quantity of the kind that is asked for."""
    lacks = [not answer.search(unit.text) for question, answer in _EXPECTED if question.search(asked.text)]
    return _POINTER * (_REFERENCE.search(unit.text) is not None) + _NO_QUANTITY * sum(lacks)


def _held(term: str, terms: frozenset[str], near: Mapping[tuple[str, str], float]) -> float:
    """1 where the terms hold the term, else how near the nearest of them comes."""
    return 1.0 if term in terms else max((near.get((term, other), 0.0) for other in terms), default=0.0)


def units_of(hit: Hit) -> list[Unit]:
    """The sentences of a prose passage, or the one row."""
    passage = hit.passage
    if passage.kind == "row":
        return [Unit(hit.version, passage, passage.start, passage.end, passage.text)]
    units = []
    position = 0
    for line in passage.text.split("\n"):
        mark = 2 if line.startswith("- ") else 0
        for start, end in sentence_spans(line[mark:]):
            first = passage.start + position + mark + start
            units.append(Unit(hit.version, passage, first, first + end - start, line[mark + start : mark + end]))
        position += len(line) + 1
    return units


def _is_item(unit: Unit) -> bool:
    """Does the unit begin a list item?"""
    offset = unit.start - unit.passage.start
    return unit.passage.text[max(0, offset - 2) : offset] == "- "


def _follows(unit: Unit, others: Iterable[Unit]) -> bool:
    return any(0 <= unit.start - other.end <= 3 for other in others)


def quantities(text: str) -> dict[str, set[str]]:
    """Kind of quantity -> the numbers of that kind in a text: `30 days` is {"day": {"30"}}."""
    found: dict[str, set[str]] = {}
    for match in _QUANTITY.finditer(text):
        unit = (match["unit"] or "").lower().rstrip("s").replace("percent", "%")
        if unit:
            found.setdefault(unit, set()).add(match["n"].rstrip(".,:"))
    return found


def _stated(unit: Unit) -> dict[str, set[str]]:
    """The quantities of a unit; in a table row a bare amount is of the currency that another cell names."""
    found = quantities(unit.text)
    currency = next((v for v in unit.cells.values() if v in ("EUR", "USD", "GBP")), "") if unit.is_row else ""
    amounts = {v for v in unit.cells.values() if re.fullmatch(r"\d+[.,]\d\d", v)} if currency else set()
    return {**found, currency.lower(): amounts} if amounts else found


def _rivals(best: Unit, other: Unit) -> bool:
    """Do two units of different documents give different numbers of the same kind?"""
    if best.version.doc_id == other.version.doc_id:
        return False
    if best.is_row and other.is_row and next(iter(best.cells.values()), "") != next(iter(other.cells.values()), ""):
        return False  # rows about different things
    mine, theirs = _stated(best), _stated(other)
    shared = mine.keys() & theirs.keys()
    return bool(shared) and all(mine[kind].isdisjoint(theirs[kind]) for kind in shared)


def _settle(ranked: list[Unit]) -> list[Unit]:
    """Drop what a document of higher precedence contradicts, among the units that come near the best."""
    near = [u for u in ranked if u.score >= ranked[0].score - 2 * _RIVAL]
    beaten = {
        u for u in near for other in near if other.version.precedence > u.version.precedence and _rivals(other, u)
    }
    return [u for u in ranked if u not in beaten]
