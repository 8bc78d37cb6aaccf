"""A folder of documents: every file in the order of its name, one bad file spoils only itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from domains.spec import FormfactError, InvalidInput, TooLarge
from ingest.drafting import Submission
from ingest.limits import ENDINGS, Limits
from ingest.metadata import Metadata, derived, front_matter, side_car
from retrieval.contents import Published

SIDE_CAR = ".meta.yaml"


@dataclass(frozen=True, slots=True)
class FileOutcome:
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
        raise InvalidInput(f"{folder} holds no documents.", f"It may hold {', '.join(ENDINGS)}.")
    return found


def submission(path: Path, stated: Metadata, limits: Limits, root: Path | None = None) -> Submission:
    """A file with what its side-car states; `stated` by the caller comes first.

    Args:
        path: the file.
        stated: what holds for it whatever it says itself.
        limits: a larger file is not even opened.
        root: the folder out of which no link may lead.

    Raises:
        InvalidInput: the side-car is broken, the file cannot be read, is larger than the limit or lies elsewhere.
    """
    if root and root.is_dir() and not path.resolve().is_relative_to(root.resolve()):
        raise InvalidInput(f"{path.name}: this link leads out of {root}.", "Put the file itself there.", "file")
    try:
        if path.stat().st_size > limits.file_bytes:
            raise TooLarge(f"{path.name}: larger than {limits.file_bytes:,} bytes.", "Split it.", "file")
        beside = path.with_name(path.name + SIDE_CAR)
        meta = side_car(beside.name, beside.read_bytes()) if beside.is_file() else Metadata()
        return Submission(path.name, path.read_bytes(), stated.over(meta))
    except OSError as error:
        raise InvalidInput(f"{path.name}: {error.strerror}.", "Check the file and its permissions.", "file") from None


def doc_id_of(sent: Submission) -> str:
    """The document to which a file belongs: what it states, or what follows from its name; the text is not read.

    Raises:
        InvalidInput: the front matter is broken, or there is neither.
    """
    found = sent.stated.over(front_matter(sent.filename, sent.data)).over(derived(sent.filename, ""))
    if not found.doc_id:
        raise InvalidInput(f"{sent.filename}: doc_id: there is none and the name gives none.", "State one.", "doc_id")
    return found.doc_id


def ingest(
    paths: Iterable[Path],
    publish: Callable[[Submission], Published],
    stated: Metadata,
    limits: Limits,
    root: Path | None = None,
) -> Iterator[FileOutcome]:
    """Publish each file and yield what became of it."""
    for path in paths:
        try:
            yield FileOutcome(path, published=publish(submission(path, stated, limits, root)))
        except FormfactError as error:
            yield FileOutcome(path, refusal=str(error))
