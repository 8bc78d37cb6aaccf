"""Training the question tagger on messages whose questions somebody marked.

A line of `data/questions/*.jsonl` (`asks` holds pieces of the body, word for word and in their order):

    {"id": "m1-014", "subject": "parking", "body": "hi, is there parking n how much is it per day? thx",
     "asks": ["is there parking", "how much is it per day"]}
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from adapters.base import SentenceBase, has_bfloat16
from adapters.data.judged import json_lines
from adapters.question_tagger import BEGINS, CONTINUES, OUTSIDE, Span, Tagger, find_questions, windows
from adapters.recipe import Recipe
from adapters.trainer import adapted, batches_of_like_length, pace
from domains.spec import InvalidInput

RECIPE = Recipe(epochs=6, batch=16, learning_rate=1e-3, head_learning_rate=2e-3, dropout=0.05)
DATA = Path(__file__).parent / "data" / "questions"
_HELD_OUT = 6  # one message in so many is kept to measure with
_UNMARKED = 0.25  # share of messages that are read without question marks
_NOT_A_TAG = -100  # cross-entropy leaves it out

Progress = Callable[[str, float], None]  # what is being done, share done 0..1


@dataclass(frozen=True, slots=True)
class Message:
    """A message, and where its questions are."""

    id: str
    body: str
    asks: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Quality:
    """How well questions are found, as shares 0..1; a question is found if both marks share half of their length."""

    messages: int
    precision: float
    recall: float
    whole: float  # share of messages in which each question is found and nothing else


def read_messages(path: Path) -> list[Message]:
    """The messages of a file.

    Raises:
        InvalidInput: a line lacks something, or a marked piece is not in its message.
    """
    found = []
    for row in json_lines(path, ("id", "body", "asks")):
        spans, at = [], 0
        for piece in row["asks"]:
            if (start := row["body"].find(piece, at)) < 0 or not piece:
                raise InvalidInput(f"{path}: {row['id']}: {piece[:60]!r} is not in the body, or not in this order.")
            at = start + len(piece)
            spans.append((start, at))
        found.append(Message(row["id"], row["body"], tuple(spans)))
    return found


def split(messages: Sequence[Message]) -> tuple[list[Message], list[Message]]:
    """The messages to learn from, and those that are kept to measure with; by their names, so always the same."""
    kept = [zlib.crc32(message.id.encode()) % _HELD_OUT == 0 for message in messages]
    return (
        [m for m, k in zip(messages, kept, strict=True) if not k],
        [m for m, k in zip(messages, kept, strict=True) if k],
    )


def train(base: SentenceBase, messages: Sequence[Message], recipe: Recipe, progress: Progress) -> Tagger:
    """Learn where questions begin and end.

    Args:
        base: what is adapted; it stays as it is.
        messages: to learn from.
        recipe: settings.
        progress: called with a description and the share done, 0..1.
    """
    torch.manual_seed(recipe.seed)
    draw = np.random.default_rng(recipe.seed)
    tagger = Tagger(adapted(base.network, recipe), base.dimensions).to(base.device)
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in tagger.network.parameters() if p.requires_grad], "peak": recipe.learning_rate},
            {"params": list(tagger.head.parameters()), "peak": recipe.head_learning_rate},
        ],
        weight_decay=0.01,
    )
    tagger.follows.copy_(_transitions(base, messages))
    lengths = [len(message.body) for message in messages]
    steps = [b for _ in range(recipe.epochs) for b in batches_of_like_length(lengths, recipe.batch, draw)]
    losses: list[float] = []
    tagger.train()
    for n, batch in enumerate(steps):
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * pace(n / len(steps))
        loss = _loss(base, tagger, [_as_typed(messages[i], draw) for i in batch])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
        progress(f"Learning, loss {np.mean(losses[-50:]):.3f}", n / len(steps))
    return tagger


def measure(find: Callable[[str], Sequence[Span]], messages: Sequence[Message]) -> Quality:
    """How well questions are found in messages that nothing was learnt from."""
    right = wanted = given = whole = 0
    for message in messages:
        found = find(message.body)
        matched = sum(any(_same(span, other) for other in found) for span in message.asks)
        right, wanted, given = right + matched, wanted + len(message.asks), given + len(found)
        whole += matched == len(message.asks) == len(found)
    return Quality(len(messages), right / max(given, 1), right / max(wanted, 1), whole / max(len(messages), 1))


def found_by(base: SentenceBase, tagger: Tagger) -> Callable[[str], Sequence[Span]]:
    """A tagger that was just trained, as `measure` asks it."""
    return lambda text: find_questions(base, tagger, [text])[0]


def _same(one: Span, other: Span) -> bool:
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return shared * 2 >= max(one[1], other[1]) - min(one[0], other[0])


def _as_typed(message: Message, draw: np.random.Generator) -> Message:
    """Now and then a message without its question marks: the words must do."""
    if draw.random() >= _UNMARKED:
        return message
    return Message(message.id, message.body.replace("?", " "), message.asks)


def _loss(base: SentenceBase, tagger: Tagger, batch: Sequence[Message]) -> torch.Tensor:
    read = windows(base, [message.body for message in batch])
    tags = [_tags(batch[text].asks, offsets) for text, offsets in zip(read.text, read.offsets, strict=True)]
    half = torch.autocast(base.device.type, dtype=torch.bfloat16, enabled=has_bfloat16(base.device))
    with half:
        logits = tagger(read.batch)
    wanted = torch.tensor(tags, device=base.device)
    return nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=_NOT_A_TAG)


def _transitions(base: SentenceBase, messages: Sequence[Message]) -> torch.Tensor:
    """The log-probability of a tag (column) after another, (3, 3); a question that nothing begins is impossible."""
    counts = torch.ones(3, 3)
    read = windows(base, [message.body for message in messages])
    for text, offsets in zip(read.text, read.offsets, strict=True):
        tags = [OUTSIDE, *(tag for tag in _tags(messages[text].asks, offsets) if tag != _NOT_A_TAG)]
        for before, after in itertools.pairwise(tags):
            counts[before, after] += 1
    counts[OUTSIDE, CONTINUES] = 0
    return (counts / counts.sum(1, keepdim=True)).log()


def _tags(asks: Sequence[Span], offsets: np.ndarray) -> list[int]:
    """The tag of each token of a window."""
    tags, begun = [], set()
    for start, end in offsets.tolist():
        inside = next((n for n, (a, b) in enumerate(asks) if start < b and a < end), None)
        if start == end:
            tags.append(_NOT_A_TAG)
        elif inside is None:
            tags.append(OUTSIDE)
        else:
            tags.append(CONTINUES if inside in begun or asks[inside][0] < start else BEGINS)
            begun.add(inside)
    return tags
