"""Text that tries to command whoever reads it. In a ticket it is noted, in a document it is never quoted.

A word that such texts use does not make one: "jailbreak" and "ignore the warning" stand in honest questions. Looked
for is a command to a machine that reads.
"""

from __future__ import annotations

import re

_COMMANDS = re.compile(
    r"\b(ignor(e|ing)|disregard(ing)?|forget|override|bypass|abandon)\b.{0,40}"
    r"\b(instructions?|rules?|guidelines?|directions|prompt|polic(y|ies)|previous|prior|above|assignments|articles?"
    r"|before (that|this)|(context|documents?) provided|provided (context|documents?))\b"
    r"|(^|[.!?:,;\n]\s*|\b(please|now|then|but|and)[, ]+)(forget|ignore|disregard)( about)? (everything|all|anything)\b"
    r"|\b(reply|respond|answer|output|print|say)\b.{0,20}\b(only|exactly|just)\b.{0,12}\bwith\b"
    r"|\b(just|only|must) (say|output|print|write|answer) [\"“']"
    r"|\b(system|developer|hidden) (prompt|message|instructions?)\b"
    r"|\byou are (now|no longer)\b|\bnow you are [A-Z]"
    r"|\bact as (an?|the|my) (ai|assistant|admin|system|developer|unrestricted|linux|python)"
    r"|\b(enter|enable|in|activate) (developer mode|jailbreak)\b"
    r"|\byour (new|next) task\b|\bnew (task|instructions?):"
    r"|\bset (the )?(urgency|queue|priority|label)s? to\b"
    r"|\b(all|previous|initial|whole|entire) (your )?(prompt texts?|prompts?|instructions)\b"
    r"|\b(reveal|print|repeat|show|leak)\b.{0,30}\b"
    r"(prompt|instructions|internal (documents?|notes?|polic)|confidential|secret)",
    re.I | re.S,
)


def commands_in(text: str) -> bool:
    """Does the text hold an instruction to the machine that reads it?"""
    return _COMMANDS.search(text) is not None


# What speaks to whoever writes an answer, and program code: neither is anything that a policy says to a customer.
_NO_STATEMENT = re.compile(
    r"\byour (answer|response|reply|output|implementation|algorithm|codebase|solution)\b|```|\w\.\w+\(", re.I
)


def states(text: str) -> bool:
    """Is it something that a document says to its readers? Commands to a machine and program code are not."""
    return not commands_in(text) and _NO_STATEMENT.search(text) is None
