"""Training the evidence reader: lists of candidates of one organisation, of which a question wants some or none.

A step takes the questions on a few documents of one shelf and their sentences, so that nearly every candidate is about
the same matter, and adds those that the reader itself ranks high and wrong. What only helps is left out of the list: it
is neither right nor wrong. Learnt by a softmax over the list (listwise: Cao et al. 2007), with "none of these" in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from adapters.base import Features, SentenceBase, features_under, has_bfloat16, unit
from adapters.data.judged import Asked, Judged
from adapters.evidence import Pair, Reader, late, tokenized
from adapters.recipe import Recipe
from adapters.trainer import adapted, contrast, pace
from domains.spec import InvalidInput

RECIPE = Recipe(epochs=3, batch=32, learning_rate=5e-4, head_learning_rate=2e-3, dropout=0.0)
_LIST = 96  # candidates of a step
_OWN, _MINED, _NEAREST = 2, 2, 12  # right texts a question in a list; wrong ones, drawn among so many nearest
_PART = 32  # texts that go through the network at once: short ones need not wait for the longest
_ALONE = 0.3  # share of questions that are read without what surrounds them, where nothing turns on it
_TYPO = 0.15  # share of questions in which a word is misspelt
_MIX_RATE = 10  # times the rate of the heads: these few numbers are far from zero

Progress = Callable[[str, float], None]  # what is being done, share done 0..1
Mined = list[list[int]]  # for each question texts that are near and wrong, nearest first


@dataclass(frozen=True, slots=True)
class Shelf:
    """The texts of one organisation and the questions on them, as numbers."""

    name: str
    texts: list[Pair]
    asked: list[Asked]
    right: list[frozenset[int]]
    aside: list[frozenset[int]]  # what helps
    misleading: list[list[int]]
    home: list[list[int]]  # for each question the texts of the documents that it is about
    bare_texts: Features  # under the bare encoder: (texts, dimensions)
    bare_asked: Features  # (questions, dimensions)

    @classmethod
    def of(cls, base: SentenceBase, data: Judged) -> Shelf:
        """Number the texts and read everything under the bare encoder."""
        number = {text.id: i for i, text in enumerate(data.texts)}
        rooms: dict[str, list[int]] = {}
        for text in data.texts:
            rooms.setdefault(_document(text.id), []).append(number[text.id])
        asked = [*data.questions, *data.train]
        about = [{_document(t) for t in (*q.relevant, *q.misleads)} for q in asked]
        return cls(
            data.name,
            [(text.text, text.title) for text in data.texts],
            asked,
            [frozenset(number[t] for t in q.relevant) for q in asked],
            [frozenset(number[t] for t in q.helps) for q in asked],
            [[number[t] for t in sorted(q.misleads)] for q in asked],
            [[t for room in sorted(rooms_of) for t in rooms[room]] for rooms_of in about],
            _bare(base, [text.in_context for text in data.texts]),
            _bare(base, [q.whole for q in asked]),
        )

    def mine(self, scores: Features) -> Mined:
        """For each question the texts that score high and are wrong, given (questions, texts)."""
        ranked = np.argsort(-scores, axis=1)[:, : _NEAREST + 8]
        return [
            [int(c) for c in row if c not in right and c not in aside][:_NEAREST]
            for row, right, aside in zip(ranked, self.right, self.aside, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Step:
    """Some questions of a shelf, and the candidates among which each looks for what it wants."""

    shelf: Shelf
    chosen: list[int]
    candidates: list[int]


def train(base: SentenceBase, shelves: Sequence[Judged], recipe: Recipe, progress: Progress) -> Reader:
    """Learn from all shelves together which texts answer the questions on them.

    Raises:
        InvalidInput: fewer than two questions have an answer.
    """
    if sum(len(shelf.answerable) for shelf in shelves) < 2:
        raise InvalidInput("Hardly any question has an answer.", "Give some hundred.")
    torch.manual_seed(recipe.seed)
    learnt = [Shelf.of(base, shelf) for shelf in shelves]
    mined = {shelf.name: shelf.mine(shelf.bare_asked @ shelf.bare_texts.T) for shelf in learnt}
    reader = Reader(adapted(base.network, recipe), base.dimensions).to(base.device)
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in reader.network.parameters() if p.requires_grad], "peak": recipe.learning_rate},
            {"params": [*reader.project.parameters(), *reader.weigh.parameters()], "peak": recipe.head_learning_rate},
            {"params": [reader.mix], "peak": _MIX_RATE * recipe.head_learning_rate, "weight_decay": 0.0},
        ],
        weight_decay=0.01,
    )
    for epoch in range(recipe.epochs):
        draw = np.random.default_rng([recipe.seed, epoch])
        steps = [step for shelf in learnt for step in _steps(shelf, mined[shelf.name], recipe.batch, draw)]
        reader.train()
        losses: list[float] = []
        for n, at in enumerate(draw.permutation(len(steps))):
            done = (epoch + n / len(steps)) / recipe.epochs
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * pace(done)
            loss = _loss(base, reader, steps[at], draw)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(float(loss.detach()))
            progress(f"epoch {epoch + 1}, loss {np.mean(losses[-100:]):.3f}", done)
        if epoch + 1 < recipe.epochs:
            mined = {shelf.name: shelf.mine(scores(base, reader, shelf)) for shelf in learnt}
    return reader


def scores(base: SentenceBase, reader: Reader, shelf: Shelf) -> Features:
    """What a reader gives each text for each question: logits, (questions, texts)."""
    reader.eval()
    with torch.inference_mode():
        texts = _read(base, reader, shelf.texts)
        rows = []
        for start in range(0, len(shelf.asked), 64):
            part = slice(start, start + 64)
            asked = _read(base, reader, [(q.text, surroundings(q)) for q in shelf.asked[part]])
            bare = torch.from_numpy(shelf.bare_asked[part] @ shelf.bare_texts.T).to(base.device)
            rows.append(_score(reader, asked, texts, bare).cpu().numpy())
    return np.concatenate(rows)


def surroundings(question: Asked) -> str:
    """What is read beside a question: the customer's last messages and what else stands in this one."""
    return " ".join(part for part in (*question.thread[-2:], question.context) if part)


def _steps(shelf: Shelf, mined: Mined, size: int, draw: np.random.Generator) -> Iterator[Step]:
    """The questions of a shelf in lists: those on one document stand together, documents in any order."""
    order = draw.permutation(len(shelf.asked))
    place = {group: i for i, group in enumerate(dict.fromkeys(shelf.asked[i].group for i in order))}
    ordered = sorted(order, key=lambda i: place[shelf.asked[i].group])
    for start in range(0, len(ordered), size):
        chosen = [int(i) for i in ordered[start : start + size]]
        found: list[int] = []
        for i in chosen:
            right = sorted(shelf.right[i])
            found += [int(c) for c in draw.permutation(right)[:_OWN]]
            found += shelf.misleading[i]
        for i in chosen:
            found += [int(c) for c in draw.permutation(mined[i])[:_MINED]]
        around = list(dict.fromkeys(t for i in chosen for t in shelf.home[i]))
        found += [int(c) for c in draw.permutation(around)]
        yield Step(shelf, chosen, list(dict.fromkeys(found))[:_LIST])


def _loss(base: SentenceBase, reader: Reader, step: Step, draw: np.random.Generator) -> torch.Tensor:
    shelf, device = step.shelf, base.device
    asked = [_as_typed(shelf.asked[i], draw) for i in step.chosen]
    texts = [shelf.texts[c] for c in step.candidates]
    pooled, tokens, weights = _read(base, reader, [*asked, *texts])
    n = len(asked)
    bare = torch.from_numpy(shelf.bare_asked[step.chosen] @ shelf.bare_texts[step.candidates].T).to(device)
    found = _score(reader, (pooled[:n], tokens[:n], weights[:n]), (pooled[n:], tokens[n:], weights[n:]), bare)
    aside = torch.tensor([[c in shelf.aside[i] for c in step.candidates] for i in step.chosen], device=device)
    listed = torch.cat([found.masked_fill(aside, -1e4), torch.zeros(n, 1, device=device)], dim=1)
    wanted = [[c in shelf.right[i] for c in step.candidates] + [not shelf.right[i]] for i in step.chosen]
    return contrast(listed, torch.tensor(wanted, device=device))


Read = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def _score(reader: Reader, asked: Read, texts: Read, bare: torch.Tensor) -> torch.Tensor:
    near, by_token = asked[0] @ texts[0].T, late(asked[1], asked[2], texts[1])
    return reader.mix[0] * near + reader.mix[1] * bare + reader.mix[2] * by_token + reader.mix[3]


def _read(base: SentenceBase, reader: Reader, pairs: Sequence[Pair]) -> Read:
    """All pairs through the network, those of like length together; padded to the longest again."""
    order = sorted(range(len(pairs)), key=lambda i: len(pairs[i][0]) + len(pairs[i][1]))
    parts: list[Read] = []
    for start in range(0, len(order), _PART):
        batch = tokenized(base, [pairs[i] for i in order[start : start + _PART]])
        with torch.autocast(base.device.type, dtype=torch.bfloat16, enabled=has_bfloat16(base.device)):
            parts.append(reader(batch))
    longest = max(tokens.shape[1] for _, tokens, _ in parts)
    padded = [(p, _pad(t, longest), _pad(w[..., None], longest)[..., 0]) for p, t, w in parts]
    back = torch.tensor(np.argsort(order), device=base.device)
    pooled, tokens, weights = (torch.cat(same)[back] for same in zip(*padded, strict=True))
    return pooled, tokens, weights


def _pad(tensor: torch.Tensor, length: int) -> torch.Tensor:
    return nn.functional.pad(tensor, (0, 0, 0, length - tensor.shape[1]))


def _as_typed(question: Asked, draw: np.random.Generator) -> Pair:
    """A question as somebody might send it: now and then misspelt, or without what surrounds it."""
    text, around = question.text, surroundings(question)
    if not question.misleads and draw.random() < _ALONE:
        around = ""
    return (_misspelt(text, draw) if draw.random() < _TYPO else text), around


def _misspelt(text: str, draw: np.random.Generator) -> str:
    """The text with two letters of a longer word swapped, or one left out or doubled."""
    words = text.split(" ")
    long = [i for i, word in enumerate(words) if len(word) > 4 and word.isalpha()]
    if long:
        i = int(draw.choice(long))
        word, at = words[i], int(draw.integers(1, len(words[i]) - 1))
        slips = (
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
        )
        words[i] = slips[int(draw.integers(len(slips)))]
    return " ".join(words)


def _document(identifier: str) -> str:
    return identifier.rsplit("#", 1)[0]


def _bare(base: SentenceBase, texts: list[str]) -> Features:
    return unit(features_under(base, base.network, texts, half=True))
