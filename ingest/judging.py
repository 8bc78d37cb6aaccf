"""Questions written for a folder of documents, as the evidence reader learns from them.

`questions.jsonl` stands beside `documents/`: each line has `id`, `doc` (the document it is about), `text`, `quotes`
(what answers, verbatim: sentences, or table rows as `| cell | cell |`; empty: no document of the folder answers), and
optionally `context`, `thread`, `helps` and `misleads`, see `adapters.data.judged`. Quotes are found again in whatever
the reader of files makes of the documents, so that a new cut or another format needs no new questions.

A reader learns from its own mistakes by judged lists: `lists.jsonl` holds what it puts first for a question (`id`,
`text`, `around`, `candidates` with `text_id`, `title` and `text`), and a person says of each candidate whether it
answers, helps or misleads (`id`, and the numbers of candidates, from 1, under `answers`, `helps` and `misleads`; what
is in none of them is beside the point).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.data.judged import JudgedQuestion, JudgedSet, Text, json_lines, judged
from domains.spec import Domain, InvalidInput
from ingest.drafting import drafted
from ingest.folder import files, submission
from ingest.limits import Limits
from ingest.metadata import Metadata
from retrieval.contents import VersionDraft
from retrieval.units import Unit, stating
from retrieval.versions import Version

Units = dict[str, list[Unit]]  # document -> its units
Marks = dict[str, Any]  # a line of JSON
_LEAST_WORDS = 3  # of a part of a sentence that is taken for the whole
_MARKS = re.compile(r"\*\*|__|`")


def judged_folder(folder: Path, documents: Path, domain: Domain) -> JudgedSet:
    """The sentences and rows of the newest version of each document, and the questions on them.

    Args:
        folder: holds `questions.jsonl`; with `documents.jsonl` beside it, it is read as `adapters.data.judged` says.
        documents: the folder of the documents.
        domain: gives zone and audiences.

    Raises:
        InvalidInput: a file cannot be read, or a quote stands in no document.
    """
    if any((folder / f"documents.jsonl{packed}").is_file() for packed in ("", ".gz")):
        return judged(folder)
    units = _read(documents, domain)
    texts = tuple(Text(f"{d}#{n}", u.surroundings, u.shown) for d, found in units.items() for n, u in enumerate(found))
    rows = json_lines(folder / "questions.jsonl", ("id", "text", "doc", "quotes"))
    return JudgedSet(folder.name, texts, tuple(_asked(row, units) for row in rows)).checked()


def take_in(folder: Path, documents: Path, domain: Domain, lists: Sequence[Marks], judgements: Sequence[Marks]) -> int:
    """Write judgements into the `questions.jsonl` of a folder; returns how many questions were judged.

    What was marked of a candidate holds, whatever was marked before; marks of other texts stay.

    Raises:
        InvalidInput: a judgement is of no list or question, or of a number that no candidate has.
    """
    units, path = _read(documents, domain), folder / "questions.jsonl"
    listed, found = {one["id"]: one["candidates"] for one in lists}, {one["id"]: one for one in judgements}
    rows = list(json_lines(path, ("id", "text", "doc", "quotes")))
    if strange := found.keys() - (listed.keys() & {row["id"] for row in rows}):
        raise InvalidInput(f"{min(strange)}: there is no such list, or no such question.", "Give those of this folder.")
    for name, judgement in found.items():
        if wrong := {n for mark in _MARKED for n in judgement.get(mark, ())} - set(range(1, len(listed[name]) + 1)):
            raise InvalidInput(f"{name}: there is no candidate {min(wrong)}.", "They are numbered from 1.")
    judged = [_marked(row, listed[row["id"]], found[row["id"]], units) if row["id"] in found else row for row in rows]
    beside = path.with_name(f".{path.name}.writing")
    beside.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in judged), encoding="utf-8")
    beside.replace(path)
    return sum(row["id"] in found for row in rows)


_MARKED = {"answers": "quotes", "helps": "helps", "misleads": "misleads"}  # of a judgement -> of a question


def _marked(row: Marks, candidates: Sequence[Marks], judgement: Marks, units: Units) -> Marks:
    shown = {candidate["text_id"] for candidate in candidates}
    marks = {
        field: [candidates[n - 1]["text"] for n in judgement.get(mark, ())]
        + [quote for quote in row.get(field, ()) if _found(row, [quote], units).isdisjoint(shown)]
        for mark, field in _MARKED.items()
    }
    return row | {field: marked for field, marked in marks.items() if marked or field in row}


def _read(documents: Path, domain: Domain) -> Units:
    return {d.doc_id: stating(Version.planned(d), d.passages()) for d in _newest(documents, domain)}


def _newest(documents: Path, domain: Domain) -> list[VersionDraft]:
    found: dict[str, VersionDraft] = {}
    for path in files(documents):
        draft = drafted(submission(path, Metadata(), Limits()), domain, Limits())
        if draft.doc_id not in found or draft.effective_from >= found[draft.doc_id].effective_from:
            found[draft.doc_id] = draft
    return list(found.values())


def _asked(row: Marks, units: Units) -> JudgedQuestion:
    named = {field: _found(row, row.get(field, ()), units) for field in ("quotes", "helps", "misleads")}
    right = named["quotes"]
    return JudgedQuestion(
        row["id"],
        row["text"],
        right,
        row.get("context", ""),
        tuple(row.get("thread", ())),
        row["doc"],
        named["helps"] - right,
        named["misleads"] - right - named["helps"],
    )


def _found(row: Marks, quotes: Sequence[str], units: Units) -> frozenset[str]:
    found: set[str] = set()
    for quote in quotes:
        wanted = _Quote.of(quote)
        for doc in (row["doc"], *units):
            here = {f"{doc}#{n}" for n, unit in enumerate(units.get(doc, ())) if wanted.is_in(unit)}
            if here:
                found |= here
                break
        else:
            raise InvalidInput(f"{row['id']}: no document says `{quote}`.", "Quote a sentence or a row verbatim.")
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class _Quote:
    """A sentence in plain letters, or the cells of a row."""

    text: str
    cells: tuple[str, ...]

    @classmethod
    def of(cls, quote: str) -> _Quote:
        bare = _plain(quote)
        cells = [cell.strip() for cell in bare.strip("|").split("|")] if bare.startswith("|") else []
        return cls(bare, tuple(cell for cell in cells if cell))

    def is_in(self, unit: Unit) -> bool:
        """Is the unit this row, or this sentence or a part of it?"""
        if self.text == _plain(unit.shown):
            return True
        if self.cells or unit.is_row:
            return self.cells == tuple(value for cell in unit.cells if (value := _plain(cell.value)))
        here = _plain(unit.text)
        shorter, longer = sorted((here, self.text), key=len)
        return shorter == longer or (len(shorter.split()) >= _LEAST_WORDS and shorter in longer)


def _plain(text: str) -> str:
    return " ".join(_MARKS.sub("", text).split())
