"""Where rows come from: JSON lines or CSV, each row with its provenance and the right to use it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adapters.data.rows import Fields, Row, check, lines, row_of
from domains.spec import InvalidInput, UnsupportedMedia


@dataclass(frozen=True, slots=True)
class Sourced:
    """A row with where it stands, by what right it is used, what annotators said, and a reply that it teaches."""

    row: Row
    source: str  # file:line
    rights: str
    annotations: dict[str, dict[str, str]]  # annotator -> field -> label
    output: str  # a reply written by a person; empty: only labels are learnt


def sourced(path: Path, fields: Fields | None, rights: str) -> tuple[Sourced, ...]:
    """Read and check the rows of a file.

    Args:
        path: `.jsonl`, or `.csv` with the columns `text` or `body`, a `labels.FIELD` each, and what else it knows.
        fields: the taxonomy; None: what the rows say.
        rights: for rows that state none, as `own` or `CC-BY-4.0`.

    Raises:
        UnsupportedMedia: another kind of file.
        InvalidInput: a row is broken or outside the taxonomy, an id stands twice, or nobody states the rights.
    """
    found: dict[str, Sourced] = {}
    raws = list(raw_rows(path))
    known = fields or _taxonomy(raws, path)
    for where, raw in raws:
        row = row_of({"id": where, **raw}, where)
        check(row, known, where)
        told = str(raw.get("rights") or rights)
        if not told:
            raise InvalidInput(
                f"{where}: by what right is it used?", "State `rights` in the row, or --rights.", "rights"
            )
        if row.id in found:
            raise InvalidInput(f"{where}: the id {row.id} stands twice.", "Give each ticket its own.")
        annotations = {str(who): dict(labels) for who, labels in dict(raw.get("annotations") or {}).items()}
        found[row.id] = Sourced(row, where, told, annotations, str(raw.get("output") or ""))
    if not found:
        raise InvalidInput(f"{path}: there are no tickets in it.", "A data set needs rows.")
    return tuple(found.values())


def annotated(folder: Path, fields: Fields) -> tuple[Sourced, ...]:
    """A data set's training rows, with what second annotators said of some, where `annotations.jsonl` tells it.

    Raises:
        InvalidInput: see `sourced`.
    """
    second: dict[str, dict[str, dict[str, str]]] = {}
    if (told := folder / "annotations.jsonl").is_file():
        for _, raw in lines(told):
            second.setdefault(raw["id"], {})[raw["annotator"]] = raw["labels"]
    rows = sourced(folder / "train.jsonl", fields, "own")
    return tuple(replace(s, annotations=second.get(s.row.id, s.annotations)) for s in rows)


def annotator_pairs(rows: Iterable[Sourced]) -> list[tuple[dict[str, str], dict[str, str]]]:
    """The labels of a row as it stands and as another annotator gave them, or of its first two annotators."""
    found = []
    for s in rows:
        labels = list(s.annotations.values())
        if len(labels) == 1:
            found.append((s.row.labels, labels[0]))
        elif len(labels) > 1:
            found.append((labels[0], labels[1]))
    return found


def taxonomy(rows: tuple[Sourced, ...]) -> dict[str, tuple[str, ...]]:
    """The labels that rows have: field -> names, sorted."""
    names = list(rows[0].row.labels)
    return {name: tuple(sorted({s.row.labels[name] for s in rows})) for name in names}


def _taxonomy(raws: list[tuple[str, dict[str, Any]]], path: Path) -> Fields:
    seen: dict[str, set[str]] = {}
    for where, raw in raws:
        if not isinstance(raw.get("labels"), Mapping):
            raise InvalidInput(f"{where}: no labels.", "See adapters/data/rows.py for the shape of a row.")
        for name, value in raw["labels"].items():
            seen.setdefault(str(name), set()).add(str(value))
    if single := [name for name, values in seen.items() if len(values) < 2]:
        raise InvalidInput(f"{path.name}: {', '.join(single)} has one label only.", "There is nothing to learn.")
    return {name: tuple(sorted(values)) for name, values in seen.items()}


def raw_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows of a `.jsonl` or `.csv` as they stand, each with where that is.

    Raises:
        UnsupportedMedia: another kind of file.
        InvalidInput: the file cannot be read.
    """
    match path.suffix:
        case ".jsonl":
            yield from lines(path)
        case ".csv":
            yield from _csv(path)
        case other:
            raise UnsupportedMedia(f"{path.name}: `{other}` is not read here.", "Give .jsonl or .csv.")


def _csv(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, row in enumerate(csv.DictReader(file, strict=True), start=2):
                labels = {k.removeprefix("labels."): v for k, v in row.items() if k and k.startswith("labels.") and v}
                plain = {k: row[k] for k in row if k and row[k] and not k.startswith("labels.")}
                yield f"{path.name}:{number}", {**plain, "labels": labels}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"{path.name} cannot be read: {error}.", "Give a UTF-8 CSV with a header.") from None
