"""Which parts of two windows are compared, by which test, and when a shift is large enough to speak of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from service.monitoring.drift.checks import (
    Found,
    distances_to,
    enough_permutations,
    kolmogorov_smirnov,
    mean_discrepancy,
    population_stability,
    share_change,
)
from service.monitoring.drift.observed import Floats, Guess, Observation, Window
from service.monitoring.drift.reference import MODE, Reference, ReferenceInputs
from service.monitoring.outcome import Kind

FEWEST = 50  # requests on either side of a test
FEWEST_SAID = 20  # requests with feedback on either side
_FAR = 0.95  # share of the reference's own requests that lie nearer to it
_NO_REFERENCE = "the domain has no reference; `formfact drift reference` makes one"


@dataclass(frozen=True, slots=True)
class Floors:
    """How large a statistic must be, either way, to be worth a look, and an alarm."""

    watch: float
    alarm: float


# PSI: 0.1 and 0.2 are the field's custom (Lewis 1994). The others were set on the domain's own tickets: of random
# halves against each other, 300 stay under 0.2 (distances of distributions), and 100 under 0.003 (discrepancy).
_PSI, _DISTANCE, _SHARE, _DISCREPANCY = Floors(0.1, 0.2), Floors(0.1, 0.2), Floors(0.08, 0.15), Floors(0.003, 0.005)


@dataclass(frozen=True, slots=True)
class Probe:
    """A comparison: what was found, or why nothing was looked for."""

    kind: Kind
    test: str
    floors: Floors
    field: str = ""
    reference: int = 0  # requests on either side
    now: int = 0
    found: Found | None = None
    words: str = ""  # how it was, and how it is
    left_out: str = ""

    @property
    def name(self) -> str:
        """The kind, and the field where there is one."""
        return f"{self.kind}/{self.field}" if self.field else self.kind


@dataclass(frozen=True, slots=True)
class Sides:
    """What is compared: the last requests with the reference, and their feedback with that of the requests before."""

    reference: Reference | None
    grounds: ReferenceInputs  # of what serves now
    now: Window
    earlier: Sequence[Observation]

    def probes(self, fields: Sequence[str], alpha: float) -> list[Probe]:
        """Every comparison; those that cannot be made are among them, with the reason."""
        made = [self._language(), self._length()]
        for name in fields:
            made += [self._labels(name), self._confidence(name), self._abstention(name)]
        made += [self._misses(), self._handoffs(), self._thumbs()]
        tested = sum(p.found is not None for p in made) + 1
        return [self._input(enough_permutations(alpha, tested)), *made]

    def _input(self, permutations: int) -> Probe:
        probe = Probe("input", "MMD²", _DISCREPANCY)
        ours = self._reference("encoder")
        if isinstance(ours, str):
            return replace(probe, left_out=ours)

        def compare() -> tuple[Found, str]:
            far = float(np.mean(self.unlikeness > 0))
            words = f"{far:.0%} of the requests are less like the reference than {_FAR:.0%} of it is like itself"
            return mean_discrepancy(ours.vectors, self.now.vectors, permutations), words

        return _compared(probe, len(ours), len(self.now), compare)

    @property
    def unlikeness(self) -> Floats:
        """How much farther from the reference each request is than most of the reference itself: (requests,)."""
        ours = self._reference("encoder")
        if isinstance(ours, str):
            return np.zeros(len(self.now))
        own = distances_to(ours.vectors, ours.vectors, 11)  # each is nearest to itself
        return np.asarray(distances_to(ours.vectors, self.now.vectors) - np.quantile(own, _FAR), dtype=np.float64)

    def _language(self) -> Probe:
        probe = Probe("language", "PSI", _PSI)
        ours = self._reference()
        if isinstance(ours, str):
            return replace(probe, left_out=ours)
        return _mix(probe, ours.languages, self.now.languages)

    def _length(self) -> Probe:
        probe = Probe("length", "KS D", _DISTANCE)
        ours = self._reference()
        if isinstance(ours, str):
            return replace(probe, left_out=ours)
        return _spread(probe, ours.lengths, self.now.lengths, "{:.0f} characters")

    def _labels(self, field: str) -> Probe:
        probe, sides = Probe("labels", "PSI", _PSI, field), self._guesses(field)
        if isinstance(sides, str):
            return replace(probe, left_out=sides)
        return _mix(probe, *([g.value for g in side] for side in sides))

    def _confidence(self, field: str) -> Probe:
        probe, sides = Probe("confidence", "KS D", _DISTANCE, field), self._guesses(field)
        if isinstance(sides, str):
            return replace(probe, left_out=sides)
        ours, theirs = (np.array([g.confidence for g in side]) for side in sides)
        return _spread(probe, ours, theirs, "{:.2f}")

    def _abstention(self, field: str) -> Probe:
        probe, sides = Probe("abstention", "change of share", _SHARE, field), self._guesses(field)
        if isinstance(sides, str):
            return replace(probe, left_out=sides)
        ours, theirs = ([g.abstained for g in side] for side in sides)
        return _share(probe, ours, theirs)

    def _misses(self) -> Probe:
        probe, sides = Probe("retrieval-miss", "change of share", _SHARE), self._served("judge")
        if isinstance(sides, str):
            return replace(probe, left_out=sides)
        ours, theirs = ([not o.sufficed for o in side.seen if o.sufficed is not None] for side in sides)
        return _share(probe, ours, theirs)

    def _handoffs(self) -> Probe:
        probe, sides = Probe("handoff", "change of share", _SHARE), self._served("judge", "adapter")
        if isinstance(sides, str):
            return replace(probe, left_out=sides)
        ours, theirs = ([o.action == "handoff" for o in side.seen] for side in sides)
        return _share(probe, ours, theirs)

    def _thumbs(self) -> Probe:
        """No reference has feedback: the requests before are what these are compared with."""
        probe = Probe("thumbs-down", "change of share", _SHARE)
        before, now = ([o.helpful is False for o in s if o.helpful is not None] for s in (self.earlier, self.now.seen))
        if min(len(before), len(now)) < FEWEST_SAID:
            told = f"needs feedback on {FEWEST_SAID} requests of this window and of the one before"
            return replace(probe, left_out=f"{told}, has {len(now)} and {len(before)}")
        return _share(probe, before, now, fewest=FEWEST_SAID)

    def _guesses(self, field: str) -> tuple[list[Guess], list[Guess]] | str:
        """The labels of a field on both sides, or why there are none to compare."""
        ours = self._reference("adapter")
        if isinstance(ours, str):
            return ours
        return ours.guesses(field), self.now.labelled_by(self.grounds.adapter).guesses(field)

    def _served(self, *same: str) -> tuple[Window, Window] | str:
        """The requests that went the whole way, as the reference's did, on both sides."""
        ours = self._reference(*same)
        if isinstance(ours, str):
            return ours
        now = self.now.where(lambda o: o.mode == MODE)
        return ours, now.labelled_by(self.grounds.adapter) if "adapter" in same else now

    def _reference(self, *same: str) -> Window | str:
        """The reference, or why it is not to be compared with: `same` names what must not have changed since."""
        if self.reference is None:
            return _NO_REFERENCE
        for part in same:
            was, is_now = getattr(self.reference.grounds, part), getattr(self.grounds, part)
            if was != is_now:
                return f"the reference was made under {part} {was or 'none'}, now it is {is_now or 'none'}"
        return self.reference.window


def _compared(
    probe: Probe, ours: int, theirs: int, compare: Callable[[], tuple[Found, str]], fewest: int = FEWEST
) -> Probe:
    """The probe with what was found, or with the reason why too few requests say nothing."""
    probe = replace(probe, reference=ours, now=theirs)
    if min(ours, theirs) < fewest:
        side = f"has {theirs}" if theirs < fewest else f"the reference has {ours}"
        return replace(probe, left_out=f"needs {fewest} requests that tell it, {side}")
    found, words = compare()
    return replace(probe, found=found, words=words)


def _mix(probe: Probe, ours: Sequence[str], theirs: Sequence[str]) -> Probe:
    return _compared(probe, len(ours), len(theirs), lambda: (population_stability(ours, theirs), _moved(ours, theirs)))


def _spread(probe: Probe, ours: Floats, theirs: Floats, unit: str) -> Probe:
    def compare() -> tuple[Found, str]:
        before, now = unit.format(np.median(ours)), unit.format(np.median(theirs))
        return kolmogorov_smirnov(ours, theirs), f"median {before} -> {now}"

    return _compared(probe, len(ours), len(theirs), compare)


def _share(probe: Probe, ours: Sequence[bool], theirs: Sequence[bool], fewest: int = FEWEST) -> Probe:
    def compare() -> tuple[Found, str]:
        before, now = (sum(ours), len(ours)), (sum(theirs), len(theirs))
        return share_change(before, now), f"{before[0] / before[1]:.0%} -> {now[0] / now[1]:.0%}"

    return _compared(probe, len(ours), len(theirs), compare, fewest)


def _moved(ours: Sequence[str], theirs: Sequence[str], told: int = 2) -> str:
    """The values whose shares changed most."""
    before, now = Counter(ours), Counter(theirs)
    shares = {v: (before[v] / len(ours), now[v] / len(theirs)) for v in {*before, *now}}
    most = sorted(shares, key=lambda v: (-abs(shares[v][1] - shares[v][0]), v))[:told]
    return ", ".join(f"{v} {shares[v][0]:.0%} -> {shares[v][1]:.0%}" for v in most)
