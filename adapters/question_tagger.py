"""The question tagger: a LoRA adapter on the shared encoder that marks the pieces of a message that ask for something.

Each token is outside (0), begins a question (1) or continues one (2), as in named-entity tagging (Ramshaw & Marcus
1995). "How much is it and can I pay by card" contains two questions; "When I called, nobody answered" contains none.
Viterbi decoding (1967) finds the most likely tag sequence, with transition probabilities from the training messages.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
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

SHIPPED = Path(__file__).parent / "question_tagger"
OUTSIDE, BEGINS, CONTINUES = range(3)
WINDOW = 192  # tokens read at once
_OVERLAP = 64  # tokens that two windows share; each decides about its half of them
# Weight of the tag transitions beside the token scores. Share of the kept messages with every question right: 0.83 with
# weight 0, 0.85 with 0.5, 0.81 with 1.
_TRANSITION_WEIGHT = 0.5
_LONGEST = 20_000  # characters of a message; what follows is not searched for questions

Span = tuple[int, int]  # start and end in a text, end exclusive
Tags = npt.NDArray[np.int64]


class Tagger(nn.Module):
    """The network with a linear layer over its token states, and how often a tag follows another.

    `follows` has the log-probability of a tag (column) after another (row), (3, 3).
    """

    follows: torch.Tensor

    def __init__(self, network: nn.Module, dimensions: int) -> None:
        super().__init__()
        self.network = network
        self.head = nn.Linear(dimensions, 3)
        self.register_buffer("follows", torch.zeros(3, 3))

    def learnt(self) -> dict[str, torch.Tensor]:
        """What was learnt beside the adapter."""
        return {k: v.detach().cpu().clone() for k, v in self.state_dict().items() if not k.startswith("network.")}

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Logits of the three tags: (windows, tokens, 3)."""
        logits: torch.Tensor = self.head(self.network(**batch).last_hidden_state.float())
        return logits


@dataclass(frozen=True, slots=True)
class Windows:
    """Texts as the network reads them.

    `text` has the number of each window's text, `offsets` where its tokens are in that: (windows, tokens, 2).
    """

    batch: dict[str, torch.Tensor]
    text: list[int]
    offsets: Tags


def windows(base: SentenceBase, texts: Sequence[str]) -> Windows:
    """Texts in overlapping windows; a token of no text has an empty offset."""
    found = base.tokenizer(
        [text[:_LONGEST] for text in texts],
        padding=True,
        truncation=True,
        max_length=WINDOW,
        stride=_OVERLAP,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_tensors="pt",
    )
    offsets = found.pop("offset_mapping").numpy()
    text = [int(n) for n in found.pop("overflow_to_sample_mapping")]
    return Windows({key: value.to(base.device) for key, value in found.items()}, text, offsets)


def find_questions(base: SentenceBase, tagger: Tagger, texts: Sequence[str]) -> list[tuple[Span, ...]]:
    """The pieces of each text that ask, in their order."""
    tagger.eval()
    read = windows(base, texts)
    with torch.inference_mode():
        scores = tagger(read.batch).log_softmax(2).cpu().numpy()
    decided: list[dict[Span, Features]] = [{} for _ in texts]
    for number, (text, offsets, row) in enumerate(zip(read.text, read.offsets, scores, strict=True)):
        continued = number > 0 and read.text[number - 1] == text
        own = [i for i, (start, end) in enumerate(offsets) if start < end]
        for i in own[_OVERLAP // 2 if continued else 0 :]:
            decided[text][int(offsets[i][0]), int(offsets[i][1])] = row[i]
    follows: Features = (_TRANSITION_WEIGHT * tagger.follows).cpu().numpy()
    return [_spans(text, tokens, follows) for text, tokens in zip(texts, decided, strict=True)]


def _spans(text: str, tokens: dict[Span, Features], follows: Features) -> tuple[Span, ...]:
    """Where questions begin and end, without loose punctuation.

    Args:
        text: that was tagged.
        tokens: where each token is, and the log-probabilities of its tags, (3,).
        follows: log-probability of a tag after another, (3, 3).
    """
    order = sorted(tokens)
    found: list[list[int]] = []
    for (start, end), tag in zip(order, _likeliest([tokens[at] for at in order], follows), strict=True):
        inside_word = start > 0 and text[start - 1].isalnum() and text[start].isalnum()
        begins = tag == BEGINS and not (inside_word and found and found[-1][1] == start)
        after_mark = tag == CONTINUES and text[:start].endswith(("? ", "?\n"))  # "Is it far? Does a bus go there?"
        if begins or after_mark:
            found.append([start, end])
        elif tag != OUTSIDE and found:
            found[-1][1] = end
    trimmed = (_trimmed(text, start, end) for start, end in found)
    return tuple((start, end) for start, end in trimmed if any(c.isalnum() for c in text[start:end]))


def _likeliest(scores: Sequence[Features], follows: Features) -> list[int]:
    """The sequence of tags with the highest probability."""
    if not scores:
        return []
    best, back = scores[0] + follows[OUTSIDE], []  # before a text is nothing
    for row in scores[1:]:
        paths = best[:, None] + follows  # (tag before, tag)
        back.append(paths.argmax(0))
        best = paths.max(0) + row
    tags = [int(best.argmax())]
    for row in reversed(back):
        tags.append(int(row[tags[-1]]))
    return tags[::-1]


def _trimmed(text: str, start: int, end: int) -> Span:
    """Without spaces, commas, question marks or the like at either end."""
    while start < end and not (text[start].isalnum() or text[start] in "\"'“‘(<"):
        start += 1
    while start < end and text[end - 1] in " \n\t,;:-–—?¿":
        end -= 1
    return start, end


def is_trained_for(encoder: Encoder, folder: Path = SHIPPED) -> bool:
    """Whether a tagger in a folder was trained on an encoder.

    Raises:
        IntegrityError: its manifest is missing or broken.
    """
    return bool(_manifest(folder)["encoder"] == encoder.fingerprint)


class QuestionTagger:
    """A trained tagger, run by the encoder's worker.

    Args:
        encoder: shares its base and its thread.
        folder: what `save` wrote.

    Raises:
        IntegrityError: something is missing or broken, or it was trained on another encoder.
    """

    def __init__(self, encoder: Encoder, folder: Path = SHIPPED) -> None:
        self._encoder = encoder
        self.name, self._tagger = load(folder, encoder.base, encoder.merged)

    def __call__(self, text: str) -> tuple[Span, ...]:
        """The pieces of a text that ask, in their order."""
        if not text.strip():
            return ()

        def compute(texts: list[str]) -> list[tuple[Span, ...]]:
            return find_questions(self._encoder.base, self._tagger, texts)

        (found,) = self._encoder.run((id(self), "questions"), compute, [text])
        return tuple(found)


def save(tagger: Tagger, base: SentenceBase, rows: int, recipe: Recipe, folder: Path) -> str:
    """Write PEFT's layout, the head and a manifest, whole or not at all; returns the name of the tagger."""
    with whole(folder) as scratch:
        save_adapter(tagger.network, base, scratch)
        save_file(tagger.learnt(), scratch / _HEAD)
        digest = fingerprint_of((scratch / name for name in _WEIGHTS), scratch)
        name = f"questions@{digest[:12]}"
        manifest = {
            "id": name,
            "encoder": base.fingerprint,
            "messages": rows,
            "recipe": asdict(recipe),
            "sha256": digest,
        }
        (scratch / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return name


def load(folder: Path, base: SentenceBase, merged: Callable[[Path], nn.Module]) -> tuple[str, Tagger]:
    """The name of a tagger, and itself, as it was saved.

    Raises:
        IntegrityError: something is missing or broken, or it was trained on another encoder.
    """
    manifest = _manifest(folder)
    try:
        head, found = load_file(folder / _HEAD), fingerprint_of((folder / name for name in _WEIGHTS), folder)
        tagger = Tagger(nn.Identity(), base.dimensions)
        tagger.load_state_dict(head)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise IntegrityError(f"{folder} is not a question tagger: {str(error).splitlines()[0]}", _REMEDY) from None
    if (manifest["encoder"], manifest["sha256"]) != (base.fingerprint, found):
        raise IntegrityError(f"{folder}: the weights are not those of its manifest, or for another encoder.", _REMEDY)
    tagger.network = merged(folder)
    return str(manifest["id"]), tagger.to(base.device).eval()


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        return {name: manifest[name] for name in ("id", "encoder", "sha256")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{folder} is not a question tagger: {error}", _REMEDY) from None


_HEAD = "head.safetensors"
_WEIGHTS = ("adapter_model.safetensors", "adapter_config.json", _HEAD)
_REMEDY = "Train it with `formfact adapters train-questions`."
