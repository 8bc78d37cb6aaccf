"""How the words of two texts are compared: the generators, the references and `tests.faithful` all use `words`.

A word is a run of letters and digits; an amount, a time or a date stays whole (`1,250.00`, `9:30`, `2026-03-01`), so
that a footnote mark glued to a price (`451` for `45` with a raised 1) is a lost word and an added one. Case, kinds of
white space, compatibility forms and invisible characters make no difference.
"""

from __future__ import annotations

import re
import unicodedata

# NFKC would turn a raised 1 behind 45 into 451, which is exactly the error to find: it becomes a word of its own.
_RAISED = {ord(raised): f" {plain} " for raised, plain in zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True)}
# A minus belongs to its number; a dash between words or in front of a list item does not.
_WORD = re.compile(r"(?:(?<!\w)-(?=\d))?(?:\d+(?:[.,:'/\u2019\u2013-]\d+)*|[^\W\d_])+|[%‰€$£¥]")


def words(text: str) -> list[str]:
    """The words of a text, in order, in the form in which they are compared."""
    text = unicodedata.normalize("NFKC", text.translate(_RAISED)).casefold().replace("\u2212", "-")
    return _WORD.findall("".join(c for c in text if unicodedata.category(c) != "Cf"))


def positions(sought: list[str], line: list[str]) -> list[int]:
    """Where in a line's words a run of words begins."""
    length = len(sought)
    return [i for i in range(len(line) - length + 1) if line[i : i + length] == sought] if sought else []
