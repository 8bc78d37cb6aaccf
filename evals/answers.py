"""Answers of arms to cases, kept in a file: a run cut off goes on, and what nothing changed is not asked again.

An answer's key is made of everything that determines it: the case, the arm, the domain's files, the code, the models.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from adapters.data.rows import lines
from domains.seal import fingerprint_of
from evals.arms import Arm
from evals.cases import Case
from evals.jsonl import drop_torn_line
from evals.score import Marks

_ROOT = Path(__file__).parents[1]
_CODE = ("adapters", "domains", "evals", "ingest", "retrieval", "service")


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer took, calls of the chat model among it, whether they were made now or repeated."""

    calls: int
    input_tokens: int
    output_tokens: int
    seconds: float
    cpu_seconds: float  # of this process, all threads


@dataclass(frozen=True, slots=True)
class ArmAnswer:
    """The answer of one arm to one case."""

    key: str
    arm: str
    case: str
    marks: Marks  # of what left
    as_composed: Marks  # before verification
    action: str
    reason: str
    text: str
    quotes: tuple[tuple[str, str], ...]  # document, words
    labels: dict[str, tuple[str, float]]  # value and confidence
    found: tuple[str, ...]  # documents of the passages that were looked at
    confidence: float | None
    claims: int
    stopped: int
    failed: int  # calls without an answer that could be read: each counts as one
    usage: Usage


_READ = TypeAdapter(ArmAnswer)


class AnswerStore:
    """A file of answers, one JSON line each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        drop_torn_line(path)
        rows = (_READ.validate_python(row) for _, row in lines(path)) if path.is_file() else ()
        self._known = {row.key: row for row in rows}

    def get(self, key: str) -> ArmAnswer | None:
        """The answer of that key, if it is there."""
        return self._known.get(key)

    def keep(self, row: ArmAnswer) -> None:
        """Add an answer; it is on disk when this returns."""
        with self._path.open("ab") as file:
            file.write(_READ.dump_json(row) + b"\n")
        self._known[row.key] = row


def key(case: Case, arm: Arm, bound: str) -> str:
    """The name of an answer: of the case, the arm, and everything else that determines it (see `bound_to`)."""
    told = [case.model_dump(mode="json"), asdict(arm), bound]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:24]


def bound_to(domain: Path, *others: str) -> str:
    """One digest of the code, the domain's files without its cases, and whatever else is named."""
    code = fingerprint_of((p for part in _CODE for p in (_ROOT / part).rglob("*.py")), _ROOT)
    files = fingerprint_of((p for p in domain.rglob("*") if domain / "cases" not in p.parents), domain)
    told = (code, files, *others)
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:24]
