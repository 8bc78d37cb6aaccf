r"""Training the message tagger on messages in which somebody marked what is asked, or who and which address is named.

Lines of `data/messages/*.jsonl`; a list holds pieces of the body, word for word and in their order, and what a line
lacks is not marked in it:

    {"id": "m1-014", "subject": "parking", "body": "hi, is there parking n how much is it per day? thx",
     "asks": ["is there parking", "how much is it per day"]}
    {"id": "pb-003", "body": "Invoices should go to\n18 Foundry Lane\nSheffield\nPlease confirm.\nJo Vos",
     "persons": ["Jo Vos"], "addresses": ["18 Foundry Lane\nSheffield"]}
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from adapters.base import SentenceBase, has_bfloat16
from adapters.data.judged import json_lines
from adapters.message_tagger import BEGINS, CONTINUES, KINDS, OUTSIDE, Marks, Span, Tagger, Tags, mark, windows
from adapters.recipe import Recipe
from adapters.scrub import ADDRESS, PERSON, QUESTION
from adapters.trainer import adapted, batches_of_like_length, pace
from domains.spec import InvalidInput

RECIPE = Recipe(epochs=8, batch=16, learning_rate=1e-3, head_learning_rate=2e-3, dropout=0.05)
DATA = Path(__file__).parent / "data" / "messages"
_HELD_OUT = 6  # one message in so many is kept to measure with
_UNMARKED = 0.25  # share of messages that are read without question marks
_LOWER_CASE = 0.1  # … without capitals
_FIELDS = {QUESTION: "asks", PERSON: "persons", ADDRESS: "addresses"}
_NOT_A_TAG = -100  # cross-entropy leaves it out

Progress = Callable[[str, float], None]  # what is being done, share done 0..1


@dataclass(frozen=True, slots=True)
class TrainingMessage:
    """A message, and where the pieces of each kind are that somebody looked for."""

    id: str
    body: str
    marks: Marks


@dataclass(frozen=True, slots=True)
class Quality:
    """How well pieces of a kind are found, as shares 0..1; one is found if both marks share half of their length."""

    messages: int
    precision: float
    recall: float
    whole: float  # share of messages in which each piece is found and nothing else


def read_messages(path: Path) -> list[TrainingMessage]:
    """The messages of a file.

    Raises:
        InvalidInput: a line lacks something, or a marked piece is not in its message.
    """
    found = []
    for row in json_lines(path, ("id", "body")):
        marks = {kind: _found(row, row[name], path) for kind, name in _FIELDS.items() if name in row}
        found.append(TrainingMessage(row["id"], row["body"], marks))
    return found


def _found(row: dict[str, Any], pieces: Sequence[str], path: Path) -> tuple[Span, ...]:
    spans, at = [], 0
    for piece in pieces:
        if (start := row["body"].find(piece, at)) < 0 or not piece:
            raise InvalidInput(f"{path}: {row['id']}: {piece[:60]!r} is not in the body, or not in this order.")
        at = start + len(piece)
        spans.append((start, at))
    return tuple(spans)


def split(messages: Sequence[TrainingMessage]) -> tuple[list[TrainingMessage], list[TrainingMessage]]:
    """The messages to learn from, and those that are kept to measure with; by their names, so always the same."""
    kept = [zlib.crc32(message.id.encode()) % _HELD_OUT == 0 for message in messages]
    return (
        [m for m, k in zip(messages, kept, strict=True) if not k],
        [m for m, k in zip(messages, kept, strict=True) if k],
    )


def train(base: SentenceBase, messages: Sequence[TrainingMessage], recipe: Recipe, progress: Progress) -> Tagger:
    """Learn where the pieces of each kind begin and end.

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


def measure(find: Callable[[str], Marks], messages: Sequence[TrainingMessage], kind: str) -> Quality:
    """How well pieces of a kind are found in messages that nothing was learnt from."""
    right = wanted = given = whole = 0
    looked_at = [message for message in messages if kind in message.marks]
    for message in looked_at:
        found, marked = find(message.body)[kind], message.marks[kind]
        matched = sum(any(_same(span, other) for other in found) for span in marked)
        right, wanted, given = right + matched, wanted + len(marked), given + len(found)
        whole += matched == len(marked) == len(found)
    return Quality(len(looked_at), right / max(given, 1), right / max(wanted, 1), whole / max(len(looked_at), 1))


def found_by(base: SentenceBase, tagger: Tagger) -> Callable[[str], Marks]:
    """A tagger that was just trained, as `measure` asks it."""
    return lambda text: mark(base, tagger, [text])[0]


def _same(one: Span, other: Span) -> bool:
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return shared * 2 >= max(one[1], other[1]) - min(one[0], other[0])


def _as_typed(message: TrainingMessage, draw: np.random.Generator) -> TrainingMessage:
    """Now and then a message without its question marks or without capitals: the words must do."""
    body = message.body.replace("?", " ") if draw.random() < _UNMARKED else message.body
    lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in body)  # as long as it was
    return replace(message, body=lower if draw.random() < _LOWER_CASE else body)


def _loss(base: SentenceBase, tagger: Tagger, batch: Sequence[TrainingMessage]) -> torch.Tensor:
    read = windows(base, [message.body for message in batch])
    tags = [_tags(batch[text], offsets) for text, offsets in zip(read.text, read.offsets, strict=True)]
    half = torch.autocast(base.device.type, dtype=torch.bfloat16, enabled=has_bfloat16(base.device))
    with half:
        logits = tagger(read.batch)
    wanted = torch.tensor(np.array(tags), device=base.device)
    return nn.functional.cross_entropy(logits.flatten(0, 2), wanted.flatten(), ignore_index=_NOT_A_TAG)


def _transitions(base: SentenceBase, messages: Sequence[TrainingMessage]) -> torch.Tensor:
    """For each kind the log-probability of a tag (column) after another, (kinds, 3, 3).

    A piece that nothing begins is impossible.
    """
    counts = torch.ones(len(KINDS), 3, 3)
    read = windows(base, [message.body for message in messages])
    for text, offsets in zip(read.text, read.offsets, strict=True):
        for n, column in enumerate(_tags(messages[text], offsets).T):
            tags = [OUTSIDE, *(tag for tag in column if tag != _NOT_A_TAG)]
            for before, after in itertools.pairwise(tags):
                counts[n, before, after] += 1
    counts[:, OUTSIDE, CONTINUES] = 0
    return (counts / counts.sum(2, keepdim=True)).log()


def _tags(message: TrainingMessage, offsets: np.ndarray) -> Tags:
    """The tag of each token of a window for each kind: (tokens, kinds)."""
    tags = np.full((len(offsets), len(KINDS)), _NOT_A_TAG)
    for n, kind in enumerate(KINDS):
        begun = set()
        for at, (start, end) in enumerate(offsets.tolist() if kind in message.marks else ()):
            if start == end:
                continue
            pieces = message.marks[kind]
            inside = next((i for i, (a, b) in enumerate(pieces) if start < b and a < end), None)
            if inside is None:
                tags[at, n] = OUTSIDE
            else:
                tags[at, n] = CONTINUES if inside in begun or pieces[inside][0] < start else BEGINS
                begun.add(inside)
    return tags
