"""Seeding: a home gets the documents that its domain ships, once; after that, people decide.

A document that was never in the catalog is published with all its files. Nothing of a known document is published,
even if it was retracted or purged since: a shipped file that differs from what is published is reported by name. The
table `seeds` holds the files that were dealt with, so that the next start completes an interrupted seeding, and a start
that finds nothing changed only hashes files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import track
from sqlalchemy import Connection, select, update

from domains.seal import fingerprint_of
from domains.spec import FormfactError, InvalidInput
from ingest.commands import table
from ingest.folder import SIDE_CAR, FileOutcome, doc_id_of, files, ingest, submission
from ingest.metadata import Metadata
from retrieval.catalog_writer import writing
from retrieval.tables import revisions
from service.auth.keys import Caller
from service.db.tables import seeds
from service.use_cases import documents

if TYPE_CHECKING:
    from ingest.drafting import Submission
    from retrieval.contents import Published
    from retrieval.versions import History
    from service.build import Services

_ACTOR = "setup"


@dataclass(frozen=True, slots=True)
class ShippedFile:
    """A file of the domain's `documents/`."""

    path: Path
    name: str  # relative to `documents/`
    sha256: str  # of the file and its side-car
    doc_id: str = ""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to do with the files that seeding has not dealt with."""

    publish: list[ShippedFile] = field(default_factory=list)
    compare: list[ShippedFile] = field(default_factory=list)
    refused: list[ShippedFile] = field(default_factory=list)  # nobody can tell which document they belong to


def seed(services: Services, console: Console) -> None:
    """Publish the shipped documents that were never there, and report shipped files that differ from what is published.

    Args:
        services: the parts of the process; nobody else publishes yet.
        console: shows progress, what was published or refused, and the differences.
    """
    folder = services.domain.folder / "documents"
    with services.engine.connect() as connection:
        known = {row.path: row for row in connection.execute(select(seeds))}
    done = {path: row.sha256 for path, row in known.items() if row.done}
    changed = [shipped for shipped in _shipped(folder) if done.get(shipped.name) != shipped.sha256]
    if not changed:
        return
    pending = {path for path, row in known.items() if not row.done}
    plan = _planned(services, changed, pending, folder)
    _publish(services, plan, folder, console)
    for line in _differences(services, plan.compare, folder):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _shipped(folder: Path) -> Iterator[ShippedFile]:
    try:
        paths = files(folder)
    except InvalidInput:
        return  # the domain ships no documents
    for path in paths:
        digest = fingerprint_of((path, path.with_name(path.name + SIDE_CAR)), folder)
        yield ShippedFile(path, path.relative_to(folder).as_posix(), digest)


def _planned(services: Services, changed: Iterable[ShippedFile], pending: set[str], folder: Path) -> _Plan:
    """Sort the files by what the log of revisions, which outlives a purge, holds of their documents."""
    plan, changes = _Plan(), _changes(services)
    for shipped in changed:
        try:
            doc_id = doc_id_of(submission(shipped.path, Metadata(), services.settings.limits, folder))
        except FormfactError:
            plan.refused.append(shipped)
            continue
        known = changes.get(doc_id, frozenset())
        interrupted = shipped.name in pending and known == {"published"}  # nobody has ended or erased it since
        chosen = plan.publish if interrupted or not known else plan.compare
        chosen.append(ShippedFile(shipped.path, shipped.name, shipped.sha256, doc_id))
    return plan


def _changes(services: Services) -> Mapping[str, frozenset[str]]:
    """Document -> the kinds of changes that were ever made to it."""
    found: dict[str, frozenset[str]] = {}
    with services.engine.connect() as connection:
        for doc_id, change in connection.execute(select(revisions.c.doc_id, revisions.c.change).distinct()):
            found[doc_id] = found.get(doc_id, frozenset()) | {change}
    return found


def _publish(services: Services, plan: _Plan, folder: Path, console: Console) -> None:
    """Publish files, each with its row in `seeds` in the same transaction."""
    outcomes: list[FileOutcome] = []
    by_document: dict[str, list[ShippedFile]] = defaultdict(list)
    for shipped in plan.publish:
        by_document[shipped.doc_id].append(shipped)
    chosen = [*plan.refused, *plan.publish]
    what = "Publishing the shipped documents"
    for shipped in track(chosen, what, console=console, transient=True, disable=not chosen):
        publish = partial(_publish_one, services, shipped, by_document[shipped.doc_id])
        outcomes += ingest([shipped.path], publish, Metadata(), services.settings.limits, folder)
    if outcomes:
        console.print(table(outcomes))


def _publish_one(
    services: Services, shipped: ShippedFile, siblings: Sequence[ShippedFile], sent: Submission
) -> Published:
    caller = Caller(_ACTOR, frozenset(), frozenset(services.domain.audiences))
    return documents.publish(services, caller, sent, keep=lambda tx, _: _note(tx, shipped, siblings))


def _note(tx: Connection, done: ShippedFile, siblings: Iterable[ShippedFile] = ()) -> None:
    """Note that one file is dealt with, and that the other new files of its document are not yet."""
    known = set(tx.execute(select(seeds.c.path).where(seeds.c.doc_id == done.doc_id)).scalars())
    rows = [
        {"path": other.name, "doc_id": other.doc_id, "sha256": other.sha256, "done": False}
        for other in {done.name: done, **{other.name: other for other in siblings}}.values()
        if other.name not in known
    ]
    if rows:
        tx.execute(seeds.insert(), rows)
    tx.execute(update(seeds).where(seeds.c.path == done.name).values(sha256=done.sha256, done=True))


def _differences(services: Services, compared: Iterable[ShippedFile], folder: Path) -> Iterator[str]:
    """A line for each file of a known document that publishing would change; the others are noted as dealt with."""
    held, limits = frozenset(services.domain.audiences), services.settings.limits
    for shipped in compared:
        try:
            sent = submission(shipped.path, Metadata(), limits, folder)
            same = services.publisher.would(sent, held).status == "unchanged"
        except FormfactError:  # for instance another title: it differs, and publishing it needs an option
            same = False
        if same:
            with writing(services.engine) as tx:
                _note(tx, shipped)
        else:
            history = services.catalog.timeline().history(shipped.doc_id)
            yield f"{shipped.doc_id}: {_difference(history, shipped)}; `formfact ingest {shipped.path}` publishes it."


def _difference(history: History, shipped: ShippedFile) -> str:
    if not history.versions:
        return f"it was erased, and the shipped file {shipped.name} is not published again"
    if not any(history.takes_effect(version) for version in history.versions):
        return f"it was retracted, and the shipped file {shipped.name} is not published"
    return f"the shipped file {shipped.name} differs from the published versions"
