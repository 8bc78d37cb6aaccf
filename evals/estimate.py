"""What a run of the comparison will ask of a chat model, told before anything is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from adapters.prompted import taxonomy
from domains.spec import Domain
from evals.arms import AnswerSource, Arm, LabelSource
from evals.cases import Case
from evals.cost import Prices
from evals.prompting import BUDGET

# Means of the calls that SmolLM2 got on development cases of the shipped domain; other domains and models differ.
_LETTERS = 4.0  # characters per token of the label prompt
_QUOTED = 350  # characters of sources and question in the prompt of an answer
_ANSWER, _LABEL = 53, 7  # output tokens: an answer, a field's label
_EXAMPLES = 3 * 400  # characters of the labelled tickets before one that is labelled, at most
_ANSWERED = 1.0  # questions with evidence per case: 40 in 44 cases, rounded up
_VARIANTS = 13  # of a ticket whose labels are to be consistent


@dataclass(frozen=True, slots=True)
class Estimate:
    """Calls and tokens; `amount` in the currency of the price list, by its prices for tokens alone."""

    calls: int
    input_tokens: int
    output_tokens: int
    amount: float


def estimate(
    domain: Domain, arms: Sequence[Arm], cases: Sequence[Case], tried: int, paraphrased: int, prices: Prices
) -> Estimate:
    """What a run asks at most; equal calls of several arms are made once.

    Args:
        domain: its prompts and taxonomy.
        arms: that run.
        cases: that each answers.
        tried: cases on which prompts are chosen.
        paraphrased: cases whose variants are labelled.
        prices: for the amount.
    """
    ticket = mean(len(c.ticket.body) + sum(len(m.text) for m in c.ticket.thread) for c in cases)
    label_in = (len(domain.prompt("labels")) + len(taxonomy(domain)) + _EXAMPLES + ticket) / _LETTERS
    answer_in = (len(domain.prompt("answer")) + _QUOTED) / _LETTERS
    alone_in = (len(domain.prompt("alone")) + ticket) / _LETTERS
    labelled, answered, alone = 0.0, 0.0, 0.0
    if any(arm.asks_chat for arm in arms):
        labelled, answered = tried * BUDGET, tried * BUDGET * _ANSWERED
    if any(arm.labels is LabelSource.PROMPT for arm in arms):
        labelled += len(cases) + paraphrased * _VARIANTS
    if any(arm.answers is AnswerSource.CHAT for arm in arms):
        answered += len(cases) * _ANSWERED
    if any(arm.answers is AnswerSource.ALONE for arm in arms):
        alone = len(cases)
    told = round(labelled * label_in + answered * answer_in + alone * alone_in)
    back = round(labelled * _LABEL * len(domain.fields) + (answered + alone) * _ANSWER)
    amount = (told * prices.chat_input_million_tokens + back * prices.chat_output_million_tokens) / 1e6
    return Estimate(round(labelled + answered + alone), told, back, amount)
