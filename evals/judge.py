"""An optional second opinion: a chat model says which of two replies serves the customer better.

Each pair is asked in both orders, drawn at random which first; an opinion that turns with the order is none. It is
reported beside the deterministic marks, with how often it agrees with them, and is never part of a gate.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from adapters.structured import Structured
from domains.spec import Domain, Unavailable
from evals.answers import ArmAnswer
from evals.cases import Case

_LONGEST = 1500  # characters of a reply, and of a ticket
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"better": {"enum": ["first", "second", "neither"]}},
    "required": ["better"],
    "additionalProperties": False,
}
Pair = tuple[Case, ArmAnswer, ArmAnswer]


class _Opinion(BaseModel):
    model_config = ConfigDict(extra="forbid")

    better: Literal["first", "second", "neither"]


@dataclass(frozen=True, slots=True)
class JudgeSummary:
    """What the judge thought of one arm against another; shares of pairs, 0..1."""

    ours: str
    theirs: str
    pairs: int
    failed: int  # pairs without an opinion that could be read
    ours_better: float
    theirs_better: float
    turned: float  # opinions that changed with the order
    agreed: float | None  # of the pairs that the marks tell apart, the share that it decides as they do


def judged(
    domain: Domain, chat: Structured, pairs: Sequence[Pair], track: Callable[[Sequence[Pair]], Iterator[Pair]]
) -> JudgeSummary:
    """Ask for an opinion on every pair.

    Raises:
        NotConfigured: the domain has no `prompts/judge.md`.
    """
    told: list[tuple[Pair, str]] = []
    failed = 0
    for pair in track(pairs):
        try:
            told.append((pair, _opinion(domain, chat, pair)))
        except Unavailable:
            failed += 1
    n = max(len(told), 1)
    apart = [(a.marks.useful, said) for (_, a, b), said in told if a.marks.useful != b.marks.useful]
    return JudgeSummary(
        ours=pairs[0][1].arm if pairs else "",
        theirs=pairs[0][2].arm if pairs else "",
        pairs=len(pairs),
        failed=failed,
        ours_better=sum(said == "ours" for _, said in told) / n,
        theirs_better=sum(said == "theirs" for _, said in told) / n,
        turned=sum(said == "turned" for _, said in told) / n,
        agreed=sum(said == ("ours" if useful else "theirs") for useful, said in apart) / len(apart) if apart else None,
    )


def _opinion(domain: Domain, chat: Structured, pair: Pair) -> str:
    """`ours`, `theirs`, `neither`, or `turned` where it changes with the order."""
    case, ours, theirs = pair
    if ours.text == theirs.text:
        return "neither"
    ours_first = random.Random(case.id).random() < 0.5  # noqa: S311 -- no secret depends on it
    orders = ((ours, theirs), (theirs, ours)) if ours_first else ((theirs, ours), (ours, theirs))
    said = set()
    for first, second in orders:
        told = _asked(domain, chat, case, first.text, second.text)
        chosen = {"first": first, "second": second}.get(told)
        said.add("neither" if chosen is None else "ours" if chosen is ours else "theirs")
    return said.pop() if len(said) == 1 else "turned"


def _asked(domain: Domain, chat: Structured, case: Case, first: str, second: str) -> str:
    ticket = f"{case.ticket.subject}\n{case.ticket.body}".strip()[:_LONGEST]
    text = f"Ticket:\n{ticket}\n\nFirst reply:\n{first[:_LONGEST]}\n\nSecond reply:\n{second[:_LONGEST]}"
    return chat.ask(domain.prompt("judge"), text, _SCHEMA, _Opinion).better
