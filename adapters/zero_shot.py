"""The baseline that needs no training: the label whose description is nearest to the ticket."""

from __future__ import annotations

import numpy as np

from adapters.classifier import Labels, decided
from adapters.encoder import Encoder
from adapters.model import Logits, softmax
from adapters.tables import ZERO_SHOT
from domains.spec import Domain

_TEMPERATURE = 0.05  # of cosines, which lie close together; not tuned, as nothing here is
_THRESHOLD = 0.5  # uncalibrated: there are no labelled rows to set it by


class ZeroShot:
    """Cosine of ticket and label descriptions, by the bare encoder. Always there, whatever happens to adapters."""

    id = ZERO_SHOT
    dataset = "none"

    def __init__(self, encoder: Encoder, domain: Domain) -> None:
        self._encoder, self._fields = encoder, domain.label_names
        self.base_model = domain.encoder
        self._labels = {
            name: encoder.unit(
                [f"{label.replace('_', ' ')}: {spec.description}" for label, spec in field.labels.items()]
            )
            for name, field in domain.fields.items()
        }

    def label(self, text: str) -> Labels:
        """Labels of one ticket."""
        return self.label_all([text])[0]

    def label_all(self, texts: list[str]) -> list[Labels]:
        """Labels of many tickets, in their order."""
        scores = self.scores(texts)
        return [
            {name: decided(self._fields[name], scores[name][i], _THRESHOLD, outside=False) for name in self._fields}
            for i in range(len(texts))
        ]

    def scores(self, texts: list[str]) -> dict[str, Logits]:
        """Softmax over cosines: field -> (texts, labels)."""
        vectors = self._encoder.unit(texts)
        cosines = {name: np.asarray(vectors @ labels.T, dtype=np.float32) for name, labels in self._labels.items()}
        return {name: softmax(found, _TEMPERATURE) for name, found in cosines.items()}
