"""Equations of Word documents (OMML) as one line of text: `a/b`, `x²`, `√(a+b)`.

docling would write them in LaTeX, which is not what a person sees on the page.
"""

from __future__ import annotations

from typing import Any

from ingest.text import raised

_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_BETWEEN = {"mr": " ", "m": "; ", "eqArr": "; "}  # what separates the cells of a matrix, its rows, and lines


def equation_text(node: Any) -> str:
    """The text of an equation or a part of it, as it is read from left to right."""
    name = str(node.tag).rpartition("}")[2]
    if name == "t":
        return node.text or ""
    if name.endswith("Pr"):  # properties
        return ""
    parts = {str(child.tag).rpartition("}")[2]: equation_text(child) for child in node}
    if name == "f":
        return f"{_grouped(parts.get('num', ''))}/{_grouped(parts.get('den', ''))}"
    if name in ("sSup", "sSubSup"):
        return parts.get("e", "") + parts.get("sub", "") + _power(parts.get("sup", ""))
    if name == "rad":
        return f"{parts.get('deg', '')}√{_grouped(parts.get('e', ''))}"
    if name in ("d", "nary"):
        return _with_signs(node, name)
    return _BETWEEN.get(name, "").join(equation_text(child) for child in node if not str(child.tag).endswith("Pr"))


def _grouped(text: str) -> str:
    """A part in brackets, unless it is one number or name."""
    return text if text.replace(".", "").replace(",", "").isalnum() else f"({text})"


def _power(text: str) -> str:
    small = raised(text)
    return small if small != text or not text else f"^{_grouped(text)}"


def _with_signs(node: Any, name: str) -> str:
    """A part in brackets, or a sum or integral: its signs are properties."""
    signs = {c.tag: c.get(f"{_M}val") or "" for c in node.find(f"{_M}{name}Pr") or ()}
    inner = [equation_text(child) for child in node]
    if name == "nary":
        return f"{signs.get(f'{_M}chr', '∫')} {' '.join(part for part in inner if part)}"
    between = signs.get(f"{_M}sepChr", "|")
    inside = between.join(equation_text(child) for child in node.findall(f"{_M}e"))
    return f"{signs.get(f'{_M}begChr', '(')}{inside}{signs.get(f'{_M}endChr', ')')}"
