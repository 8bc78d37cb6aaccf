"""What may be said: the sentences and table rows of a passage, verbatim and with their place."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from retrieval.contents import Cell, Passage
from retrieval.injection import states
from retrieval.lexical import tokens
from retrieval.sentences import sentence_spans
from retrieval.versions import Version

_FEWEST_STEPS = 2
_HEADING = re.compile(r"(#{1,6}) (.+)")
# What begins a sentence whose subject or condition stands in the one before.
_LEANS = re.compile(
    r"(They|Its|Their|Then|Such|Otherwise|If so|If not|That (is|means)|The same)\b"
    r"|It (?!is (also |only )?(possible|best|enough|up to)\b)"
    r"|This (is(?! what\b)|means|holds|does|rule|step|applies)\b"  # "This is what …" speaks of what comes
    r"|Those (?!who\b|that\b|with\b)|These (last|are|cost|take|stay|end)\b"
    r"|(After|Before|During|In|Until|For|Under) (that|this|these|those|then)\b"
)


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence or table row: offsets are those of the version's whole text, `text` is verbatim."""

    version: Version
    passage: Passage
    start: int
    end: int
    text: str
    heading: str = ""  # the headings above it, outermost first
    score: float = 0.0  # probability that it answers the question, 0..1
    leans_from: int | None = None  # offset of the sentence before on which this one leans
    before: str = ""  # the sentence before it in the same paragraph, if that says anything alone

    @property
    def in_context(self) -> str:
        """The unit with the headings above it."""
        return f"{self.heading}: {self.shown}"

    @property
    def shown(self) -> str:
        """What is compared with a question: the sentence, or the row with the names of its columns."""
        return self.passage.gist if self.is_row else self.text

    @property
    def surroundings(self) -> str:
        """What it is read beside: the title, the headings, and the sentence before or all those on which it leans."""
        title = "" if self.heading.startswith(self.version.title) else self.version.title
        before = self.before if self.leans_from is None else self._said(self.leans_from, self.start).strip()
        return " > ".join(part for part in (title, self.heading, before) if part)

    @property
    def is_row(self) -> bool:
        return self.passage.kind == "row"

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells of a table row; empty for a sentence."""
        return self.passage.cells

    @property
    def whole(self) -> Unit:
        """The unit with the sentences on which it leans: what can be said alone."""
        if self.leans_from is None:
            return self
        told = self._said(self.leans_from, self.end)
        return replace(self, start=self.leans_from, text=told, leans_from=None, before="")

    def within(self, other: Unit) -> bool:
        """Does the other one hold all of this one?"""
        return self.version == other.version and other.start <= self.start <= self.end <= other.end

    def _said(self, start: int, end: int) -> str:
        return self.passage.text[start - self.passage.start : end - self.passage.start]

    @property
    def states(self) -> bool:
        """Does it say anything alone, to a customer? A question does not, nor what introduces a list, nor a title."""
        said = self.text.rstrip('"”’) ')
        return not said.endswith(("?", ":")) and not self._repeats_title(said) and states(self.text)

    def _repeats_title(self, said: str) -> bool:
        """Is it a line without figure or full stop, half of it words of its title: "PRICE LIST OF THE LAUNDRY"?"""
        if self.is_row or said.endswith((".", "!", "…")) or any(c.isdigit() for c in said):
            return False
        own = set(tokens(said))
        return bool(own) and 2 * len(own & set(tokens(f"{self.version.title} {self.heading}"))) >= len(own)


def stating(version: Version, passages: Iterable[Passage]) -> list[Unit]:
    """The units of passages that state something."""
    return [unit for passage in passages for unit in _stating(version, passage)]


@lru_cache(maxsize=20_000)
def _stating(version: Version, passage: Passage) -> tuple[Unit, ...]:
    return tuple(unit for unit in units_of(version, passage) if unit.states)


def units_of(version: Version, passage: Passage) -> list[Unit]:
    """The sentences of a prose passage, or the one row."""
    if passage.kind == "row":
        return [Unit(version, passage, passage.start, passage.end, passage.text, passage.heading)]
    units: list[Unit] = []
    below: list[tuple[int, str]] = []  # depth and text of the headings inside the passage
    position = passage.start
    for line in passage.text.split("\n"):
        if heading := _HEADING.match(line):
            below = [h for h in below if h[0] < len(heading[1])] + [(len(heading[1]), heading[2])]
        else:
            path = " > ".join(h for h in (passage.heading, *(text for _, text in below)) if h)
            mark = _mark(line)
            units += _sentences(Unit(version, passage, 0, 0, "", path), line[mark:], position + mark)
        position += len(line) + 1
    return units


def _sentences(blank: Unit, line: str, begin: int) -> list[Unit]:
    """The sentences of a line that begins at an offset of the version's text, made of a blank unit.

    None is read beside what says nothing alone: that may be a command that somebody hid in the document.
    """
    units: list[Unit] = []
    for start, end in _spans(line):
        unit = replace(blank, start=begin + start, end=begin + end, text=line[start:end])
        if units and units[-1].states:
            leans_from = units[-1].whole.start if _LEANS.match(unit.text) else None
            unit = replace(unit, before=units[-1].text, leans_from=leans_from)
        units.append(unit)
    return units


_spans = lru_cache(maxsize=50_000)(sentence_spans)  # of lines of documents


def forget_units() -> None:
    """Drop what is kept of lines and passages: their words may have been erased."""
    _spans.cache_clear()
    _stating.cache_clear()


def steps_with(unit: Unit, most: int) -> tuple[Unit, ...]:
    """The steps of the numbered list to which a unit belongs, in their order; nothing if it belongs to none.

    Args:
        unit: one of them.
        most: how many units are given at most; they begin with the list, or end with the unit.
    """
    steps = [
        other
        for other in units_of(unit.version, unit.passage)
        if other.heading == unit.heading and other.states and _is_numbered(other)
    ]
    places = [step.start for step in steps]
    if unit.start not in places or len(steps) < _FEWEST_STEPS:
        return ()
    end = max(places.index(unit.start) + 1, most)
    return tuple(steps[max(0, end - most) : end])


def _is_numbered(unit: Unit) -> bool:
    """Whether a unit stands in an item of a numbered list."""
    line = unit.passage.text.rfind("\n", 0, unit.start - unit.passage.start) + 1
    mark = _mark(unit.passage.text[line:])
    return unit.passage.text[line : line + mark].endswith("\t")


def _mark(line: str) -> int:
    """The length of the mark with which a list item's line begins: `- `, or a number and a tab."""
    if line.startswith("- "):
        return 2
    number, tab, _ = line.partition("\n")[0].partition("\t")
    return len(number) + 1 if tab else 0


def in_full(units: Iterable[Unit]) -> tuple[Unit, ...]:
    """The units so that each can be read alone; one that another holds is left out."""
    whole = [unit.whole for unit in units]
    return tuple(u for u in whole if not any(u is not other and u.within(other) for other in whole))
