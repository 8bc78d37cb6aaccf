"""From scores to probabilities: fitted on questions that the evidence reader did not learn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression

from adapters.calibrate import threshold
from adapters.data.judged import Judged
from adapters.evidence_training import parted
from adapters.readers import Calibration, Scorer, level_of
from domains.spec import InvalidInput

_FEWEST = 100


def calibrate(
    scorer: Scorer, shelves: Sequence[Judged], risk: float, progress: Callable[[str, float], None]
) -> Calibration:
    """Fit how probable it is that the best text answers, and from which probability on it may be told.

    Every question that was kept from training is asked of all texts of its organisation. The probability is a logistic
    function of the best score (Platt 1999) and of the level from which it stands out, see `adapters.readers.level_of`;
    for the threshold see `adapters.calibrate.threshold`.

    Args:
        scorer: what is calibrated.
        shelves: questions and texts.
        risk: share of wrong answers that is accepted among those given, 0..1.
        progress: told what is being done and the share that is done.

    Raises:
        InvalidInput: too few questions were kept from training, or all or none of them were answered right.
    """
    seen: list[tuple[float, float]] = []  # the best score of a question, and the level
    right: list[bool] = []
    for n, shelf in enumerate(shelves):
        progress(f"Asking {shelf.name}", n / len(shelves))
        readings = scorer.read([(text.text, text.title) for text in shelf.texts])
        for question in parted(shelf)[1]:
            scores = scorer.score((question.text, question.surroundings), readings)
            first = int(scores.argmax())
            seen.append((float(scores[first]), level_of(scores)))
            right.append(shelf.texts[first].id in question.relevant)
    if len(seen) < _FEWEST or len(set(right)) < 2:
        raise InvalidInput(f"{len(seen)} questions were kept from training, {sum(right)} answered right.", _MORE)
    fitted = LogisticRegression(C=1e6).fit(seen, right)
    probability = fitted.predict_proba(seen)[:, 1:].astype(np.float32)
    sufficient = threshold(probability, np.where(right, 0, 1), risk)  # above 1 where nothing is sure enough
    slope, weight = (round(float(w), 4) for w in fitted.coef_[0])
    usual = round(float(np.mean([level for _, level in seen])), 4)
    return Calibration(slope, round(float(fitted.intercept_[0]), 4), sufficient, risk, len(seen), weight, usual)


_MORE = f"A tenth of the questions is kept; {_FEWEST} of them are needed, answerable and not."
