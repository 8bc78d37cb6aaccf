"""Which classifier answers now: the one that the alias `live` names, looked up for each request, loaded once."""

from __future__ import annotations

import threading
from typing import Protocol

import structlog

from adapters.classifier import AdapterClassifier, Classifier
from adapters.encoder import Encoder
from adapters.registry import Registry
from adapters.tables import LIVE, PROMPT, ZERO_SHOT
from adapters.zero_shot import ZeroShot
from domains.spec import Domain, FormfactError, NotConfigured

_KEPT = 4  # live, previous, shadow and canary; a merged copy of the shipped base takes 90 MB

log = structlog.get_logger()


class Source(Protocol):
    """Gives the classifier of a request; a request asks once, so that all its labels are of one adapter."""

    def current(self) -> Classifier:
        """The classifier that is live at this instant."""
        ...

    def answering(self, key_id: str, text: str) -> Classifier:
        """The one that labels a ticket: of whom, and what the model reads of it."""
        ...


class PinnedClassifier:
    """Always the same classifier."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier

    def current(self) -> Classifier:
        return self._classifier

    def answering(self, key_id: str, text: str) -> Classifier:
        return self._classifier


class Live:
    """Follows the registry: what was promoted, here or in another replica, answers the next request.

    Args:
        registry: says what is live.
        encoder: serves adapters and the zero-shot baseline.
        domain: whose taxonomy is labelled.
        prompted: the prompt-only baseline, where a chat model is set.
    """

    def __init__(self, registry: Registry, encoder: Encoder, domain: Domain, prompted: Classifier | None) -> None:
        self._registry, self._encoder, self._domain, self._prompted = registry, encoder, domain, prompted
        self._loaded: dict[str, Classifier] = {}  # in the order of their last use
        self._lock, self._loading = threading.Lock(), threading.Lock()

    def current(self) -> Classifier:
        """See `Source`.

        Raises:
            NotConfigured: nothing was ever promoted.
            IntegrityError: what is live cannot be loaded; nothing else takes its place unasked.
        """
        target = self._registry.target(LIVE)
        if target is None:
            raise NotConfigured("No adapter is live.", f"`formfact adapters promote {ZERO_SHOT}` needs no training.")
        return self.load(target)

    def answering(self, key_id: str, text: str) -> Classifier:
        """See `Source`; a canary that does not load costs nobody a reply."""
        canary = self._registry.canary()
        if canary and canary.answers(key_id, text):
            try:
                return self.load(canary.target)
            except FormfactError as error:
                log.error("canary_failed", adapter=canary.target, kind=type(error).__name__)
        return self.current()

    def load(self, adapter: str) -> Classifier:
        """An adapter or baseline of the registry, ready to label.

        Raises:
            NotFound: there is none of that id.
            NotConfigured: it needs a chat model and none is set.
            IntegrityError: see `AdapterClassifier`.
        """
        found = self._used(adapter)
        if found is None:
            with self._loading:  # others go on labelling meanwhile
                found = self._used(adapter) or self._made(adapter)
                self._keep(adapter, found)
        return found

    def _used(self, adapter: str) -> Classifier | None:
        with self._lock:
            found = self._loaded.pop(adapter, None)
            if found is not None:
                self._loaded[adapter] = found
            return found

    def _keep(self, adapter: str, made: Classifier) -> None:
        with self._lock:
            self._loaded[adapter] = made
            for old in list(self._loaded)[:-_KEPT]:
                del self._loaded[old]

    def _made(self, adapter: str) -> Classifier:
        if adapter == ZERO_SHOT:
            return ZeroShot(self._encoder, self._domain)
        if adapter == PROMPT:
            if self._prompted is None:
                raise NotConfigured(
                    f"{PROMPT} needs a chat model and none is set.", "Set FORMFACT_LLM and start again."
                )
            return self._prompted
        made = AdapterClassifier(self._encoder, self._registry.store.folder(adapter), self._domain)
        for field, why in made.idle_thresholds.items():
            log.warning("threshold_never_fires", adapter=adapter, field=field, why=why)
        return made
