"""Labels for a ticket: calibrated, with alternatives, and allowed to abstain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from adapters.encoder import Encoder
from adapters.model import Heads, Logits, Manifest, load_adapter, softmax
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


Labels = dict[str, Label]


class Classifier:
    """A trained adapter on the shared encoder; safe to call from any thread.

    Args:
        encoder: the process's one encoder.
        folder: an adapter folder, see `adapters.model`.
        domain: whose taxonomy the adapter must speak.

    Raises:
        IntegrityError: the adapter does not belong to this encoder or domain, or a byte of it changed.
    """

    def __init__(self, encoder: Encoder, folder: Path, domain: Domain) -> None:
        self.id, self.manifest, self._heads = load_adapter(folder, domain, encoder.fingerprint)
        self._encoder = encoder
        encoder.merge(self.id, folder)

    def label(self, text: str) -> Labels:
        """Labels of one ticket."""
        return self.label_all([text])[0]

    def label_all(self, texts: list[str]) -> list[Labels]:
        """Labels of many tickets, in their order."""
        scores = scores_of(self.manifest, self._heads, self._encoder, self.id, texts)
        return [{name: self._decide(name, scores[name][i]) for name in self.manifest.fields} for i in range(len(texts))]

    def _decide(self, name: str, scores: Logits) -> Label:
        """Choose on scores rounded to three decimals, so that what else was in the batch decides nothing."""
        names = self.manifest.fields[name]
        order = sorted(range(len(names)), key=lambda i: (-round(float(scores[i]), 3), i))
        best, rest = order[0], order[1 : 1 + _ALTERNATIVES]
        told = tuple(Alternative(names[i], round(float(scores[i]), 2)) for i in rest if scores[i] >= _WORTH_TELLING)
        confidence = round(float(scores[best]), 3)
        return Label(names[best], round(confidence, 2), confidence < self.manifest.thresholds[name], told)


def scores_of(manifest: Manifest, heads: Heads, encoder: Encoder, model: str, texts: list[str]) -> dict[str, Logits]:
    """Calibrated probabilities of every field: field -> (texts, labels)."""
    features = encoder.features(texts, model)
    return {name: softmax(heads.logits(name, features), manifest.temperatures[name]) for name in manifest.fields}
