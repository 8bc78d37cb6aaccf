"""Figures in README and docs come from stored results: between marks as tables, or one by one.

A table stands between `<!-- measured: NAME -->` and `<!-- /measured -->`; NAME is a file of `docs/measured/` without
its ending. A single figure is followed by a mark that tells where it comes from, which the page does not show:

    It answers 0.689<!--= results.json arms[arm=hybrid].useful.value --> of the cases.

In the same way the results of the comparison stand between `results`, more of them between `findings`, and what the
adapter's card says between `labels`.

The file is looked for in `docs/` and below, and the path leads through its objects and lists. The figure is shown as
it is written there: with as many decimals, with a sign, with `%`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from domains.spec import InvalidInput
from evals import pages
from evals.result_table import READ
from evals.significance import LEVEL, holm

PAGES = ("README.md", "docs/answers.md", "docs/evals.md", "docs/labels.md", "docs/performance.md")
_TABLE = re.compile(r"(<!-- measured: (?P<name>[\w-]+) -->\n).*?(<!-- /measured -->)", re.S)
_FIGURE = re.compile(r"(?P<shown>[+-]?\d[\d,]*(?:\.\d+)?(?: %)?)(?P<mark><!--= (?P<file>\S+) (?P<path>[^>]+?) -->)")
_LABELS = re.compile(r"(<!-- labels -->\n).*?(<!-- /labels -->)", re.S)
_FINDINGS = re.compile(r"(<!-- findings -->\n).*?(<!-- /findings -->)", re.S)
_KINDS = "results|labels|findings|measured"
_GENERATED = re.compile(rf"<!-- (?:{_KINDS})(?:: [\w-]+)? -->.*?<!-- /(?:{_KINDS}) -->", re.S)
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.S)
_BARE = re.compile(r"(?<!\d)0?\.\d{2,}|\b\d+/\d+\b|\b\d+(?:\.\d+)? %")
_TUNED = "LoRA adapter"
_STEP = re.compile(r"([^.\[\]]+)|\[([^=\]]+)=([^\]]*)\]")


def written(text: str, root: Path) -> str:
    """A page with the figures that its sources hold now.

    Raises:
        InvalidInput: a source is missing, or holds no such figure.
    """
    if pages.START in text:
        text = pages.into(text, pages.read(root / "docs" / "results.json"))
    if _FINDINGS.search(text):
        told = pages.findings(pages.read(root / "docs" / "results.json"))
        text = _FINDINGS.sub(lambda m: f"{m[1]}{told}\n{m[2]}", text)
    text = _LABELS.sub(lambda m: f"{m[1]}{labels(_read(_found(root, 'card.json')))}\n{m[2]}", text)
    text = _TABLE.sub(lambda m: f"{m[1]}{_table(root, m['name'])}\n{m[3]}", text)
    return _FIGURE.sub(lambda m: _shown(_value(root, m["file"], m["path"]), m["shown"]) + m["mark"], text)


def unsourced(text: str) -> Iterator[str]:
    """The lines of a page that tell a measured figure (`0.69`, `5/7`, `3 %`) without naming its source."""
    for line in _CODE.sub("", _GENERATED.sub("", text)).splitlines():
        rest = _FIGURE.sub("", line)
        if _BARE.search(rest):
            yield rest.strip()


def labels(card: Mapping[str, Any]) -> str:
    """What a card shows, in words: against the best cheap method of each field, p-values adjusted by Holm."""
    fields, ps = card["fields"], {}
    for name, field in fields.items():
        cheap = {method: told for method, told in field["methods"].items() if method in field["mcnemar_p"]}
        best = max(cheap, key=lambda method: cheap[method]["accuracy"])
        if field["methods"][_TUNED]["accuracy"] > cheap[best]["accuracy"]:
            ps[name] = field["mcnemar_p"][best]
        else:
            ps[name] = 1.0
    better = [name for name, p in holm(ps).items() if p < LEVEL]
    given = [
        f"{name} {field['given'] / field['rows']:.0%}, {field['wrong'] / max(field['given'], 1):.1%}"
        for name, field in fields.items()
    ]
    shown = (
        f"{len(better)} of {len(fields)} fields ({', '.join(better)})" if better else f"none of {len(fields)} fields"
    )
    return (
        f"On {card['holdout'].split(' (')[0]} the adapter is better than the best cheap method on {shown}; on the "
        f"others no difference is shown. Labels given, and wrong among those given: {'; '.join(given)}."
    ).replace("%", " %")


def _table(root: Path, name: str) -> str:
    path = root / "docs" / "measured" / f"{name}.json"
    try:
        return READ.validate_python(_read(path)).as_markdown()
    except ValidationError as error:
        raise InvalidInput(f"{path} is no measured table: {str(error)[:200]}", "See evals/result_table.py.") from None


def _value(root: Path, file: str, path: str) -> float:
    found: Any = _read(_found(root, file))
    for name, key, wanted in _STEP.findall(path):
        try:
            found = next(item for item in found if str(item[key]) == wanted) if key else found[name]
        except (KeyError, TypeError, StopIteration):
            raise InvalidInput(
                f"{file}: there is no `{path}`.", f"It ends before `{name or f'{key}={wanted}'}`."
            ) from None
    if not isinstance(found, int | float):
        raise InvalidInput(f"{file}: `{path}` is no number.", "Name a figure.")
    return float(found)


def _found(root: Path, file: str) -> Path:
    there = sorted((root / "docs").rglob(file)) or sorted((root / "domains").rglob(file))
    if not there:
        raise InvalidInput(
            f"There is no {file} below docs/ or domains/.", "Measure it, and keep what the command wrote."
        )
    return there[0]


def _shown(value: float, like: str) -> str:
    """A value as the figure before it was written."""
    percent = like.endswith(" %")
    digits = like.removesuffix(" %")
    decimals = len(digits.partition(".")[2])
    sign = "+" if like[0] in "+-" else ""
    comma = "," if "," in digits or abs(value) >= 1000 else ""
    return f"{value * (100 if percent else 1):{sign}{comma}.{decimals}f}{' %' if percent else ''}"


@lru_cache(maxsize=32)
def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be read: {str(error)[:200]}", "Measure it again.") from None
