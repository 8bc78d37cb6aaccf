"""The optimisation: a network, adapted by LoRA or in full, and a linear head a field, by cross-entropy.

LoRA (Hu et al. 2021) on every linear layer, the base's own pooling, fresh heads, label smoothing, optionally a
supervised contrastive loss and a moving average of the weights. Heads are not started from a linear probe: a head that
fits its few rows already leaves the encoder nothing to learn. Seeded: the order of rows and the dropout of an epoch
follow from the seed and its number alone, so that a training that was cut off goes on to the same figures.
"""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from safetensors.numpy import save_file
from sklearn.metrics import f1_score
from torch import nn

from adapters.base import Base, Features, features_under, has_bfloat16
from adapters.checkpoint import Progressed, restore, store
from adapters.data.rows import Fields, Row, targets
from adapters.heads import Heads
from adapters.model import Logits
from adapters.recipe import Recipe

Progress = Callable[[str, float], None]  # what is being done, share done 0..1
Weights = dict[str, Features]

_WARM_UP = 0.06  # share of the steps over which the learning rate rises
_CONTRAST_TEMPERATURE = 0.07  # Khosla et al. 2020


class Trainer:
    """One training.

    Args:
        base: what is adapted; it stays as it is.
        fields: field -> label names, in the order of the logits.
        train: rows to learn from.
        validation: rows by which epochs are chosen; empty: the last epoch is taken.
        recipe: settings.
    """

    def __init__(
        self, base: Base, fields: Fields, train: Sequence[Row], validation: Sequence[Row], recipe: Recipe
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.base, self.fields, self.recipe = base, fields, recipe
        self.train, self.validation = list(train), list(validation)
        self.network = adapted(base.network, recipe)
        self._numbers = targets(fields, self.train)
        self._index = {row.id: i for i, row in enumerate(self.train)}
        heads = {name: nn.Linear(base.dimensions, len(labels)) for name, labels in fields.items()}
        self.heads = nn.ModuleDict(heads).to(base.device)
        self._weights = {name: self._class_weights(name) for name in fields}
        self._optimizer = torch.optim.AdamW(
            [
                {"params": [p for p in self.network.parameters() if p.requires_grad], "peak": recipe.learning_rate},
                {"params": list(self.heads.parameters()), "peak": recipe.head_learning_rate},
            ],
            weight_decay=0.01,
        )
        self._averaged = {name: p.detach().clone() for name, p in self._trained()}

    def fit(self, progress: Progress, checkpoint: Path | None = None, dataset: str = "") -> float:
        """Train until the validation score has not risen for `patience` epochs, and keep the best weights.

        Args:
            progress: told what is being done.
            checkpoint: a file in which each finished epoch is kept, and from which a training goes on.
            dataset: what it is trained on; a checkpoint of other data is refused.

        Returns:
            the validation score of the weights that were kept, mean macro-F1 of the fields, 0..1; 0 without rows.
        """
        recipe, at = self.recipe, Progressed.fresh(self._averaged)
        of = f"{dataset} {asdict(recipe)}"
        if checkpoint and checkpoint.is_file():
            at = restore(checkpoint, of, dict(self._trained()), self._averaged, self._optimizer)
        while at.epoch < recipe.epochs and at.waited < recipe.patience:
            self._epoch(at.epoch, progress)
            at = at.after(self._score(), self._averaged)
            progress(f"epoch {at.epoch}: validation macro-F1 {at.score:.3f}", at.epoch / recipe.epochs)
            if checkpoint:
                store(checkpoint, of, at, dict(self._trained()), self._averaged, self._optimizer)
        self._put(at.best)
        return at.score

    def features(self, texts: list[str], half: bool = False) -> Features:
        """Pooled features under the adapted network: (texts, dimensions); `half`: see `features_under`."""
        return features_under(self.base, self.network, texts, half)

    def logits(self, texts: list[str], features: Features | None = None) -> dict[str, Logits]:
        """Uncalibrated outputs: field -> (texts, labels); `features` of the texts, where they are known."""
        features, heads = self.features(texts) if features is None else features, Heads(self.head_weights())
        return {name: heads.logits(name, features) for name in self.fields}

    def save(self, folder: Path) -> None:
        """Write PEFT's layout and the heads."""
        save_adapter(self.network, self.base, folder)
        save_file(self.head_weights(), folder / "heads.safetensors")

    def head_weights(self) -> Weights:
        """`field.weight` (labels, dimensions) and `field.bias` (labels,)."""
        return {key: value.detach().cpu().numpy().copy() for key, value in self.heads.state_dict().items()}

    @property
    def trainable_parameters(self) -> int:
        """How many numbers are trained, heads included."""
        return sum(p.numel() for _, p in self._trained())

    def _epoch(self, number: int, progress: Progress) -> None:
        recipe = self.recipe
        torch.manual_seed(recipe.seed * 1000 + number)
        draw = np.random.default_rng([recipe.seed, number])
        batches = batches_of_like_length([len(row.text) for row in self.train], recipe.batch, draw)
        self.network.train()
        for step, batch in enumerate(batches):
            done = (number + step / len(batches)) / recipe.epochs
            for group in self._optimizer.param_groups:
                group["lr"] = group["peak"] * pace(done)
            loss = self._loss([self.train[n] for n in batch])
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            self._average()
            progress(f"epoch {number + 1}", done)

    def _average(self) -> None:
        with torch.no_grad():
            for name, parameter in self._trained():
                self._averaged[name].lerp_(parameter, 1 - self.recipe.averaging)

    def _loss(self, rows: Sequence[Row]) -> torch.Tensor:
        bfloat16 = has_bfloat16(self.base.device)
        with torch.autocast(self.base.device.type, dtype=torch.bfloat16, enabled=bfloat16):
            features = self.base.pooled(self.network, self.base.tokens([row.text for row in rows])).float()
        chosen = [self._index[row.id] for row in rows]
        losses = []
        for name in self.fields:
            wanted = torch.from_numpy(self._numbers[name][chosen]).to(features.device)
            loss = nn.functional.cross_entropy(
                self.heads[name](features),
                wanted,
                weight=self._weights[name],
                label_smoothing=self.recipe.label_smoothing,
            )
            losses.append(loss + self.recipe.contrast * contrastive(features, wanted) if self.recipe.contrast else loss)
        return torch.stack(losses).mean()

    def _score(self) -> float:
        """Mean macro-F1 of the fields on the validation rows under the averaged weights."""
        if not self.validation:
            return 0.0
        kept = {name: p.detach().clone() for name, p in self._trained()}
        self._put(self._averaged)
        logits = self.logits([row.text for row in self.validation])
        self._put(kept)
        wanted = targets(self.fields, self.validation)
        scores = [f1_score(wanted[f], logits[f].argmax(1), average="macro", zero_division=0) for f in self.fields]
        return float(np.mean(scores))

    def _trained(self) -> list[tuple[str, nn.Parameter]]:
        named = [(f"network.{n}", p) for n, p in self.network.named_parameters() if p.requires_grad]
        return named + [(f"heads.{n}", p) for n, p in self.heads.named_parameters()]

    def _put(self, state: dict[str, torch.Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self._trained():
                parameter.copy_(state[name])

    def _class_weights(self, name: str) -> torch.Tensor | None:
        if not self.recipe.class_weights:
            return None
        counts = np.bincount(self._numbers[name], minlength=len(self.fields[name]))
        return torch.tensor(len(self.train) / (len(counts) * counts), dtype=torch.float32, device=self.base.device)


def adapted(network: nn.Module, recipe: Recipe) -> Any:
    """A copy of `network` with what the recipe trains made trainable: LoRA layers, or everything."""
    own: Any = copy.deepcopy(network)
    for module in own.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # LoRA has its own; drawing masks for both took a third of a step on a CPU
    if own.device.type == "cpu" and has_bfloat16(own.device):
        own.set_attn_implementation("eager")  # the fused attention's backward pass in bfloat16 took a third of a step
    if recipe.method == "full":
        return own.requires_grad_(requires_grad=True)
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=2 * recipe.rank,
        lora_dropout=recipe.dropout,
        target_modules=recipe.targets if recipe.targets == "all-linear" else recipe.targets.split(","),
        exclude_modules=r".*\bpooler\b.*",  # mean pooling never reads it
    )
    with warnings.catch_warnings():
        # transformers 5.23 warns of an attribute that peft 0.21 still reads
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        return get_peft_model(own, config)


def save_adapter(network: Any, base: Base, folder: Path) -> None:
    """Write PEFT's layout, or all weights; it names the base as settings do, by no path of this machine."""
    network.save_pretrained(str(folder), safe_serialization=True)
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty card; ours says more
    if (path := folder / "adapter_config.json").is_file():
        config = json.loads(path.read_text(encoding="utf-8")) | {"base_model_name_or_path": base.source}
        config["target_modules"].sort()  # a set, whose order is another in each process
        path.write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")


def contrastive(features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Supervised contrastive loss of a batch (Khosla et al. 2020, equation 2); 0 where no label stands twice.

    Args:
        features: (texts, dimensions).
        labels: (texts,) label numbers.
    """
    unit = nn.functional.normalize(features, dim=1)
    similar = unit @ unit.T / _CONTRAST_TEMPERATURE
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    same = (labels[:, None] == labels[None, :]) & ~itself
    log_share = similar - torch.logsumexp(similar.masked_fill(itself, -torch.inf), dim=1, keepdim=True)
    counts = same.sum(1)
    each = -(log_share * same).sum(1) / counts.clamp(min=1)
    return each[counts > 0].mean() if bool((counts > 0).any()) else features.sum() * 0.0


def pace(done: float) -> float:
    """The share of the peak learning rate after a share of the training, both 0..1."""
    return float(min(1.0, (done + 1e-3) / _WARM_UP) * (1 - done))


def batches_of_like_length(lengths: Sequence[int], size: int, generator: np.random.Generator) -> list[list[int]]:
    """The numbers of texts, in batches of similar length and random order: padding would otherwise be half of the work.

    Args:
        lengths: of the texts, in any unit.
        size: texts in a batch.
        generator: draws the order.
    """
    order = generator.permutation(len(lengths))
    pools = [sorted(order[i : i + 8 * size], key=lambda n: lengths[n]) for i in range(0, len(order), 8 * size)]
    batches = [[int(n) for n in pool[i : i + size]] for pool in pools for i in range(0, len(pool), size)]
    return [batches[i] for i in generator.permutation(len(batches))]
