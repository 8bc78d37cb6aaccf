"""The arms of the comparison: where labels come from, and where answers come from. Each arm is one of each.

An arm is the service's own pipeline with some of its parts replaced. `docs/evals.md` says what each is for.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from adapters import baselines
from service.route import Mode


class LabelSource(StrEnum):
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


# What is fitted on labelled tickets when a comparison runs; a domain without them is compared without these.
LEARNT = (LabelSource.MAJORITY, LabelSource.WORDS, LabelSource.NEAREST, LabelSource.PROBE)


class AnswerSource(StrEnum):
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
    labels: LabelSource
    answers: AnswerSource
    about: str

    @property
    def mode(self) -> Mode:
        """What the service is asked for."""
        if self.labels is LabelSource.NONE:
            return "rag"
        return "tuned" if self.answers in (AnswerSource.NONE, AnswerSource.ALONE) else "hybrid"

    @property
    def asks_chat(self) -> bool:
        """Does it need a chat model?"""
        return self.labels is LabelSource.PROMPT or self.answers in (AnswerSource.CHAT, AnswerSource.ALONE)

    @property
    def needs_tickets(self) -> bool:
        """Do its labels come from labelled tickets, and nowhere else?"""
        return self.labels in LEARNT

    def differs_from(self, other: Arm) -> tuple[str, ...]:
        """In what: `labels`, `answers`, both or nothing."""
        return tuple(part for part in ("labels", "answers") if getattr(self, part) is not getattr(other, part))


HYBRID, RAG, TUNED, PROMPT = "hybrid", "rag", "tuned", "prompt"
HYBRID_CHAT, RAG_CHAT, ALONE = "hybrid, chat", "rag, chat", "chat model alone"
WORDS, ORACLE_LABELS, ORACLE_EVIDENCE = "TF-IDF labels", "oracle labels", "oracle evidence"

ARMS = (
    Arm(HYBRID, Group.MODE, LabelSource.ADAPTER, AnswerSource.EXTRACTIVE, "Adapter for labels, quotations for facts."),
    Arm(RAG, Group.MODE, LabelSource.NONE, AnswerSource.EXTRACTIVE, "Quotations for facts, no labels."),
    Arm(TUNED, Group.MODE, LabelSource.ADAPTER, AnswerSource.NONE, "Adapter for labels, no facts."),
    Arm(
        PROMPT,
        Group.MODE,
        LabelSource.PROMPT,
        AnswerSource.NONE,
        "Labels by a prompt with three labelled tickets, no facts.",
    ),
    Arm(HYBRID_CHAT, Group.MODE, LabelSource.ADAPTER, AnswerSource.CHAT, "Hybrid, worded by the chat model."),
    Arm(RAG_CHAT, Group.MODE, LabelSource.NONE, AnswerSource.CHAT, "RAG, worded by the chat model."),
    Arm(
        "majority labels",
        Group.LABELS,
        LabelSource.MAJORITY,
        AnswerSource.EXTRACTIVE,
        "Always the most frequent label.",
    ),
    Arm(
        "zero-shot labels",
        Group.LABELS,
        LabelSource.ZERO_SHOT,
        AnswerSource.EXTRACTIVE,
        "The label whose description is near.",
    ),
    Arm(WORDS, Group.LABELS, LabelSource.WORDS, AnswerSource.EXTRACTIVE, "Hybrid with a logistic regression on words."),
    Arm("kNN labels", Group.LABELS, LabelSource.NEAREST, AnswerSource.EXTRACTIVE, "Labels of the nearest tickets."),
    Arm(
        "linear probe labels",
        Group.LABELS,
        LabelSource.PROBE,
        AnswerSource.EXTRACTIVE,
        "A regression on the frozen encoder.",
    ),
    Arm(
        "prompted labels", Group.LABELS, LabelSource.PROMPT, AnswerSource.EXTRACTIVE, "Hybrid with labels by a prompt."
    ),
    Arm(ALONE, Group.ANSWERS, LabelSource.ADAPTER, AnswerSource.ALONE, "The chat model answers without passages."),
    Arm(ORACLE_LABELS, Group.BOUND, LabelSource.ORACLE, AnswerSource.EXTRACTIVE, "Hybrid if every label were right."),
    Arm(
        ORACLE_EVIDENCE,
        Group.BOUND,
        LabelSource.ADAPTER,
        AnswerSource.ORACLE,
        "Hybrid if the right sentences were found.",
    ),
    Arm(
        "oracle labels and evidence", Group.BOUND, LabelSource.ORACLE, AnswerSource.ORACLE, "Hybrid if both were right."
    ),
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
