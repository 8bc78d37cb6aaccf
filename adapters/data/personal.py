"""How well personal data is found: recall and precision on tickets that people marked by reading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.data.rows import lines
from adapters.scrub import Scrubber

ALL = "all"


@dataclass(frozen=True, slots=True)
class Detection:
    """Strings marked and found, strings marked and missed, strings found that nobody marked."""

    found: int
    missed: int
    extra: int

    @property
    def f2(self) -> float:
        """F-measure, 0..1, that weighs recall four times: a name that stays does more harm than a word that goes."""
        weight = 5 * self.found
        return weight / (weight + 4 * self.missed + self.extra) if weight else 0.0


def detection(marked: Path, tickets: Path, part: str, scrub: Scrubber) -> dict[str, Detection]:
    """Kind of personal data -> figures, and `all`.

    Args:
        marked: JSON lines with a ticket's `id`, its `part`, and `found`: pairs of kind and verbatim text.
        tickets: JSON lines of the tickets themselves.
        part: `development`, by which rules were made once, or `test`.
        scrub: finds personal data.
    """
    by_id = {raw["id"]: raw for _, raw in lines(tickets)}
    counts: dict[str, list[int]] = {ALL: [0, 0, 0]}
    for _, mark in lines(marked):
        if mark["part"] != part:
            continue
        _count(counts, {(kind, text) for kind, text in mark["found"]}, _seen(by_id[mark["id"]], scrub))
    return {kind: Detection(*numbers) for kind, numbers in sorted(counts.items())}


def _count(counts: dict[str, list[int]], marked: set[tuple[str, str]], seen: set[tuple[str, str]]) -> None:
    for kind, text in marked:
        _add(counts, kind, 0 if _overlaps((kind, text), seen) else 1)
    for kind, text in seen:
        if not _overlaps((kind, text), marked):
            _add(counts, kind, 2)


def _add(counts: dict[str, list[int]], kind: str, what: int) -> None:
    for name in (kind, ALL):
        counts.setdefault(name, [0, 0, 0])[what] += 1


def _overlaps(one: tuple[str, str], others: Iterable[tuple[str, str]]) -> bool:
    return any(kind == one[0] and (text in one[1] or one[1] in text) for kind, text in others)


def _seen(raw: Mapping[str, Any], scrub: Scrubber) -> set[tuple[str, str]]:
    texts = [raw.get("subject") or "", raw["body"], *(message["text"] for message in raw.get("thread") or ())]
    return {
        (one.kind, text[one.start : one.end])
        for text, found in zip(texts, scrub.personal(texts), strict=True)
        for one in found
    }
