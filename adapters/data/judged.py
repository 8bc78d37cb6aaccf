"""Questions with the texts that answer them: what an evidence reader learns from, and what retrieval is measured on.

A folder with `documents.jsonl` (`id`, `text`, optionally `title`) and `questions.jsonl` (`id`, `text`, `relevant`:
identifiers of documents, empty where none answers; optionally `context`, said before it in the same message, `thread`,
earlier messages, `group`, kept on one side of a split, `split`, and `helps` and `misleads`: identifiers of texts that
say something to it without answering, and of those that seem to answer and do not). Either may be compressed (`.gz`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.data.rows import lines
from domains.spec import InvalidInput


@dataclass(frozen=True, slots=True)
class Text:
    """A document, or a passage that stands for itself."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class JudgedQuestion:
    """A question with what else its asker said."""

    id: str
    text: str
    relevant: frozenset[str]  # identifiers of the texts that answer; empty: none does
    context: str = ""
    thread: tuple[str, ...] = ()  # oldest first
    group: str = ""
    helps: frozenset[str] = frozenset()
    misleads: frozenset[str] = frozenset()

    @property
    def surroundings(self) -> str:
        """What is read beside the question: the customer's last two messages and what else stands in this one."""
        return " ".join(part for part in (*self.thread[-2:], self.context) if part)


@dataclass(frozen=True, slots=True)
class JudgedSet:
    """Texts and questions on them; `train` are further questions, to learn from."""

    name: str
    texts: tuple[Text, ...]
    questions: tuple[JudgedQuestion, ...]
    train: tuple[JudgedQuestion, ...] = ()

    @property
    def answerable(self) -> tuple[JudgedQuestion, ...]:
        """The questions that some text answers."""
        return tuple(q for q in self.questions if q.relevant)

    def checked(self) -> JudgedSet:
        """The same.

        Raises:
            InvalidInput: there is no question, an identifier stands twice, or a question names none that is there.
        """
        known = {t.id for t in self.texts}
        if len(known) < len(self.texts):
            raise InvalidInput(f"{self.name}: an identifier of a document stands twice.", "Each is one document's.")
        for question in (*self.questions, *self.train):
            if missing := (question.relevant | question.helps | question.misleads) - known:
                raise InvalidInput(f"{question.id}: no document {min(missing)}.", "`relevant` names identifiers.")
        if not self.questions:
            raise InvalidInput(f"{self.name}: no questions.", "Give at least one.")
        return self


def judged(folder: Path) -> JudgedSet:
    """Read a folder.

    Raises:
        InvalidInput: a file is missing, a line is broken, or see `Judged.checked`.
    """
    found = json_lines(_either(folder / "documents.jsonl"), ("id", "text"))
    texts = tuple(Text(r["id"], r.get("title", ""), r["text"]) for r in found)
    rows = list(json_lines(_either(folder / "questions.jsonl"), ("id", "text", "relevant")))
    sides = {side: tuple(_asked(r) for r in rows if (r.get("split") == "train") is side) for side in (True, False)}
    return JudgedSet(folder.name, texts, sides[False], sides[True]).checked()


def _asked(row: dict[str, Any]) -> JudgedQuestion:
    return JudgedQuestion(
        row["id"],
        row["text"],
        frozenset(row["relevant"]),
        row.get("context", ""),
        tuple(row.get("thread", ())),
        row.get("group", row["id"]),
        frozenset(row.get("helps", ())),
        frozenset(row.get("misleads", ())),
    )


def _either(path: Path) -> Path:
    packed = path.with_name(f"{path.name}.gz")
    return packed if packed.is_file() else path


def json_lines(path: Path, needed: tuple[str, ...] = ("id",)) -> Iterator[dict[str, Any]]:
    """The rows of a file of JSON lines.

    Raises:
        InvalidInput: the file cannot be read, or a line is no object with the needed fields.
    """
    for where, row in lines(path, "Each line is one JSON object; see the head of adapters/data/judged.py."):
        if not all(name in row for name in needed):
            raise InvalidInput(f"{where}: no {' and '.join(needed)}.", "Each line needs them.")
        yield row
