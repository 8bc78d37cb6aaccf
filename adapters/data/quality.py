"""What a data set can teach: agreement of annotators, doubtful labels, balance, and slices where labels are harder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from cleanlab.filter import find_label_issues
from scipy.stats import false_discovery_control, fisher_exact
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score
from sklearn.model_selection import GroupKFold

from adapters.data.leakage import Embed
from adapters.data.rows import Fields, Ints, Row, targets
from adapters.metrics import Floats
from adapters.ngram_head import inputs

_FOLDS = 5
_SMALLEST_SLICE = 15
_SURE = 0.05  # false discovery rate at which a slice is called worse


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two annotators of one field: rows that both labelled, share of equal labels, Cohen's kappa (-1..1)."""

    rows: int
    equal: float
    kappa: float


@dataclass(frozen=True, slots=True)
class QualitySlice:
    """A part of the rows: how often a cheap model is right there, 0..1, and whether that is worse than elsewhere."""

    name: str
    rows: int
    accuracy: float
    worse: bool


def agreement(
    pairs: Sequence[tuple[Mapping[str, str], Mapping[str, str]]], fields: Fields, ordinal: frozenset[str]
) -> dict[str, Agreement]:
    """Agreement a field (Cohen 1960; quadratic weights where labels have an order, Cohen 1968).

    Where all labels are equal kappa is 1, also where a single label leaves it undefined.
    """
    found = {}
    for name, labels in fields.items():
        both = [(a[name], b[name]) for a, b in pairs if name in a and name in b]
        if not both:
            continue
        first, second = zip(*both, strict=True)
        weights = "quadratic" if name in ordinal else None
        numbers = [[labels.index(one) for one in side] for side in (first, second)]
        same = first == second
        kappa = 1.0 if same else float(cohen_kappa_score(*numbers, weights=weights, labels=range(len(labels))))
        found[name] = Agreement(len(both), float(np.mean([a == b for a, b in both])), round(kappa, 3))
    return found


def balance(rows: Sequence[Row], fields: Fields) -> dict[str, dict[str, int]]:
    """Field -> label -> rows."""
    counts = {name: Counter(row.labels[name] for row in rows) for name in fields}
    return {name: {label: counts[name][label] for label in labels} for name, labels in fields.items()}


def cross_predicted(rows: Sequence[Row], fields: Fields, embed: Embed) -> dict[str, Floats]:
    """Probabilities that the joined head gives each row when it learnt from other groups: field -> (rows, labels)."""
    texts = [row.text for row in rows]
    read, wanted = inputs(texts, embed(texts)), targets(fields, rows)
    found = {name: np.full((len(rows), len(labels)), 1e-6, dtype=np.float32) for name, labels in fields.items()}
    folds = GroupKFold(min(_FOLDS, len({row.group for row in rows})))
    for learnt, asked in folds.split(texts, groups=[row.group for row in rows]):
        for name, numbers in wanted.items():
            if len(set(numbers[learnt])) > 1:
                model = LogisticRegression(C=10.0, max_iter=1000).fit(read[learnt], numbers[learnt])
                found[name][np.ix_(asked, model.classes_)] = model.predict_proba(read[asked])
    return {name: p / p.sum(1, keepdims=True) for name, p in found.items()}


def doubtful(numbers: Ints, probabilities: Floats) -> list[int]:
    """Rows whose label is probably wrong, the most doubtful first (confident learning, Northcutt et al. 2021)."""
    present = np.unique(numbers)
    renumbered = np.searchsorted(present, numbers)
    kept = probabilities[:, present]
    ranked = find_label_issues(
        renumbered, kept / kept.sum(1, keepdims=True), return_indices_ranked_by="self_confidence", n_jobs=1
    )
    return [int(n) for n in ranked]


def slices(rows: Sequence[Row], right: Sequence[bool]) -> list[QualitySlice]:
    """Accuracy by length and by every facet that rows tell; worse: by Fisher's test at a 5 % false discovery rate."""
    marks = np.array(right)
    masks = {name: mask for name, mask in _masks(rows).items() if _SMALLEST_SLICE <= mask.sum() < len(rows)}
    if not masks:
        return []
    chances = [
        fisher_exact(
            [[(marks & m).sum(), (~marks & m).sum()], [(marks & ~m).sum(), (~marks & ~m).sum()]], alternative="less"
        ).pvalue
        for m in masks.values()
    ]
    adjusted = false_discovery_control(chances)
    return [
        QualitySlice(name, int(m.sum()), round(float(marks[m].mean()), 3), bool(p < _SURE))
        for (name, m), p in zip(masks.items(), adjusted, strict=True)
    ]


def _masks(rows: Sequence[Row]) -> dict[str, np.ndarray]:
    lengths = np.array([len(row.text.split()) for row in rows])
    short, long = np.quantile(lengths, [1 / 3, 2 / 3])
    found = {
        f"length: up to {short:.0f} words": lengths <= short,
        f"length: more than {long:.0f} words": lengths > long,
    }
    for facet in sorted({name for row in rows for name in row.facets}):
        values = np.array([row.facets.get(facet, "unknown") for row in rows])
        if set(values) != {"unknown"}:
            found |= {f"{facet}: {value}": values == value for value in sorted(set(values))}
    return found
