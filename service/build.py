"""The composition root: the one place that knows which concrete parts a process is made of.

Fakes come in by the parameters of `build`; nothing else in the code asks which shape it runs in.
"""

from __future__ import annotations

from dataclasses import dataclass

from langchain_core.language_models import BaseChatModel
from sqlalchemy import Engine

from adapters.active import Live, PinnedClassifier
from adapters.classifier import AdapterClassifier
from adapters.encoder import Encoder
from adapters.message_tagger import MessageTagger
from adapters.prompted import Prompted
from adapters.readers import calibrated, scorer_of
from adapters.registry import Registry
from adapters.shadow import Shadow
from adapters.store import AdapterStore
from adapters.structured import Structured
from domains.spec import Domain, load_domain
from ingest.publish import Publisher
from retrieval.catalog import Catalog
from retrieval.dense import DenseIndex
from retrieval.evidence import Selector
from retrieval.index import Place
from retrieval.lexical import LexicalIndex
from retrieval.readings import Readings
from retrieval.retriever import Retriever
from service.audit import Audit
from service.auth.keys import Keys
from service.auth.quotas import Quotas
from service.auth.sessions import Sessions
from service.chat_composer import ChatComposer
from service.compose import ExtractiveComposer
from service.db.database import open_database
from service.integrations.desk import ToolDesk
from service.monitoring.metrics import Metrics
from service.pipeline import Pipeline
from service.records.idempotency import Idempotency
from service.records.journal import Journal
from service.records.reviews import Reviews, Rules
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of a running process."""

    settings: Settings
    domain: Domain
    engine: Engine
    catalog: Catalog
    publisher: Publisher
    pipeline: Pipeline
    keys: Keys
    sessions: Sessions
    idempotency: Idempotency
    audit: Audit
    reviews: Reviews
    quotas: Quotas
    metrics: Metrics
    encoder: Encoder
    registry: Registry
    live: Live
    shadow: Shadow
    tools: ToolDesk
    has_own_encoder: bool  # nobody handed one in, who may still need it

    def close(self) -> None:
        """Let go of files and connections."""
        self.tools.close()
        self.shadow.close()
        self.publisher.dense.close()
        if self.has_own_encoder:
            self.encoder.close()
        self.engine.dispose()

    @property
    def local_key(self) -> str:
        """The secret in `local.key` of the home, made on the first call."""
        return self.keys.local(self.settings.home / "local.key")

    def sign_in_path(self) -> str:
        """The path of a page that signs in with the local key, once."""
        return self.sessions.link(self.keys.check(self.local_key).key_id)


def build(
    settings: Settings, domain: Domain | None = None, encoder: Encoder | None = None, chat: Structured | None = None
) -> Services:
    """Put the parts together. Whoever calls it in embedded mode must own the home, see `owned`.

    Args:
        settings: see `Settings`.
        domain: default: the one that the settings name.
        encoder: default: the one that settings or domain name; a test hands one in to load it once.
        chat: default: the one that the settings name; evals hand in one that remembers.

    Raises:
        FormfactError: a part cannot be had; the message says which setting to change.
    """
    domain = domain or load_domain(settings.domain)
    handed_in, encoder = encoder is not None, encoder or Encoder(settings.encoder or domain.encoder)
    settings.home.mkdir(parents=True, exist_ok=True)
    engine = open_database(settings.database_url or f"sqlite:///{settings.home / 'formfact.db'}")
    catalog = Catalog(engine)
    lexical = LexicalIndex(engine)
    place = Place(settings.home / "chroma", settings.chroma_url, settings.chroma_sync_threshold)
    dense = DenseIndex(engine, place, encoder.fingerprint)
    retriever = Retriever(catalog, lexical, dense, encoder)
    reader = calibrated(scorer_of(settings.reader, domain, encoder), domain)
    registry = Registry(engine, AdapterStore(settings.home / "adapters", domain, encoder.fingerprint))
    chat = chat or _chat(settings)
    prompted = None if chat is None else Prompted(domain, chat)
    live = Live(registry, encoder, domain, prompted)
    audit, journal, metrics = Audit(engine), Journal(engine), Metrics()
    keys = Keys(engine, domain, audit)
    tagger = MessageTagger(encoder)
    rules = Rules(settings.review_sample, settings.review_unsure, settings.review_twice)
    reviews = Reviews(engine, domain, journal, rules, tagger.scrub)
    shadow = Shadow(
        engine,
        registry,
        live,
        settings.shadow_share,
        settings.shadow_seconds,
        lambda tx, request: reviews.ask(tx, request, "shadow_disagrees"),
    )
    metrics.watch("shadow_waiting", "Tickets that wait for the shadow", lambda: shadow.waiting)
    metrics.watch("reviews_waiting", "Requests that wait for a reviewer", reviews.waiting)
    pinned = PinnedClassifier(AdapterClassifier(encoder, settings.adapter, domain)) if settings.adapter else None
    pipeline = Pipeline(
        domain=domain,
        catalog=catalog,
        retriever=retriever,
        selector=Selector(domain, retriever, Readings(engine, reader)),
        tagger=tagger,
        labelling=pinned or live,
        shadow=shadow,
        extractive=ExtractiveComposer(domain),
        chat=None if chat is None else ChatComposer(domain, chat),
        prompted=prompted,
        journal=journal,
        reviews=reviews,
        metrics=metrics,
    )
    tools = ToolDesk(engine, domain, keys, pipeline, settings)
    metrics.watch("tool_messages_waiting", "Messages of support tools that wait for their reply", tools.waiting)
    metrics.watch("tool_messages_failed", "Messages of support tools that got no reply", tools.failed)
    publisher = Publisher(domain, engine, catalog, dense, encoder, reader, settings.limits)
    return Services(
        settings=settings,
        domain=domain,
        engine=engine,
        catalog=catalog,
        publisher=publisher,
        pipeline=pipeline,
        keys=keys,
        sessions=Sessions(engine, keys),
        idempotency=Idempotency(engine),
        audit=audit,
        reviews=reviews,
        quotas=Quotas(settings),
        metrics=metrics,
        encoder=encoder,
        registry=registry,
        live=live,
        shadow=shadow,
        tools=tools,
        has_own_encoder=not handed_in,
    )


def _chat(settings: Settings) -> Structured | None:
    """The chat model that is set, answering in a schema."""
    model = chat_of(settings)
    return None if model is None else Structured(model, settings.llm)


def chat_of(settings: Settings) -> BaseChatModel | None:
    """The chat model that is set, if one is; nobody else waits for its libraries.

    Raises:
        NotConfigured: the model cannot be had.
    """
    if not settings.llm:
        return None
    from adapters.chat import chat_model  # noqa: PLC0415 -- with the model's clients

    key, models = settings.llm_key.get_secret_value(), settings.models_folder
    timeout, longest = settings.llm_timeout_seconds, settings.llm_max_tokens
    return chat_model(settings.llm, models, settings.llm_url, key, timeout, longest)
