"""Two texts side by side: which lines differ, and which words in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest

from domains.spec import TooLarge

_MOST_PAIRS = 4_000_000  # of lines, or of words in a line
_CONTEXT = 2  # equal lines around a change
_WORD = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a line."""

    text: str
    changed: bool


@dataclass(frozen=True, slots=True)
class DiffRow:
    """A line before and after; None where it is only in one of them. `gap`: lines were left out before it."""

    before: tuple[Part, ...] | None
    after: tuple[Part, ...] | None
    same: bool
    gap: bool = False


def compared(before: str, after: str) -> list[DiffRow]:
    """The lines that differ, with a few around them; none where the texts are equal."""
    old, new = before.splitlines(), after.splitlines()
    if len(old) * len(new) > _MOST_PAIRS:
        raise TooLarge("These versions are too long to be shown side by side.", "`formfact documents diff` shows them.")
    groups = SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(_CONTEXT)
    return [row for number, group in enumerate(groups) for row in _group(old, new, group, number > 0)]


def _group(old: list[str], new: list[str], group: list[tuple[str, int, int, int, int]], gap: bool) -> Iterator[DiffRow]:
    for kind, a, b, c, d in group:
        for left, right in zip_longest(old[a:b], new[c:d]):
            yield DiffRow(*_marked(left, right), same=kind == "equal", gap=gap)
            gap = False


def _marked(left: str | None, right: str | None) -> tuple[tuple[Part, ...] | None, tuple[Part, ...] | None]:
    """Both lines in pieces, those marked that the other has not."""
    if left is None or right is None:
        return _whole(left), _whole(right)
    ours, theirs = _WORD.findall(left), _WORD.findall(right)
    if len(ours) * len(theirs) > _MOST_PAIRS:  # the time of the comparison grows with it
        return (Part(left, changed=left != right),), (Part(right, changed=left != right),)
    codes = SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes()
    before = tuple(Part("".join(ours[a:b]), kind != "equal") for kind, a, b, _, _ in codes if a < b)
    after = tuple(Part("".join(theirs[c:d]), kind != "equal") for kind, _, _, c, d in codes if c < d)
    return before, after


def _whole(line: str | None) -> tuple[Part, ...] | None:
    return None if line is None else (Part(line, changed=False),)
