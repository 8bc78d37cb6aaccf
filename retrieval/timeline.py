"""The timeline: all that is recorded about versions, read from the catalog once and advanced revision by revision."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TypeVar

from sqlalchemy import Connection, Row, Select, and_, select

from retrieval.contents import LeftOut
from retrieval.tables import restrictions, retractions, revisions, versions
from retrieval.versions import History, Restriction, Retraction, Version

PURGED = "purged"
Recorded = TypeVar("Recorded", Version, Retraction, Restriction)


@dataclass(frozen=True, eq=False)
class Timeline:
    """Everything about versions that was recorded up to one revision; immutable."""

    revision: int = 0
    histories: Mapping[str, History] = field(default_factory=dict)
    purged_at: int = 0  # revision of the latest purge

    @cached_property
    def boundaries(self) -> list[datetime]:
        """The instants at which some answer may change, ascending."""
        return sorted({b for history in self.histories.values() for b in history.boundaries()})

    def era(self, moment: datetime) -> datetime | None:
        """The last boundary at or before `moment`: two moments of one era see the same versions."""
        position = bisect_right(self.boundaries, moment)
        return self.boundaries[position - 1] if position else None

    def history(self, doc_id: str) -> History:
        """What is recorded of one document; empty where there is none."""
        return self.histories.get(doc_id, History())


def advance(timeline: Timeline, head: int, connection: Connection) -> tuple[Timeline, bool]:
    """The timeline at revision `head`, and whether words were erased since the given one.

    Rows recorded since are appended, documents purged since are read anew.
    """
    news = and_(revisions.c.revision > timeline.revision, revisions.c.revision <= head)
    purges = select(revisions.c.doc_id, revisions.c.revision).where(news, revisions.c.change == PURGED)
    erased = connection.execute(purges).all()
    purged = {row.doc_id for row in erased}
    histories = {d: h for d, h in timeline.histories.items() if d not in purged}
    added_versions = _grouped(map(_version, _since(connection, select(versions), timeline.revision, head, purged)))
    added_ends = _grouped(map(_retraction, _since(connection, select(retractions), timeline.revision, head, purged)))
    added_limits = _grouped(
        map(_restriction, _since(connection, select(restrictions), timeline.revision, head, purged))
    )
    for doc_id in {*added_versions, *added_ends, *added_limits}:
        before = histories.get(doc_id, History())
        histories[doc_id] = History.recorded(
            (*before.versions, *added_versions.get(doc_id, ())),
            (*before.retractions, *added_ends.get(doc_id, ())),
            (*before.restrictions, *added_limits.get(doc_id, ())),
        )
    purged_at = max((row.revision for row in erased), default=timeline.purged_at)
    return Timeline(head, histories, purged_at), bool(purged)


def _since(
    connection: Connection, query: Select[tuple[object, ...]], known: int, head: int, again: Iterable[str]
) -> list[Row[tuple[object, ...]]]:
    """Rows of a table recorded after `known` and up to `head`, and all rows of the documents named in `again`."""
    table = query.get_final_froms()[0]
    fresh = (table.c.revision > known) | table.c.doc_id.in_(list(again))
    return list(connection.execute(query.where(fresh, table.c.revision <= head).order_by(table.c.revision)))


def _grouped(rows: Iterable[Recorded]) -> dict[str, list[Recorded]]:
    found: dict[str, list[Recorded]] = {}
    for row in rows:
        found.setdefault(row.doc_id, []).append(row)
    return found


def _retraction(row: Row[tuple[object, ...]]) -> Retraction:
    return Retraction(row.doc_id, row.at, row.revision)


def _restriction(row: Row[tuple[object, ...]]) -> Restriction:
    return Restriction(row.doc_id, frozenset(row.audience), row.revision)


def _version(row: Row[tuple[object, ...]]) -> Version:
    return Version(
        doc_id=row.doc_id,
        version=row.version,
        title=row.title,
        effective_from=row.effective_from,
        effective_to=row.effective_to,
        audience=frozenset(row.audience),
        precedence=row.precedence,
        supersedes=tuple(row.supersedes),
        content=row.content,
        revision=row.revision,
        left_out=tuple(LeftOut(what, where) for what, where in row.left_out or ()),
    )
