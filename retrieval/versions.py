"""Which version of a document holds: the rule, as pure functions over frozen values.

For a document at instant t, as known at revision r: among its versions recorded at or before r that have begun and
whose stated end has not passed, the one with the latest `effective_from`; ties go to the higher version. The audience
is checked after the holding version is chosen, so that a reader outside it sees no older version instead.

Rights are not history: a restriction narrows who may read the versions recorded before it, whatever instant or revision
is asked about.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from retrieval.contents import LeftOut, VersionDraft


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
    left_out: tuple[LeftOut, ...] = ()  # what the reader of the file did not read, for who publishes
    restricted_to: tuple[frozenset[str], ...] = ()  # audiences of later restrictions; a reader must be in each

    @classmethod
    def planned(cls, draft: VersionDraft) -> Version:
        """A draft as the first version of its document, before anybody knows its number."""
        return cls(
            draft.doc_id,
            1,
            draft.title,
            draft.effective_from,
            draft.effective_to,
            draft.audience or frozenset(),
            draft.precedence,
            draft.supersedes,
            draft.content,
            1,
        )

    def admits(self, audiences: Iterable[str]) -> bool:
        """Any one of the version's audiences admits, unless a restriction excludes the reader."""
        held = frozenset(audiences)
        return not any(audience.isdisjoint(held) for audience in (self.audience, *self.restricted_to))

    def readers(self, reach: Callable[[Iterable[str]], frozenset[str]]) -> frozenset[str]:
        """The audiences whose members may read the version; `reach` is that of the domain."""
        return frozenset.intersection(*(reach(audience) for audience in (self.audience, *self.restricted_to)))


@dataclass(frozen=True, slots=True)
class Retraction:
    """From `at` on, no version of the document that was known before `revision` holds."""

    doc_id: str
    at: datetime
    revision: int


@dataclass(frozen=True, slots=True)
class Restriction:
    """Versions of the document recorded before `revision` admit only readers that `audience` admits too."""

    doc_id: str
    audience: frozenset[str]
    revision: int


@dataclass(frozen=True, slots=True)
class History:
    """All that is known of one document, in the order in which it was recorded."""

    versions: tuple[Version, ...] = ()
    retractions: tuple[Retraction, ...] = ()
    restrictions: tuple[Restriction, ...] = ()

    @classmethod
    def recorded(
        cls, versions: Iterable[Version], retractions: Iterable[Retraction], restrictions: Iterable[Restriction]
    ) -> History:
        """The history of one document, with every restriction applied to the versions before it."""
        limits = tuple(restrictions)
        restricted = (
            replace(v, restricted_to=tuple(r.audience for r in limits if v.revision < r.revision)) for v in versions
        )
        return cls(tuple(restricted), tuple(retractions), limits)

    @property
    def revision(self) -> int:
        """The revision of the latest change to the document; 0 if there is none."""
        return max([0, *(v.revision for v in self.versions), *(r.revision for r in self.retractions)])

    def takes_effect(self, version: Version) -> bool:
        """Whether the version holds from its own start, as known now.

        It does not if a later version with the same start corrects it, or if the document was retracted since.
        """
        retracted = any(version.revision < r.revision for r in self.retractions)
        return not retracted and self.holding(version.effective_from, self.revision) == version

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

    def end(self, version: Version, revision: int, audiences: frozenset[str]) -> datetime | None:
        """When a version ceases to hold, as far as readers with these audiences may know.

        That is its stated end, or the start of a later version that they may read too.
        """
        for boundary in sorted(b for b in self.boundaries() if b > version.effective_from):
            holding = self.holding(boundary, revision)
            if holding is not None and holding != version:
                return boundary if holding.admits(audiences) else None
            if boundary == version.effective_to:
                return boundary
        return None

    def boundaries(self) -> set[datetime]:
        """The instants at which the answer of `holding` may change."""
        starts = {v.effective_from for v in self.versions}
        return starts | {v.effective_to for v in self.versions if v.effective_to} | {r.at for r in self.retractions}


@dataclass(frozen=True, eq=False)
class View:
    """What one caller may read at one instant, as known at one revision: all that its reply is made of.

    `taken_at` is the newest revision of the catalog when the view was taken; a purge after it may have erased words of
    the view, see `Catalog.reading`.
    """

    moment: datetime
    revision: int
    audiences: frozenset[str]
    versions: tuple[Version, ...]
    taken_at: int = 0

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


def readable(
    histories: Iterable[History], audiences: frozenset[str], moment: datetime, revision: int, taken_at: int = 0
) -> View:
    """The view of a caller: the holding version of each document, then its audience, then who supersedes whom."""
    held = [v for history in histories if (v := history.holding(moment, revision)) and v.admits(audiences)]
    superseded = {doc_id for v in held for doc_id in v.supersedes}
    kept = tuple(sorted((v for v in held if v.doc_id not in superseded), key=lambda v: v.doc_id))
    return View(moment=moment, revision=revision, audiences=audiences, versions=kept, taken_at=taken_at)
