"""QLoRA: a small decoder in 4 bits, tuned for real."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import LlamaConfig, LlamaModel, PreTrainedTokenizerFast

from adapters.base import features_under
from adapters.data.rows import Row
from adapters.decoder import QuantizedDecoder
from adapters.recipe import Recipe
from adapters.trainer import Trainer
from domains.spec import NotConfigured

WORDS = "refund money back please login password locked out sync folder upload stuck the my again".split()  # noqa: SIM905
FIELDS = {"kind": ("billing", "access")}
ROWS = [
    Row(
        str(n),
        f"{'refund my money' if n % 2 else 'password locked out'} {WORDS[n % 15]}",
        str(n),
        {"kind": FIELDS["kind"][1 - n % 2]},
        {},
    )
    for n in range(16)
]


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    """A Llama of two layers with random weights, as safetensors."""
    folder = tmp_path_factory.mktemp("llama")
    torch.manual_seed(0)
    vocabulary = {word: n for n, word in enumerate(["<pad>", "<unk>", *WORDS])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>").save_pretrained(folder)
    shape = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    LlamaModel(LlamaConfig(vocab_size=len(vocabulary), num_key_value_heads=2, **shape)).save_pretrained(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # bitsandbytes tells which of its kernels this machine lacks
        return QuantizedDecoder(folder)


@pytest.mark.filterwarnings("ignore")
def test_qlora_learns_on_four_bit_weights(decoder):
    packed = decoder.network.layers[0].self_attn.q_proj
    assert type(packed).__name__ == "Linear4bit"
    texts = [row.text for row in ROWS]
    before = features_under(decoder, decoder.network, texts)
    trainer = Trainer(
        decoder, FIELDS, ROWS, (), Recipe(epochs=20, patience=20, rank=4, batch=8, head_learning_rate=1e-2)
    )
    trainer.fit(lambda what, done: None)
    found = trainer.logits(texts)["kind"].argmax(1)
    assert [FIELDS["kind"][n] for n in found] == [row.labels["kind"] for row in ROWS]
    assert np.allclose(before, features_under(decoder, decoder.network, texts), atol=1e-2), "the base stays as it was"
    assert trainer.trainable_parameters < 50_000


def test_a_decoder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(NotConfigured, match="cannot be loaded"):
        QuantizedDecoder(tmp_path / "none")
