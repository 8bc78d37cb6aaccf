"""Eval cases: a ticket, who asks it when, and what the reply must and must not hold.

A real line of `domains/support/cases/dev.jsonl` (shortened):

    {"id": "dv-004", "tags": ["time-dependent"], "ticket": {"subject": "", "body": "what did team cost a month …"},
     "customer": {"currency": "EUR"}, "audiences": ["public"], "as_of": "2026-02-10",
     "expect": {"actions": ["answer"], "labels": {"queue": "sales"},
                "facts": [{"docs": ["plan-prices"], "values": ["12.00"]}], "forbidden": ["13.50"]}}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, TypeVar

import yaml
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from adapters.data.rows import lines
from domains.seal import open_sealed, refuse_sealed
from domains.spec import Domain, Frozen, InvalidInput, first_fault
from service.reply import TicketIn
from service.route import Action

M = TypeVar("M", bound=BaseModel)
UNANSWERABLE = "unanswerable"
_OTHERS = {
    "claims",
    "freshness",
    "judged-replies",
    "paraphrases",
    "realistic",
}  # files beside the cases that have a shape of their own
ANNOTATE = "annotate"  # nobody has said yet what is right


def is_sealed(which: str) -> bool:
    """Whether cases of this name are opened to report and never to tune: single ones are never shown."""
    return which.endswith("sealed")


class ExpectedFact(Frozen):
    """Values that the text must hold, cited from one of `docs`."""

    docs: Annotated[tuple[str, ...], Field(min_length=1)]
    values: Annotated[tuple[str, ...], Field(min_length=1)]


class Expected(Frozen):
    """What a right reply holds. `actions`: any one is right.

    `open`: words of the ticket's own questions that nothing answers; the text must say, behind everything that it
    cites, that a person comes back to them or what is needed for them.
    """

    actions: Annotated[tuple[Action, ...], Field(min_length=1)]
    labels: dict[str, str] = {}
    facts: tuple[ExpectedFact, ...] = ()
    forbidden: tuple[str, ...] = ()
    open: tuple[str, ...] = ()


class Case(Frozen):
    """One eval case."""

    id: str
    tags: Annotated[tuple[str, ...], Field(min_length=1)]
    ticket: TicketIn
    customer: dict[str, str | None] = {}
    audiences: Annotated[tuple[str, ...], Field(min_length=1)]
    as_of: str
    expect: Expected


def load(domain: Domain, which: str) -> tuple[Case, ...]:
    """The cases of a domain by their name (`dev`, `sealed`, `situations`, …), or those of a file of your own.

    The sealed file's checksum is compared first, and its opening noted; under another name it is not opened.

    Raises:
        InvalidInput: there is no such file, a line of it is wrong, or it contradicts the domain.
        IntegrityError: the sealed file is not the one that was sealed.
    """
    if (own := Path(which)).suffix == ".jsonl" and own.is_file():
        refuse_sealed(own)
        return read(own, domain)
    path = domain.folder / "cases" / f"{which}.jsonl"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.jsonl") if p.stem not in _OTHERS))
        raise InvalidInput(f"There are no cases `{which}` in {path.parent}.", f"Use {known}, or a file of your own.")
    return read(open_sealed(path) if is_sealed(which) else path, domain)


@lru_cache(maxsize=8)
def same(folder: Path) -> Mapping[str, str]:
    """Spellings that mean the same to a domain, from `cases/same.yaml` of its folder; none where it has no such file.

    Raises:
        InvalidInput: the file does not map spellings to figures.
    """
    path = folder / "cases" / "same.yaml"
    if not path.is_file():
        return {}
    try:
        return TypeAdapter(dict[str, str]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValidationError) as error:
        raise InvalidInput(f"{path}: {str(error)[:200]}", "domains/support/cases/same.yaml shows one.") from None


def read(path: Path, domain: Domain) -> tuple[Case, ...]:
    """Read and check a file of cases, whatever it is for; see `load`."""
    cases = tuple(records(path, Case, "evals/cases.py"))
    for case in cases:
        _check(case, domain)
    return cases


def records(path: Path, model: type[M], shape: str) -> Iterator[M]:
    """The lines of a file, each checked against a model; `shape` names where it is written down.

    Raises:
        InvalidInput: the file cannot be read, or a line of it is wrong.
    """
    for where, row in lines(path, f"See {shape}."):
        try:
            yield model.model_validate(row)
        except ValidationError as error:
            at, said = first_fault(error)
            raise InvalidInput(f"{where}: {at}: {said}", f"See {shape}.") from None


def _check(case: Case, domain: Domain) -> None:
    if ANNOTATE in case.tags:
        raise InvalidInput(f"{case.id} is not annotated yet.", f"Fill in `expect`, and replace the tag {ANNOTATE}.")
    if unknown := set(case.audiences) - set(domain.audiences):
        raise InvalidInput(f"{case.id}: nobody declared the audiences {sorted(unknown)}.", "See domain.yaml.")
    for name, value in case.expect.labels.items():
        if name not in domain.fields or value not in domain.fields[name].labels:
            raise InvalidInput(f"{case.id}: {name}: there is no label `{value}`.", "See domain.yaml.")
