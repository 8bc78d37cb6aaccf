"""Data sets of a folder, as the classifier's benchmark reads them: rows with `text`, a label, often a split."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.data.rows import MAX_CHARACTERS, lines, share_of
from domains.spec import InvalidInput

OUTSIDE = frozenset({"oos", "out_of_scope", "out-of-scope"})  # labels that name no class of their own
_TEST = 0.2  # share that is held out where the rows tell no split
_NO_LABELS = {"text", "split", "id", "domain", "group", "source"}
_SPLITS = {"train": "train", "test": "test", "val": "validation", "validation": "validation", "dev": "validation"}


@dataclass(frozen=True, slots=True)
class Example:
    """A text with its label; `None`: out of scope."""

    text: str
    label: str | None


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A data set: `train` to learn from, `validation`, where rows tell one, to choose by, `test` to report alone."""

    name: str
    labels: tuple[str, ...]
    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]
    outside: tuple[Example, ...]  # of test, out of scope
    known_outside: tuple[Example, ...] = ()  # of train and validation, out of scope

    def drawn(self, seed: int, rows: int | None = None, shots: int | None = None) -> tuple[Example, ...]:
        """Training rows of one draw: so many in all, so many a label, or every one.

        Raises:
            InvalidInput: fewer rows than labels are asked for.
        """
        draw = random.Random(seed)  # noqa: S311 -- no secret depends on it
        if shots is None and rows is None:
            return self.train
        if shots is None:
            if int(rows or 0) < 2 * len(self.labels):
                raise InvalidInput(f"{rows} rows are too few for {len(self.labels)} labels.", "Take two a label.")
            return tuple(draw.sample(self.train, min(int(rows or 0), len(self.train))))
        by_label = {label: [e for e in self.train if e.label == label] for label in self.labels}
        return tuple(e for rows_of in by_label.values() for e in draw.sample(rows_of, min(shots, len(rows_of))))

    def others(self, labelled: Sequence[Example], most: int, seed: int) -> tuple[str, ...]:
        """Training texts without their labels, drawn among those that are not `labelled`."""
        taken = {e.text for e in labelled}
        texts = list(dict.fromkeys(e.text for e in self.train if e.text not in taken))
        draw = random.Random(seed)  # noqa: S311 -- no secret depends on it
        return tuple(draw.sample(texts, min(most, len(texts))))


def load(folder: Path, field: str | None = None) -> Benchmark:
    """Read a folder's JSON lines.

    Args:
        folder: holds `*.jsonl` or `*.jsonl.gz`; the first in alphabetical order is read, or a file.
        field: the label; default: the one field that can be.

    Raises:
        InvalidInput: there is no such file or field, a text is empty or too long, there is one label only, a label
            has a single row, or a text stands twice with two labels in train.
    """
    path = _file(folder)
    raw = list(lines(path, "Each line is one JSON object."))
    field = field or _field(raw, path)
    sides: dict[str, list[Example]] = {"train": [], "validation": [], "test": []}
    for where, row in raw:
        sides[_split(row, where)].append(_example(row, field, where))
    inside = {side: tuple(e for e in rows if e.label is not None) for side, rows in sides.items()}
    labels = tuple(sorted({str(e.label) for e in inside["train"]}))
    found = Benchmark(
        folder.name,
        labels,
        inside["train"],
        inside["validation"],
        tuple(e for e in inside["test"] if e.label in labels),
        tuple(e for e in sides["test"] if e.label is None),
        tuple(e for e in (*sides["train"], *sides["validation"]) if e.label is None),
    )
    _check(found, path)
    return found


def _file(folder: Path) -> Path:
    if folder.is_file():
        return folder
    found = sorted([*folder.glob("*.jsonl"), *folder.glob("*.jsonl.gz")]) if folder.is_dir() else []
    if not found:
        raise InvalidInput(
            f"{folder} holds no .jsonl file.", "Give a folder of JSON lines, each with text and a label."
        )
    return found[0]


def _field(raw: Sequence[tuple[str, dict[str, Any]]], path: Path) -> str:
    names = [n for n in raw[0][1] if n not in _NO_LABELS] if raw else []
    if len(names) != 1:
        told = ", ".join(names) or "none"
        raise InvalidInput(
            f"{path.name}: which field is the label? It could be: {told}.", "Say --label FIELD.", "label"
        )
    return names[0]


def _example(row: dict[str, Any], field: str, where: str) -> Example:
    text, label = row.get("text"), row.get(field)
    if not isinstance(text, str) or not text.strip():
        raise InvalidInput(f"{where}: no text.", "Each row needs `text`.")
    if len(text) > MAX_CHARACTERS:
        raise InvalidInput(f"{where}: {len(text):,} characters.", f"A text has at most {MAX_CHARACTERS:,}.")
    if not isinstance(label, str) or not label:
        raise InvalidInput(f"{where}: no `{field}`.", "Each row needs the label; say --label FIELD.")
    return Example(text, None if label in OUTSIDE else label)


def _split(row: dict[str, Any], where: str) -> str:
    told = row.get("split")
    if told is None:
        return "test" if share_of(where.rpartition(":")[2]) < _TEST else "train"
    if told not in _SPLITS:
        raise InvalidInput(f"{where}: the split `{told}` is not known.", f"Known: {', '.join(sorted(_SPLITS))}.")
    return _SPLITS[told]


def _check(found: Benchmark, path: Path) -> None:
    counts = Counter(e.label for e in found.train)
    if len(counts) < 2:
        raise InvalidInput(f"{path.name}: {len(counts)} label in train.", "Two are the least.")
    if alone := [str(label) for label, n in counts.items() if n < 2]:
        raise InvalidInput(f"{path.name}: a single training row for {', '.join(alone[:5])}.", "Add rows or remove it.")
    if not found.test:
        raise InvalidInput(f"{path.name}: no row to test with.", "Mark some with split: test.")
    first: dict[str, str | None] = {}
    contrary = [e.text for e in found.train if first.setdefault(e.text, e.label) != e.label]
    if len(contrary) > len(found.train) // 100:
        raise InvalidInput(
            f"{path.name}: {len(contrary)} training texts stand twice with different labels, as “{contrary[0][:60]}”.",
            "Decide which is right.",
        )
