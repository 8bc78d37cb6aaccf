"""How a system did on counterfactual cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evals.counterfactuals import Counterfactual
from evals.intervals import Interval, of_mean
from evals.score import Said

_WORDS = {
    "date": "on another date",
    "record": "another customer's record",
    "before": "before anything was published",
    "audience": "asked by somebody who may not know",
    "conflict": "contradicted by a notice: handed off, or both told",
    "hidden": "a hidden notice says otherwise",
    "retracted": "withdrawn",
}


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares 0..1, higher is better."""

    tickets: int
    by_kind: dict[str, tuple[int, Interval]]  # variants of a kind, and the share that is right
    in_all: Interval  # tickets that are right in every one of theirs: pass^k

    @property
    def rows(self) -> list[tuple[str, str, str]]:
        """As a table: a kind in words, its cases, the share that is right."""
        told = [(_WORDS[kind], str(n), str(right)) for kind, (n, right) in self.by_kind.items()]
        return [*told, ("tickets right in all their variants", str(self.tickets), str(self.in_all))]


def figures(asked: Sequence[tuple[Counterfactual, Said]]) -> Figures:
    """The figures; intervals are by bootstrap over variants of a kind, and over tickets."""
    kinds: dict[str, list[float]] = {}
    tickets: dict[str, list[bool]] = {}
    for variant, said in asked:
        right = variant.passes(said)
        kinds.setdefault(variant.kind, []).append(float(right))
        tickets.setdefault(variant.ticket.id, []).append(right)
    return Figures(
        tickets=len(tickets),
        by_kind={kind: (len(told), of_mean(told)) for kind, told in kinds.items()},
        in_all=of_mean([float(all(told)) for told in tickets.values()]),
    )
