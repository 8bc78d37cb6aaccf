"""Where sentences end: by yasbd, a rule-based detector with rules for many languages."""

from __future__ import annotations

import re
from functools import lru_cache

from yasbd import BoundaryDetector

_MOST_KEPT = 50_000  # lines
# `U.S.` and the like end a sentence rarely; a sentence cut in two would be quoted wrongly, two that are joined are not.
_ACRONYM = re.compile(r"\b(\w\.){2,}$")


@lru_cache(maxsize=_MOST_KEPT)
def sentence_spans(text: str, language: str = "en") -> tuple[tuple[int, int], ...]:
    """Offsets of the sentences of a text, white space around them left out.

    Args:
        text: any text; an empty line ends a sentence.
        language: ISO 639-1 code.
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for end in _detector(language).detect(text):
        piece = text[start:end]
        if not piece.strip():
            continue
        first = start + len(piece) - len(piece.lstrip())
        last = start + len(piece.rstrip())
        if spans and _is_acronym(text[slice(*spans[-1])]) and "\n" not in text[spans[-1][1] : first]:
            first = spans.pop()[0]
        spans.append((first, last))
        start = end
    return tuple(spans)


def _is_acronym(text: str) -> bool:
    """Whether a sentence ends with capitals and dots; `p.m.` in small letters may end one."""
    found = _ACRONYM.search(text)
    return found is not None and found.group().isupper()


@lru_cache(maxsize=8)
def _detector(language: str) -> BoundaryDetector:
    return BoundaryDetector(lang=language)
