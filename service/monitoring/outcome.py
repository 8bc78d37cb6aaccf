"""What a look at drift tells: values for JSON, the command line and the page. No word of a ticket stands in it."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import BaseModel

Kind = Literal[
    "input", "language", "length", "labels", "confidence", "abstention", "retrieval-miss", "handoff", "thumbs-down"
]
KINDS: tuple[Kind, ...] = get_args(Kind)
Verdict = Literal["ok", "watch", "alarm", "left out"]


class Check(BaseModel):
    """One test.

    `name` is the kind, with a field after a slash where there is one. `statistic` is in the unit of `test`, `p` is as
    computed and `p_adjusted` after Holm over all tests of the report; all three are null where it was left out.
    """

    name: str
    kind: Kind
    test: str
    reference: int  # requests on either side
    now: int
    statistic: float | None
    alarm_from: float  # how large the statistic must be, either way, for an alarm
    p: float | None
    p_adjusted: float | None
    verdict: Verdict
    words: str


class OutcomeShare(BaseModel):
    """A value and how often it occurs on both sides, 0..1."""

    value: str
    reference: float
    now: float


class Spread(BaseModel):
    """Two histograms over the same bins; shares of requests, 0..1. `edges` has one number more than there are bins."""

    edges: list[float]
    reference: list[float]
    now: list[float]


class Made(BaseModel):
    """The reference that was compared with."""

    requests: int
    adapter: str
    at: str


class Retrain(BaseModel):
    """Should an adapter be trained anew, and why."""

    wanted: bool
    why: list[str]


class DriftReport(BaseModel):
    """The last requests against the reference."""

    domain: str
    adapter: str
    requests: int
    first_at: str | None
    last_at: str | None
    reference: Made | None
    alpha: float
    alarm: bool
    checks: list[Check]
    advice: list[str]
    unlike: list[str]  # ids of requests that are farthest from the reference, where the input has shifted
    retrain: Retrain
    mixes: dict[str, list[OutcomeShare]]  # field, or `language`
    confidences: dict[str, Spread]  # field
    lengths: Spread | None  # edges in characters
