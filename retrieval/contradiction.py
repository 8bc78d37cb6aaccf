"""When two documents say different things: what settles it, and what has to be told."""

from __future__ import annotations

import re

from retrieval.units import Unit

_QUANTITY = re.compile(
    r"(?P<n>\d[\d.,:]*\d|\d)\s*"
    r"(?P<unit>%|percent|(?:business |working )?(?:minutes?|hours?|days?|weeks?|months?|years?)"
    r"|EUR|USD|GBP|CET|[KMGT]B|users?|files?|signers?|guests?|teams?|requests?|calls?|pages?|attempts?)?",
    re.I,
)


def quantities(text: str) -> dict[str, set[str]]:
    """Kind of quantity -> the numbers of that kind in a text: `30 days` is {"day": {"30"}}."""
    found: dict[str, set[str]] = {}
    for match in _QUANTITY.finditer(text):
        unit = (match["unit"] or "").lower().rstrip("s").replace("percent", "%")
        if unit:
            found.setdefault(unit, set()).add(match["n"].rstrip(".,:"))
    return found


def _stated(unit: Unit) -> dict[str, set[str]]:
    """The quantities of a unit; in a table row a bare amount is of the currency that another cell names."""
    found = quantities(unit.text)
    values = [cell.value for cell in unit.cells]
    currency = next((v for v in values if v in ("EUR", "USD", "GBP")), "")
    amounts = {v for v in values if re.fullmatch(r"\d+[.,]\d\d", v)} if currency else set()
    return {**found, currency.lower(): amounts} if amounts else found


def rivals(best: Unit, other: Unit) -> bool:
    """Do two units of different documents give different numbers of the same kind?"""
    if best.version.doc_id == other.version.doc_id:
        return False
    if best.cells and other.cells and best.cells[0] != other.cells[0]:
        return False  # rows about different things
    mine, theirs = _stated(best), _stated(other)
    shared = mine.keys() & theirs.keys()
    return bool(shared) and all(mine[kind].isdisjoint(theirs[kind]) for kind in shared)


def settled(ranked: list[Unit], margin: float) -> list[Unit]:
    """Drop what a document of higher precedence contradicts, among the units that come near the best."""
    near = [u for u in ranked if u.score >= ranked[0].score - margin]
    beaten = {u for u in near for other in near if other.version.precedence > u.version.precedence and rivals(other, u)}
    return [u for u in ranked if not any(u is one or one.within(u.whole) for one in beaten)]
