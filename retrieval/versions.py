"""Which version of a document holds: the rule, as pure functions over frozen values.

For a document at instant t, as known at revision r: among its versions recorded at or before r that have begun and
whose stated end has not passed, the one with the latest `effective_from`; ties go to the higher version. The audience
is checked after the holding version is chosen, so that a reader outside it sees no older version instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a document, with its dates as stated; intervals are half-open, `from <= t < to`."""

    doc_id: str
    version: int
    title: str
    effective_from: datetime
    effective_to: datetime | None
    audience: frozenset[str]
    precedence: int
    supersedes: tuple[str, ...]
    content: str
    revision: int

    def admits(self, audiences: Iterable[str]) -> bool:
        """Any one of the version's audiences admits; none admits nobody."""
        return not self.audience.isdisjoint(audiences)


@dataclass(frozen=True, slots=True)
class Retraction:
    """From `at` on, no version of the document that was known before `revision` holds."""

    doc_id: str
    at: datetime
    revision: int


@dataclass(frozen=True, slots=True)
class History:
    """All that is known of one document, in the order in which it was recorded."""

    versions: tuple[Version, ...] = ()
    retractions: tuple[Retraction, ...] = ()

    def holding(self, moment: datetime, revision: int) -> Version | None:
        """The version that holds at `moment`, as known at `revision`."""
        holding = (v for v in self.versions if v.revision <= revision and self._covers(v, moment, revision))
        return max(holding, key=lambda v: (v.effective_from, v.version), default=None)

    def _covers(self, version: Version, moment: datetime, revision: int) -> bool:
        if not version.effective_from <= moment:
            return False
        if version.effective_to is not None and moment >= version.effective_to:
            return False
        return not any(r.at <= moment for r in self.retractions if version.revision < r.revision <= revision)

    def boundaries(self) -> set[datetime]:
        """The instants at which the answer of `holding` may change."""
        starts = {v.effective_from for v in self.versions}
        return starts | {v.effective_to for v in self.versions if v.effective_to} | {r.at for r in self.retractions}


@dataclass(frozen=True, eq=False)
class View:
    """What one caller may read at one instant, as known at one revision: all that its reply is made of."""

    moment: datetime
    revision: int
    audiences: frozenset[str]
    versions: tuple[Version, ...]

    @cached_property
    def by_content(self) -> Mapping[str, tuple[Version, ...]]:
        """Content hash -> the readable versions that hold it, the one with the highest precedence first."""
        found: dict[str, list[Version]] = {}
        for version in sorted(self.versions, key=lambda v: (-v.precedence, v.doc_id)):
            found.setdefault(version.content, []).append(version)
        return {content: tuple(versions) for content, versions in found.items()}

    @cached_property
    def token(self) -> str:
        """Moves with what the caller may read and with nothing else; tells nothing of what it may not."""
        lines = sorted(f"{v.doc_id}\0{v.version}\0{v.content}\0{v.title}" for v in self.versions)
        return "v" + hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def readable(histories: Iterable[History], audiences: frozenset[str], moment: datetime, revision: int) -> View:
    """The view of a caller: the holding version of each document, then its audience, then who supersedes whom."""
    held = [v for history in histories if (v := history.holding(moment, revision)) and v.admits(audiences)]
    superseded = {doc_id for v in held for doc_id in v.supersedes}
    kept = tuple(sorted((v for v in held if v.doc_id not in superseded), key=lambda v: v.doc_id))
    return View(moment=moment, revision=revision, audiences=audiences, versions=kept)
