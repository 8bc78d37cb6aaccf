"""The last gate: what a draft says must stand in what it cites, or it does not leave.

Deterministic, and blind to who composed. It checks that every quote is verbatim at its offsets; that every figure of a
claim, however it is spelt, stands in a quote which the claim cites; that a claim in other words than its quotes brings
few words of its own and turns no denial round; and that outside its claims the text states no figure of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from retrieval.lexical import tokens
from retrieval.quantities import APART, Quantity, unstated
from service.compose import Draft

_DENIAL = re.compile(r"\b(not|no|never|none|nor|without|cannot|unless|except|only)\b|n['’]t\b", re.I)
_BORNE_OUT = 2 / 3  # share of a claim's content words that must stand in its quotes
_MARK = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a draft may not leave; `claim`: the number of the claim that is at fault, from 0, if one is."""

    reason: str
    claim: int | None = None


def verify(draft: Draft, text_of: Callable[[str], str], said: str) -> tuple[Failure, ...]:
    """All failures of a draft; an empty tuple means that it may leave.

    Args:
        draft: what the composer made.
        text_of: content hash -> the stored text.
        said: the customer's own words; numbers in them may be said back.
    """
    quotes = {c.n: c.quote for c in draft.citations}
    failures = [
        Failure(f"citation {c.n} is not verbatim")
        for c in draft.citations
        if text_of(c.version.content)[c.start : c.end] != c.quote
    ]
    for number, claim in enumerate(draft.claims):
        cited = APART.join(quotes.get(n, "") for n in claim.citations)
        if not claim.citations or any(n not in quotes for n in claim.citations):
            failures.append(Failure("a claim cites nothing that was found", number))
        failures += [Failure(fault, number) for fault in faults(claim.text, cited)]
    outside = _outside_claims(draft)
    if missing := unstated(outside, said):
        failures.append(Failure(f"the text states {_named(missing)} outside its claims"))
    marks = {int(m.group()[1:-1]) for m in _MARK.finditer(draft.text)}
    if unknown := marks - quotes.keys():
        failures.append(Failure(f"the text cites {sorted(unknown)}, which do not exist"))
    return tuple(failures)


def borne_out(claim: str, source: str) -> float:
    """The share of a claim's content words that stand in its source, 0..1; `formfact bench ground` measures it."""
    own = set(tokens(claim))
    return len(own & set(tokens(source))) / len(own) if own else 1.0


def faults(claim: str, cited: str) -> list[str]:
    """What a claim says that its quotes do not bear out; empty for a quotation.

    How many false claims pass, and how many true ones do not: `formfact bench verify`.
    """
    if claim in cited:
        return []
    found = []
    if missing := unstated(claim, cited):
        found.append(f"a claim states {_named(missing)}, which its citations do not")
    if borne_out(claim, cited) < _BORNE_OUT:
        found.append("more than a third of a claim's words are nobody's but its own")
    if bool(_DENIAL.search(claim)) != bool(_DENIAL.search(cited)):
        found.append("a claim denies what its citations do not, or the other way round")
    return found


def _named(missing: Iterable[Quantity]) -> str:
    return ", ".join(sorted(f"{f.value} {f.unit}".strip() for f in missing))


def _outside_claims(draft: Draft) -> str:
    text = draft.text
    for claim in sorted(draft.claims, key=lambda c: -len(c.text)):
        text = text.replace(claim.text, APART)
    return _MARK.sub(APART, text)
