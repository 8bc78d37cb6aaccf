"""The settings of a training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# lora: a tuned and a joined head; joined: that one alone, trained in seconds; full: all weights, to compare with.
Method = Literal["lora", "joined", "full"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of a training; the defaults were chosen on the validation split of the shipped tickets.

    Rates are those of AdamW at their peak; they rise over the first steps and fall linearly to zero.
    """

    method: Method = "lora"
    rank: int = 16
    targets: str = "all-linear"  # names of layers, with commas, or PEFT's `all-linear`
    epochs: int = 8
    patience: int = 4  # epochs without a better validation score before it stops
    batch: int = 16
    learning_rate: float = 1e-3
    head_learning_rate: float = 2e-3
    dropout: float = 0.05
    label_smoothing: float = 0.05
    class_weights: bool = False  # weigh a label by the inverse of its frequency
    contrast: float = 0.0  # weight of the supervised contrastive loss beside cross-entropy (Khosla et al. 2020)
    averaging: float = 0.0  # decay of the moving average of weights that is kept, 0: the last weights themselves
    folds: int = (
        4  # models that each leave out a part of the training rows, so that thresholds are set by all rows; 1: none
    )
    refused_in_scope: float = 0.01  # share of tickets in scope that may be taken for out of scope
    seed: int = 0
