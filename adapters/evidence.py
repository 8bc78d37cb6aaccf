"""The evidence reader: a LoRA adapter on the shared encoder that judges which text answers a question.

A text is read once and gives a pooled vector and a short vector for each of its tokens (late interaction: ColBERT,
Khattab & Zaharia 2020). A question is compared with a text by the cosine of the pooled vectors, and token by token,
both ways: each token of the question looks for the nearest one of the text, and each of the text for the nearest one of
the question, so that it shows when a text speaks of another plan or country than was asked about. A learnt weight says
how much a token matters. The sum is a logit beside that of "nothing here answers", which is zero. Every weight of it is
fitted together with the adapter.

A question and what surrounds it, and a text and the headings above it, are told apart by their segment.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from adapters.atomic_dir import whole
from adapters.base import Batch, Features, SentenceBase
from adapters.data.judged import JudgedSet
from adapters.recipe import Recipe
from adapters.trainer import save_adapter
from domains.seal import fingerprint_of
from domains.spec import IntegrityError, InvalidInput

WIDTH = 64  # numbers a token: 4 times less than what late interaction was published with, and as good here
LONGEST = 96  # tokens of a question with its context, or of a text with its headings; longer ones are cut
_BATCH = 32  # texts in one forward pass
_START = (14.0, 8.0, 1.0, -10.0)  # of the weights in the score, before anything is learnt

Pair = tuple[str, str]  # a question and what surrounds it, or a text and the headings above it


@dataclass(frozen=True, slots=True)
class TextReading:
    """What a text looks like to the reader.

    `pooled` is a unit vector, (dimensions,), and `tokens` has one for each token, (tokens, WIDTH). `asking` and
    `telling` say how much each token matters, (tokens,), in a question and in a text; each sums to one.
    """

    pooled: Features
    tokens: Features
    asking: Features
    telling: Features

    def packed(self) -> bytes:
        """A text in 8 bits a number; the weights are kept as shares of the largest."""
        whole = np.concatenate([self.pooled, self.tokens.ravel(), self.telling / self.telling.max()])
        return bytes(np.rint(whole * 127).astype(np.int8).tobytes())


@dataclass(frozen=True, slots=True)
class Tokens:
    """Pairs as the network reads them: `own` tells the tokens of a text from those around it, (texts, tokens)."""

    batch: Batch
    own: torch.Tensor


class Read(NamedTuple):
    """Readings of several texts, as tensors: see `Reading`."""

    pooled: torch.Tensor  # (texts, dimensions)
    tokens: torch.Tensor  # (texts, tokens, WIDTH)
    asking: torch.Tensor  # (texts, tokens)
    telling: torch.Tensor  # (texts, tokens)


class EvidenceNetwork(nn.Module):
    """The network with what turns its hidden states into a score."""

    def __init__(self, network: nn.Module, dimensions: int) -> None:
        super().__init__()
        self.network = network
        self.project = nn.Linear(dimensions, WIDTH, bias=False)
        self.weigh = nn.Linear(dimensions, 2)  # a token in a question, and in a text
        self.mix = nn.Parameter(torch.tensor(_START))  # of pooled, late both ways, and what is taken off
        nn.init.zeros_(self.weigh.weight)

    def forward(self, read: Tokens) -> Read:
        """What texts look like.

        The vectors of padding are zero, and its weights too. What surrounds a text is read, and not pooled.
        """
        hidden = self.network(**read.batch).last_hidden_state.float()
        there = read.batch["attention_mask"].bool()
        own = read.own.float()[..., None]
        pooled = nn.functional.normalize((hidden * own).sum(1) / own.sum(1), dim=1)
        tokens = nn.functional.normalize(self.project(hidden), dim=2).float() * there[..., None]
        weights = self.weigh(hidden).float().masked_fill(~there[..., None], -torch.inf).softmax(1)
        return Read(pooled, tokens, weights[..., 0], weights[..., 1])

    def score(self, near: torch.Tensor, asking: torch.Tensor, telling: torch.Tensor) -> torch.Tensor:
        """The logits from cosines of pooled vectors and from late interaction both ways."""
        return self.mix[0] * near + self.mix[1] * asking + self.mix[2] * telling + self.mix[3]

    def head(self) -> dict[str, torch.Tensor]:
        """What was learnt beside the adapter."""
        return {k: v.detach().cpu().clone() for k, v in self.state_dict().items() if not k.startswith("network.")}


def late(asked: Read, texts: Read) -> tuple[torch.Tensor, torch.Tensor]:
    """The weighted sum of each token's nearest, of the question's and of the text's: (questions, texts), from -1 to 1.

    Args:
        asked: questions.
        texts: the same for all questions; or other ones for each, (questions, texts, …).
    """
    own = texts.tokens.ndim == 4
    similar = torch.einsum("qtw,qdsw->qdts" if own else "qtw,dsw->qdts", asked.tokens, texts.tokens)
    no_text = (texts.tokens == 0).all(-1)  # (texts, tokens), or (questions, texts, tokens)
    no_question = (asked.tokens == 0).all(-1)  # (questions, tokens)
    nearest = similar.masked_fill(no_text[..., None, :], -1.0).amax(3)  # (questions, texts, tokens of the question)
    asking = (nearest * asked.asking[:, None, :]).sum(2)
    nearest = similar.masked_fill(no_question[:, None, :, None], -1.0).amax(2)  # (questions, texts, tokens of the text)
    return asking, (nearest * texts.telling).sum(2)


def tokenized(base: SentenceBase, pairs: Sequence[Pair]) -> Tokens:
    """Pairs as `[CLS] text [SEP] surroundings [SEP]`, at most `LONGEST` tokens: the farthest surroundings go first."""
    known = base.tokenizer
    most = LONGEST - 3
    texts = known([text for text, _ in pairs], add_special_tokens=False, truncation=True, max_length=most)["input_ids"]
    around = known([around for _, around in pairs], add_special_tokens=False)["input_ids"]
    found: dict[str, list[list[int]]] = {"input_ids": [], "token_type_ids": []}
    for text, beside in zip(texts, around, strict=True):
        room = most - len(text)
        kept = beside[-room:] if room else []
        found["input_ids"].append(
            [known.cls_token_id, *text, known.sep_token_id, *kept, *([known.sep_token_id] if kept else [])]
        )
        found["token_type_ids"].append([0] * (len(text) + 2) + [1] * (len(found["input_ids"][-1]) - len(text) - 2))
    batch = {key: value.to(base.device) for key, value in known.pad(found, return_tensors="pt").items()}
    own = batch["attention_mask"].bool() & (batch["token_type_ids"] == 0)
    return Tokens({key: batch[key] for key in known.model_input_names}, own)


def read(base: SentenceBase, reader: EvidenceNetwork, pairs: Sequence[Pair]) -> list[TextReading]:
    """What texts look like to a reader, each read once.

    Args:
        base: tokenizes.
        reader: the network with its head.
        pairs: texts with what surrounds them.
    """
    reader.eval()
    order = sorted(range(len(pairs)), key=lambda i: len(pairs[i][0]) + len(pairs[i][1]))
    found: dict[int, TextReading] = {}
    with torch.inference_mode():
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            batch = tokenized(base, [pairs[i] for i in chosen])
            parts = (part.float().cpu().numpy() for part in reader(batch))
            lengths = batch.batch["attention_mask"].sum(1).tolist()
            for i, n, pooled, tokens, asking, telling in zip(chosen, lengths, *parts, strict=True):
                found[i] = TextReading(pooled, tokens[:n], asking[:n], telling[:n])
    return [found[i] for i in range(len(pairs))]


def logits(reader: EvidenceNetwork, asked: TextReading, texts: Sequence[bytes]) -> Features:
    """How sure a reader is that each text answers, against "nothing does" at zero: (texts,).

    Args:
        reader: gives the weights of the sum.
        asked: the question.
        texts: readings as `Reading.packed` gives them.
    """
    size = len(asked.pooled)
    rows = [np.frombuffer(text, dtype=np.int8) for text in texts]
    lengths = [(len(row) - size) // (WIDTH + 1) for row in rows]
    starts = np.cumsum([0, *lengths[:-1]])
    pooled = np.stack([row[:size] for row in rows]).astype(np.float32) / 127  # (texts, dimensions)
    tokens = [row[size : size + n * WIDTH] for row, n in zip(rows, lengths, strict=True)]
    telling = np.concatenate([row[len(row) - n :] for row, n in zip(rows, lengths, strict=True)]).astype(np.float32)
    similar = np.concatenate(tokens).astype(np.float32).reshape(-1, WIDTH) / 127 @ asked.tokens.T
    nearest = np.maximum.reduceat(similar, starts)  # (texts, tokens of the question)
    told = np.add.reduceat(similar.max(1) * telling, starts) / np.add.reduceat(telling, starts)
    features = (pooled @ asked.pooled, nearest @ asked.asking, told, 1.0)
    weights = reader.mix.detach().tolist()
    return np.asarray(sum(w * part for w, part in zip(weights, features, strict=True)), np.float32)


@dataclass(frozen=True, slots=True)
class ReaderManifest:
    """What an evidence reader is bound to."""

    id: str
    encoder: str
    shelves: dict[str, int]  # what it learnt from -> questions
    answerable: int  # questions that some text answers
    unanswerable: int
    recipe: dict[str, Any]
    start: str  # the reader from which the training started; empty: the bare encoder
    sha256: str  # of adapter, its configuration and head


def save(
    reader: EvidenceNetwork,
    base: SentenceBase,
    shelves: Sequence[JudgedSet],
    recipe: Recipe,
    folder: Path,
    start: str = "",
) -> ReaderManifest:
    """Write PEFT's layout, the head and a manifest, whole or not at all; `start` is the reader that it started from."""
    asked = [q for shelf in shelves for q in (*shelf.questions, *shelf.train)]
    answerable = sum(bool(q.relevant) for q in asked)
    with whole(folder) as scratch:
        save_adapter(reader.network, base, scratch)
        save_file(reader.head(), scratch / "head.safetensors")
        digest = _digest(scratch)
        manifest = ReaderManifest(
            id=f"evidence@{digest[:12]}",
            encoder=base.fingerprint,
            shelves={shelf.name: len(shelf.questions) + len(shelf.train) for shelf in shelves},
            answerable=answerable,
            unanswerable=len(asked) - answerable,
            recipe=asdict(recipe),
            start=start,
            sha256=digest,
        )
        _write(manifest, scratch)
    return manifest


def load(
    folder: Path, base: SentenceBase, merged: Callable[[Path], nn.Module]
) -> tuple[ReaderManifest, EvidenceNetwork]:
    """A reader as it was saved.

    Args:
        folder: what `save` wrote.
        base: the encoder.
        merged: gives the encoder's network with the adapter in a folder merged into it, see `Encoder.merged`.

    Raises:
        IntegrityError: something is missing or broken, the weights are others, or it was trained on another encoder.
    """
    manifest, head = _opened(folder, base)
    reader = EvidenceNetwork(merged(folder), base.dimensions)
    _put(reader, head, folder)
    return manifest, reader.to(base.device).eval()


def restart(reader: EvidenceNetwork, base: SentenceBase, folder: Path) -> None:
    """Put the weights of a saved reader into one whose network has LoRA layers that are not merged.

    A reader of a higher rank starts with the same scores, because the added dimensions contribute nothing at first.

    Raises:
        InvalidInput: its layers have a higher rank than the reader.
        IntegrityError: see `load`.
    """
    _, head = _opened(folder, base)
    saved = load_file(folder / "adapter_model.safetensors")
    there = get_peft_model_state_dict(reader.network)
    set_peft_model_state_dict(reader.network, {name: _widened(saved[name], there[name]) for name in saved})
    _put(reader, head, folder)


def average(start: Path, trained: Path, share: float, base: SentenceBase, out: Path) -> ReaderManifest:
    """Write the weighted average of a reader and the reader that was trained from it.

    Averaging the weights before and after fine-tuning generalizes better to unseen data than either (Wortsman et al.
    2022). LoRA updates are averaged exactly by concatenating their matrices, so the ranks add up. Weights are stored as
    16-bit floats.

    Args:
        start: folder of the first reader.
        trained: folder of the second one, whose manifest the result keeps.
        share: of the second one, 0..1.
        base: the encoder of both.
        out: folder to write, whole or not at all.

    Raises:
        IntegrityError: see `load`.
    """
    shares, folders = (1 - share, share), (start, trained)
    (_, first), (manifest, second) = (_opened(folder, base) for folder in folders)
    saved = [load_file(folder / "adapter_model.safetensors") for folder in folders]
    configs = [json.loads((folder / "adapter_config.json").read_text(encoding="utf-8")) for folder in folders]
    rank = sum(int(config["r"]) for config in configs)
    scales = [w * config["lora_alpha"] / config["r"] for w, config in zip(shares, configs, strict=True)]
    side_by_side = {
        name: torch.cat([saved[0][name], saved[1][name]])
        if ".lora_A." in name
        else torch.cat([scale * weights[name] for scale, weights in zip(scales, saved, strict=True)], dim=1)
        for name in saved[1]
    }
    with whole(out) as scratch:
        halves = {name: tensor.half().contiguous() for name, tensor in side_by_side.items()}
        save_file(halves, scratch / "adapter_model.safetensors")
        config = configs[1] | {"r": rank, "lora_alpha": rank}
        (scratch / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
        head = {name: shares[0] * first[name] + shares[1] * second[name] for name in second}
        save_file(head, scratch / "head.safetensors")
        digest = _digest(scratch)
        recipe = manifest.recipe | {"rank": rank, "share": share}
        averaged = replace(manifest, id=f"evidence@{digest[:12]}", recipe=recipe, sha256=digest)
        _write(averaged, scratch)
    return averaged


def _widened(saved: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
    """Copy a LoRA matrix of a lower rank over the first rows or columns of a newly initialized one."""
    if any(s > t for s, t in zip(saved.shape, there.shape, strict=True)):
        rank, most = min(saved.shape), min(there.shape)
        raise InvalidInput(
            f"The saved reader has rank {rank}, the recipe only {most}.", f"Use --rank {rank} or higher."
        )
    wide = there.clone()
    wide[: saved.shape[0], : saved.shape[1]] = saved
    return wide


def manifest_of(folder: Path) -> ReaderManifest:
    """What a saved reader is bound to.

    Raises:
        IntegrityError: it is missing or broken.
    """
    try:
        return ReaderManifest(**json.loads((folder / "manifest.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise IntegrityError(f"{folder} is no evidence reader: {error}", _REMEDY) from None


def _write(manifest: ReaderManifest, folder: Path) -> None:
    (folder / "manifest.json").write_text(json.dumps(asdict(manifest), indent=1) + "\n", encoding="utf-8")


def _opened(folder: Path, base: SentenceBase) -> tuple[ReaderManifest, dict[str, torch.Tensor]]:
    manifest = manifest_of(folder)
    try:
        head, found = load_file(folder / "head.safetensors"), _digest(folder)
    except (OSError, SafetensorError) as error:
        raise IntegrityError(f"{folder} is no evidence reader: {error}", _REMEDY) from None
    if found != manifest.sha256:
        raise IntegrityError(f"{folder}: the weights are not those of its manifest.", _REMEDY)
    if manifest.encoder != base.fingerprint:
        raise IntegrityError(
            f"{folder} was trained on encoder {manifest.encoder}, this is {base.fingerprint}.", _REMEDY
        )
    return manifest, head


def _put(reader: EvidenceNetwork, head: dict[str, torch.Tensor], folder: Path) -> None:
    there = {name: tuple(tensor.shape) for name, tensor in reader.head().items()}
    if there != {name: tuple(tensor.shape) for name, tensor in head.items()}:
        raise IntegrityError(f"{folder}: the head is of another version of this program.", _REMEDY)
    reader.load_state_dict(head, strict=False)


_REMEDY = "Train it with `formfact adapters train-evidence`, or set FORMFACT_READER."
_WEIGHTS = ("adapter_model.safetensors", "adapter_config.json", "head.safetensors")


def _digest(folder: Path) -> str:
    return fingerprint_of((folder / name for name in _WEIGHTS), folder)
