"""The labelling model on disk and in memory: a PEFT adapter, a head a field, temperatures, thresholds.

An adapter folder holds `adapter_config.json` and `adapter_model.safetensors` (PEFT's layout), `heads.safetensors`
(kept apart, so that no head can come back random, peft#310) and `adapter.json` (the manifest below). Its id is a hash
of all four.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors.numpy import load_file

from domains.spec import Domain, IntegrityError

Logits = npt.NDArray[np.float32]
WEIGHTS = ("adapter_config.json", "adapter_model.safetensors", "heads.safetensors")


class Manifest(BaseModel):
    """What an adapter is bound to and how its outputs are read."""

    model_config = ConfigDict(frozen=True)

    name: str
    base_model: str
    base_fingerprint: str
    dataset: str
    fields: dict[str, tuple[str, ...]]  # label names in the order of the logits
    temperatures: dict[str, float]
    thresholds: dict[str, float]  # below it a field abstains; 0..1
    files: dict[str, str]  # sha256 of each file of weights


class Heads:
    """Linear heads on pooled features, one a field: logits = features @ weight.T + bias."""

    def __init__(self, weights: dict[str, npt.NDArray[np.float32]]) -> None:
        self._weights = weights

    def logits(self, field: str, features: npt.NDArray[np.float32]) -> Logits:
        """(tickets, dimensions) to (tickets, labels)."""
        logits = features @ self._weights[f"{field}.weight"].T + self._weights[f"{field}.bias"]
        return np.asarray(logits, dtype=np.float32)


def softmax(logits: Logits, temperature: float = 1.0) -> Logits:
    """Probabilities along the last axis, after dividing by the temperature (Guo et al. 2017)."""
    scaled = logits / temperature
    scaled = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(scaled / scaled.sum(axis=-1, keepdims=True), dtype=np.float32)


def load_adapter(folder: Path, domain: Domain, base_fingerprint: str) -> tuple[str, Manifest, Heads]:
    """Read an adapter's id, manifest and heads, and refuse one that does not belong here.

    Raises:
        IntegrityError: a file is missing or changed, the base model or the label map is another one.
    """
    remedy = "Train it again with `formfact adapters train`, or restore its folder."
    try:
        manifest = Manifest.model_validate_json((folder / "adapter.json").read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise IntegrityError(f"{folder} holds no readable adapter: {error}", remedy) from None
    for name in WEIGHTS:
        path = folder / name
        if not path.is_file() or sha256(path) != manifest.files.get(name):
            raise IntegrityError(f"{path} is missing or was changed.", remedy)
    if manifest.base_fingerprint != base_fingerprint:
        raise IntegrityError(
            f"{folder} was trained on {manifest.base_model} ({manifest.base_fingerprint}), not on {base_fingerprint}.",
            "Set FORMFACT_ENCODER to that model, or train an adapter on this one.",
        )
    wanted = {name: field.names for name, field in domain.fields.items()}
    if manifest.fields != wanted:
        raise IntegrityError(f"{folder}: its label map is not that of the domain {domain.name}.", remedy)
    return adapter_id(folder), manifest, Heads(load_file(folder / "heads.safetensors"))


def write_manifest(folder: Path, **values: object) -> Manifest:
    """Seal a folder of weights with its manifest."""
    files = {name: sha256(folder / name) for name in WEIGHTS}
    manifest = Manifest.model_validate({**values, "files": files})
    (folder / "adapter.json").write_text(json.dumps(manifest.model_dump(), indent=1) + "\n", encoding="utf-8")
    return manifest


def adapter_id(folder: Path) -> str:
    """`name@…`, twelve hex digits over manifest and weights."""
    manifest = Manifest.model_validate_json((folder / "adapter.json").read_text(encoding="utf-8"))
    digest = hashlib.sha256((folder / "adapter.json").read_bytes()).hexdigest()
    return f"{manifest.name}@{digest[:12]}"


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
