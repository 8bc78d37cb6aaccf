"""Styles of a Word document, as far as they decide what is visible: hidden, struck and raised text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_OFF = ("0", "false", "off", "none")
_READ = frozenset(("vanish", "strike", "dstrike", "vertAlign", "position", "sz"))
_DEFAULT_SIZE = 20.0  # half points; what Word takes where nothing states a size

Properties = Mapping[str, Any]  # a property's local name -> its element


def is_on(switch: Any) -> bool:
    """Whether a property that is on or off is on; None: it is not given."""
    return switch is not None and switch.get(f"{_W}val", "true") not in _OFF


class Styles:
    """The styles of a document. The first explicit setting wins: the run's own, its style's, its paragraph style's."""

    def __init__(self, styles: Iterable[Any]) -> None:
        self._styles: dict[str, Any] = {}
        self._default: dict[str, str] = {}  # type of style -> the id of the default one
        self._resolved: dict[str, Properties] = {}
        self._document: Properties = {}
        for style in styles:
            if style.tag == f"{_W}docDefaults":
                self._document = _properties(style.find(f"{_W}rPrDefault/{_W}rPr"))
            elif style.tag == f"{_W}style":
                self._styles[style.get(f"{_W}styleId", "")] = style
                if style.get(f"{_W}default", "0") not in _OFF:
                    self._default[style.get(f"{_W}type", "")] = style.get(f"{_W}styleId", "")

    def of_run(self, run: Any) -> Properties:
        """The properties that hold for a run."""
        own = run.find(f"{_W}rPr")
        paragraph = next(run.iterancestors(f"{_W}p"), None)
        # A paragraph's properties come first: looking for them among 100,000 runs would take long.
        first = None if paragraph is None else next(paragraph.iterchildren(), None)
        of_paragraph = None if first is None else first.find(f"{_W}pStyle")
        of_text = None if own is None else own.find(f"{_W}rStyle")
        inherited = self._of_style(_value(of_paragraph) or self._default.get("paragraph", ""))
        return {**self._document, **inherited, **self._of_style(_value(of_text)), **_properties(own)}

    def is_raised(self, properties: Properties, before: Any) -> bool:
        """Whether text is set above the line: as superscript, or smaller and higher than the run before it."""
        script = properties.get("vertAlign")
        if script is not None:
            return _value(script) == "superscript"
        return _number(properties.get("position"), 0) > 0 and self._size(properties) < self._size(self.of_run(before))

    def _size(self, properties: Properties) -> float:
        return _number(properties.get("sz"), _DEFAULT_SIZE)

    def _of_style(self, style_id: str) -> Properties:
        """The properties of a style and of those that it is based on; a ring of styles ends where it closes."""
        if style_id not in self._resolved:
            chain: dict[str, Any] = {}
            at = style_id
            while at in self._styles and at not in chain:
                chain[at] = self._styles[at]
                at = _value(chain[at].find(f"{_W}basedOn"))
            merged: dict[str, Any] = {}
            for style in reversed(chain.values()):
                merged |= _properties(style.find(f"{_W}rPr"))
            self._resolved[style_id] = merged
        return self._resolved[style_id]


def _properties(holder: Any) -> dict[str, Any]:
    named = {} if holder is None else {str(child.tag).removeprefix(_W): child for child in holder}
    return {name: child for name, child in named.items() if name in _READ}


def _value(node: Any) -> str:
    return "" if node is None else str(node.get(f"{_W}val", ""))


def _number(node: Any, otherwise: float) -> float:
    """A property's number; the strict format writes `4pt`, in points instead of half points."""
    text = _value(node)
    try:
        return float(text.removesuffix("pt")) * (2 if text.endswith("pt") else 1)
    except ValueError:
        return otherwise
