"""The claim checker: a LoRA adapter on the shared encoder that says how sure it is that a quote bears out a claim.

Quote and claim are read together, so that each word of the claim meets the quote (a cross-encoder: Reimers & Gurevych
2019). It learnt from claims that reword a sentence or table row, true ones and ones with a detail changed: a number, a
unit, a denial, a role, a date, a scope.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from adapters.base import Features, SentenceBase
from adapters.encoder import Encoder
from adapters.folders import whole
from adapters.recipe import Recipe
from adapters.trainer import save_adapter
from domains.seal import fingerprint_of
from domains.spec import IntegrityError

SHIPPED = Path(__file__).parent / "claim_checker"
_LONGEST = 192  # tokens of quote and claim
_BATCH = 32

Pair = tuple[str, str]  # quote, claim


class Checker(nn.Module):
    """The network with a linear layer over the mean of its token states."""

    def __init__(self, network: nn.Module, dimensions: int) -> None:
        super().__init__()
        self.network = network
        self.head = nn.Linear(2 * dimensions, 1)

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """How sure it is that each quote bears out its claim, as logits: (pairs,)."""
        hidden = self.network(**batch).last_hidden_state.float()
        claim = batch["token_type_ids"].bool() & batch["attention_mask"].bool()
        mean = (hidden * claim[..., None]).sum(1) / claim.sum(1, keepdim=True)
        logits: torch.Tensor = self.head(torch.cat([hidden[:, 0], mean], dim=1))[:, 0]
        return logits


def tokenized(base: SentenceBase, pairs: Sequence[Pair]) -> dict[str, torch.Tensor]:
    """Pairs as the network reads them; of a long pair the quote is cut."""
    found = base.tokenizer(
        [quote for quote, _ in pairs],
        [claim[:600] for _, claim in pairs],
        padding=True,
        truncation="only_first",
        max_length=_LONGEST,
        return_tensors="pt",
    )
    return {key: value.to(base.device) for key, value in found.items()}


def check(base: SentenceBase, checker: Checker, pairs: Sequence[Pair]) -> Features:
    """The logits of pairs: (pairs,)."""
    checker.eval()
    parts = [np.zeros(0, dtype=np.float32)]
    with torch.inference_mode():
        for start in range(0, len(pairs), _BATCH):
            parts.append(checker(tokenized(base, pairs[start : start + _BATCH])).cpu().numpy())
    return np.concatenate(parts)
