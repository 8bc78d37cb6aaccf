"""The composition root: the one place that knows which concrete parts a process is made of.

Fakes come in by the parameters of `build`; nothing else in the code asks which shape it runs in.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import Engine, create_engine, event

from adapters.classifier import Classifier
from adapters.encoder import Encoder
from domains.spec import Domain, Unavailable, load_domain
from ingest.publish import Publisher, new_lock
from retrieval import tables as catalog_tables
from retrieval.catalog import Catalog
from retrieval.evidence import Selector
from retrieval.index import DenseIndex, open_client
from retrieval.lexical import LexicalIndex
from retrieval.retriever import Retriever
from retrieval.wording import Wording
from service import tables as service_tables
from service.compose import ExtractiveComposer
from service.idempotency import Idempotency
from service.journal import Journal
from service.keys import Keys
from service.pipeline import Pipeline
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of a running process."""

    settings: Settings
    domain: Domain
    catalog: Catalog
    publisher: Publisher
    pipeline: Pipeline
    keys: Keys
    idempotency: Idempotency

    @property
    def local_key(self) -> str:
        """The secret in `local.key` of the home, made on the first call."""
        return self.keys.local(self.settings.home / "local.key")


def build(settings: Settings, domain: Domain | None = None, encoder: Encoder | None = None) -> Services:
    """Put the parts together. Whoever calls it in embedded mode must own the home, see `owned`.

    Args:
        settings: see `Settings`.
        domain: default: the one that the settings name.
        encoder: default: the one that settings or domain name; a test hands one in to load it once.

    Raises:
        FormfactError: a part cannot be had; the message says which setting to change.
    """
    domain = domain or load_domain(settings.domain)
    encoder = encoder or Encoder(settings.encoder or domain.encoder)
    engine = open_engine(settings)
    catalog = Catalog(engine, domain)
    lexical = LexicalIndex(engine)
    dense = DenseIndex(open_client(settings.home / "chroma", settings.chroma_url), encoder.fingerprint)
    retriever = Retriever(catalog, lexical, dense, encoder)
    pipeline = Pipeline(
        domain=domain,
        catalog=catalog,
        retriever=retriever,
        selector=Selector(domain, retriever, lexical, encoder, Wording(domain, encoder, encoder.words)),
        classifier=Classifier(encoder, settings.adapter or domain.folder / "adapter", domain),
        composer=ExtractiveComposer(domain),
        journal=Journal(engine),
    )
    publisher = Publisher(domain, engine, catalog, dense, encoder, new_lock())
    return Services(settings, domain, catalog, publisher, pipeline, Keys(engine, domain), Idempotency(engine))


def open_engine(settings: Settings) -> Engine:
    """The one SQL engine, with all tables made."""
    settings.home.mkdir(parents=True, exist_ok=True)
    engine = create_engine(settings.database_url or f"sqlite:///{settings.home / 'formfact.db'}")
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_pragmas)
    for metadata in (catalog_tables.metadata, service_tables.metadata):
        metadata.create_all(engine)
    return engine


@contextmanager
def owned(settings: Settings) -> Iterator[Path]:
    """Own the home while the block runs: Chroma and SQLite, embedded, bear one writing process.

    Raises:
        Unavailable: another process owns it; the message names it.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    note = settings.home / "service.json"
    try:
        with FileLock(settings.home / "owner.lock", timeout=0):
            note.write_text(json.dumps({"pid": os.getpid()}), encoding="utf-8")
            yield note
            note.unlink(missing_ok=True)
    except Timeout:
        raise Unavailable(
            f"{settings.home} is owned by {_owner(note)}.",
            "Use its HTTP API, stop it, or set FORMFACT_HOME to another folder.",
        ) from None


def _owner(note: Path) -> str:
    try:
        owner: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "another process"
    url = f" at {owner['url']}" if "url" in owner else ""
    return f"process {owner.get('pid')}{url}"


def _sqlite_pragmas(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
