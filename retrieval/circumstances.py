"""What a unit holds for: the plan, currency, period or region that it is about, and whether that is the asker's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from domains.spec import Domain
from retrieval.contents import Cell
from retrieval.questions import Question
from retrieval.slots import Slots, outright, slots_in
from retrieval.units import Unit

_MOST_KEPT = 50_000
_DIGIT = re.compile(r"\d")
# What holds for the rest: not for a plan, region or currency that is named beside it.
_REST = re.compile(r"\b(all )?other (plans|regions|countries|currencies|periods)\b", re.I)


@dataclass(frozen=True, slots=True)
class Fit:
    """How many of the circumstances that are known a unit is about, and whether it is about another one."""

    matching: int
    wrong: bool


class Circumstances:
    """Reads the slots of a domain in questions and units."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self.forget()

    def forget(self) -> None:
        """Drop what is kept of units: their words may have been erased."""
        self._read = lru_cache(maxsize=_MOST_KEPT)(self._read_unit)
        re.purge()  # patterns are made of table cells, see `_named_in_tables`

    def wanted(self, asked: Question, given: Slots, units: Sequence[Unit]) -> Slots:
        """What is known of the slots: the question's own words come before ticket and context (`given`)."""
        own = slots_in(asked.text, self._domain)
        named = {**own, **given} if asked.repeated else {**own, **given, **outright(asked.text, self._domain)}
        return {**named, **self._named_in_tables(asked, units)}

    def fits(self, units: Sequence[Unit], wanted: Slots) -> list[Fit]:
        """How each unit fits; what holds for "all other plans" does not where the document names the one wanted."""
        alone = [self._fit(unit, wanted) for unit in units]
        told = {u.version.doc_id for u, fit in zip(units, alone, strict=True) if fit.matching}
        return [
            Fit(fit.matching, True) if u.version.doc_id in told and _REST.search(u.text) else fit
            for u, fit in zip(units, alone, strict=True)
        ]

    def open(self, units: Sequence[Unit], wanted: Slots) -> tuple[str, ...]:
        """The slots in which units differ and that nobody gave."""
        named = [slots_in(unit.text, self._domain) for unit in units]
        return tuple(s for s in self._domain.slots if s not in wanted and len({n.get(s) for n in named}) > 1)

    def differ_in_slots_alone(self, one: Unit, other: Unit) -> bool:
        """Whether two table rows have the same text outside slot columns; cells with digits are ignored."""
        return self._words(one) == self._words(other)

    def _words(self, unit: Unit) -> dict[str, str]:
        named = {c.column: c.value for c in unit.cells if _slot_of(c.column) not in self._domain.slots}
        return {column: value for column, value in named.items() if not _DIGIT.search(value)}

    def _fit(self, unit: Unit, wanted: Slots) -> Fit:
        named = self._read(unit.text, unit.cells)
        shared = [not named[slot].isdisjoint(values) for slot, values in wanted.items() if slot in named]
        return Fit(sum(shared), not all(shared) and (unit.is_row or "only" not in unit.text))

    def _read_unit(self, text: str, cells: tuple[Cell, ...]) -> Slots:
        """The circumstances that a unit is about; in a table row the column says which slot a cell fills."""
        if not cells:
            return slots_in(text, self._domain)
        named: dict[str, frozenset[str]] = {}
        for column, cell in ((c.column, c.value) for c in cells):
            slot = _slot_of(column)
            found = {} if _DIGIT.search(cell) else slots_in(cell, self._domain)
            named |= found if found or slot not in self._domain.slots else {slot: frozenset({cell})}
        return named

    def _named_in_tables(self, asked: Question, units: Sequence[Unit]) -> Slots:
        """Slot values that only a table knows, such as a plan added yesterday, where the question names them."""
        text = f"{asked.text} {asked.context}"
        found: dict[str, frozenset[str]] = {}
        for unit in units:
            for slot, values in self._read(unit.text, unit.cells).items() if unit.is_row else ():
                known = self._domain.slots[slot].values
                new = frozenset(v for v in values if v not in known and re.search(rf"(?i)\b{re.escape(v)}\b", text))
                found |= {slot: found.get(slot, frozenset()) | new} if new else {}
        told = slots_in(asked.text, self._domain)
        return {slot: values | told.get(slot, frozenset()) for slot, values in found.items()}


def _slot_of(column: str) -> str:
    """The slot that a table column would fill: "Billing period" is `billing_period`."""
    return column.casefold().replace(" ", "_")
