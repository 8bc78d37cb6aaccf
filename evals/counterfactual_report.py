"""How a system did on counterfactual cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evals.counterfactuals import Counterfactual
from evals.intervals import Interval, of_mean
from evals.score import Said


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares 0..1, higher is better."""

    tickets: int
    variants: int
    by_kind: dict[str, Interval]  # variants of a kind that are right
    in_all: Interval  # tickets that are right in every one of theirs: pass^k


def figures(asked_of: Sequence[tuple[Counterfactual, Said]]) -> Figures:
    """The figures; intervals are by bootstrap over variants of a kind, and over tickets."""
    kinds: dict[str, list[float]] = {}
    tickets: dict[str, list[bool]] = {}
    for variant, said in asked_of:
        right = variant.passes(said)
        kinds.setdefault(variant.kind, []).append(float(right))
        tickets.setdefault(variant.ticket.id, []).append(right)
    return Figures(
        tickets=len(tickets),
        variants=len(asked_of),
        by_kind={kind: of_mean(told) for kind, told in kinds.items()},
        in_all=of_mean([float(all(told)) for told in tickets.values()]),
    )
