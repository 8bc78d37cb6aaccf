"""From scores to probabilities: fitted on questions that the evidence reader did not learn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression

from adapters.calibrate import threshold
from adapters.data.judged import JudgedSet
from adapters.evidence_training import parted
from adapters.readers import ScoreCalibration, Scorer, mass_of
from domains.spec import InvalidInput

_FEWEST = 100
# A sixth of the questions has no answer; of real tickets more. On development cases AUROC of answerable against
# unanswerable is .884 with a weight of 1, .900 with 2, .913 with 4; of right against wrong .823, .817, .811.
_UNANSWERABLE = 2.0


def calibrate(
    scorer: Scorer,
    shelves: Sequence[JudgedSet],
    risk: float,
    risk_unlabelled: float,
    progress: Callable[[str, float], None],
) -> ScoreCalibration:
    """Fit how probable it is that the best text answers, and from which probability on it may be told.

    Every question that was kept from training is asked of all texts of its organisation. The probability is a logistic
    function (Platt 1999) of the best score and of the mass of all, see `adapters.readers.mass_of`; for the threshold
    see `adapters.calibrate.threshold`.

    Args:
        scorer: what is calibrated.
        shelves: questions and texts.
        risk: share of wrong answers that is accepted among those given, 0..1.
        risk_unlabelled: the same where the next action abstains.
        progress: told what is being done and the share that is done.

    Raises:
        InvalidInput: too few questions were kept from training, or all or none of them were answered right.
    """
    seen: list[tuple[float, float]] = []  # the best score of a question, and the mass of all
    right: list[bool] = []
    weights: list[float] = []
    for n, shelf in enumerate(shelves):
        progress(f"Asking {shelf.name}", n / len(shelves))
        readings = scorer.read([(text.text, text.title) for text in shelf.texts])
        for question in parted(shelf)[1]:
            scores = scorer.score((question.text, question.surroundings), readings)
            first = int(scores.argmax())
            seen.append((float(scores[first]), float(mass_of(scores)[first])))
            right.append(shelf.texts[first].id in question.relevant)
            weights.append(1.0 if question.relevant else _UNANSWERABLE)
    if len(seen) < _FEWEST or len(set(right)) < 2:
        raise InvalidInput(f"{len(seen)} questions were kept from training, {sum(right)} answered right.", _MORE)
    fitted = LogisticRegression(C=1e6).fit(seen, right, sample_weight=weights)
    probability = fitted.predict_proba(seen)[:, 1:].astype(np.float32)
    sufficient, unlabelled = (  # above 1 where nothing is sure enough
        threshold(probability, np.where(right, 0, 1), accepted) for accepted in (risk, min(risk, risk_unlabelled))
    )
    slope, mass = (round(float(w), 4) for w in fitted.coef_[0])
    intercept = round(float(fitted.intercept_[0]), 4)
    return ScoreCalibration(slope, intercept, sufficient, risk, len(seen), mass, unlabelled)


_MORE = f"A tenth of the questions is kept; {_FEWEST} of them are needed, answerable and not."
