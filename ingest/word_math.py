"""Equations of Word documents (OMML) as one line of text: `a/b`, `x²`, `√(a+b)`.

docling would write them in LaTeX, which is not what a person sees on the page.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from ingest.text import raised

_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
# What separates the cells of a matrix, its rows, and the lines of a set of equations.
_BETWEEN = {"mr": " ", "m": "; ", "eqArr": "; "}


def equation_text(node: Any) -> str:
    """The text of an equation or a part of it, as it is read from left to right."""
    name = _name(node)
    if name == "t":
        return node.text or ""
    if name in ("d", "nary"):
        return _with_signs(node, name)
    inner = [child for child in node if not _name(child).endswith("Pr")]  # without properties
    if name in _WRITE:
        return _WRITE[name](defaultdict(str, {_name(child): equation_text(child) for child in inner}))
    return _BETWEEN.get(name, "").join(equation_text(child) for child in inner)


def _name(node: Any) -> str:
    return str(node.tag).rpartition("}")[2]


def _grouped(text: str) -> str:
    """A part in brackets, unless it is one number or name."""
    return text if text.replace(".", "").replace(",", "").isalnum() else f"({text})"


def _power(text: str) -> str:
    small = raised(text)
    return small if small != text or not text else f"^{_grouped(text)}"


# Parts that are drawn above or below each other: how each is written in one line, given its parts by name.
_WRITE: dict[str, Callable[[Mapping[str, str]], str]] = {
    "f": lambda part: f"{_grouped(part['num'])}/{_grouped(part['den'])}",
    "rad": lambda part: f"{part['deg']}√{_grouped(part['e'])}",
    "sSub": lambda part: part["e"] + part["sub"],
    "sSup": lambda part: part["e"] + _power(part["sup"]),
    "sSubSup": lambda part: part["e"] + part["sub"] + _power(part["sup"]),
}


def _with_signs(node: Any, name: str) -> str:
    """A part in brackets, or a sum or integral: its signs are properties."""
    signs = {c.tag: c.get(f"{_M}val") or "" for c in node.iterfind(f"{_M}{name}Pr/*")}
    if name == "nary":
        inner = [equation_text(child) for child in node if child.tag != f"{_M}naryPr"]
        return f"{signs.get(f'{_M}chr', '∫')} {' '.join(part for part in inner if part)}"
    between = signs.get(f"{_M}sepChr", "|")
    inside = between.join(equation_text(child) for child in node.findall(f"{_M}e"))
    return f"{signs.get(f'{_M}begChr', '(')}{inside}{signs.get(f'{_M}endChr', ')')}"
