"""The message tagger: a LoRA adapter on the shared encoder that marks questions, persons and postal addresses.

For each kind every token is outside (0), begins a piece (1) or continues one (2), as in named-entity tagging (Ramshaw &
Marcus 1995). "How much is it and can I pay by card" contains two questions; "When I called, nobody answered" contains
none. Viterbi decoding (1967) finds the most likely tags, with transition probabilities from the training messages.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from adapters.atomic_dir import whole
from adapters.base import SHIPPED as ENCODER
from adapters.base import Features, SentenceBase
from adapters.encoder import Encoder
from adapters.recipe import Recipe
from adapters.scrub import ADDRESS, PERSON, QUESTION, Scrubber
from adapters.trainer import save_adapter
from domains.seal import fingerprint_of
from domains.spec import IntegrityError

SHIPPED = Path(__file__).parent / "message_tagger"
KINDS = (QUESTION, PERSON, ADDRESS)
OUTSIDE, BEGINS, CONTINUES = range(3)
WINDOW = 192  # tokens read at once
_OVERLAP = 64  # tokens that two windows share; each decides about its half of them
_PART = 32  # windows that go through the network at once
# Weight of the tag transitions beside the token scores. Share of the kept messages with every question right: 0.83 with
# weight 0, 0.85 with 0.5, 0.81 with 1.
_TRANSITION_WEIGHT = 0.5

Span = tuple[int, int]  # start and end in a text, end exclusive
Marks = Mapping[str, tuple[Span, ...]]  # kind -> the pieces of a text, in their order
Tags = npt.NDArray[np.int64]


class Tagger(nn.Module):
    """The network with a linear layer over its token states, and how often a tag follows another.

    `follows` has the log-probability of a tag (column) after another (row), (kinds, 3, 3).
    """

    follows: torch.Tensor

    def __init__(self, network: nn.Module, dimensions: int) -> None:
        super().__init__()
        self.network = network
        self.head = nn.Linear(dimensions, 3 * len(KINDS))
        self.register_buffer("follows", torch.zeros(len(KINDS), 3, 3))

    def learnt(self) -> dict[str, torch.Tensor]:
        """What was learnt beside the adapter."""
        return {k: v.detach().cpu().clone() for k, v in self.state_dict().items() if not k.startswith("network.")}

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Logits of the three tags of each kind: (windows, tokens, kinds, 3)."""
        logits: torch.Tensor = self.head(self.network(**batch).last_hidden_state.float())
        return logits.view(*logits.shape[:2], len(KINDS), 3)


@dataclass(frozen=True, slots=True)
class Windows:
    """Texts as the network reads them.

    `text` has the number of each window's text, `offsets` where its tokens are in that: (windows, tokens, 2).
    """

    batch: dict[str, torch.Tensor]
    text: list[int]
    offsets: Tags


def windows(base: SentenceBase, texts: Sequence[str]) -> Windows:
    """Texts in overlapping windows; a token of no text has an empty offset.

    The tokenizer lowercases, and names are mostly capitalised: the second segment of BERT's two tells that a token is.
    """
    found = base.tokenizer(
        list(texts),
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
    capitals = [
        [texts[n][start : start + 1].isupper() for start, _ in row] for n, row in zip(text, offsets, strict=True)
    ]
    batch = dict(found)
    if "token_type_ids" in batch:  # encoders without segments cannot be told
        batch["token_type_ids"] = torch.tensor(capitals, dtype=torch.long)
    return Windows({key: value.to(base.device) for key, value in batch.items()}, text, offsets)


def mark(base: SentenceBase, tagger: Tagger, texts: Sequence[str]) -> list[Marks]:
    """What each text asks, and the persons and postal addresses that it names.

    Args:
        base: tokenizes.
        tagger: marks.
        texts: any number.
    """
    tagger.eval()
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    found: dict[int, Marks] = {}
    with torch.inference_mode():
        for start in range(0, len(order), _PART):
            chosen = order[start : start + _PART]
            found |= dict(zip(chosen, _marked(base, tagger, [texts[i] for i in chosen]), strict=True))
    return [found[i] for i in range(len(texts))]


def _marked(base: SentenceBase, tagger: Tagger, texts: Sequence[str]) -> list[Marks]:
    read = windows(base, texts)
    parts = [
        tagger({key: value[n : n + _PART] for key, value in read.batch.items()})
        for n in range(0, len(read.text), _PART)
    ]
    scores = torch.cat(parts).log_softmax(-1).cpu().numpy()
    decided: list[dict[Span, Features]] = [{} for _ in texts]
    for number, (text, offsets, row) in enumerate(zip(read.text, read.offsets, scores, strict=True)):
        continued = number > 0 and read.text[number - 1] == text
        own = [i for i, (start, end) in enumerate(offsets) if start < end]
        for i in own[_OVERLAP // 2 if continued else 0 :]:
            decided[text][int(offsets[i][0]), int(offsets[i][1])] = row[i]
    follows: Features = (_TRANSITION_WEIGHT * tagger.follows).cpu().numpy()
    return [_found(text, tokens, follows) for text, tokens in zip(texts, decided, strict=True)]


def _found(text: str, tokens: dict[Span, Features], follows: Features) -> Marks:
    """The pieces of a text.

    Args:
        text: that was tagged.
        tokens: where each token is, and the log-probabilities of its tags, (kinds, 3).
        follows: log-probability of a tag after another, (kinds, 3, 3).
    """
    order = sorted(tokens)
    if not order:
        return dict.fromkeys(KINDS, ())
    tags = _likeliest(np.stack([tokens[at] for at in order]), follows)
    return {kind: _spans(text, order, tags[:, n]) for n, kind in enumerate(KINDS)}


def _likeliest(scores: Features, follows: Features) -> Tags:
    """For each kind the sequence of tags with the highest probability: (tokens, kinds), of (tokens, kinds, 3)."""
    best, back = scores[0] + follows[:, OUTSIDE], []  # before a text is nothing
    for row in scores[1:]:
        paths = best[:, :, None] + follows  # (kinds, tag before, tag)
        back.append(paths.argmax(1))
        best = paths.max(1) + row
    tags, every = [best.argmax(1)], np.arange(scores.shape[1])
    for row in reversed(back):
        tags.append(row[every, tags[-1]])
    return np.stack(tags[::-1])


def _spans(text: str, order: Sequence[Span], tags: Tags) -> tuple[Span, ...]:
    """Where the pieces of one kind begin and end, without loose punctuation; `tags` are those of the tokens."""
    found: list[list[int]] = []
    for (start, end), tag in zip(order, tags, strict=True):
        inside_word = start > 0 and text[start - 1].isalnum() and text[start].isalnum()
        begins = tag == BEGINS and not (inside_word and found and found[-1][1] == start)
        after_mark = tag == CONTINUES and text[:start].endswith(("? ", "?\n"))  # "Is it far? Does a bus go there?"
        if begins or after_mark:
            found.append([start, end])
        elif tag != OUTSIDE and found:
            found[-1][1] = end
    trimmed = (_trimmed(text, *_whole_words(text, start, end)) for start, end in found)
    return tuple((start, end) for start, end in trimmed if any(c.isalnum() for c in text[start:end]))


def _whole_words(text: str, start: int, end: int) -> Span:
    """The span with the rest of a word that it cuts: the tokenizer knows rare names by their syllables alone."""
    while start > 0 and text[start - 1].isalnum() and text[start].isalnum():
        start -= 1
    while end < len(text) and text[end].isalnum() and text[end - 1].isalnum():
        end += 1
    return start, end


def _trimmed(text: str, start: int, end: int) -> Span:
    """Without spaces, commas, question marks or the like at either end."""
    while start < end and not (text[start].isalnum() or text[start] in "\"'“‘(<"):
        start += 1
    while start < end and text[end - 1] in " \n\t,;:-–—?¿":
        end -= 1
    return start, end


class MessageTagger:
    """A trained tagger, run by an encoder's worker.

    Args:
        encoder: shares its base and its thread, if the tagger was trained on it; otherwise the shipped one is loaded.
        folder: what `save` wrote.

    Raises:
        IntegrityError: something is missing or broken, or it was trained on neither encoder.
    """

    def __init__(self, encoder: Encoder, folder: Path = SHIPPED) -> None:
        own = _manifest(folder)["encoder"] == encoder.fingerprint
        self._encoder = encoder if own else Encoder(ENCODER)
        self.name, self._tagger = load(folder, self._encoder.base, self._encoder.merged)
        self.scrub = Scrubber(self.mark)

    def questions(self, text: str) -> tuple[Span, ...]:
        """The pieces of a text that ask, in their order."""
        return self.mark([text])[0][QUESTION]

    def mark(self, texts: Sequence[str]) -> list[Marks]:
        """See `mark`."""
        written = [n for n, text in enumerate(texts) if text.strip()]

        def compute(some: list[str]) -> list[Marks]:
            return mark(self._encoder.base, self._tagger, some)

        found = self._encoder.run((id(self), "marks"), compute, [texts[n] for n in written]) if written else []
        marked = dict(zip(written, found, strict=True))
        return [marked.get(n, dict.fromkeys(KINDS, ())) for n in range(len(texts))]


def save(tagger: Tagger, base: SentenceBase, rows: int, recipe: Recipe, folder: Path) -> str:
    """Write PEFT's layout, the head and a manifest, whole or not at all; returns the name of the tagger."""
    with whole(folder) as scratch:
        save_adapter(tagger.network, base, scratch)
        save_file(tagger.learnt(), scratch / _HEAD)
        digest = fingerprint_of((scratch / name for name in _WEIGHTS), scratch)
        name = f"messages@{digest[:12]}"
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
        raise IntegrityError(f"{folder} is not a message tagger: {str(error).splitlines()[0]}", _REMEDY) from None
    if (manifest["encoder"], manifest["sha256"]) != (base.fingerprint, found):
        raise IntegrityError(f"{folder}: the weights are not those of its manifest, or for another encoder.", _REMEDY)
    tagger.network = merged(folder)
    return str(manifest["id"]), tagger.to(base.device).eval()


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        return {name: manifest[name] for name in ("id", "encoder", "sha256")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{folder} is not a message tagger: {error}", _REMEDY) from None


_HEAD = "head.safetensors"
_WEIGHTS = ("adapter_model.safetensors", "adapter_config.json", _HEAD)
_REMEDY = "Train it with `formfact adapters train-tagger`."
