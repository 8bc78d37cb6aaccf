"""A training that can go on after it was cut off: one safetensors file, replaced whole after each epoch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from domains.spec import Conflict

State = dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far a training has come: epochs done, epochs waited for a better score, the best weights and their score."""

    epoch: int
    waited: int
    score: float
    best: State

    @classmethod
    def fresh(cls, weights: State) -> Progressed:
        """Before the first epoch."""
        return cls(0, 0, -1.0, _copy(weights))

    def after(self, score: float, weights: State) -> Progressed:
        """One epoch later; of equal scores the later is kept, since it has seen more."""
        if score >= self.score:
            return Progressed(self.epoch + 1, 0, score, _copy(weights))
        return replace(self, epoch=self.epoch + 1, waited=self.waited + 1)


def store(
    path: Path, of: str, at: Progressed, trained: State, averaged: State, optimizer: torch.optim.Optimizer
) -> None:
    """Write everything that the next epoch depends on."""
    moments = {
        f"optimizer.{number}.{key}": value
        for number, state in optimizer.state_dict()["state"].items()
        for key, value in state.items()
    }
    parts = {"trained": trained, "averaged": averaged, "best": at.best}
    tensors = {f"{part}.{name}": t.detach() for part, state in parts.items() for name, t in state.items()} | moments
    told = {"of": of, "epoch": str(at.epoch), "waited": str(at.waited), "score": repr(at.score)}
    beside = path.with_suffix(".writing")
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, beside, metadata=told)
    beside.replace(path)


def restore(path: Path, of: str, trained: State, averaged: State, optimizer: torch.optim.Optimizer) -> Progressed:
    """Put weights, averages and moments back in place.

    Raises:
        Conflict: the file is of another recipe or cannot be read.
    """
    remedy = "Remove it to start from the beginning."
    try:
        with safe_open(path, framework="pt") as file:
            told, kept = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise Conflict(f"{path} cannot be read: {error}.", remedy) from None
    if told.get("of") != of:
        raise Conflict(f"{path} is of a training with other settings or other tickets.", remedy)
    with torch.no_grad():
        for name, tensor in trained.items():
            tensor.copy_(kept[f"trained.{name}"])
            averaged[name].copy_(kept[f"averaged.{name}"])
    moments: dict[int, State] = {}
    for name, tensor in kept.items():
        if name.startswith("optimizer."):
            _, number, key = name.split(".")
            moments.setdefault(int(number), {})[key] = tensor
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    best = {name: kept[f"best.{name}"] for name in trained}
    return Progressed(int(told["epoch"]), int(told["waited"]), float(told["score"]), best)


def _copy(state: State) -> State:
    return {name: tensor.detach().clone() for name, tensor in state.items()}
