"""When which version of a document holds, as bars. What holds is asked of the caller, so that bars tell no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

WIDTH = 1000.0  # units of the drawing
_MARGIN = 0.04  # of the time that is shown, before and after


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time in units of the drawing."""

    x: float
    width: float


@dataclass(frozen=True, slots=True)
class TimelineLine:
    """A version: from when to when it was meant to hold, and where in that time it does."""

    version: int
    stated: Bar
    holding: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """One line a version, the latest first; where today and retractions stand; years as ticks."""

    lines: tuple[TimelineLine, ...]
    today: float
    ends: tuple[float, ...]
    years: tuple[tuple[float, int], ...]


@dataclass(frozen=True, slots=True)
class Stated:
    """A version with its dates."""

    version: int
    start: datetime
    end: datetime | None


def chart(
    versions: Sequence[Stated], ends: Iterable[datetime], today: datetime, holds: Callable[[datetime], int | None]
) -> Chart:
    """Draw the history of a document.

    Args:
        versions: that the reader may see, at least one.
        ends: instants at which the document was retracted.
        today: the current instant.
        holds: the version that the reader sees at an instant.
    """
    ends = sorted(ends)
    edges = sorted({today, *ends, *(v.start for v in versions), *(v.end for v in versions if v.end)})
    scale = _Scale.around(edges[0], edges[-1])
    held = [(start, end, holds(start)) for start, end in zip(edges, [*edges[1:], scale.last], strict=True)]
    lines = tuple(
        TimelineLine(
            version=v.version,
            stated=scale.bar(v.start, v.end or scale.last),
            holding=tuple(scale.bar(a, b) for a, b, number in held if number == v.version),
        )
        for v in reversed(versions)
    )
    return Chart(lines, scale.at(today), tuple(map(scale.at, ends)), tuple(scale.years()))


@dataclass(frozen=True, slots=True)
class _Scale:
    first: datetime
    last: datetime

    @classmethod
    def around(cls, first: datetime, last: datetime) -> _Scale:
        margin = max((last - first) * _MARGIN, timedelta(days=10))
        return cls(first - margin, last + margin)

    def at(self, moment: datetime) -> float:
        return round((moment - self.first) / (self.last - self.first) * WIDTH, 1)

    def bar(self, start: datetime, end: datetime) -> Bar:
        return Bar(self.at(start), round(max(self.at(end) - self.at(start), 2.0), 1))

    def years(self) -> Iterable[tuple[float, int]]:
        for year in range(self.first.year + 1, self.last.year + 1):
            yield self.at(datetime(year, 1, 1, tzinfo=UTC)), year
