"""The benchmark of verification: how many false claims would leave, and how many true ones would not.

The claims reword sentences and table rows of the domain's documents, as a chat model does; a false one has one detail
changed (a number, a unit, a denial, a role, a date, a scope). A line of `cases/claims.jsonl`:

    {"id": "ca-131", "doc_id": "beta-programme", "quote": "Nobody is charged without having agreed to a price first.",
     "claim": "Customers are charged first and agree to a price afterwards.", "kind": "date"}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.data.judged import json_lines
from evals.intervals import Interval, of_mean
from service.verify import faults

TRUE = "true"  # the kind of a claim that its quote bears out; all other kinds are false


@dataclass(frozen=True, slots=True)
class Rewording:
    """A claim, the sentence or row that it cites, and what was changed in it."""

    text: str
    quote: str
    kind: str


@dataclass(frozen=True, slots=True)
class Passed:
    """How many claims of a kind pass: of true ones all should, of others none."""

    kind: str
    claims: int
    passed: Interval  # share, 0..1


def load(path: Path) -> tuple[Rewording, ...]:
    """Read claims.

    Raises:
        InvalidInput: it is not there, or a line lacks something.
    """
    return tuple(Rewording(r["claim"], r["quote"], r["kind"]) for r in json_lines(path, ("claim", "quote", "kind")))


def checked(claims: Sequence[Rewording]) -> list[Passed]:
    """Verify each claim against its quote; true ones first, then all false ones, then these by kind."""
    passes = [(claim.kind, float(not faults(claim.text, claim.quote))) for claim in claims]
    kinds = sorted({kind for kind, _ in passes} - {TRUE})
    groups = {TRUE: {TRUE}, "false": set(kinds), **{kind: {kind} for kind in kinds}}
    told = {name: [passed for kind, passed in passes if kind in group] for name, group in groups.items()}
    return [Passed(name, len(found), of_mean(found)) for name, found in told.items() if found]
