"""Data sets of documents and questions: your own (see `adapters.data.judged`) and three public ones as they come."""

from __future__ import annotations

from pathlib import Path

from adapters.data.judged import JudgedQuestion, JudgedSet, Text, json_lines, judged
from domains.spec import InvalidInput


def load(folder: Path) -> JudgedSet:
    """Read a folder.

    Raises:
        InvalidInput: it holds none of the layouts, a line is broken, or a question names a text that is not there.
    """
    for sign, read in _LAYOUTS.items():
        if (folder / sign).is_file():
            return read(folder).checked()
    raise InvalidInput(
        f"{folder} holds no documents and questions.", "See the head of adapters/data/judged.py.", "data"
    )


def _bank(folder: Path) -> JudgedSet:
    """tau-bench: a bank's policies; the opening line of a scenario asks for every document that its agent needs."""
    texts = tuple(Text(r["id"], r["title"], r["text"]) for r in json_lines(folder / "banking_knowledge_docs.jsonl"))
    rows = json_lines(folder / "banking_knowledge_tasks.jsonl")
    asked = (JudgedQuestion(r["id"], r["opening"], frozenset(r["required_documents"])) for r in rows if r["opening"])
    return JudgedSet(folder.name, texts, tuple(asked))


def _conditional(folder: Path) -> JudgedSet:
    """ConditionalQA: government pages, a sentence a text; a page's address is all that is left of its title."""
    texts = tuple(Text(r["id"], _slug(r["url"]), r["text"]) for r in json_lines(folder / "evidence_passages.jsonl"))
    asked: dict[str, list[JudgedQuestion]] = {"train": [], "dev": []}
    for r in json_lines(folder / "questions.jsonl"):
        if r["evidence_ids"]:
            relevant = frozenset(r["evidence_ids"])
            asked[r["split"]].append(JudgedQuestion(r["id"], r["question"], relevant, r["scenario"], (), r["url"]))
    return JudgedSet(folder.name, texts, tuple(asked["dev"]), tuple(asked["train"]))


def _slug(url: str) -> str:
    return url.rstrip("/").rsplit("/", 1)[-1].replace("-", " ")


def _conversations(folder: Path) -> JudgedSet:
    """MTRAG: turns of conversations that are answerable or not; those in between are left out."""
    texts = tuple(Text(r["id"], r["title"] or "", r["text"]) for r in json_lines(folder / "passages.jsonl"))
    asked = []
    for r in json_lines(folder / "mtragun_tasks.jsonl"):
        if r["answerability"] in ("ANSWERABLE", "UNANSWERABLE"):
            said = [t["text"] for t in r["turns"] if t["speaker"] == "user"]
            group = r["id"].split("<::>")[0]
            asked.append(JudgedQuestion(r["id"], said[-1], frozenset(r["context_ids"]), "", tuple(said[:-1]), group))
    return JudgedSet(folder.name, texts, tuple(asked))


_LAYOUTS = {
    "documents.jsonl": judged,
    "banking_knowledge_docs.jsonl": _bank,
    "evidence_passages.jsonl": _conditional,
    "mtragun_tasks.jsonl": _conversations,
}
