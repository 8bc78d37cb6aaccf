"""From rows to an adapter folder: trained, calibrated on rows of its own, sealed, whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from torch import nn

from adapters import ngram_head
from adapters.atomic_dir import need_room, whole
from adapters.base import Base, Features, features_under, unit
from adapters.calibrate import Calibration, calibration, distances
from adapters.classifier import AdapterClassifier
from adapters.data.leakage import refuse_contradictions
from adapters.data.rows import Fields, Row, Split, share_of, targets
from adapters.model import GOLDEN, AdapterManifest, Logits, write_manifest
from adapters.ngram_head import Known
from adapters.recipe import Recipe
from adapters.trainer import Progress, Trainer
from domains.spec import InvalidInput

Risks = Mapping[str, float]  # field -> share of wrong labels, among those given, that is accepted
Tuned = Callable[[list[str]], dict[str, Logits]]  # texts to logits of the tuned heads; empty: nothing was tuned

_NEEDED = 10  # rows to choose by and rows to calibrate with; fewer say nothing
_ROOM_MB = 200  # that an adapter and its checkpoint may take


def train(
    base: Base,
    fields: Fields,
    risks: Risks,
    split: Split,
    dataset: str,
    recipe: Recipe,
    out: Path,
    progress: Progress,
) -> AdapterManifest:
    """Train an adapter and write it to `out`, whole or not at all.

    A training that was cut off goes on from its last finished epoch, which is kept beside `out`.

    Args:
        base: what is adapted.
        fields: the taxonomy.
        risks: field -> share of wrong labels, among those given, that is accepted.
        split: rows to fit, to choose by, and to calibrate with.
        dataset: the name of the data set, for the manifest.
        recipe: settings.
        out: the folder to write; what stood there is replaced at the end.
        progress: called with the current step and the share done.

    Raises:
        InvalidInput: the rows cannot be learnt from, the method is for comparing, or there is no room to write.
        Conflict: beside `out` lies the checkpoint of another training.
    """
    if recipe.method == "full":
        raise InvalidInput("A fully tuned model is no adapter.", "Compare it with `formfact bench classify`.")
    learnable(fields, split)
    need_room(out.parent, _ROOM_MB)
    training = _Training(base, fields, dataset, recipe, out)
    with whole(out) as folder:
        fitted = training.fitted(split, progress, folder=folder)
        fitted.write(folder)
        judged = fitted.judged(calibrating(split))
        more = _cross_fitted(training, split, progress)
        manifest = write_manifest(
            folder,
            name="triage",
            method=recipe.method,
            base_model=base.source,
            base_fingerprint=base.fingerprint,
            dataset=dataset,
            recipe=asdict(recipe),
            fields=dict(fields),
            risks=dict(risks),
            **asdict(_calibration(fields, risks, judged, more, recipe.refused_in_scope)),
        )
    training.forget()
    return manifest


def recalibrate(
    classifier: AdapterClassifier, base: Base, risks: Risks, split: Split, dataset: str, out: Path, progress: Progress
) -> AdapterManifest:
    """Recompute temperatures and thresholds for other risks or rows. The weights stay the same, the id changes.

    Args:
        classifier: the adapter as it is.
        base: the base model of the adapter; the models of the folds are trained on it.
        risks: see `train`.
        split: rows as for `train`.
        dataset: the name of the data set.
        out: the folder to write, whole or not at all.
        progress: called with the current step and the share done.
    """
    manifest = classifier.manifest
    known = {f.name for f in dataclasses.fields(Recipe)}
    recipe = Recipe(**{name: value for name, value in manifest.recipe.items() if name in known})
    rows = calibrating(split)
    judged = _Judged(rows, *classifier.raw([row.text for row in rows]))
    training = _Training(base, manifest.fields, dataset, recipe, out)
    more = _cross_fitted(training, split, progress)
    found = _calibration(manifest.fields, risks, judged, more, recipe.refused_in_scope)
    with whole(out) as folder:
        without = shutil.ignore_patterns("card.*", "adapter.json")
        shutil.copytree(classifier.folder, folder, ignore=without, dirs_exist_ok=True)
        kept = manifest.model_dump(exclude={"files", "recipe", "risks", "temperatures", "thresholds", "scope"})
        written = write_manifest(folder, **kept, recipe=asdict(recipe), risks=dict(risks), **asdict(found))
    training.forget()
    return written


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


@dataclass(frozen=True, slots=True)
class _Judged:
    """What a model makes of rows from which it has not learnt: field -> (rows, labels), and (rows,) distances."""

    rows: Sequence[Row]
    logits: dict[str, Logits]
    far: Features


@dataclass(frozen=True, slots=True)
class _Training:
    """What all trainings for one adapter share; each keeps its finished epochs in a file beside `out`."""

    base: Base
    fields: Fields
    dataset: str
    recipe: Recipe
    out: Path

    def fitted(self, split: Split, progress: Progress, fold: int = 0, folder: Path | None = None) -> _Fitted:
        """A model that has learnt from the training rows of a split, saved to `folder` where one is given."""
        network, tuned = self.base.network, _untuned
        if self.recipe.method == "lora":
            trainer = Trainer(self.base, self.fields, split.train, split.validation, self.recipe)
            trainer.fit(progress, self._checkpoint(fold), f"{self.dataset} {fold}" if fold else self.dataset)
            if folder:
                trainer.save(folder)
            network, tuned = trainer.network, trainer.logits
        return _Fitted(self.base, self.fields, network, tuned, split)

    def forget(self) -> None:
        """Remove the finished epochs."""
        for fold in range(self.recipe.folds + 1):
            self._checkpoint(fold).unlink(missing_ok=True)

    def _checkpoint(self, fold: int) -> Path:
        return self.out.with_name(f"{self.out.name}{f'.{fold}' if fold else ''}.checkpoint.safetensors")


def _cross_fitted(training: _Training, split: Split, progress: Progress) -> list[_Judged]:
    """The training rows, each judged by a model that has learnt from the other folds alone; groups stay together."""
    folds = training.recipe.folds
    found = []
    for fold in range(1, folds + 1) if folds > 1 else ():
        sides: tuple[list[Row], list[Row]] = ([], [])
        for row in split.train:
            sides[int(share_of(f"fold {row.group}") * folds) + 1 == fold].append(row)
        left, held = sides

        def fold_progress(what: str, done: float, fold: int = fold) -> None:
            progress(f"model {fold} of {folds} for the thresholds, {what}", done)

        inner = training.fitted(Split(tuple(left), split.validation, ()), fold_progress, fold)
        found.append(inner.judged(held))
    return found


def _calibration(fields: Fields, risks: Risks, judged: _Judged, more: Sequence[_Judged], refused: float) -> Calibration:
    """Scope by the adapter's own distances; temperatures and thresholds by all rows that were judged."""
    every = [judged, *more]
    logits = {name: np.concatenate([one.logits[name] for one in every]) for name in fields}
    wanted = targets(fields, [row for one in every for row in one.rows])
    return calibration(logits, wanted, judged.far, risks, refused)


def _untuned(texts: list[str]) -> dict[str, Logits]:
    """What heads that nobody tuned say."""
    return {}


class _Fitted:
    """What training left, and what is fitted on top of it: the joined head, the bank, the calibration."""

    def __init__(self, base: Base, fields: Fields, network: nn.Module, tuned: Tuned, split: Split) -> None:
        self._base, self._fields, self._network, self._tuned, self._split = base, fields, network, tuned, split
        labels = {name: len(of) for name, of in fields.items()}
        self._joined = ngram_head.fit(self._known(split.train, heard=False), labels, self._known(split.validation))
        self._bank = unit(self._under(network, [row.text for row in split.train]))

    def write(self, folder: Path) -> None:
        """Everything but the manifest."""
        halves = {name: tensor.astype(np.float16) for name, tensor in self._joined.tensors.items()}
        save_file(halves, folder / "joined.safetensors")
        save_file({"bank": self._bank.astype(np.float16)}, folder / "bank.safetensors")
        logits = {name: found.round(4).tolist() for name, found in self._logits(list(GOLDEN)).items()}
        golden = json.dumps({"texts": GOLDEN, "logits": logits}, indent=1)
        (folder / "golden.json").write_text(golden + "\n", encoding="utf-8")

    def judged(self, rows: Sequence[Row]) -> _Judged:
        """What it makes of rows."""
        texts = [row.text for row in rows]
        far = distances(unit(self._under(self._network, texts)), self._bank)
        return _Judged(rows, self._logits(texts), far)

    def _logits(self, texts: list[str]) -> dict[str, Logits]:
        return self._joined.logits(texts, self._under(self._base.network, texts), self._tuned(texts))

    def _known(self, rows: Sequence[Row], heard: bool = True) -> Known:
        texts = [row.text for row in rows]
        tuned = self._tuned(texts) if heard else {}
        return Known(texts, self._under(self._base.network, texts), targets(self._fields, rows), tuned)

    def _under(self, network: nn.Module, texts: list[str]) -> Features:
        return features_under(self._base, network, texts)
