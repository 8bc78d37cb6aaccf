"""A dry run: what ingesting a folder would change, and which development cases would be answered otherwise.

It works on a copy: the catalog's database is copied while whoever owns it goes on, the dense index is made from the
stored embeddings, the files are published there, and each case is answered before and after. Cases are asked at their
own date, or, where the new versions begin later, on the day that the last of them begins.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from adapters.tables import LIVE
from domains.spec import NotConfigured
from evals.cases import Case, load
from ingest.commands import ingest_folder, status
from ingest.drafting import Submission
from ingest.folder import FileOutcome
from ingest.metadata import Metadata
from retrieval.contents import Published
from retrieval.timestamps import parse_instant, show_instant
from service.auth.keys import SCOPES, Caller
from service.build import Services, build
from service.prepare import take_in_adapter
from service.reply import RespondRequest
from service.settings import Settings

Answers = Mapping[str, str]  # case -> what the reply says


def preview(settings: Settings, path: Path, stated: Metadata, console: Console) -> list[FileOutcome]:
    """Print what ingesting `path` would change; nothing is changed.

    Raises:
        NotConfigured: the catalog is no SQLite file in the home.
    """
    if not settings.embedded or settings.chroma_url:
        raise NotConfigured(
            "A dry run works on a copy of an embedded home.", "Run it where FORMFACT_DATABASE_URL is not set."
        )
    with tempfile.TemporaryDirectory(prefix="formfact-dry-run-") as folder:
        with console.status("Copying the catalog"):
            services = _copy(settings, Path(folder), console)
        try:
            outcomes = _compare(services, path, stated, console)
        finally:
            services.close()
    console.print("This was a dry run: nothing was published.")
    return outcomes


def _copy(settings: Settings, folder: Path, console: Console) -> Services:
    source = settings.home / "formfact.db"
    if source.is_file():
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(folder / "formfact.db")) as new:
            old.backup(new)
    if (adapters := settings.home / "adapters").is_dir():
        (folder / "adapters").symlink_to(adapters.resolve())  # read and never written here
    services = build(settings.model_copy(update={"home": folder}))
    services.publisher.upkeep.start()
    if services.registry.target(LIVE) is None:  # a home that no service has prepared yet
        take_in_adapter(services, console)
    return services


def _compare(services: Services, path: Path, stated: Metadata, console: Console) -> list[FileOutcome]:
    cases = load(services.domain, "dev") if (services.domain.folder / "cases" / "dev.jsonl").is_file() else ()
    known = services.catalog.head()
    audiences = frozenset(services.domain.audiences)

    def publish(submission: Submission) -> Published:
        return services.publisher.publish(submission, "dry run", audiences)

    outcomes = ingest_folder(path, publish, stated, services.settings.limits, console)
    if any(status(o) in ("new", "changed") for o in outcomes):
        dates = {case.id: _asked_at(services, case, known) for case in cases}
        before = _answers(services, track(cases, "Cases before", console=console, transient=True), dates, known)
        after = _answers(services, track(cases, "Cases after", console=console, transient=True), dates, None)
        console.print(_table(cases, dates, before, after))
    return outcomes


def _asked_at(services: Services, case: Case, known: int) -> str:
    """The date of the case, or the day on which the last of the new versions begins if that is later."""
    versions = [v for h in services.catalog.timeline().histories.values() for v in h.versions if v.revision > known]
    begins = max((v.effective_from for v in versions), default=None)
    own = parse_instant(case.as_of, services.domain.zone)
    return case.as_of if begins is None or begins <= own else show_instant(begins, services.domain.zone) or case.as_of


def _answers(services: Services, cases: Iterable[Case], dates: Mapping[str, str], revision: int | None) -> Answers:
    found = {}
    for case in cases:
        caller = Caller("dry run", frozenset(SCOPES), services.domain.readable_by(case.audiences))
        request = RespondRequest(ticket=case.ticket, customer=case.customer, as_of=dates[case.id], revision=revision)
        reply = services.pipeline.respond(request, caller)
        found[case.id] = f"{reply.action}: " + " ".join(claim.text for claim in reply.answer.claims)
    return found


def _table(cases: Iterable[Case], dates: Mapping[str, str], before: Answers, after: Answers) -> Table:
    changed = [case for case in cases if before[case.id] != after[case.id]]
    title = f"{len(changed)} of {len(before)} development cases change"
    made = Table("case", "asked at", "before", "after", title=title)
    for case in changed:
        made.add_row(case.id, dates[case.id], escape(before[case.id][:200]), escape(after[case.id][:200]))
    return made
