"""What an arm costs: measured seconds and tokens times a price list, work by people, and what tuning has to earn.

All amounts are in the currency of the price list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from domains.spec import InvalidInput, first_fault
from evals.answers import ArmAnswer
from evals.arms import LEARNT, Arm, LabelSource

PRICES = Path(__file__).parent / "prices.yaml"
_THOUSAND = 1000
_DAYS_A_MONTH = 365 / 12
_FELT = 0.01  # share of an amount that a price has to change to be listed
_LABELLED = (*LEARNT, LabelSource.PROMPT, LabelSource.ADAPTER)  # sources that somebody labelled tickets for


class Prices(BaseModel):
    """A price list; see `evals/prices.yaml` for what each line means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: str
    cpu_core_hour: float = Field(ge=0)
    gpu_hour: float = Field(ge=0)
    chat_input_million_tokens: float = Field(ge=0)
    chat_output_million_tokens: float = Field(ge=0)
    person_hour: float = Field(ge=0)
    minutes_a_review: float = Field(ge=0)
    minutes_a_label: float = Field(ge=0)
    minutes_a_case: float = Field(ge=0)
    training_cpu_hours: float = Field(ge=0)
    evaluation_cpu_hours: float = Field(ge=0)
    retraining_days: float = Field(gt=0)
    tickets_a_month: float = Field(gt=0)


@dataclass(frozen=True, slots=True)
class Cost:
    """What an arm costs: per thousand tickets, and a retraining interval."""

    computing: float  # a thousand tickets, by machines
    people: float  # a thousand tickets, by people who take over what is handed off
    fixed: float  # a retraining interval: labels, training, evaluation
    interval_tickets: float  # that it is spread over

    @property
    def a_thousand(self) -> float:
        """Everything, a thousand tickets, at the volume of the price list."""
        return self.at(self.interval_tickets)

    def at(self, tickets: float) -> float:
        """Everything, a thousand tickets, where so many come in an interval."""
        return self.computing + self.people + _THOUSAND * self.fixed / tickets


@dataclass(frozen=True, slots=True)
class Swing:
    """What a thousand tickets cost, arm by arm, if one price were half or twice what the list says."""

    price: str
    half: dict[str, float]
    twice: dict[str, float]


def load(path: Path) -> Prices:
    """Read a price list.

    Raises:
        InvalidInput: the file cannot be read, or a line is missing, unknown or negative.
    """
    try:
        return Prices.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}", "Start from evals/prices.yaml.", "prices") from None
    except ValidationError as error:
        where, said = first_fault(error)
        raise InvalidInput(
            f"{path}: {where or 'the list'}: {said}", "evals/prices.yaml shows every line.", "prices"
        ) from None


def cost(arm: Arm, rows: Sequence[ArmAnswer], prices: Prices, labelled: int, cases: int) -> Cost:
    """What an arm costs by what its answers took.

    Args:
        arm: what it is made of decides which fixed costs it has.
        rows: its answers.
        prices: see `Prices`.
        labelled: tickets that were labelled to learn from.
        cases: eval cases that were written; every arm needs them, or nobody knows what it does.
    """
    n = len(rows)
    hours = sum(r.usage.cpu_seconds for r in rows) / 3600 * prices.cpu_core_hour
    tokens = (
        sum(r.usage.input_tokens for r in rows) * prices.chat_input_million_tokens
        + sum(r.usage.output_tokens for r in rows) * prices.chat_output_million_tokens
    ) / 1e6
    handed = sum(r.action == "handoff" for r in rows) / n
    return Cost(
        computing=_THOUSAND * (hours + tokens) / n,
        people=_THOUSAND * handed * prices.minutes_a_review / 60 * prices.person_hour,
        fixed=_fixed(arm, prices, labelled, cases),
        interval_tickets=prices.tickets_a_month * prices.retraining_days / _DAYS_A_MONTH,
    )


def swings(
    arms: Mapping[str, tuple[Arm, Sequence[ArmAnswer]]], prices: Prices, labelled: int, cases: int
) -> Iterator[Swing]:
    """What a thousand tickets cost at half and at twice of each price; see `cost`.

    A price that changes less than a hundredth is left out.
    """

    def costs(other: Prices) -> dict[str, float]:
        return {name: cost(arm, rows, other, labelled, cases).a_thousand for name, (arm, rows) in arms.items()}

    now = costs(prices)
    for name in Prices.model_fields:
        if name != "currency":
            half, twice = (costs(prices.model_copy(update={name: getattr(prices, name) * by})) for by in (0.5, 2.0))
            if any(abs(half[arm] - now[arm]) >= _FELT * now[arm] for arm in now):
                yield Swing(name, half, twice)


def break_even(ours: Cost, theirs: Cost) -> float | None:
    """Tickets an interval from which on we are cheaper; 0: always, None: never."""
    saved = (theirs.computing + theirs.people - ours.computing - ours.people) / _THOUSAND
    extra = ours.fixed - theirs.fixed
    if saved <= 0:
        return None if extra >= 0 else 0.0
    return max(0.0, extra / saved)


def _fixed(arm: Arm, prices: Prices, labelled: int, cases: int) -> float:
    """Labels are paid by whatever learns from them, training and its gate by the adapter alone."""
    people = cases * prices.minutes_a_case
    if arm.labels in _LABELLED:
        people += labelled * prices.minutes_a_label
    machines = prices.training_cpu_hours if arm.labels is LabelSource.ADAPTER else 0.0
    return people / 60 * prices.person_hour + (machines + prices.evaluation_cpu_hours) * prices.cpu_core_hour
