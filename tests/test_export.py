"""Adapters that leave the project: opened by PEFT itself, and run by ONNX Runtime in int8."""

from __future__ import annotations

import copy
import json
import warnings

import pytest
from peft import PeftModel

from adapters.base import features_under, unit
from adapters.classifier import AdapterClassifier
from adapters.data import rows
from adapters.export import to_onnx, to_peft
from domains.spec import InvalidInput


@pytest.fixture(scope="module")
def shipped(encoder, domain):
    return AdapterClassifier(encoder, domain.folder / "adapter", domain)


def test_peft_opens_what_was_exported_and_computes_the_same(tmp_path, encoder, shipped):
    to_peft(shipped, tmp_path / "out")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # transformers warns of an attribute that peft still reads
        opened = PeftModel.from_pretrained(copy.deepcopy(encoder.base.network), str(tmp_path / "out"))
    texts = ["I was charged twice.", "The client crashes whenever a folder is renamed."]
    ours = encoder.unit(texts, encoder.merged(shipped.folder))
    assert (unit(features_under(encoder.base, opened, texts)) * ours).sum(1).min() > 0.999
    assert json.loads((tmp_path / "out" / "labels.json").read_text())["fields"]["queue"]
    with pytest.raises(InvalidInput, match="is there already"):
        to_peft(shipped, tmp_path / "out")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the ONNX exporter
def test_int8_loses_little(tmp_path, domain, encoder, shipped):
    some = rows.split(rows.read(domain.folder / "tickets" / "train.jsonl", domain.label_names)).calibration
    loss = to_onnx(shipped, encoder, some, tmp_path / "out")
    assert loss.least_cosine > 0.85
    assert all(abs(loss.accuracy[f] - loss.accuracy_int8[f]) < 0.05 for f in domain.fields)
    assert loss.megabytes_int8 < 30
    assert {p.suffix for p in (tmp_path / "out").iterdir()} <= {".onnx", ".json", ".safetensors", ".txt"}
