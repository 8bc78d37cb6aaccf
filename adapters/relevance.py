"""The relevance adapter: LoRA on the encoder, so that a question lies near the sentence that answers it.

What a customer says and what a policy says differ in words; which sentence answers is stable behaviour, and so it is
learnt, while the sentences themselves stay in the documents. A bi-encoder: units of documents are embedded once.
Learnt by contrast (InfoNCE, van den Oord et al. 2018) with the sentences of other questions and with those that the
untuned encoder wrongly holds to be near. One more candidate stands beside them at a fixed cosine: "nothing here". It is
right for near misses, questions on a document's subject that it does not answer, so that cosines come to say whether
there is an answer at all. The dense index keeps the untuned encoder: this orders what was found.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from adapters.base import Base, Features, features_under, has_bfloat16, unit
from adapters.data.judged import Asked, Judged
from adapters.folders import whole
from adapters.recipe import Recipe
from adapters.trainer import adapted, contrast, pace, save_adapter
from domains.seal import fingerprint
from domains.spec import IntegrityError, InvalidInput

_TEMPERATURE = 0.05  # of cosines in the softmax
_WRONG, _NEAREST = 2, 15  # wrong sentences a question, drawn among so many nearest
_WHOLE = 0.7  # share of steps in which a question is read within its context
_NOTHING = 0.5  # the cosine of "nothing here answers"
RECIPE = Recipe(epochs=4, batch=32, learning_rate=5e-4, dropout=0.0)


Wanted = list[list[bool]]  # (questions, candidates and "nothing here")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a relevance adapter is bound to."""

    id: str
    encoder: str
    dataset: str
    questions: int  # that some text answers
    near_misses: int  # that none does
    sha256: str  # of the weights


def train(base: Base, data: Judged, recipe: Recipe, progress: Callable[[str, float], None]) -> nn.Module:
    """Learn which texts answer the questions, and which questions none does; returns the adapted network.

    Raises:
        InvalidInput: fewer than two questions have an answer.
    """
    torch.manual_seed(recipe.seed)
    lesson = _Lesson.of(base, data)
    network: nn.Module = adapted(base.network, recipe)
    optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], weight_decay=0.01)
    draw, steps = np.random.default_rng(recipe.seed), -(-len(lesson.asked) // recipe.batch)
    network.train()
    for epoch in range(recipe.epochs):
        order = draw.permutation(len(lesson.asked))
        for step in range(steps):
            done = (epoch + step / steps) / recipe.epochs
            for group in optimizer.param_groups:
                group["lr"] = recipe.learning_rate * pace(done)
            chosen = [int(i) for i in order[step * recipe.batch : (step + 1) * recipe.batch]]
            loss = _loss(base, network, *lesson.batch(draw, chosen))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            progress(f"epoch {epoch + 1}", done)
    return network


def _loss(base: Base, network: nn.Module, said: list[str], candidates: list[str], wanted: Wanted) -> torch.Tensor:
    similar = _embedded(base, network, said) @ _embedded(base, network, candidates).T
    nothing = torch.full((len(said), 1), _NOTHING, device=similar.device)
    return contrast(torch.cat([similar, nothing], dim=1) / _TEMPERATURE, torch.tensor(wanted, device=similar.device))


def save(network: nn.Module, base: Base, data: Judged, source: Path, folder: Path) -> Manifest:
    """Write PEFT's layout with a manifest, whole or not at all."""
    with whole(folder) as scratch:
        save_adapter(network, base, scratch)
        digest = fingerprint(scratch / "adapter_model.safetensors")
        answerable = [bool(q.relevant) for q in (*data.questions, *data.train)]
        manifest = Manifest(
            id=f"relevance@{digest.removeprefix('sha256:')}",
            encoder=base.fingerprint,
            dataset=fingerprint(source / "questions.jsonl"),
            questions=sum(answerable),
            near_misses=len(answerable) - sum(answerable),
            sha256=digest,
        )
        (scratch / "manifest.json").write_text(json.dumps(asdict(manifest), indent=1) + "\n", encoding="utf-8")
    return manifest


def manifest_of(folder: Path, encoder: str) -> Manifest:
    """The manifest of a folder, checked.

    Raises:
        IntegrityError: it is missing or broken, the weights are others, or it was trained on another encoder.
    """
    try:
        manifest = Manifest(**json.loads((folder / "manifest.json").read_text(encoding="utf-8")))
        found = fingerprint(folder / "adapter_model.safetensors")
    except (OSError, ValueError, TypeError) as error:
        raise IntegrityError(f"{folder} is no relevance adapter: {error}", _REMEDY) from None
    if found != manifest.sha256:
        raise IntegrityError(f"{folder}: the weights are not those of its manifest.", _REMEDY)
    if manifest.encoder != encoder:
        raise IntegrityError(f"{folder} was trained on encoder {manifest.encoder}, this is {encoder}.", _REMEDY)
    return manifest


_REMEDY = "Train it with `formfact adapters relevance`, or set FORMFACT_RELEVANCE=none."


@dataclass(frozen=True, slots=True)
class _Lesson:
    """What is learnt from: for each question the numbers of texts that answer, and of those that mislead."""

    texts: list[str]
    asked: list[Asked]
    right: list[frozenset[int]]
    wrong: list[list[int]]  # those that the untuned encoder holds to be near, nearest first

    @classmethod
    def of(cls, base: Base, data: Judged) -> _Lesson:
        asked = [*data.questions, *data.train]
        if (answerable := sum(bool(q.relevant) for q in asked)) < 2:
            raise InvalidInput(f"{data.name}: {answerable} questions have an answer.", "Give some hundred.")
        number = {text.id: i for i, text in enumerate(data.texts)}
        texts = [text.in_context for text in data.texts]
        right = [frozenset(number[t] for t in q.relevant) for q in asked]
        near = _frozen(base, [q.whole for q in asked]) @ _frozen(base, texts).T
        ranked = ([int(c) for c in np.argsort(-row)] for row in near)
        wrong = [[c for c in row if c not in own][:_NEAREST] for row, own in zip(ranked, right, strict=True)]
        return cls(texts, asked, right, wrong)

    def batch(self, draw: np.random.Generator, chosen: Sequence[int]) -> tuple[list[str], list[str], Wanted]:
        """Questions, candidates, and which of these each question wants; the last column is that none answers."""
        found: list[int] = []
        for i in chosen:
            if self.right[i]:
                found.append(int(draw.choice(sorted(self.right[i]))))
            found += map(int, draw.choice(self.wrong[i], min(_WRONG, len(self.wrong[i])), False))
        candidates = list(dict.fromkeys(found))
        said = [self.asked[i].whole if draw.random() < _WHOLE else self.asked[i].text for i in chosen]
        wanted = [[c in self.right[i] for c in candidates] + [not self.right[i]] for i in chosen]
        return said, [self.texts[c] for c in candidates], wanted


def _frozen(base: Base, texts: list[str]) -> Features:
    return unit(features_under(base, base.network, texts, half=True))


def _embedded(base: Base, network: nn.Module, texts: list[str]) -> torch.Tensor:
    with torch.autocast(base.device.type, dtype=torch.bfloat16, enabled=has_bfloat16(base.device)):
        features = base.pooled(network, base.tokens(texts)).float()
    return nn.functional.normalize(features, dim=1)
