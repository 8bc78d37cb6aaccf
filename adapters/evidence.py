"""The evidence reader: a LoRA adapter on the shared encoder that judges which text answers a question.

A text is read once and gives a pooled vector and a short vector for each of its tokens (late interaction: ColBERT,
Khattab & Zaharia 2020). A question is compared with a text by the cosine of the pooled vectors, by the cosine under the
bare encoder, which was trained on a thousand times as many texts and generalises better, and token by token: each token
of the question looks for the nearest one of the text, and a learnt weight says how much it matters. The sum is a logit
beside that of "nothing here answers", which is zero. Every weight of it is fitted together with the adapter.

A question and what surrounds it, and a text and the headings above it, are told apart by their segment.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from adapters.base import Batch, Features, SentenceBase, has_bfloat16
from adapters.data.judged import Judged
from adapters.folders import whole
from adapters.recipe import Recipe
from adapters.trainer import save_adapter
from domains.seal import fingerprint_of
from domains.spec import IntegrityError

WIDTH = 64  # numbers a token: 4 times less than what late interaction was published with, and as good here
LONGEST = 96  # tokens of a question with its context, or of a text with its headings; longer ones are cut
_BATCH = 32  # texts in one forward pass
_START = (10.0, 4.0, 8.0, -10.0)  # of the weights in the score, before anything is learnt

Pair = tuple[str, str]  # a question and what surrounds it, or a text and the headings above it
Tokens = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text looks like to the reader, in 8 bits.

    `pooled` is a unit vector, (dimensions,), and `tokens` has one for each token, (tokens, WIDTH): both times 127.
    `weights` says how much each token matters, (tokens,), as a question; it sums to one.
    """

    pooled: Tokens
    tokens: Tokens
    weights: Features


class Reader(nn.Module):
    """The network with what turns its hidden states into a score."""

    def __init__(self, network: nn.Module, dimensions: int) -> None:
        super().__init__()
        self.network = network
        self.project = nn.Linear(dimensions, WIDTH, bias=False)
        self.weigh = nn.Linear(dimensions, 1)
        self.mix = nn.Parameter(torch.tensor(_START))  # of pooled, bare, late, and what is taken off
        nn.init.zeros_(self.weigh.weight)

    def forward(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Pooled unit vectors (texts, dimensions), those of tokens (texts, tokens, WIDTH), weights (texts, tokens).

        The vectors of padding are zero, and its weights too. What surrounds a text is read, and not pooled.
        """
        hidden = self.network(**batch).last_hidden_state.float()
        there = batch["attention_mask"].bool()
        own = (there & (batch["token_type_ids"] == 0)).float()[..., None]
        pooled = nn.functional.normalize((hidden * own).sum(1) / own.sum(1), dim=1)
        tokens = nn.functional.normalize(self.project(hidden), dim=2) * there[..., None]
        weights = self.weigh(hidden).squeeze(2).float().masked_fill(~there, -torch.inf).softmax(1)
        return pooled, tokens, weights

    def head(self) -> dict[str, torch.Tensor]:
        """What was learnt beside the adapter."""
        return {k: v.detach().cpu().clone() for k, v in self.state_dict().items() if not k.startswith("network.")}


def late(tokens: torch.Tensor, weights: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """The weighted sum of each token's nearest: (questions, texts), from -1 to 1.

    Args:
        tokens: of questions, (questions, tokens, WIDTH).
        weights: how much each matters, (questions, tokens).
        others: tokens of texts, (texts, tokens, WIDTH); padding is zero.
    """
    similar = torch.einsum("qtw,dsw->qdts", tokens, others)
    padding = (others == 0).all(2)  # (texts, tokens)
    nearest = similar.masked_fill(padding[None, :, None, :], -1.0).amax(3)  # (questions, texts, tokens)
    return (nearest * weights[:, None, :]).sum(2)


def tokenized(base: SentenceBase, pairs: Sequence[Pair]) -> Batch:
    """Token ids of pairs, cut at `LONGEST`: what surrounds a text is cut first."""
    firsts, seconds = [first for first, _ in pairs], [second for _, second in pairs]
    found = base.tokenizer(firsts, seconds, padding=True, truncation=True, max_length=LONGEST, return_tensors="pt")
    return {key: value.to(base.device) for key, value in found.items()}


def read(base: SentenceBase, reader: Reader, pairs: Sequence[Pair]) -> list[Reading]:
    """What texts look like to a reader, each read once; in bfloat16 where the processor has it."""
    reader.eval()
    order = sorted(range(len(pairs)), key=lambda i: len(pairs[i][0]) + len(pairs[i][1]))
    found: dict[int, Reading] = {}
    with (
        torch.inference_mode(),
        torch.autocast(base.device.type, dtype=torch.bfloat16, enabled=has_bfloat16(base.device)),
    ):
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            batch = tokenized(base, [pairs[i] for i in chosen])
            pooled, tokens, weights = (part.float().cpu().numpy() for part in reader(batch))
            lengths = batch["attention_mask"].sum(1).tolist()
            for i, p, t, w, n in zip(chosen, pooled, tokens, weights, lengths, strict=True):
                found[i] = Reading(_short(p), _short(t[:n]), w[:n].astype(np.float32))
    return [found[i] for i in range(len(pairs))]


def _short(vectors: Features) -> Tokens:
    return np.clip(np.rint(vectors * 127), -127, 127).astype(np.int8)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an evidence reader is bound to."""

    id: str
    encoder: str
    shelves: dict[str, int]  # what it learnt from -> questions
    answerable: int  # questions that some text answers
    unanswerable: int
    recipe: dict[str, Any]
    sha256: str  # of adapter and head


def save(reader: Reader, base: SentenceBase, shelves: Sequence[Judged], recipe: Recipe, folder: Path) -> Manifest:
    """Write PEFT's layout, the head and a manifest, whole or not at all."""
    asked = [q for shelf in shelves for q in (*shelf.questions, *shelf.train)]
    answerable = sum(bool(q.relevant) for q in asked)
    with whole(folder) as scratch:
        save_adapter(reader.network, base, scratch)
        save_file(reader.head(), scratch / "head.safetensors")
        digest = _digest(scratch)
        manifest = Manifest(
            id=f"evidence@{digest[:12]}",
            encoder=base.fingerprint,
            shelves={shelf.name: len(shelf.questions) + len(shelf.train) for shelf in shelves},
            answerable=answerable,
            unanswerable=len(asked) - answerable,
            recipe=asdict(recipe),
            sha256=digest,
        )
        (scratch / "manifest.json").write_text(json.dumps(asdict(manifest), indent=1) + "\n", encoding="utf-8")
    return manifest


def load(folder: Path, base: SentenceBase, network: nn.Module) -> tuple[Manifest, Reader]:
    """A reader as it was saved.

    Args:
        folder: what `save` wrote.
        base: the encoder.
        network: the encoder's network with the adapter in `folder` merged into it.

    Raises:
        IntegrityError: something is missing or broken, the weights are others, or it was trained on another encoder.
    """
    try:
        manifest = Manifest(**json.loads((folder / "manifest.json").read_text(encoding="utf-8")))
        head, found = load_file(folder / "head.safetensors"), _digest(folder)
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        raise IntegrityError(f"{folder} is no evidence reader: {error}", _REMEDY) from None
    if found != manifest.sha256:
        raise IntegrityError(f"{folder}: the weights are not those of its manifest.", _REMEDY)
    if manifest.encoder != base.fingerprint:
        raise IntegrityError(
            f"{folder} was trained on encoder {manifest.encoder}, this is {base.fingerprint}.", _REMEDY
        )
    reader = Reader(network, base.dimensions)
    reader.load_state_dict(head, strict=False)
    return manifest, reader.to(base.device).eval()


_REMEDY = "Train it with `formfact adapters evidence`."


def _digest(folder: Path) -> str:
    return fingerprint_of((folder / n for n in ("adapter_model.safetensors", "head.safetensors")), folder)
