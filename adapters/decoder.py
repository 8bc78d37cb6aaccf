"""A decoder as a base, held in 4 bits: LoRA on top of it is QLoRA (Dettmers et al. 2023).

The weights are NF4 with double quantisation by bitsandbytes, computing in bfloat16; a GGUF file is unpacked and packed
anew, since its own packed layers have no gradient to pass on a CPU. A text's features are the last hidden state of its
last token. On two cores a step of two short texts through SmolLM2 (135 M) takes about a third of a second.
"""

from __future__ import annotations

import hashlib
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch
from peft import prepare_model_for_kbit_training
from torch import nn
from transformers import AutoModel, AutoTokenizer, BitsAndBytesConfig, GgufConfig

from adapters.base import Batch
from domains.spec import NotConfigured

_TOKENS = 256  # longer texts are cut, as the shipped encoder cuts them
_LAYERS_HASHED = "q_proj"  # one kind of layer tells two models apart


class QuantizedDecoder:
    """A causal language model in 4 bits; see `adapters.base.Base`.

    Args:
        source: a folder in Hugging Face's layout, or a `.gguf` file.

    Raises:
        NotConfigured: it cannot be loaded from there.
    """

    def __init__(self, source: Path) -> None:
        self.source = str(source)
        try:
            with warnings.catch_warnings():
                # transformers 5.23 warns of an attribute that peft 0.21 still reads
                warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
                self._tokenizer, packed = _load(source)
                self.network: nn.Module = prepare_model_for_kbit_training(packed, use_gradient_checkpointing=False)
        except (OSError, ValueError, ImportError) as error:
            raise NotConfigured(
                f"The decoder {source} cannot be loaded: {error}",
                "Give a folder of safetensors, or a .gguf file; `pip install formfact[qlora]` brings what is needed.",
            ) from error
        self._tokenizer.pad_token = self._tokenizer.pad_token or self._tokenizer.eos_token
        self._tokenizer.padding_side = "right"
        self.dimensions = int(packed.config.hidden_size)
        self.fingerprint = _fingerprint(self.network)

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    @property
    def megabytes(self) -> float:
        """Of the packed weights."""
        network: Any = self.network
        return float(network.get_memory_footprint()) / 1e6

    def tokens(self, texts: list[str]) -> Batch:
        batch = self._tokenizer(texts, padding=True, truncation=True, max_length=_TOKENS, return_tensors="pt")
        return {name: batch[name].to(self.device) for name in ("input_ids", "attention_mask")}

    def pooled(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        hidden = network(**batch).last_hidden_state  # (texts, tokens, dimensions)
        last = batch["attention_mask"].sum(1) - 1
        return hidden[torch.arange(len(last), device=hidden.device), last]  # type: ignore[no-any-return]


def _load(source: Path) -> tuple[Any, Any]:
    packing = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    place = "cuda" if torch.cuda.is_available() else "cpu"
    if source.suffix != ".gguf":
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        return tokenizer, AutoModel.from_pretrained(
            source, quantization_config=packing, device_map=place, trust_remote_code=False, use_safetensors=True
        )
    folder, file = str(source.parent), source.name
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file, trust_remote_code=False)
    unpacked = AutoModel.from_pretrained(
        folder,
        gguf_file=file,
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.bfloat16,
        trust_remote_code=False,
    )
    with tempfile.TemporaryDirectory() as scratch:
        unpacked.save_pretrained(scratch)
        return tokenizer, AutoModel.from_pretrained(scratch, quantization_config=packing, device_map=place)


def _fingerprint(network: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        if _LAYERS_HASHED in name:
            digest.update(name.encode() + tensor.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()[:12]
