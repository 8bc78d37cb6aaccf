"""The labelling model on disk and in memory: what was tuned, the heads, their calibration, and golden inputs.

An adapter folder holds

    adapter_config.json, adapter_model.safetensors   PEFT's layout: `PeftModel.from_pretrained` opens it
    heads.safetensors       a tuned linear head a field, kept apart, so that none can come back random (peft#310)
    joined.safetensors      the joined head, see `adapters.ngram_head`
    bank.safetensors        unit features of the training rows, for the out-of-scope score
    golden.json             a few sentences and their logits, which a loaded and merged adapter must give again
    adapter.json            the manifest below

and, written later and not part of its id, `card.json` and `card.md`. The first three are missing where nothing was
tuned (method `joined`). Its id is a hash over all of them.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from safetensors.numpy import load_file

from adapters.base import Features
from adapters.heads import Heads
from adapters.ngram_head import Joined
from adapters.recipe import Method
from domains.spec import Domain, IntegrityError

Logits = npt.NDArray[np.float32]
TUNED = ("adapter_config.json", "adapter_model.safetensors", "heads.safetensors")
_ALWAYS = ("joined.safetensors", "bank.safetensors", "golden.json")
GOLDEN = (
    "I was charged twice and want my money back.",
    "The desktop client stopped syncing after the update.",
    "Please close our workspace at the end of the term.",
)
_TOLERANCE = 0.02  # of logits: another processor, batch or precision moves them by less


class AdapterManifest(BaseModel):
    """What an adapter is bound to and how its outputs are read."""

    model_config = ConfigDict(frozen=True)

    name: str
    method: Method
    base_model: str
    base_fingerprint: str  # of weights, vocabulary and length
    dataset: str
    recipe: dict[str, Any]
    fields: dict[str, tuple[str, ...]]  # label names in the order of the logits
    temperatures: dict[str, float]
    risks: dict[str, float]  # share of labels wrong among those given, for which the thresholds were set
    thresholds: dict[str, float]  # below it a field abstains; 0..1, or more: always
    scope: float  # distance to the bank beyond which all fields abstain
    files: dict[str, str]  # sha256 of each file of weights

    @model_validator(mode="before")
    @classmethod
    def _one_risk(cls, values: Any) -> Any:
        """Adapters that were trained before fields had risks of their own have one for all."""
        if isinstance(values, dict) and "risk" in values:
            return {**values, "risks": dict.fromkeys(values.get("fields", ()), values["risk"])}
        return values


class Adapter:
    """An adapter folder that was read and checked.

    Raises:
        IntegrityError: a file is missing or changed, the base model or the label map is another one.
    """

    def __init__(self, folder: Path, domain: Domain, base_fingerprint: str) -> None:
        self.folder = folder
        self.manifest = _manifest(folder)
        _check(folder, self.manifest, domain, base_fingerprint)
        self.id = adapter_id(folder)
        self._heads = Heads(load_file(folder / "heads.safetensors")) if self.tuned else None
        self._joined = Joined({k: v.astype(np.float32) for k, v in load_file(folder / "joined.safetensors").items()})
        self.bank = load_file(folder / "bank.safetensors")["bank"].astype(np.float32)

    @property
    def tuned(self) -> bool:
        """Does it hold a LoRA adapter, or heads on the untouched base alone?"""
        return self.manifest.method == "lora"

    def logits(self, texts: list[str], frozen: Features, features: Features) -> dict[str, Logits]:
        """Uncalibrated outputs: field -> (texts, labels).

        Args:
            texts: the tickets.
            frozen: their features under the untouched base, (texts, dimensions).
            features: under the tuned network; where nothing was tuned, under the base.
        """
        own = {} if self._heads is None else {name: self._heads.logits(name, features) for name in self.manifest.fields}
        found = self._joined.logits(texts, frozen, own)
        return {name: found[name] for name in self.manifest.fields}

    def prove(self, frozen: Features, features: Features) -> None:
        """Compare what it makes of the golden inputs with what it made of them when it was trained (peft#1043, #2368).

        Args:
            frozen: of the golden texts under the untouched base, (texts, dimensions).
            features: under the loaded, merged network, likewise.

        Raises:
            IntegrityError: the logits differ.
        """
        wanted = json.loads((self.folder / "golden.json").read_text(encoding="utf-8"))["logits"]
        for name, logits in self.logits(list(GOLDEN), frozen, features).items():
            if not np.allclose(logits, np.array(wanted[name]), atol=_TOLERANCE, rtol=_TOLERANCE):
                raise IntegrityError(
                    f"{self.id}: loaded and merged it gives other logits for {name} than it was trained to.",
                    "Another version of a library computes it differently: train it again with this one.",
                )


def softmax(logits: Logits, temperature: float = 1.0) -> Logits:
    """Probabilities along the last axis, after dividing by the temperature (Guo et al. 2017)."""
    scaled = logits / temperature
    scaled = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(scaled / scaled.sum(axis=-1, keepdims=True), dtype=np.float32)


def write_manifest(folder: Path, **values: object) -> AdapterManifest:
    """Seal a folder of weights with its manifest."""
    files = {path.name: sha256(path) for path in sorted(folder.iterdir())}
    manifest = AdapterManifest.model_validate({**values, "files": files})
    (folder / "adapter.json").write_text(json.dumps(manifest.model_dump(), indent=1) + "\n", encoding="utf-8")
    return manifest


def adapter_id(folder: Path) -> str:
    """`name@…`, twelve hex digits over manifest and weights."""
    digest = hashlib.sha256((folder / "adapter.json").read_bytes()).hexdigest()
    return f"{_manifest(folder).name}@{digest[:12]}"


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


_REMEDY = "Train it again with `formfact adapters train`, or restore its folder."


def _manifest(folder: Path) -> AdapterManifest:
    try:
        return AdapterManifest.model_validate_json((folder / "adapter.json").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise IntegrityError(f"{folder} holds no readable adapter: {error}", _REMEDY) from None


def _check(folder: Path, manifest: AdapterManifest, domain: Domain, base_fingerprint: str) -> None:
    for name in (*_ALWAYS, *(TUNED if manifest.method == "lora" else ())):
        path = folder / name
        if not path.is_file() or sha256(path) != manifest.files.get(name):
            raise IntegrityError(f"{path} is missing or was changed.", _REMEDY)
    if unsafe := sorted(p.name for p in folder.iterdir() if p.suffix not in (".safetensors", ".json", ".md")):
        raise IntegrityError(f"{folder} holds {', '.join(unsafe)}.", "Weights are safetensors and nothing else.")
    if manifest.base_fingerprint != base_fingerprint:
        raise IntegrityError(
            f"{folder} was trained on {manifest.base_model} ({manifest.base_fingerprint}), not on {base_fingerprint}.",
            "Set FORMFACT_ENCODER to that model, or train an adapter on this one.",
        )
    if manifest.fields != domain.label_names:
        raise IntegrityError(f"{folder}: its label map is not that of the domain {domain.name}.", _REMEDY)
