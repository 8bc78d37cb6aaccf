"""Other places that labels may come from, each a `Classifier` like the adapter: cheap ones, and the right ones."""

from __future__ import annotations

import numpy as np

from adapters.base import unit
from adapters.baselines import Cheap, Embed
from adapters.calibrate import calibration, distances
from adapters.classifier import Classifier, Label, Labels, decided
from adapters.data.rows import Split, targets
from adapters.model import softmax
from domains.spec import Domain
from evals.cases import Case

_REFUSED = 0.01  # as adapters are made


class Fitted:
    """A cheap method in the adapter's place: fitted on the same tickets, calibrated and abstaining by the same rules.

    Args:
        method: one of `adapters.baselines.METHODS`.
        domain: whose taxonomy is labelled.
        embed: the frozen encoder.
        split: rows to fit, to choose by, and to calibrate with, as for the adapter.
    """

    base_model = "none"
    dataset = "the adapter's training tickets"

    def __init__(self, method: str, domain: Domain, embed: Embed, split: Split) -> None:
        self.id = method
        self._names, self._embed = domain.label_names, embed
        texts = [row.text for row in split.train]
        choose = [row.text for row in split.validation]
        wanted = {part: targets(self._names, rows) for part, rows in (("fit", split.train), ("by", split.validation))}
        self._fitted = {
            name: Cheap(method, embed, texts, wanted["fit"][name], len(labels), (choose, wanted["by"][name]))
            for name, labels in self._names.items()
        }
        self._bank = unit(embed(texts))
        kept = (*split.calibration, *split.validation)
        apart = [row.text for row in kept]
        logits = {name: found.logits(apart) for name, found in self._fitted.items()}
        self._read = calibration(logits, targets(self._names, kept), self._far(apart), domain.risks, _REFUSED)

    def label(self, text: str) -> Labels:
        """Labels of one ticket."""
        return self.label_all([text])[0]

    def label_all(self, texts: list[str]) -> list[Labels]:
        """Labels of many tickets, in their order."""
        outside = self._far(texts) > self._read.scope
        heat, low = self._read.temperatures, self._read.thresholds
        scores = {name: softmax(found.logits(texts), heat[name]) for name, found in self._fitted.items()}
        return [
            {n: decided(labels, scores[n][i], low[n], bool(outside[i])) for n, labels in self._names.items()}
            for i in range(len(texts))
        ]

    def _far(self, texts: list[str]) -> np.ndarray:
        return distances(unit(self._embed(texts)), self._bank)


class Oracle:
    """The labels that a case expects; of the fields that it says nothing about, those of another classifier."""

    base_model = "none"
    dataset = "the cases themselves"
    id = "oracle"

    def __init__(self, case: Case, other: Classifier) -> None:
        self._right = {name: Label(value, 1.0, False, ()) for name, value in case.expect.labels.items()}
        self._other = other

    def label(self, text: str) -> Labels:
        """Labels of the case, whatever the text."""
        return {**self._other.label(text), **self._right}

    def label_all(self, texts: list[str]) -> list[Labels]:
        """See `label`."""
        return [self.label(text) for text in texts]
