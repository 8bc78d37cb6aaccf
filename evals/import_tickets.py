"""A team's own tickets as eval cases: everything is filled in but what a person has to say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from adapters.data.sources import raw_rows
from adapters.scrub import Scrubber
from domains.spec import Domain, InvalidInput
from evals.cases import ANNOTATE

_DRAWN_FROM = ("subject", "body", "text", "channel")


def cases_of(path: Path, domain: Domain, as_of: date, audience: str, scrub: Scrubber) -> Iterator[dict[str, Any]]:
    """A case for each ticket of a file, personal data taken out, to be annotated.

    Args:
        path: `.csv` or `.jsonl` with `body` or `text`, and where they are known `id`, `subject`, `channel`, `as_of`, a
            slot of the domain, `labels.FIELD`.
        domain: its labels, slots and audiences.
        as_of: the date at which a ticket is answered that tells none.
        audience: who asks.
        scrub: takes personal data out.

    Raises:
        InvalidInput: the file cannot be read, a ticket is empty, a label or audience unknown, or an id stands twice.
    """
    if audience not in domain.audiences:
        raise InvalidInput(f"Nobody declared the audience {audience}.", f"Declared: {', '.join(domain.audiences)}.")
    seen: set[str] = set()
    for where, raw in raw_rows(path):
        name = str(raw.get("id") or where.replace(":", "-"))
        if name in seen:
            raise InvalidInput(f"{where}: the id {name} stands twice.", "Give each ticket its own.")
        seen.add(name)
        yield {
            "id": name,
            "tags": [ANNOTATE],
            "ticket": _ticket(raw, where, scrub),
            "customer": {slot: str(raw[slot]) for slot in domain.slots if raw.get(slot)},
            "audiences": [audience],
            "as_of": str(raw.get("as_of") or as_of.isoformat()),
            "expect": {"actions": ["answer"], "labels": _labels(raw, domain, where), "facts": [], "forbidden": []},
        }


def _ticket(raw: dict[str, Any], where: str, scrub: Scrubber) -> dict[str, str]:
    named = [name for name in _DRAWN_FROM if raw.get(name)]
    told = dict(zip(named, scrub([str(raw[name]) for name in named]), strict=True))
    body = told.pop("body", "") or told.pop("text", "")
    told.pop("text", None)
    if not body.strip():
        raise InvalidInput(f"{where}: the ticket has no text.", "A column `body` or `text` is needed.")
    return {**told, "body": body}


def _labels(raw: dict[str, Any], domain: Domain, where: str) -> dict[str, str]:
    labels = {str(name): str(value) for name, value in dict(raw.get("labels") or {}).items()}
    for name, value in labels.items():
        if name not in domain.fields or value not in domain.fields[name].labels:
            raise InvalidInput(f"{where}: {name}: there is no label `{value}`.", "See domain.yaml.")
    return labels
