"""Labels for a ticket: calibrated, with alternatives, and allowed to abstain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from adapters.base import Features, unit
from adapters.calibrate import distances, idle
from adapters.encoder import Encoder
from adapters.model import GOLDEN, Adapter, AdapterManifest, Logits, softmax
from domains.spec import Domain

_ALTERNATIVES = 2
_WORTH_TELLING = 0.05  # an alternative less likely than this helps nobody


@dataclass(frozen=True, slots=True)
class Alternative:
    """A label that was not chosen, with its calibrated confidence, 0..1."""

    value: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Label:
    """The value of one field. `confidence` is calibrated, 0..1, two decimals; `abstained`: do not rely on it."""

    value: str
    confidence: float
    abstained: bool
    alternatives: tuple[Alternative, ...]
    out_of_scope: bool = False  # the ticket is unlike everything that was learnt: all its labels abstain


Labels = dict[str, Label]


class Classifier(Protocol):
    """Whatever labels tickets: an adapter, or a baseline that needs none. Safe to call from any thread."""

    @property
    def id(self) -> str:
        """As it stands in provenance."""
        ...

    @property
    def base_model(self) -> str:
        """What it stands on."""
        ...

    @property
    def dataset(self) -> str:
        """What it was trained on."""
        ...

    def label(self, text: str) -> Labels:
        """Labels of one ticket."""
        ...

    def label_all(self, texts: list[str]) -> list[Labels]:
        """Labels of many tickets, in their order."""
        ...


class AdapterClassifier:
    """A trained adapter on the shared encoder.

    Args:
        encoder: the process's one encoder.
        folder: an adapter folder, see `adapters.model`.
        domain: whose taxonomy the adapter must speak.

    Raises:
        IntegrityError: the adapter does not belong to this encoder or domain, a byte of it changed, or loaded it
            computes something else than it was trained to.
    """

    def __init__(self, encoder: Encoder, folder: Path, domain: Domain) -> None:
        self._adapter = Adapter(folder, domain, encoder.fingerprint)
        self._encoder = encoder
        manifest = self._adapter.manifest
        self.id, self.base_model, self.dataset = self._adapter.id, manifest.base_model, manifest.dataset
        self._network = encoder.merged(folder) if self._adapter.tuned else None
        self._adapter.prove(*self._features(list(GOLDEN)))

    @property
    def folder(self) -> Path:
        """Where it was loaded from."""
        return self._adapter.folder

    @property
    def manifest(self) -> AdapterManifest:
        """What the adapter is bound to."""
        return self._adapter.manifest

    @property
    def idle_thresholds(self) -> dict[str, str]:
        """Fields that always or never abstain, and why."""
        manifest = self._adapter.manifest
        return idle(manifest.thresholds, {name: len(labels) for name, labels in manifest.fields.items()})

    def label(self, text: str) -> Labels:
        return self.label_all([text])[0]

    def label_all(self, texts: list[str]) -> list[Labels]:
        scored = self.scores(texts)
        return [
            {name: self._decide(name, scored.fields[name][i], bool(scored.outside[i])) for name in scored.fields}
            for i in range(len(texts))
        ]

    def scores(self, texts: list[str]) -> Scored:
        """Calibrated probabilities and distances of texts, before anything is decided."""
        manifest, (logits, far) = self._adapter.manifest, self.raw(texts)
        return Scored(
            fields={name: softmax(found, manifest.temperatures[name]) for name, found in logits.items()},
            distances=far,
            outside=far.round(3) > manifest.scope,
        )

    def logits(self, texts: list[str], frozen: Features, features: Features) -> dict[str, Logits]:
        """Uncalibrated outputs from features that are known; see `Adapter.logits`."""
        return self._adapter.logits(texts, frozen, features)

    def raw(self, texts: list[str]) -> tuple[dict[str, Logits], Features]:
        """Uncalibrated outputs, field -> (texts, labels), and distances to what was learnt, (texts,)."""
        frozen, features = self._features(texts)
        return self._adapter.logits(texts, frozen, features), distances(unit(features), self._adapter.bank)

    def _features(self, texts: list[str]) -> tuple[Features, Features]:
        """Under the untouched base and under what was tuned, (texts, dimensions) each."""
        frozen = self._encoder.features(texts)
        return frozen, frozen if self._network is None else self._encoder.features(texts, self._network)

    def _decide(self, name: str, scores: Logits, outside: bool) -> Label:
        """Choose on scores rounded to three decimals, so that what else was in the batch decides nothing."""
        manifest = self._adapter.manifest
        return decided(manifest.fields[name], scores, manifest.thresholds[name], outside)


@dataclass(frozen=True, slots=True)
class Scored:
    """What an adapter makes of texts: field -> (texts, labels), and how far each is from what was learnt."""

    fields: Mapping[str, Logits]
    distances: Logits  # (texts,)
    outside: npt.NDArray[np.bool_]  # (texts,): too far


def decided(names: tuple[str, ...], scores: Logits, threshold: float, outside: bool) -> Label:
    """A label out of the calibrated probabilities of its field, (labels,), rounded to three decimals."""
    order = sorted(range(len(names)), key=lambda i: (-round(float(scores[i]), 3), i))
    best, rest = order[0], order[1 : 1 + _ALTERNATIVES]
    told = tuple(Alternative(names[i], round(float(scores[i]), 2)) for i in rest if scores[i] >= _WORTH_TELLING)
    confidence = round(float(scores[best]), 3)
    return Label(names[best], round(confidence, 2), outside or confidence < threshold, told, outside)
