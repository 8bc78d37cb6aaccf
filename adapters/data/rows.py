"""Rows of tickets: one JSON line a ticket, in a fixed shape, split by group.

A real row of `domains/support/tickets/train.jsonl` (shortened):

    {"id": "ta-017", "subject": "2 invoices?", "body": "Hi, we got two invoices for March …", "channel": "email",
     "thread": [], "group": "ta-cust-09", "region": "EU", "written_by": "native",
     "labels": {"queue": "billing", "urgency": "high", "product_area": "plans", "next_action": "decide_refund",
                "churn_reason": "none", "needs_facts": "facts"}}
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from adapters.scrub import Scrubber
from domains.seal import refuse_sealed
from domains.spec import InvalidInput

Fields = Mapping[str, tuple[str, ...]]  # field -> label names, in the order of the logits
Ints = npt.NDArray[np.int64]

FACETS = ("channel", "region", "written_by", "language")  # what slices are made by, where a row tells it
MAX_CHARACTERS = 50_000  # of one ticket, as the service takes them
_CONTEXT_MESSAGES = 2  # earlier messages of a thread that the model reads after the ticket itself
_SHAPE = "See adapters/data/rows.py for the shape of a row."


@dataclass(frozen=True, slots=True)
class Row:
    """A labelled ticket; `text` is what the model reads."""

    id: str
    text: str
    group: str
    labels: dict[str, str]
    facets: dict[str, str]


@dataclass(frozen=True, slots=True)
class Split:
    """Rows for fitting, for choosing, and for calibrating; no group stands in two of them."""

    train: tuple[Row, ...]
    validation: tuple[Row, ...]
    calibration: tuple[Row, ...]


def model_text(subject: str, body: str, thread: Sequence[str] = ()) -> str:
    """What the classifier reads of a ticket: subject, body, then the last messages before it."""
    earlier = [f"earlier: {text}" for text in thread[-_CONTEXT_MESSAGES:]]
    return "\n".join(part for part in (subject.strip(), body.strip(), *earlier) if part)


def load(path: Path, fields: Fields, scrub: Scrubber) -> tuple[Row, ...]:
    """Read and check a file of tickets to learn from, with personal data taken out as it is at the door.

    Raises:
        IntegrityError: the file is sealed; training never opens a holdout.
        InvalidInput: a line is no JSON, a text is empty, a label is unknown or missing, an id stands twice.
    """
    refuse_sealed(path)
    return scrubbed(read(path, fields), scrub)


def read(path: Path, fields: Fields) -> tuple[Row, ...]:
    """Read and check a file of tickets as they were written, whatever it is for; see `load`."""
    rows: dict[str, Row] = {}
    for where, raw in lines(path):
        row = row_of(raw, where)
        check(row, fields, where)
        if row.id in rows:
            raise InvalidInput(f"{where}: the id {row.id} stands twice.", "Give each ticket its own.")
        rows[row.id] = row
    if not rows:
        raise InvalidInput(f"{path}: there are no tickets in it.", "A data set needs rows.")
    return tuple(rows.values())


def scrubbed(rows: Sequence[Row], scrub: Scrubber) -> tuple[Row, ...]:
    """Rows without personal data, as tickets are once they are past the door."""
    texts = scrub([row.text for row in rows])
    return tuple(replace(row, text=text) for row, text in zip(rows, texts, strict=True))


def lines(path: Path, shape: str = _SHAPE) -> Iterable[tuple[str, dict[str, Any]]]:
    """Each JSON line of a file, packed (`.gz`) or not, with where it stands; `shape` tells what a line should be.

    Raises:
        InvalidInput: the file cannot be read, or a line of it is no JSON object.
    """
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        text = data.decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}.", "Name a UTF-8 file of JSON lines.") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path.name}:{number}"
        try:
            raw = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InvalidInput(f"{where}: {error}.", shape) from None
        if not isinstance(raw, dict):
            raise InvalidInput(f"{where}: no JSON object.", shape)
        yield where, raw


def row_of(raw: Mapping[str, Any], where: str) -> Row:
    """A row out of its JSON object, as it was written; see `scrubbed`.

    Raises:
        InvalidInput: something is missing or of the wrong type.
    """
    try:
        thread = [message["text"] for message in raw.get("thread") or ()]
        text = model_text(raw.get("subject") or "", raw.get("body") or raw.get("text") or "", thread)
        labels = {str(field): str(label) for field, label in dict(raw["labels"]).items()}
        facets = {key: str(raw.get(key) or "unknown") for key in FACETS}
        return Row(str(raw["id"]), text, str(raw.get("group") or raw["id"]), labels, facets)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(f"{where}: {error!r}", _SHAPE) from None


def check(row: Row, fields: Fields, where: str) -> None:
    """Is the row whole and within the taxonomy?

    Raises:
        InvalidInput: it is not.
    """
    if not row.text:
        raise InvalidInput(f"{where}: the ticket has no text.", "Remove the row.")
    if len(row.text) > MAX_CHARACTERS:
        raise InvalidInput(f"{where}: {len(row.text):,} characters.", f"A ticket has at most {MAX_CHARACTERS:,}.")
    if set(row.labels) != set(fields):
        raise InvalidInput(f"{where}: labels for {sorted(row.labels)}, wanted {sorted(fields)}.", "Mend them.")
    for name, value in row.labels.items():
        if value not in fields[name]:
            known = ", ".join(fields[name])
            raise InvalidInput(f"{where}: {name}: there is no label `{value}`.", f"The labels are {known}.")


def split(rows: Iterable[Row], validation: float = 0.1, calibration: float = 0.2) -> Split:
    """Divide rows by a hash of their group: the same group always falls on the same side."""
    sides: dict[str, list[Row]] = {"train": [], "validation": [], "calibration": []}
    for row in rows:
        point = share_of(row.group)
        side = "validation" if point < validation else "calibration" if point < validation + calibration else "train"
        sides[side].append(row)
    return Split(*(tuple(sides[name]) for name in ("train", "validation", "calibration")))


def share_of(name: str) -> float:
    """A number 0..1 that depends on a name alone and is spread evenly over names."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32


def targets(fields: Fields, rows: Sequence[Row]) -> dict[str, Ints]:
    """The numbers of the right labels: field -> (rows,)."""
    numbers = {name: {label: i for i, label in enumerate(labels)} for name, labels in fields.items()}
    return {name: np.array([numbers[name][row.labels[name]] for row in rows], dtype=np.int64) for name in fields}
