"""A library of its own for a benchmark: real catalog, real indexes, filled with the texts of a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from adapters.data.judged import JudgedQuestion, JudgedSet, Text
from adapters.encoder import Encoder
from domains.spec import Domain
from ingest.drafting import Submission
from ingest.metadata import Metadata
from ingest.publish import Publisher
from retrieval.catalog import Catalog
from retrieval.dense import DenseIndex
from retrieval.evidence import Selector
from retrieval.index import Place
from retrieval.lexical import LexicalIndex
from retrieval.readings import Reader, Readings
from retrieval.retriever import Hit, Retriever
from retrieval.timestamps import now
from retrieval.versions import View
from service.db.database import open_database

Track = Callable[[Sequence[Text]], Iterator[Text]]
_HITS = 60  # passages that are looked at: several are of one text


@dataclass(frozen=True, slots=True)
class Corpus:
    """The parts that a question goes through, with the view of everybody."""

    retriever: Retriever
    selector: Selector
    view: View
    _names: dict[str, str]  # document -> identifier of its text

    def found(self, hits: Sequence[Hit]) -> list[str]:
        """The texts of passages, best first, each once."""
        return list(dict.fromkeys(self._names[hit.version.doc_id] for hit in hits))

    def search(self, question: JudgedQuestion, retriever: Retriever | None = None) -> tuple[Hit, ...]:
        """The passages for a question, asked with the message before it."""
        asked = retriever or self.retriever
        return asked.search(self.view, question.text, question.surroundings, limit=_HITS)

    def without(self, texts: frozenset[str]) -> Corpus:
        """The same with some texts taken out: what is left are the near misses."""
        kept = tuple(v for v in self.view.versions if self._names[v.doc_id] not in texts)
        return replace(self, view=View(self.view.moment, self.view.revision, self.view.audiences, kept))


@contextmanager
def shelved(
    data: JudgedSet, folder: Path, domain: Domain, encoder: Encoder, reader: Reader, track: Track
) -> Iterator[Corpus]:
    """Publish the texts of a data set in a folder, one document each.

    Args:
        data: the texts.
        folder: empty, or filled by the same texts before.
        domain: gives zone and audiences; its slots are left out, as the texts are another's.
        encoder: embeds.
        reader: judges units.
        track: shows how far it is.
    """
    plain = domain.model_copy(update={"slots": {}})
    folder.mkdir(parents=True, exist_ok=True)
    engine = open_database(f"sqlite:///{folder / 'catalog.db'}")
    catalog, lexical = Catalog(engine), LexicalIndex(engine)
    dense = DenseIndex(engine, Place(folder / "chroma"), encoder.fingerprint)
    publisher = Publisher(plain, engine, catalog, dense, encoder, reader)
    publisher.upkeep.start()
    everybody = frozenset(plain.audiences)
    names = {f"text-{n:06}": text.id for n, text in enumerate(data.texts)}
    try:
        if len(catalog.view(everybody, now()).versions) < len(names):
            for name, text in zip(names, track(data.texts), strict=True):
                publisher.publish(_submission(name, text, everybody), "bench", everybody)
        retriever = Retriever(catalog, lexical, dense, encoder)
        selector = Selector(plain, retriever, Readings(engine, reader))
        yield Corpus(retriever, selector, catalog.view(everybody, now()), names)
    finally:
        dense.close()
        engine.dispose()


def _submission(name: str, text: Text, audience: frozenset[str]) -> Submission:
    stated = Metadata(doc_id=name, title=text.title or name, effective_from="2020-01-01", audience=audience)
    head = f"# {text.title}\n\n" if text.title else ""
    return Submission(f"{name}.md", f"{head}{text.text}\n".encode(), stated)
