"""How fast documents are ingested, and what memory that takes: whole files, real encoder, acknowledged on disk."""

from __future__ import annotations

import json
import random
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from domains.spec import InvalidInput
from ingest.drafting import Submission
from ingest.folder import files, submission
from ingest.limits import Limits
from ingest.metadata import Metadata
from service.build import Services

_WORDS = "plan price refund storage guest envelope invoice limit seat region token sync folder credit".split()  # noqa: SIM905
_META = Metadata(audience=frozenset({"public"}), effective_from="2026-01-01")


@dataclass(frozen=True, slots=True)
class Throughput:
    """Figures of one run; memory is that of the whole process, models included."""

    documents: int
    passages: int
    seconds: float
    before_mb: int
    peak_mb: int

    @property
    def passages_per_second(self) -> float:
        """Passages published a second."""
        return self.passages / self.seconds


def submissions(source: Path | None, synthetic: int, limits: Limits) -> list[Submission]:
    """What to ingest: a folder, a JSON Lines file with `title` and `text`, or so many invented documents.

    Raises:
        InvalidInput: a line of the file holds no title or content.
    """
    if source is None:
        return list(_invented(synthetic))
    if source.suffix == ".jsonl":
        return list(_from_lines(source))
    return [submission(path, _META, limits) for path in files(source)]


def measure(
    services: Services, wanted: Sequence[Submission], track: Callable[[Sequence[Submission]], Iterator[Submission]]
) -> Throughput:
    """Publish everything, one document after the other."""
    held, before, passages = frozenset(services.domain.audiences), _resident(), 0
    begun = time.perf_counter()
    for one in track(wanted):
        passages += services.publisher.publish(one, "throughput", held).passages
    seconds = time.perf_counter() - begun
    return Throughput(len(wanted), passages, seconds, before, _resident())


def _invented(count: int) -> Iterator[Submission]:
    draw = random.Random(1)  # noqa: S311 -- no secret depends on it
    for number in range(count):
        parts = (f"## Part {p}\n\n{' '.join(draw.choices(_WORDS, k=70))} costs {number}.{p} EUR." for p in range(2))
        text = f"# Document {number}\n\n" + "\n\n".join(parts) + "\n"
        yield Submission(f"invented-{number}.md", text.encode(), _META)


def _from_lines(source: Path) -> Iterator[Submission]:
    for number, line in enumerate(source.read_text(encoding="utf-8").strip().split("\n"), start=1):
        try:
            row = json.loads(line)
            text = f"# {row['title']}\n\n{row['text']}\n"
        except (ValueError, KeyError, TypeError):
            raise InvalidInput(f"{source.name}:{number}: no title and text.", "Each line needs both.") from None
        yield Submission(f"line-{number}.md", text.encode(), _META)


def _resident() -> int:
    """The most memory that the process has held so far, in MB (Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000
