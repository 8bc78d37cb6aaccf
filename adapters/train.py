"""From rows to an adapter folder: trained, calibrated on rows of its own, sealed, whole or not at all."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from torch import nn

from adapters import joined
from adapters.base import Base, Features, features_under, unit
from adapters.calibrate import Calibration, calibration, distances
from adapters.classifier import AdapterClassifier
from adapters.data.leakage import refuse_contradictions
from adapters.data.rows import Fields, Row, Split, targets
from adapters.folders import need_room, whole
from adapters.joined import Known
from adapters.model import GOLDEN, Logits, Manifest, write_manifest
from adapters.recipe import Recipe
from adapters.trainer import Progress, Trainer
from domains.spec import InvalidInput

Tuned = Callable[[list[str]], dict[str, Logits]]  # texts to logits of the tuned heads; empty: nothing was tuned

_NEEDED = 10  # rows to choose by and rows to calibrate with; fewer say nothing
_ROOM_MB = 200  # that an adapter and its checkpoint may take


def train(
    base: Base, fields: Fields, split: Split, dataset: str, recipe: Recipe, out: Path, progress: Progress
) -> Manifest:
    """Train an adapter and write it to `out`, whole or not at all.

    A training that was cut off goes on from its last finished epoch, which is kept beside `out`.

    Args:
        base: what is adapted.
        fields: the taxonomy.
        split: rows to fit, to choose by, and to calibrate with.
        dataset: the name of the data set, for the manifest.
        recipe: settings.
        out: the folder to write; what stood there is replaced at the end.
        progress: told what is being done.

    Raises:
        InvalidInput: the rows cannot be learnt from, the method is for comparing, or there is no room to write.
        Conflict: beside `out` lies the checkpoint of another training.
    """
    if recipe.method == "full":
        raise InvalidInput("A fully tuned model is no adapter.", "Compare it with `formfact bench classify`.")
    learnable(fields, split)
    need_room(out.parent, _ROOM_MB)
    checkpoint = out.with_name(out.name + ".checkpoint.safetensors")
    with whole(out) as folder:
        network, tuned = base.network, _untuned
        if recipe.method == "lora":
            trainer = Trainer(base, fields, split.train, split.validation, recipe)
            trainer.fit(progress, checkpoint, dataset)
            trainer.save(folder)
            network, tuned = trainer.network, trainer.logits
        fitted = _Fitted(base, fields, network, tuned, split)
        fitted.write(folder)
        manifest = write_manifest(
            folder,
            name="triage",
            method=recipe.method,
            base_model=base.source,
            base_fingerprint=base.fingerprint,
            dataset=dataset,
            recipe=asdict(recipe),
            fields=dict(fields),
            risk=recipe.risk,
            **asdict(fitted.calibration(recipe)),
        )
    checkpoint.unlink(missing_ok=True)
    return manifest


def calibrating(split: Split) -> tuple[Row, ...]:
    """The rows kept for calibration, and those by which epochs were chosen.

    Every row tightens the bounds, and choosing among a handful of epochs biases them little.
    """
    return (*split.calibration, *split.validation)


def learnable(fields: Fields, split: Split) -> None:
    """Can anything be learnt from these rows?

    Raises:
        InvalidInput: a label has no row or a single one, a text stands twice with two labels, rows are too few.
    """
    for name, labels in fields.items():
        seen = Counter(row.labels[name] for row in split.train)
        if scarce := [f"{label} ({seen[label]})" for label in labels if seen[label] < 2]:
            raise InvalidInput(
                f"{name}: too few training tickets for {', '.join(scarce)}.",
                "Two are the least, dozens are better: add some, or remove the label.",
            )
    if len(split.validation) < _NEEDED or len(split.calibration) < _NEEDED:
        raise InvalidInput(
            f"{len(split.validation)} tickets to validate and {len(split.calibration)} to calibrate with are too few.",
            "A few hundred tickets of different customers are needed.",
        )
    rows = [*split.train, *split.validation, *split.calibration]
    refuse_contradictions(rows, [row.id for row in rows])


def _untuned(texts: list[str]) -> dict[str, Logits]:
    """What heads that nobody tuned say."""
    return {}


class _Fitted:
    """What training left, and what is fitted on top of it: the joined head, the bank, the calibration."""

    def __init__(self, base: Base, fields: Fields, network: nn.Module, tuned: Tuned, split: Split) -> None:
        self._base, self._fields, self._network, self._tuned, self._split = base, fields, network, tuned, split
        labels = {name: len(of) for name, of in fields.items()}
        self._joined = joined.fit(self._known(split.train, heard=False), labels, self._known(split.validation))
        self._bank = unit(self._under(network, [row.text for row in split.train]))

    def write(self, folder: Path) -> None:
        """Everything but the manifest."""
        halves = {name: tensor.astype(np.float16) for name, tensor in self._joined.tensors.items()}
        save_file(halves, folder / "joined.safetensors")
        save_file({"bank": self._bank.astype(np.float16)}, folder / "bank.safetensors")
        logits = {name: found.round(4).tolist() for name, found in self._logits(list(GOLDEN)).items()}
        golden = json.dumps({"texts": GOLDEN, "logits": logits}, indent=1)
        (folder / "golden.json").write_text(golden + "\n", encoding="utf-8")

    def calibration(self, recipe: Recipe) -> Calibration:
        """Temperatures, thresholds and scope."""
        rows = calibrating(self._split)
        texts = [row.text for row in rows]
        far = distances(unit(self._under(self._network, texts)), self._bank)
        wanted = targets(self._fields, rows)
        return calibration(self._logits(texts), wanted, far, recipe.risk, recipe.refused_in_scope)

    def _logits(self, texts: list[str]) -> dict[str, Logits]:
        return self._joined.logits(texts, self._under(self._base.network, texts), self._tuned(texts))

    def _known(self, rows: Sequence[Row], heard: bool = True) -> Known:
        texts = [row.text for row in rows]
        tuned = self._tuned(texts) if heard else {}
        return Known(texts, self._under(self._base.network, texts), targets(self._fields, rows), tuned)

    def _under(self, network: nn.Module, texts: list[str]) -> Features:
        return features_under(self._base, network, texts)


def recalibrate(classifier: AdapterClassifier, rows: Sequence[Row], risk: float, out: Path) -> Manifest:
    """Set temperatures and thresholds anew, for another risk or on other rows; the weights stay, the id changes.

    Args:
        classifier: the adapter as it is.
        rows: to calibrate with; the adapter has not learnt from them.
        risk: share of wrong labels that is accepted.
        out: the folder to write, whole or not at all.
    """
    texts = [row.text for row in rows]
    logits, far = classifier.raw(texts)
    manifest = classifier.manifest
    refused = float(manifest.recipe["refused_in_scope"])
    found = calibration(logits, targets(manifest.fields, rows), far, risk, refused)
    with whole(out) as folder:
        without = shutil.ignore_patterns("card.*", "adapter.json")
        shutil.copytree(classifier.folder, folder, ignore=without, dirs_exist_ok=True)
        kept = manifest.model_dump(exclude={"files", "risk", "temperatures", "thresholds", "scope"})
        return write_manifest(folder, **kept, risk=risk, **asdict(found))
