"""Adapters for other programs: PEFT's folder, or one ONNX file of the merged encoder, in int8, with what that costs."""

from __future__ import annotations

import json
import shutil
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic

from adapters.base import Batch, Features, SentenceBase
from adapters.classifier import AdapterClassifier
from adapters.data.rows import Row, targets
from adapters.encoder import Encoder
from adapters.model import TUNED
from domains.spec import InvalidInput

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


@dataclass(frozen=True, slots=True)
class Loss:
    """What int8 costs on some rows: the least cosine to the features in float32, accuracies, milliseconds a text."""

    rows: int
    least_cosine: float
    accuracy: dict[str, float]  # field -> with float32 features
    accuracy_int8: dict[str, float]
    milliseconds: float
    milliseconds_int8: float
    megabytes_int8: float


def to_peft(classifier: AdapterClassifier, out: Path) -> None:
    """Write the folder that `PeftModel.from_pretrained(base, out)` opens, with the tuned heads beside it.

    Raises:
        InvalidInput: nothing was tuned, or `out` is there.
    """
    _fresh(classifier, out)
    out.mkdir(parents=True)
    for name in TUNED:
        shutil.copy2(classifier.folder / name, out / name)
    told = classifier.manifest.model_dump(
        include={"base_model", "base_fingerprint", "dataset", "fields", "temperatures"}
    )
    (out / "labels.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def to_onnx(classifier: AdapterClassifier, encoder: Encoder, rows: Sequence[Row], out: Path) -> Loss:
    """Write `encoder.onnx` (int8: token ids to tuned features) with the tokenizer, and measure what int8 loses.

    Args:
        classifier: the adapter; its heads stay as they are, in `heads.safetensors` and `joined.safetensors`.
        encoder: holds the base.
        rows: to measure on, none that it learnt from.
        out: a folder to make.

    Raises:
        InvalidInput: nothing was tuned, or `out` is there.
    """
    _fresh(classifier, out)
    out.mkdir(parents=True)
    network = encoder.adapted(classifier.folder)
    _export(encoder.base, network, out / "float32.onnx")
    quantize_dynamic(out / "float32.onnx", out / "encoder.onnx", weight_type=QuantType.QInt8)
    (out / "float32.onnx").unlink()
    encoder.base.tokenizer.save_pretrained(str(out))
    for name in ("heads.safetensors", "joined.safetensors", "adapter.json"):
        shutil.copy2(classifier.folder / name, out / name)
    loss = _measured(classifier, encoder, network, rows, out / "encoder.onnx")
    (out / "loss.json").write_text(json.dumps(asdict(loss), indent=1) + "\n", encoding="utf-8")
    return loss


def _fresh(classifier: AdapterClassifier, out: Path) -> None:
    if classifier.manifest.method != "lora":
        raise InvalidInput(f"{classifier.id}: nothing was tuned.", "Its heads work on the base model as it is.")
    if out.exists():
        raise InvalidInput(f"{out} is there already.", "Name a folder that is not.")


class _Pooled(torch.nn.Module):
    """Token ids to features, as one graph."""

    def __init__(self, base: SentenceBase, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network
        self._base = base

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor) -> Any:
        batch = dict(zip(_INPUTS, (input_ids, attention_mask, token_type_ids), strict=True))
        return self._base.pooled(self.network, batch)


def _export(base: SentenceBase, network: torch.nn.Module, path: Path) -> None:
    example = base.tokens(["a short text", "a text that is somewhat longer than the other"])
    axes = {name: {0: "texts", 1: "tokens"} for name in _INPUTS} | {"features": {0: "texts"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about shapes that the axes below leave open
        torch.onnx.export(
            _Pooled(base, network).eval(),
            tuple(example[name] for name in _INPUTS),
            path,
            input_names=list(_INPUTS),
            output_names=["features"],
            dynamic_axes=axes,
            dynamo=False,
        )


def _measured(
    classifier: AdapterClassifier, encoder: Encoder, network: torch.nn.Module, rows: Sequence[Row], path: Path
) -> Loss:
    texts = [row.text for row in rows]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    begun = time.perf_counter()
    before = np.concatenate([encoder.features([text], network) for text in texts])
    between = time.perf_counter()
    after = np.concatenate([_run(session, encoder.base.tokens([text])) for text in texts])
    ended = time.perf_counter()
    cosines = (before * after).sum(1) / np.linalg.norm(before, axis=1) / np.linalg.norm(after, axis=1)
    return Loss(
        rows=len(rows),
        least_cosine=round(float(cosines.min()), 4),
        accuracy=_accuracy(classifier, encoder, rows, before),
        accuracy_int8=_accuracy(classifier, encoder, rows, after),
        milliseconds=round((between - begun) / len(texts) * 1000, 2),
        milliseconds_int8=round((ended - between) / len(texts) * 1000, 2),
        megabytes_int8=round(path.stat().st_size / 1e6, 1),
    )


def _run(session: onnxruntime.InferenceSession, batch: Batch) -> Features:
    wanted = {name.name for name in session.get_inputs()}
    found = session.run(["features"], {name: batch[name].cpu().numpy() for name in _INPUTS if name in wanted})
    return np.asarray(found[0], dtype=np.float32)


def _accuracy(
    classifier: AdapterClassifier, encoder: Encoder, rows: Sequence[Row], features: Features
) -> dict[str, float]:
    texts = [row.text for row in rows]
    logits = classifier.logits(texts, encoder.features(texts), features)
    wanted = targets(classifier.manifest.fields, rows)
    return {name: round(float((found.argmax(1) == wanted[name]).mean()), 4) for name, found in logits.items()}
