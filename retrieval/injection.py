"""Text that tries to command whoever reads it. In a ticket it is noted, in a document it is never quoted."""

from __future__ import annotations

import re

_COMMANDS = re.compile(
    r"\b(ignore|disregard|forget|override|bypass)\b.{0,40}\b(instruction|rule|guideline|prompt|polic(y|ies)|previous|prior|above)"
    r"|\b(reply|respond|answer|output|print|say)\b.{0,20}\b(only|exactly|just)\b.{0,12}\bwith\b"
    r"|\b(system|developer|hidden) (prompt|message|instructions?)\b"
    r"|\byou are (now|no longer)\b|\bact as (an?|the) (ai|assistant|admin|system|developer|unrestricted)"
    r"|\b(jailbreak|developer mode|prompt injection)\b"
    r"|\bset (the )?(urgency|queue|priority|label)s? to\b"
    r"|\b(reveal|print|repeat|show|leak)\b.{0,30}\b"
    r"(prompt|instructions|internal (documents?|notes?|polic)|confidential|secret)",
    re.I | re.S,
)


def commands_in(text: str) -> bool:
    """Does the text hold an instruction to the machine that reads it?"""
    return _COMMANDS.search(text) is not None
