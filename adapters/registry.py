"""The registry: aliases in SQL say which adapter of the store is asked.

    live       labels tickets
    previous   was live before; a rollback makes it so again
    shadow     sees tickets too, and touches no reply

An adapter becomes live when the store holds a passing verdict of the gate for this domain; the baselines, which need no
training, are always valid targets. Aliases move in one transaction with the note of who moved them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, delete, desc, insert, select, update

from adapters.store import AdapterStore
from adapters.tables import BASELINES, LIVE, PREVIOUS, SHADOW, ZERO_SHOT, aliases, moves
from domains.spec import Conflict, InvalidInput


@dataclass(frozen=True, slots=True)
class Move:
    """An alias that was set, and by whom."""

    at: str
    actor: str
    alias: str
    target: str | None
    before: str | None
    why: str


class Registry:
    """Which adapter is live, was live, and looks on."""

    def __init__(self, engine: Engine, store: AdapterStore) -> None:
        self._engine, self.store = engine, store

    def target(self, alias: str) -> str | None:
        """The id that an alias names."""
        with self._engine.connect() as connection:
            return _target(connection, alias)

    def aliases(self) -> dict[str, str]:
        """Alias -> id."""
        with self._engine.connect() as connection:
            return {row.alias: row.target for row in connection.execute(select(aliases))}

    def history(self, limit: int = 50) -> list[Move]:
        """How aliases moved, latest first."""
        with self._engine.connect() as connection:
            found = connection.execute(select(moves).order_by(desc(moves.c.move)).limit(limit))
            return [Move(r.at, r.actor, r.alias, r.target, r.before, r.why) for r in found]

    def promote(self, adapter: str, actor: str, why: str = "promote") -> None:
        """Make an adapter live; what was live becomes previous. Whoever calls has asked `promotable`."""
        with self._engine.begin() as tx:
            before = _target(tx, LIVE)
            if before == adapter:
                return
            _point(tx, LIVE, adapter, actor, why)
            if before:
                _point(tx, PREVIOUS, before, actor, why)
            if _target(tx, SHADOW) == adapter:
                _point(tx, SHADOW, None, actor, why)

    def rollback(self, actor: str) -> str:
        """Make the previous one live again; returns its id.

        Raises:
            Conflict: nothing was live before.
        """
        previous = self.target(PREVIOUS)
        if previous is None:
            raise Conflict(
                "There is nothing to roll back to.", f"`formfact adapters promote {ZERO_SHOT}` needs no training."
            )
        self.promote(previous, actor, "rollback")
        return previous

    def shadow(self, adapter: str | None, actor: str) -> None:
        """Let an adapter see tickets without touching replies; None ends it.

        Raises:
            NotFound: there is none of that id.
            InvalidInput: it is live.
        """
        if adapter is not None and adapter not in BASELINES:
            self.store.folder(adapter)
        with self._engine.begin() as tx:
            if adapter is not None and adapter == _target(tx, LIVE):
                raise InvalidInput(f"{adapter} is live.", "A shadow is another adapter than the live one.", "id")
            _point(tx, SHADOW, adapter, actor, "shadow")


def _target(connection: Connection, alias: str) -> str | None:
    found: str | None = connection.scalar(select(aliases.c.target).where(aliases.c.alias == alias))
    return found


def _point(tx: Connection, alias: str, target: str | None, actor: str, why: str) -> None:
    before = _target(tx, alias)
    if target is None:
        tx.execute(delete(aliases).where(aliases.c.alias == alias))
    elif before is None:
        tx.execute(insert(aliases).values(alias=alias, target=target))
    else:
        tx.execute(update(aliases).where(aliases.c.alias == alias).values(target=target))
    at = datetime.now(UTC).isoformat(timespec="seconds")
    tx.execute(insert(moves).values(at=at, actor=actor, alias=alias, target=target, before=before, why=why))
