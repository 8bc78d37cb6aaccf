"""What `formfact ingest` shows on a terminal: a progress bar, then what became of each file; and a folder followed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table
from watchfiles import Change, watch

from ingest.drafting import Submission
from ingest.folder import SIDE_CAR, FileOutcome, files, ingest
from ingest.limits import Limits
from ingest.metadata import Metadata
from retrieval.contents import Published

Publish = Callable[[Submission], Published]
_MOST_SHOWN = 40


def ingest_folder(
    path: Path, publish: Publish, stated: Metadata, limits: Limits, console: Console
) -> list[FileOutcome]:
    """Ingest a file or folder with a progress bar, and print what changed or was refused."""
    paths = files(path)
    done = ingest(paths, publish, stated, limits, path)
    outcomes = list(track(done, "Ingesting documents", total=len(paths), console=console, transient=True))
    console.print(table(outcomes))
    for line in _contradictions(outcomes):
        console.print(line, style="yellow", markup=False, highlight=False)
    return outcomes


def follow(path: Path, publish: Publish, stated: Metadata, limits: Limits, console: Console) -> None:
    """Publish each file that is changed or added, until interrupted. A file that goes is told, not retracted."""
    console.print(f"Following {escape(str(path))}; stop with Ctrl-C.")
    for changes in watch(path):
        gone = sorted(Path(name) for change, name in changes if change is Change.deleted)
        for missing in (p for p in gone if not p.exists() and not p.name.endswith(SIDE_CAR)):
            console.print(f"{escape(missing.name)} is gone; `formfact documents retract` ends a document.")
        touched = {Path(name.removesuffix(SIDE_CAR)) for change, name in changes if change is not Change.deleted}
        known = set(files(path)) if path.exists() else set()
        if found := sorted(p for p in known if p.absolute() in {t.absolute() for t in touched}):
            console.print(table(list(ingest(found, publish, stated, limits, path))))


def table(outcomes: Sequence[FileOutcome]) -> Table:
    """What became of the files: refused and changed ones by name, unchanged ones as a number."""
    counts = Counter(status(o) for o in outcomes)
    shown = [o for o in outcomes if status(o) != "unchanged" or _left_out(o)]
    shown.sort(key=lambda o: status(o) != "refused")
    made = Table("file", "result", "document", "version", "passages or reason", "left out")
    made.title = ", ".join(f"{counts[s]} {s}" for s in ("new", "changed", "unchanged", "refused") if counts[s])
    for outcome in shown[:_MOST_SHOWN]:
        name, done = f"{outcome.path.parent.name}/{outcome.path.name}", outcome.published
        cells = (done.doc_id, str(done.version), str(done.passages)) if done else ("", "", outcome.refusal)
        made.add_row(escape(name), status(outcome), *map(escape, (*cells, _left_out(outcome))))
    if len(shown) > _MOST_SHOWN:
        made.caption = f"and {len(shown) - _MOST_SHOWN} more"
    return made


def _contradictions(outcomes: Sequence[FileOutcome]) -> list[str]:
    """Where new versions state other figures than documents that hold beside them."""
    conflicts = [
        f"{outcome.path.name}: “{found.text}” — but {found.doc_id}: “{found.other}”"
        for outcome in outcomes
        for found in (outcome.published.contradictions if outcome.published else ())
    ]
    if not conflicts:
        return []
    more = [f"and {len(conflicts) - _MOST_SHOWN} more"] if len(conflicts) > _MOST_SHOWN else []
    return ["These statements conflict with other documents:", *conflicts[:_MOST_SHOWN], *more]


def _left_out(outcome: FileOutcome) -> str:
    """What the readers knowingly left out of a file, such as `1 image (logo)`."""
    items = outcome.published.left_out if outcome.published else ()
    return "\n".join(f"{item.what} ({item.where})" if item.where else item.what for item in items)


def status(outcome: FileOutcome) -> str:
    """new, changed (a further version), unchanged or refused."""
    if outcome.published is None:
        return "refused"
    if outcome.published.status == "unchanged":
        return "unchanged"
    return "new" if outcome.published.version == 1 else "changed"


def show(outcome: FileOutcome) -> dict[str, Any]:
    """An outcome for programs."""
    done = outcome.published
    fields: dict[str, Any] = {}
    if done:
        fields = {"doc_id": done.doc_id, "version": done.version, "passages": done.passages}
        fields["left_out"] = [{"what": item.what, "where": item.where} for item in done.left_out]
        fields["contradictions"] = [asdict(found) for found in done.contradictions]
    return {"file": str(outcome.path), "result": status(outcome), **fields, "reason": outcome.refusal}
