"""Networks compiled for the processor by OpenVINO: the outputs of PyTorch's in a half to a fifth of the time.

Eager PyTorch spends most of a short text's time on starting small operations. `formfact bench speed` measures the
whole; docs/performance.md has figures. In bfloat16 where the processor has it: cosine to float32 above 0.9999.
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from typing import Any

import structlog
import torch
from torch import nn

# OpenVINO reports each import and conversion to its maker, where this package can be imported; nothing leaves here.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

import openvino  # noqa: E402 -- after the line above
from openvino import opset13 as operations  # noqa: E402

log = structlog.get_logger()

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_core = openvino.Core()


@dataclass(frozen=True, slots=True)
class Output:
    """What this project uses of a network's outputs."""

    last_hidden_state: torch.Tensor  # (texts, tokens, dimensions)


class Compiled(nn.Module):
    """A compiled encoder in the place of the network that it was made of; for one thread at a time."""

    def __init__(self, model: openvino.Model) -> None:
        super().__init__()
        half = "BF16" in _core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if half else "f32",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._run = _core.compile_model(model, "CPU", settings)

    def forward(self, **batch: torch.Tensor) -> Output:
        """See `Output`."""
        return Output(torch.from_numpy(self._run([batch[name].numpy() for name in _INPUTS])[0]))


class Compiler:
    """Compiles a network, and copies of it with other weights, which needs no second conversion.

    Args:
        network: a BERT-like encoder, on the CPU.

    Raises:
        RuntimeError: it holds something that OpenVINO does not know.
    """

    def __init__(self, network: nn.Module) -> None:
        example = tuple(torch.ones(1, 8, dtype=torch.long) for _ in _INPUTS)
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # of what a trace takes for constant, and BERT does not change
            self._model = openvino.convert_model(_Plain(network.eval()), example_input=example)
        self._weights = network.state_dict()

    def compiled(self, network: nn.Module) -> nn.Module:
        """The network, or a copy of it with other weights, compiled; one whose weights are not found stays as it is."""
        there = network.state_dict()
        changed = {f"self.network.{k}": v for k, v in there.items() if not torch.equal(v, self._weights[k])}
        model = self._model.clone()
        for constant in model.get_ordered_ops():
            if (weight := changed.pop(constant.get_friendly_name(), None)) is not None:
                constant.output(0).replace(operations.constant(weight.numpy()).output(0))
        if changed:
            log.warning("network_not_compiled", weights=len(changed))
            return network
        return Compiled(model)


class _Plain(nn.Module):
    """A network with its inputs by position and a tensor as its output, as the converter traces it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network: Any = network

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = self.network(**dict(zip(_INPUTS, inputs, strict=True))).last_hidden_state
        return hidden


def compiler_for(network: nn.Module, inputs: list[str], device: torch.device) -> Compiler | None:
    """What compiles a network; None where it runs on a GPU, takes other inputs than BERT's, or cannot be converted."""
    if device.type != "cpu" or not set(inputs) >= set(_INPUTS):
        return None
    try:
        return Compiler(network)
    except RuntimeError as error:
        log.warning("network_not_compiled", detail=str(error).splitlines()[0])
        return None
