"""Training the evidence reader: lists of candidates of one organisation, of which a question wants some or none.

A step takes the questions on a few documents of one shelf and their sentences, so that nearly every candidate is about
the same matter, and adds those that the reader itself ranks high and wrong. What only helps is left out of the list: it
is neither right nor wrong. Learnt by a softmax over the list (listwise: Cao et al. 2007), with "none of these" in it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from adapters.base import Features, SentenceBase, has_bfloat16
from adapters.checkpoint import Progressed, restore, store
from adapters.data.judged import JudgedQuestion, JudgedSet
from adapters.evidence import EvidenceNetwork, Pair, Read, late, restart, tokenized
from adapters.recipe import Recipe
from adapters.trainer import adapted, pace
from domains.spec import InvalidInput

RECIPE = Recipe(epochs=3, batch=64, learning_rate=5e-4, head_learning_rate=2e-3, dropout=0.0)
_KEPT = 10  # one question in so many is kept to calibrate with
_LIST = 112  # candidates of a step
_OWN, _MINED, _NEAREST = 2, 2, 12  # right texts a question in a list; wrong ones, drawn among so many nearest
_LOOKED_AT = 48  # nearest texts of a question, of which the wrong ones are mined
_MINED_AMONG = 3000  # at most so many texts per shelf are searched for hard negatives, each epoch
_ASKED = 32  # questions that are ranked at once
_PART = 32  # texts that go through the network at once: short ones need not wait for the longest
_ALONE = 0.3  # share of questions that are read without what surrounds them, where nothing turns on it
_TYPO = 0.15  # share of questions in which a word is misspelt
_KNOWN = 0.25  # share of questions that get a customer record, among those that do not depend on one
_MIX_RATE = 10  # times the rate of the heads: these few numbers are far from zero

Progress = Callable[[str, float], None]  # what is being done, share done 0..1
Numbers = npt.NDArray[np.int64]
Mined = list[list[int]]  # for each question texts that are near and wrong, nearest first


@dataclass(frozen=True, slots=True)
class TrainingCorpus:
    """The texts of one organisation and the questions on them, as numbers."""

    name: str
    texts: list[Pair]
    asked: list[JudgedQuestion]
    right: list[frozenset[int]]
    aside: list[frozenset[int]]  # what helps
    misleading: list[list[int]]
    home: list[list[int]]  # for each question the texts of the documents that it is about

    @classmethod
    def of(cls, data: JudgedSet, asked: Sequence[JudgedQuestion]) -> TrainingCorpus:
        """Number the texts."""
        number = {text.id: i for i, text in enumerate(data.texts)}
        rooms: dict[str, list[int]] = {}
        for text in data.texts:
            rooms.setdefault(_document(text.id), []).append(number[text.id])
        about = [{_document(t) for t in (*q.relevant, *q.misleads)} for q in asked]
        return cls(
            data.name,
            [(text.text, text.title) for text in data.texts],
            list(asked),
            [frozenset(number[t] for t in q.relevant) for q in asked],
            [frozenset(number[t] for t in q.helps) for q in asked],
            [[number[t] for t in sorted(q.misleads)] for q in asked],
            [[t for room in sorted(rooms_of) for t in rooms[room]] for rooms_of in about],
        )

    def mine(self, best: Numbers) -> Mined:
        """For each question the texts that rank high and are wrong, given those that do, (questions, texts)."""
        return [
            [int(c) for c in row if c not in right and c not in aside][:_NEAREST]
            for row, right, aside in zip(best, self.right, self.aside, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Step:
    """Some questions of a shelf, and the candidates among which each looks for what it wants."""

    shelf: TrainingCorpus
    chosen: list[int]
    candidates: list[int]


def parted(data: JudgedSet) -> tuple[list[JudgedQuestion], list[JudgedQuestion]]:
    """The questions to learn from, and the tenth that is kept to calibrate with; by their names, so always the same."""
    asked = [*data.questions, *data.train]
    kept = [zlib.crc32(question.id.encode()) % _KEPT == 0 for question in asked]
    learnt = [q for q, k in zip(asked, kept, strict=True) if not k]
    return learnt, [q for q, k in zip(asked, kept, strict=True) if k]


def train(
    base: SentenceBase,
    shelves: Sequence[JudgedSet],
    recipe: Recipe,
    progress: Progress,
    checkpoint: Path | None = None,
    start: Path | None = None,
    records: Sequence[str] = (),
) -> EvidenceNetwork:
    """Learn from all shelves together which texts answer the questions on them.

    Args:
        base: what is adapted; it stays as it is.
        shelves: texts and questions.
        recipe: settings.
        progress: told what is being done.
        checkpoint: a file in which each finished epoch is kept, and from which a training goes on.
        start: folder of a reader on the same encoder to start from; None: from the bare encoder.
        records: customer records as text. They are added at random to questions that do not depend on one, so that the
            reader learns to ignore irrelevant details.

    Raises:
        InvalidInput: fewer than two questions have an answer, or the recipe does not fit the reader to start from.
        IntegrityError: see `adapters.evidence.load`.
        Conflict: the checkpoint is of another training.
    """
    if sum(bool(q.relevant) for data in shelves for q in parted(data)[0]) < 2:
        raise InvalidInput("Hardly any question has an answer.", "Give some hundred.")
    torch.manual_seed(recipe.seed)
    learning = _Learning(base, recipe, [TrainingCorpus.of(data, parted(data)[0]) for data in shelves], start, records)
    trained: dict[str, torch.Tensor] = {name: p for name, p in learning.reader.named_parameters() if p.requires_grad}
    at = Progressed.fresh(trained)
    of = f"{base.fingerprint} {_sum_of(shelves)} {start} {asdict(recipe)}"
    if checkpoint and checkpoint.is_file():
        at = restore(checkpoint, of, trained, at.best, learning.optimizer)
    for epoch in range(at.epoch, recipe.epochs):
        learning.epoch(epoch, progress)
        at = at.after(0.0, trained)
        if checkpoint:
            store(checkpoint, of, at, trained, at.best, learning.optimizer)
    return learning.reader


class _Learning:
    """A reader in training, and what it learns from."""

    def __init__(
        self,
        base: SentenceBase,
        recipe: Recipe,
        shelves: Sequence[TrainingCorpus],
        start: Path | None,
        records: Sequence[str],
    ) -> None:
        self.base, self.recipe, self.shelves, self.records = base, recipe, shelves, records
        self.reader = EvidenceNetwork(adapted(base.network, recipe), base.dimensions).to(base.device)
        if start:
            restart(self.reader, base, start)
        heads, mix = [*self.reader.project.parameters(), *self.reader.weigh.parameters()], [self.reader.mix]
        adapter = [p for p in self.reader.network.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": adapter, "peak": recipe.learning_rate},
                {"params": heads, "peak": recipe.head_learning_rate},
                {"params": mix, "peak": _MIX_RATE * recipe.head_learning_rate, "weight_decay": 0.0},
            ],
            weight_decay=0.01,
        )

    def epoch(self, number: int, progress: Progress) -> None:
        """Mine wrong texts by what is known so far, and go through all questions once."""
        torch.manual_seed(self.recipe.seed * 1000 + number)
        draw = np.random.default_rng([self.recipe.seed, number])
        steps = [
            step
            for shelf in self.shelves
            for step in _steps(shelf, shelf.mine(self._nearest(shelf, draw)), self.recipe.batch, draw)
        ]
        self.reader.train()
        losses: list[float] = []
        for n, at in enumerate(draw.permutation(len(steps))):
            done = (number + n / len(steps)) / self.recipe.epochs
            for group in self.optimizer.param_groups:
                group["lr"] = group["peak"] * pace(done)
            with _half(self.base):
                loss = self._loss(steps[at], draw)
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            losses.append(float(loss.detach()))
            progress(f"epoch {number + 1}, loss {np.mean(losses[-100:]):.3f}", done)

    def _loss(self, step: Step, draw: np.random.Generator) -> torch.Tensor:
        shelf, reader, device = step.shelf, self.reader, self.base.device
        asked = [_as_sent(shelf.asked[i], self.records, draw) for i in step.chosen]
        texts = [shelf.texts[c] for c in step.candidates]
        n, whole = len(asked), _read(self.base, reader, [*asked, *texts])
        questions, candidates = Read(*(part[:n] for part in whole)), Read(*(part[n:] for part in whole))
        found = reader.score(questions.pooled @ candidates.pooled.T, *late(questions, candidates))
        aside = torch.tensor([[c in shelf.aside[i] for c in step.candidates] for i in step.chosen], device=device)
        listed = torch.cat([found.masked_fill(aside, -1e4), torch.zeros(n, 1, device=device)], dim=1)
        wanted = [[c in shelf.right[i] for c in step.candidates] + [not shelf.right[i]] for i in step.chosen]
        return contrast(listed, torch.tensor(wanted, device=device))

    def _nearest(self, shelf: TrainingCorpus, draw: np.random.Generator) -> Numbers:
        """The texts near each question by what is known so far; of very many texts some are drawn."""
        among = np.sort(draw.permutation(len(shelf.texts))[:_MINED_AMONG])
        return ranked(self.base, self.reader, shelf, _LOOKED_AT, among)[0]


def ranked(
    base: SentenceBase, reader: EvidenceNetwork, shelf: TrainingCorpus, most: int, among: Numbers | None = None
) -> tuple[Numbers, Features]:
    """The best texts for each question, best first, and their logits: both (questions, most or all texts).

    Token by token are compared only those that the pooled vectors put among the first `most`.

    Args:
        base: tokenizes.
        reader: judges.
        shelf: questions and texts.
        most: texts a question.
        among: numbers of the texts that are looked at; None: all.
    """
    reader.eval()
    looked_at = np.arange(len(shelf.texts)) if among is None else among
    numbers, logits = [], []
    with torch.inference_mode(), _half(base):
        texts = _read(base, reader, [shelf.texts[i] for i in looked_at])
        for start in range(0, len(shelf.asked), _ASKED):
            asked = _read(base, reader, [(q.text, q.surroundings) for q in shelf.asked[start : start + _ASKED]])
            near = asked.pooled @ texts.pooled.T
            first = near.topk(min(most, near.shape[1])).indices
            compared = late(asked, Read(*(part[first] for part in texts)))
            found = reader.score(near.gather(1, first), *compared)  # (questions, most)
            scores, order = found.sort(dim=1, descending=True)
            numbers.append(looked_at[first.gather(1, order).cpu().numpy()])
            logits.append(scores.float().cpu().numpy())
    return np.concatenate(numbers), np.concatenate(logits)


def contrast(scores: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Mean negative log-probability that a softmax over the candidates gives to any wanted one.

    Args:
        scores: (questions, candidates).
        wanted: (questions, candidates), at least one true in each row.
    """
    right = torch.logsumexp(scores.masked_fill(~wanted, -torch.inf), dim=1)
    return (torch.logsumexp(scores, dim=1) - right).mean()


def _steps(shelf: TrainingCorpus, mined: Mined, size: int, draw: np.random.Generator) -> Iterator[Step]:
    """The questions of a shelf in lists: those on one document stand together, documents in any order."""
    order = draw.permutation(len(shelf.asked))
    place = {group: i for i, group in enumerate(dict.fromkeys(shelf.asked[i].group for i in order))}
    ordered = sorted(order, key=lambda i: place[shelf.asked[i].group])
    for start in range(0, len(ordered), size):
        chosen = [int(i) for i in ordered[start : start + size]]
        right = [int(c) for i in chosen for c in draw.permutation(sorted(shelf.right[i]))[:_OWN]]
        wrong = [c for i in chosen for c in shelf.misleading[i]]
        for i in chosen:
            wrong += [int(c) for c in draw.permutation(mined[i])[:_MINED]]
        around = list(dict.fromkeys(t for i in chosen for t in shelf.home[i]))
        wrong = [int(c) for c in draw.permutation(wrong)]  # what is cut off is any question's
        candidates = list(dict.fromkeys([*right, *wrong, *(int(c) for c in draw.permutation(around))]))
        yield Step(shelf, chosen, candidates[: max(_LIST, len(set(right)))])


def _half(base: SentenceBase) -> torch.autocast:
    """In bfloat16 where the processor has it; one block a step, so that the weights are cast once."""
    return torch.autocast(base.device.type, dtype=torch.bfloat16, enabled=has_bfloat16(base.device))


def _read(base: SentenceBase, reader: EvidenceNetwork, pairs: Sequence[Pair]) -> Read:
    """All pairs through the network, those of like length together; padded to the longest again."""
    order = sorted(range(len(pairs)), key=lambda i: len(pairs[i][0]) + len(pairs[i][1]))
    parts: list[Read] = []
    for start in range(0, len(order), _PART):
        parts.append(reader(tokenized(base, [pairs[i] for i in order[start : start + _PART]])))
    longest = max(part.tokens.shape[1] for part in parts)
    padded = [(p, _pad(t, longest), *(_pad(w[..., None], longest)[..., 0] for w in ws)) for p, t, *ws in parts]
    back = torch.tensor(np.argsort(order), device=base.device)
    return Read(*(torch.cat(same)[back] for same in zip(*padded, strict=True)))


def _pad(tensor: torch.Tensor, length: int) -> torch.Tensor:
    return nn.functional.pad(tensor, (0, 0, 0, length - tensor.shape[1]))


def _as_sent(question: JudgedQuestion, records: Sequence[str], draw: np.random.Generator) -> Pair:
    """A question as somebody might send it: now and then misspelt, with a customer record, or with nothing around."""
    text, around = question.text, question.surroundings
    if not question.misleads:
        around = "" if draw.random() < _ALONE else around
        if records and draw.random() < _KNOWN:
            around = f"{draw.choice(records)} {around}".strip()
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


def _sum_of(shelves: Sequence[JudgedSet]) -> int:
    """A checksum over all that is learnt from."""
    found = 0
    for shelf in shelves:
        plain = [asdict(text) for text in shelf.texts] + [asdict(q) for q in (*shelf.questions, *shelf.train)]
        found = zlib.crc32(json.dumps(plain, default=sorted).encode(), found)
    return found


def _document(identifier: str) -> str:
    return identifier.rsplit("#", 1)[0]
