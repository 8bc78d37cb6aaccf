"""A folder of documents: every file in the order of its name, one bad file spoils only itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from domains.spec import FormfactError, InvalidInput
from ingest.metadata import Metadata, side_car
from ingest.publish import Submission
from ingest.readers import READERS
from retrieval.catalog import Published

SIDE_CAR = ".meta.yaml"
MAX_FILE_BYTES = 20_000_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file: published or unchanged, or refused and why."""

    path: Path
    published: Published | None = None
    refusal: str = ""


def files(folder: Path) -> list[Path]:
    """The files to ingest under `folder`, versions of one document in the order of their names.

    Raises:
        InvalidInput: the folder does not exist or holds nothing that is read here.
    """
    if not folder.exists():
        raise InvalidInput(f"{folder} does not exist.", "Name a file or a folder of documents.")
    if folder.is_file():
        return [folder]
    found = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.endswith(SIDE_CAR) and p.name[0] != ".")
    if not found:
        raise InvalidInput(f"{folder} holds no documents.", f"It may hold {', '.join(sorted(READERS))}.")
    return found


def submission(path: Path, stated: Metadata | None = None) -> Submission:
    """A file with what its side-car states; `stated` by the caller comes first.

    Raises:
        InvalidInput: the side-car is broken, or the file is larger than the limit.
    """
    if path.stat().st_size > MAX_FILE_BYTES:
        raise InvalidInput(f"{path.name}: larger than {MAX_FILE_BYTES // 1_000_000} MB.", "Split it.", "file")
    beside = path.with_name(path.name + SIDE_CAR)
    meta = side_car(beside.name, beside.read_bytes()) if beside.is_file() else Metadata()
    return Submission(path.name, path.read_bytes(), (stated or Metadata()).over(meta))


def ingest(paths: list[Path], publish: Callable[[Submission], Published], stated: Metadata) -> Iterator[Outcome]:
    """Publish each file and yield what became of it."""
    for path in paths:
        try:
            yield Outcome(path, published=publish(submission(path, stated)))
        except FormfactError as error:
            yield Outcome(path, refusal=str(error))
