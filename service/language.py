"""Is a ticket in a language that the domain declares? Answers only where the text is long enough to tell."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

_FEWEST_LETTERS = 24
_FEWEST_OF_A_SCRIPT = 6
_CERTAIN = 0.97
_ENOUGH = 2000  # characters; more tell nothing new
# What customers of a European service write; fewer candidates make fewer false alarms on short English tickets.
_CANDIDATES = ("de", "en", "es", "fr", "it", "nl", "pl", "pt", "sv", "da", "cs", "tr", "fi", "ro", "hu")


def foreign(text: str, languages: tuple[str, ...]) -> str | None:
    """The language or script of a text that is certainly in none of `languages`, else None.

    A text that holds a paragraph in one of them is not foreign: below it there may be a disclaimer in another language.
    """
    found = [_foreign(part, languages) for part in re.split(r"\n\s*\n", text[:_ENOUGH]) if _letters(part)]
    return found[0] if found and all(found) else None


def _foreign(text: str, languages: tuple[str, ...]) -> str | None:
    letters = _letters(text)
    latin = sum(unicodedata.name(c, "").startswith("LATIN") for c in letters)
    if latin < len(letters) / 2:
        return "another script"
    if len(letters) < _FEWEST_LETTERS:
        return None
    language, confidence = _identifier().classify(text)
    return str(language) if language not in languages and confidence >= _CERTAIN else None


def _letters(text: str) -> list[str]:
    """The letters of a text that has enough of them to tell its script."""
    letters = [c for c in text if c.isalpha()]
    return letters if len(letters) >= _FEWEST_OF_A_SCRIPT else []


@lru_cache(maxsize=1)
def _identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(_CANDIDATES))
    return identifier
