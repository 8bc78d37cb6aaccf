"""The arms of the comparison: where labels come from, and where answers come from. Each arm is one of each.

An arm is the service's own pipeline with some of its parts replaced. `docs/evals.md` says what each is for.
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
    PROMPT = "prompt with the nearest labelled tickets"
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
    """One row of the comparison, with a sentence that says what it is."""

    name: str
    group: Group
    labels: Labels
    answers: Answers
    about: str

    @property
    def mode(self) -> Mode:
        """What the service is asked for."""
        if self.labels is Labels.NONE:
            return "rag"
        return "tuned" if self.answers in (Answers.NONE, Answers.ALONE) else "hybrid"

    @property
    def asks_chat(self) -> bool:
        """Does it need a chat model?"""
        return self.labels is Labels.PROMPT or self.answers in (Answers.CHAT, Answers.ALONE)

    def differs_from(self, other: Arm) -> tuple[str, ...]:
        """In what: `labels`, `answers`, both or nothing."""
        return tuple(part for part in ("labels", "answers") if getattr(self, part) is not getattr(other, part))


HYBRID, RAG, TUNED, PROMPT = "hybrid", "rag", "tuned", "prompt"
HYBRID_CHAT, RAG_CHAT, ALONE = "hybrid, chat", "rag, chat", "chat model alone"
WORDS, ORACLE_LABELS, ORACLE_EVIDENCE = "TF-IDF labels", "oracle labels", "oracle evidence"

ARMS = (
    Arm(HYBRID, Group.MODE, Labels.ADAPTER, Answers.EXTRACTIVE, "Adapter for labels, quotations for facts."),
    Arm(RAG, Group.MODE, Labels.NONE, Answers.EXTRACTIVE, "Quotations for facts, no labels."),
    Arm(TUNED, Group.MODE, Labels.ADAPTER, Answers.NONE, "Adapter for labels, no facts."),
    Arm(PROMPT, Group.MODE, Labels.PROMPT, Answers.NONE, "Labels by a prompt with three labelled tickets, no facts."),
    Arm(HYBRID_CHAT, Group.MODE, Labels.ADAPTER, Answers.CHAT, "Hybrid, worded by the chat model."),
    Arm(RAG_CHAT, Group.MODE, Labels.NONE, Answers.CHAT, "RAG, worded by the chat model."),
    Arm("majority labels", Group.LABELS, Labels.MAJORITY, Answers.EXTRACTIVE, "Always the most frequent label."),
    Arm("zero-shot labels", Group.LABELS, Labels.ZERO_SHOT, Answers.EXTRACTIVE, "The label whose description is near."),
    Arm(WORDS, Group.LABELS, Labels.WORDS, Answers.EXTRACTIVE, "Hybrid with a logistic regression on words."),
    Arm("kNN labels", Group.LABELS, Labels.NEAREST, Answers.EXTRACTIVE, "Labels of the nearest tickets."),
    Arm("linear probe labels", Group.LABELS, Labels.PROBE, Answers.EXTRACTIVE, "A regression on the frozen encoder."),
    Arm("prompted labels", Group.LABELS, Labels.PROMPT, Answers.EXTRACTIVE, "Hybrid with labels by a prompt."),
    Arm(ALONE, Group.ANSWERS, Labels.ADAPTER, Answers.ALONE, "The chat model answers without passages."),
    Arm(ORACLE_LABELS, Group.BOUND, Labels.ORACLE, Answers.EXTRACTIVE, "Hybrid if every label were right."),
    Arm(ORACLE_EVIDENCE, Group.BOUND, Labels.ADAPTER, Answers.ORACLE, "Hybrid if the right sentences were found."),
    Arm("oracle labels and evidence", Group.BOUND, Labels.ORACLE, Answers.ORACLE, "Hybrid if both were right."),
)

# Who is compared with whom; the two of a pair differ in their labels or in their answers, never in both.
PAIRS = (
    (HYBRID, RAG),
    (HYBRID, TUNED),
    (TUNED, PROMPT),
    (HYBRID_CHAT, RAG_CHAT),
    (HYBRID, HYBRID_CHAT),
    (RAG, RAG_CHAT),
    (HYBRID_CHAT, ALONE),
    *((HYBRID, arm.name) for arm in ARMS if arm.group is Group.LABELS),
    (HYBRID, ORACLE_LABELS),
    (HYBRID, ORACLE_EVIDENCE),
)

# The rows of a short table, in the order of preference: those of a chat model only where it is strong enough.
SHORT = (HYBRID, RAG, TUNED, PROMPT, HYBRID_CHAT, RAG_CHAT, WORDS, ORACLE_LABELS, ORACLE_EVIDENCE)
MOST_SHORT = 6
