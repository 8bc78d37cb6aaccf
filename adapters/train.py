"""Training: a LoRA adapter with a head a field, early stopping, then calibration on a split of its own.

LoRA (Hu et al. 2021) on every linear layer of the encoder, mean pooling, heads started from a linear probe on the
frozen features (Kumar et al. 2022: fine-tuning from a fitted head distorts the features less), label smoothing.
"""

from __future__ import annotations

import copy
import shutil
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from peft import LoraConfig, get_peft_model
from safetensors.numpy import save_file
from scipy.optimize import minimize_scalar
from sentence_transformers import SentenceTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from torch import nn

from adapters.dataset import Row, Split
from adapters.encoder import has_bfloat16, load_base, pooled, tokenize, transformer_of
from adapters.model import Heads, Logits, Manifest, softmax, write_manifest
from domains.spec import Domain, InvalidInput

Progress = Callable[[str, float], None]  # what is being done, share done 0..1
Features = npt.NDArray[np.float32]
Weights = dict[str, Features]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of a training; the defaults were chosen on the validation split of the shipped tickets."""

    rank: int = 16
    epochs: int = 8
    patience: int = 4  # epochs without a better validation score before it stops
    batch: int = 16
    learning_rate: float = 1e-3
    head_learning_rate: float = 2e-3
    dropout: float = 0.05
    label_smoothing: float = 0.05
    accepted_accuracy: float = 0.9  # wanted among the labels on which a field does not abstain
    seed: int = 0


def train(
    domain: Domain, split: Split, dataset: str, fingerprint: str, recipe: Recipe, out: Path, progress: Progress
) -> Manifest:
    """Train an adapter and write it to `out`, whole or not at all.

    Args:
        domain: the taxonomy.
        split: rows to fit, to choose by, and to calibrate with.
        dataset: the name of the data set, for the manifest.
        fingerprint: of the base model, see `Encoder.fingerprint`.
        recipe: settings.
        out: the folder to write; what stood there is replaced at the end.
        progress: told what is being done.

    Raises:
        InvalidInput: a label has no row to learn from.
    """
    _check(domain, split)
    torch.manual_seed(recipe.seed)
    trainer = _Trainer(domain, load_base(domain.encoder), split, recipe)
    trainer.fit(progress)
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        folder = Path(scratch) / "adapter"
        trainer.save(folder)
        logits = trainer.logits(split.calibration)
        temperatures = {f: _temperature(logits[f], _targets(domain, f, split.calibration)) for f in domain.fields}
        thresholds = {
            f: _threshold(
                softmax(logits[f], temperatures[f]), _targets(domain, f, split.calibration), recipe.accepted_accuracy
            )
            for f in domain.fields
        }
        manifest = write_manifest(
            folder,
            name="triage",
            base_model=domain.encoder,
            base_fingerprint=fingerprint,
            dataset=dataset,
            fields={name: field.names for name, field in domain.fields.items()},
            temperatures=temperatures,
            thresholds=thresholds,
        )
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(folder, out)
    return manifest


class _Trainer:
    """The moving parts of one training run."""

    def __init__(self, domain: Domain, base: SentenceTransformer, split: Split, recipe: Recipe) -> None:
        self.domain, self.base, self.split, self.recipe = domain, base, split, recipe
        transformer: Any = copy.deepcopy(transformer_of(base))
        for module in transformer.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0  # LoRA has its own; drawing masks for both took a third of a step on a CPU
        config = LoraConfig(
            r=recipe.rank,
            lora_alpha=2 * recipe.rank,
            lora_dropout=recipe.dropout,
            target_modules="all-linear",
            exclude_modules=r".*\bpooler\b.*",  # mean pooling never reads it
        )
        with warnings.catch_warnings():
            # transformers 5.23 warns of an attribute that peft 0.21 still reads
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
            self.model: Any = get_peft_model(transformer, config)
        frozen = self._frozen(split.train)
        self.heads = nn.ModuleDict({name: self._probe(name, frozen) for name in domain.fields})
        self.best: tuple[float, Any, Any] = (-1.0, None, None)

    def fit(self, progress: Progress) -> None:
        """Train until the validation score has not risen for `patience` epochs, and keep the best state."""
        rows, recipe = list(self.split.train), self.recipe
        generator = np.random.default_rng(recipe.seed)
        optimizer = torch.optim.AdamW(
            [
                {"params": [p for p in self.model.parameters() if p.requires_grad], "lr": recipe.learning_rate},
                {"params": self.heads.parameters(), "lr": recipe.head_learning_rate},
            ],
            weight_decay=0.01,
        )
        steps = recipe.epochs * -(-len(rows) // recipe.batch)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda s: min(1, (s + 1) / (steps * 0.06)) * (1 - s / steps)
        )
        waited = 0
        for epoch in range(recipe.epochs):
            batches = _batches(rows, recipe.batch, generator)
            for number, batch in enumerate(batches):
                loss = self._loss(batch)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
                progress(f"epoch {epoch + 1}", (epoch + number / len(batches)) / recipe.epochs)
            waited = 0 if self._keep_if_best() else waited + 1
            progress(f"epoch {epoch + 1}: validation macro-F1 {self.best[0]:.3f}", (epoch + 1) / recipe.epochs)
            if waited >= recipe.patience:
                break
        self.model.load_state_dict(self.best[1])
        self.heads.load_state_dict(self.best[2])

    def logits(self, rows: Sequence[Row]) -> dict[str, Logits]:
        """Uncalibrated outputs: field -> (rows, labels)."""
        self.model.eval()
        with torch.inference_mode():
            features = np.concatenate([self._features(chunk).numpy() for chunk in _chunks(rows, 32)])
        heads = Heads(self._head_weights())
        return {name: heads.logits(name, features) for name in self.domain.fields}

    def save(self, folder: Path) -> None:
        """Write PEFT's layout and the heads."""
        self.model.save_pretrained(str(folder), safe_serialization=True)
        (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty card; ours says more
        save_file(self._head_weights(), folder / "heads.safetensors")

    def _loss(self, rows: Sequence[Row]) -> torch.Tensor:
        self.model.train()
        with torch.autocast(self.base.device.type, dtype=torch.bfloat16, enabled=has_bfloat16(self.base.device)):
            features = self._features(rows).float()
        losses = [
            nn.functional.cross_entropy(
                self.heads[name](features),
                torch.from_numpy(_targets(self.domain, name, rows)),
                label_smoothing=self.recipe.label_smoothing,
            )
            for name in self.domain.fields
        ]
        return torch.stack(losses).mean()

    def _features(self, rows: Sequence[Row]) -> torch.Tensor:
        return pooled(self.base, self.model, tokenize(self.base, [row.text for row in rows]))

    def _keep_if_best(self) -> bool:
        logits = self.logits(self.split.validation)
        scores = [
            f1_score(_targets(self.domain, f, self.split.validation), logits[f].argmax(1), average="macro")
            for f in self.domain.fields
        ]
        score = float(np.mean(scores))
        if score <= self.best[0]:
            return False
        self.best = (score, copy.deepcopy(self.model.state_dict()), copy.deepcopy(self.heads.state_dict()))
        return True

    def _frozen(self, rows: Sequence[Row]) -> Features:
        """Features of the untouched base: (rows, dimensions)."""
        base = transformer_of(self.base)
        with torch.inference_mode():
            texts = [[row.text for row in chunk] for chunk in _chunks(rows, 32)]
            return np.concatenate([pooled(self.base, base, tokenize(self.base, chunk)).numpy() for chunk in texts])

    def _probe(self, name: str, frozen: Features) -> nn.Linear:
        """A linear head fitted on the frozen features."""
        fitted = LogisticRegression(C=1.0, max_iter=2000, class_weight="balanced")
        fitted.fit(frozen, _targets(self.domain, name, self.split.train))
        labels = len(self.domain.fields[name].names)
        head = nn.Linear(fitted.coef_.shape[1], labels)
        weight, bias = (fitted.coef_, fitted.intercept_)
        if labels == 2:  # scikit-learn keeps one row for two classes: the log-odds of the second
            weight, bias = np.concatenate([-weight / 2, weight / 2]), np.concatenate([-bias / 2, bias / 2])
        with torch.no_grad():
            head.weight.copy_(torch.from_numpy(weight))
            head.bias.copy_(torch.from_numpy(bias))
        return head

    def _head_weights(self) -> Weights:
        return {key: value.detach().numpy().copy() for key, value in self.heads.state_dict().items()}


def _batches(rows: Sequence[Row], size: int, generator: np.random.Generator) -> list[list[Row]]:
    """Batches of tickets of similar length, in random order: padding would otherwise be half of the work."""
    order = generator.permutation(len(rows))
    pools = [sorted(order[i : i + 8 * size], key=lambda n: len(rows[n].text)) for i in range(0, len(rows), 8 * size)]
    batches = [[rows[n] for n in pool[i : i + size]] for pool in pools for i in range(0, len(pool), size)]
    return [batches[i] for i in generator.permutation(len(batches))]


def _chunks(rows: Sequence[Row], size: int) -> list[Sequence[Row]]:
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def _targets(domain: Domain, name: str, rows: Sequence[Row]) -> npt.NDArray[np.int64]:
    index = {label: i for i, label in enumerate(domain.fields[name].names)}
    return np.array([index[row.labels[name]] for row in rows], dtype=np.int64)


def _temperature(logits: Logits, targets: npt.NDArray[np.int64]) -> float:
    """The temperature with the least negative log-likelihood (Guo et al. 2017), between 0.2 and 5."""

    def loss(temperature: float) -> float:
        chosen = softmax(logits, temperature)[np.arange(len(targets)), targets]
        return float(-np.log(np.maximum(chosen, 1e-9)).mean())

    return round(float(minimize_scalar(loss, bounds=(0.2, 5.0), method="bounded").x), 4)


def _threshold(scores: Logits, targets: npt.NDArray[np.int64], wanted: float) -> float:
    """The lowest confidence above which labels were right at least `wanted` of the times, at most 0.9."""
    right = scores.argmax(1) == targets
    for threshold in np.arange(0.0, 0.9, 0.01):
        accepted = scores.max(1) >= threshold
        if accepted.any() and right[accepted].mean() >= wanted:
            return round(float(threshold), 2)
    return 0.9


def _check(domain: Domain, split: Split) -> None:
    for name, field in domain.fields.items():
        seen = {row.labels[name] for row in split.train}
        if missing := [label for label in field.names if label not in seen]:
            raise InvalidInput(
                f"{name}: no training ticket is labelled {', '.join(missing)}.", "Add some, or remove the label."
            )
    if len(split.validation) < 10 or len(split.calibration) < 10:
        raise InvalidInput(
            f"{len(split.validation)} tickets to validate and {len(split.calibration)} to calibrate with are too few.",
            "A few hundred tickets of different customers are needed.",
        )
