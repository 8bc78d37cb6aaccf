"""Realistic documents in six formats, each made from a seed together with what a reader must and must not find in it.

    generate("docx", 17)    # always the same file

`visible` is what a person sees, `hidden` what nobody does, `rows` the facts of the tables. What can vary is in
`tests/generators`, a module for each format.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.generators import docx, eml, html, markdown, pdf, xlsx
from tests.generators.content import Fact, Generated, Unread

__all__ = ["FORMATS", "Fact", "Generated", "Unread", "generate"]

FORMATS: dict[str, Callable[[object], Generated]] = {
    "docx": docx.generate,
    "html": html.generate,
    "xlsx": xlsx.generate,
    "pdf": pdf.generate,
    "eml": eml.generate,
    "md": markdown.generate,
}


def generate(format_name: str, seed: object) -> Generated:
    """The file of a format and a seed."""
    return FORMATS[format_name](seed)
