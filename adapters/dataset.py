"""Ticket data sets: one JSON line a ticket, in a fixed shape, split by group.

A real row of `domains/support/tickets/train.jsonl` (shortened):

    {"id": "ta-017", "subject": "2 invoices?", "body": "Hi, we got two invoices for March …", "channel": "email",
     "thread": [], "group": "ta-cust-09", "region": "EU", "written_by": "native",
     "labels": {"queue": "billing", "urgency": "high", "product_area": "plans", "next_action": "decide_refund",
                "churn_reason": "none", "needs_facts": "facts"}}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.scrub import scrub
from domains.spec import Domain, InvalidInput

_CONTEXT_MESSAGES = 2  # earlier messages of a thread that the model reads after the ticket itself


@dataclass(frozen=True, slots=True)
class Row:
    """A labelled ticket; `text` is what the model reads."""

    id: str
    text: str
    group: str
    labels: dict[str, str]
    facets: dict[str, str]  # channel, region, …: what slices are made by


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


def load(path: Path, domain: Domain) -> tuple[Row, ...]:
    """Read and check a file of tickets.

    Raises:
        InvalidInput: a line is no JSON, a text is empty, a label is unknown or missing, an id stands twice.
    """
    rows: dict[str, Row] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{path.name}:{number}"
        try:
            row = _row(json.loads(line))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidInput(f"{where}: {error!r}", "See adapters/dataset.py for the shape of a row.") from None
        _check(row, domain, where)
        if row.id in rows:
            raise InvalidInput(f"{where}: the id {row.id} stands twice.", "Give each ticket its own.")
        rows[row.id] = row
    if not rows:
        raise InvalidInput(f"{path}: there are no tickets in it.", "A data set needs rows.")
    return tuple(rows.values())


def split(rows: Iterable[Row], validation: float = 0.1, calibration: float = 0.12) -> Split:
    """Divide rows by a hash of their group: the same group always falls on the same side."""
    sides: dict[str, list[Row]] = {"train": [], "validation": [], "calibration": []}
    for row in rows:
        point = int(hashlib.sha256(row.group.encode()).hexdigest()[:8], 16) / 2**32
        side = "validation" if point < validation else "calibration" if point < validation + calibration else "train"
        sides[side].append(row)
    return Split(*(tuple(sides[name]) for name in ("train", "validation", "calibration")))


def _row(raw: dict[str, Any]) -> Row:
    thread = [message["text"] for message in raw.get("thread") or ()]
    facets = {key: str(raw.get(key) or "unknown") for key in ("channel", "region", "written_by")}
    text = scrub(model_text(raw.get("subject") or "", raw["body"], thread))  # as requests are, at the door
    return Row(raw["id"], text, raw.get("group") or raw["id"], dict(raw["labels"]), facets)


def _check(row: Row, domain: Domain, where: str) -> None:
    if not row.text:
        raise InvalidInput(f"{where}: the ticket has no text.", "Remove the row.")
    if set(row.labels) != set(domain.fields):
        raise InvalidInput(f"{where}: labels for {sorted(row.labels)}, wanted {sorted(domain.fields)}.", "Mend them.")
    for name, value in row.labels.items():
        if value not in domain.fields[name].labels:
            known = ", ".join(domain.fields[name].names)
            raise InvalidInput(f"{where}: {name}: there is no label `{value}`.", f"The labels are {known}.")
