"""What `formfact ingest` shows on a terminal: a progress bar, then what became of each file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from ingest.folder import Outcome, files, ingest
from ingest.metadata import Metadata
from ingest.publish import Submission
from retrieval.catalog import Published


def ingest_folder(
    folder: Path, publish: Callable[[Submission], Published], stated: Metadata, console: Console
) -> list[Outcome]:
    """Ingest a file or folder with a progress bar, and print what changed or was refused."""
    paths = files(folder)
    outcomes = list(
        track(ingest(paths, publish, stated), "Ingesting documents", total=len(paths), console=console, transient=True)
    )
    console.print(_table(outcomes))
    return outcomes


def _table(outcomes: list[Outcome]) -> Table:
    counts = Counter(o.published.status if o.published else "refused" for o in outcomes)
    table = Table("file", "result", title=", ".join(f"{n} {what}" for what, n in sorted(counts.items())))
    shown = [o for o in outcomes if o.refusal] or outcomes[-5:]
    for outcome in shown:
        told = outcome.refusal or _told(outcome.published)
        table.add_row(f"{outcome.path.parent.name}/{outcome.path.name}", told)
    return table


def _told(published: Published | None) -> str:
    if published is None:
        return ""
    return f"{published.status}: {published.doc_id} version {published.version}, {published.passages} passages"
