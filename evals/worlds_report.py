"""How a system did in paired worlds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evals.intervals import Interval, of_mean
from evals.score import Said
from evals.worlds import World


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares 0..1, higher is better."""

    tickets: int
    worlds: int
    by_kind: dict[str, Interval]  # worlds of a kind that are right
    in_all: Interval  # tickets that are right in every one of theirs: pass^worlds


def figures(played: Sequence[tuple[World, Said]]) -> Figures:
    """The figures; intervals are by bootstrap over worlds of a kind, and over tickets."""
    kinds: dict[str, list[float]] = {}
    tickets: dict[str, list[bool]] = {}
    for world, said in played:
        right = world.passes(said)
        kinds.setdefault(world.kind, []).append(float(right))
        tickets.setdefault(world.ticket.id, []).append(right)
    return Figures(
        tickets=len(tickets),
        worlds=len(played),
        by_kind={kind: of_mean(told) for kind, told in kinds.items()},
        in_all=of_mean([float(all(told)) for told in tickets.values()]),
    )
