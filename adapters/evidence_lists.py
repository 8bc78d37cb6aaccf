"""What a reader puts first for questions: lists for a person to judge."""

from __future__ import annotations

from typing import Any

import numpy as np

from adapters.data.judged import JudgedSet
from adapters.evidence_training import parted
from adapters.readers import Scorer

_LENGTH = 10  # texts of a list


def lists(scorer: Scorer, shelf: JudgedSet, draw: int, seed: int, kept: bool = False) -> list[dict[str, Any]]:
    """The best texts for drawn questions, in an order that tells nothing.

    Args:
        scorer: orders the texts.
        shelf: texts and questions.
        draw: how many questions.
        seed: of the draw.
        kept: draw from those that are kept to calibrate with, not from those to learn from.
    """
    chance = np.random.default_rng(seed)
    questions = parted(shelf)[int(kept)]
    chosen = chance.permutation(len(questions))[:draw]
    readings = scorer.read([(text.text, text.title) for text in shelf.texts])
    found = []
    for question in (questions[i] for i in chosen):
        scores = scorer.score((question.text, question.surroundings), readings)
        best = [shelf.texts[int(i)] for i in chance.permutation((-scores).argsort()[:_LENGTH])]
        candidates = [{"text_id": text.id, "title": text.title, "text": text.text} for text in best]
        told = {"id": question.id, "text": question.text, "around": question.surroundings}
        found.append({**told, "candidates": candidates})
    return found
