"""The arms of the comparison: where labels come from, where answers come from. Each part's worth is seen alone.

An arm is the service's own pipeline with some of its parts replaced. `docs/evals.md` tells what each is for.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from adapters import baselines
from service.route import Mode


class Labels(StrEnum):
    """Where labels come from."""

    NONE = "none"
    ADAPTER = "LoRA adapter"
    MAJORITY = baselines.MAJORITY
    WORDS = baselines.WORDS
    NEAREST = baselines.NEAREST
    PROBE = baselines.PROBE
    ZERO_SHOT = "zero-shot by embedding"
    PROMPT = "prompt"
    EXAMPLES = "prompt with the nearest labelled tickets"
    ORACLE = "oracle"


class Answers(StrEnum):
    """Where answers come from."""

    NONE = "none"
    EXTRACTIVE = "extractive"
    CHAT = "chat model with passages"
    ALONE = "chat model alone"
    ORACLE = "extractive, oracle evidence"


class Group(StrEnum):
    """What an arm stands in the comparison for."""

    MODE = "modes"
    LABELS = "where labels come from"
    ANSWERS = "where answers come from"
    BOUND = "upper bounds"


@dataclass(frozen=True, slots=True)
class Arm:
    """One row of the comparison; `mode` is what the service is asked for."""

    name: str
    group: Group
    mode: Mode
    labels: Labels
    answers: Answers

    @property
    def asks_chat(self) -> bool:
        """Does it need a chat model?"""
        return self.labels in (Labels.PROMPT, Labels.EXAMPLES) or self.answers in (Answers.CHAT, Answers.ALONE)


HYBRID, RAG, TUNED = "hybrid", "rag", "tuned"
PROMPT, HYBRID_CHAT, RAG_CHAT, RAG_NEAREST = "prompt", "hybrid, chat", "rag, chat", "rag + kNN labels"

ARMS = (
    Arm(HYBRID, Group.MODE, "hybrid", Labels.ADAPTER, Answers.EXTRACTIVE),
    Arm(RAG, Group.MODE, "rag", Labels.NONE, Answers.EXTRACTIVE),
    Arm(TUNED, Group.MODE, "tuned", Labels.ADAPTER, Answers.NONE),
    Arm(PROMPT, Group.MODE, "tuned", Labels.PROMPT, Answers.NONE),
    Arm(HYBRID_CHAT, Group.MODE, "hybrid", Labels.ADAPTER, Answers.CHAT),
    Arm(RAG_CHAT, Group.MODE, "rag", Labels.PROMPT, Answers.CHAT),
    Arm("majority labels", Group.LABELS, "hybrid", Labels.MAJORITY, Answers.EXTRACTIVE),
    Arm("zero-shot labels", Group.LABELS, "hybrid", Labels.ZERO_SHOT, Answers.EXTRACTIVE),
    Arm("TF-IDF labels", Group.LABELS, "hybrid", Labels.WORDS, Answers.EXTRACTIVE),
    Arm(RAG_NEAREST, Group.LABELS, "hybrid", Labels.NEAREST, Answers.EXTRACTIVE),
    Arm("linear probe labels", Group.LABELS, "hybrid", Labels.PROBE, Answers.EXTRACTIVE),
    Arm("prompted labels", Group.LABELS, "hybrid", Labels.PROMPT, Answers.EXTRACTIVE),
    Arm("prompted labels + kNN examples", Group.LABELS, "hybrid", Labels.EXAMPLES, Answers.EXTRACTIVE),
    Arm("rag, chat + kNN examples", Group.LABELS, "rag", Labels.EXAMPLES, Answers.CHAT),
    Arm("chat model alone", Group.ANSWERS, "tuned", Labels.ADAPTER, Answers.ALONE),
    Arm("oracle labels", Group.BOUND, "hybrid", Labels.ORACLE, Answers.EXTRACTIVE),
    Arm("oracle evidence", Group.BOUND, "hybrid", Labels.ADAPTER, Answers.ORACLE),
    Arm("oracle labels and evidence", Group.BOUND, "hybrid", Labels.ORACLE, Answers.ORACLE),
)
