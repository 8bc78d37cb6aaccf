"""The registry: aliases in SQL say which adapter of the store is asked.

    live       labels tickets
    previous   was live before; a rollback makes it so again
    shadow     sees tickets too, and touches no reply
    canary     labels a share of the tickets, and those of some keys

An adapter becomes live when the store holds a passing verdict of the gate for this domain; the baselines, which need no
training, are always valid targets. Aliases move in one transaction with the note of who moved them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, delete, desc, insert, select, update

from adapters.data.rows import share_of
from adapters.store import AdapterStore
from adapters.tables import BASELINES, CANARY, LIVE, PREVIOUS, SHADOW, ZERO_SHOT, aliases, moves
from adapters.tables import canary as canaries
from domains.spec import Conflict


@dataclass(frozen=True, slots=True)
class Move:
    """An alias that was set, and by whom."""

    at: str
    actor: str
    alias: str
    target: str | None
    before: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Canary:
    """An adapter that labels the tickets of some keys, and a share (0..1) of all others, by a hash of their text."""

    target: str
    share: float
    keys: frozenset[str] = frozenset()

    def answers(self, key_id: str, text: str) -> bool:
        """Is this ticket one of its?"""
        return key_id in self.keys or share_of(text) < self.share


Within = Callable[[Connection, Move], None]  # what the caller commits in the same transaction


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

    def canary(self) -> Canary | None:
        """The adapter that answers a part of the traffic, if there is one."""
        with self._engine.connect() as connection:
            row = connection.execute(select(canaries)).first()
        return None if row is None else Canary(row.target, row.share, frozenset(row.keys))

    def promote(self, adapter: str, actor: str, why: str = "promote", within: Within | None = None) -> Move:
        """Make an adapter live; what was live becomes previous. Whoever calls has asked `promotable`."""
        with self._engine.begin() as tx:
            before = _target(tx, LIVE)
            if before == adapter:
                return _with(within, tx, Move(_now(), actor, LIVE, adapter, before, why))
            move = _point(tx, LIVE, adapter, actor, why)
            if before:
                _point(tx, PREVIOUS, before, actor, why)
            if _target(tx, SHADOW) == adapter:
                _point(tx, SHADOW, None, actor, why)
            tx.execute(delete(canaries).where(canaries.c.target == adapter))
            return _with(within, tx, move)

    def rollback(self, actor: str, within: Within | None = None) -> Move:
        """Make the previous one live again.

        Raises:
            Conflict: nothing was live before.
        """
        previous = self.target(PREVIOUS)
        if previous is None:
            raise Conflict(
                "There is nothing to roll back to.", f"`formfact adapters promote {ZERO_SHOT}` needs no training."
            )
        return self.promote(previous, actor, "rollback", within)

    def shadow(self, adapter: str | None, actor: str, within: Within | None = None) -> Move:
        """Let an adapter see tickets without touching replies; None ends it.

        Raises:
            NotFound: there is none of that id.
            Conflict: it is live.
        """
        if adapter is not None and adapter not in BASELINES:
            self.store.folder(adapter)
        with self._engine.begin() as tx:
            if adapter is not None and adapter == _target(tx, LIVE):
                raise Conflict(f"{adapter} is live.", "A shadow is another adapter than the live one.")
            return _with(within, tx, _point(tx, SHADOW, adapter, actor, "shadow"))

    def set_canary(self, canary: Canary | None, actor: str, within: Within | None = None) -> Move:
        """Let an adapter answer a part of the traffic; None ends it. Whoever calls has asked `promotable`.

        Raises:
            Conflict: it is live.
        """
        with self._engine.begin() as tx:
            if canary is not None and canary.target == _target(tx, LIVE):
                raise Conflict(f"{canary.target} is live.", "A canary is another adapter than the live one.")
            tx.execute(delete(canaries))
            if canary is not None:
                tx.execute(insert(canaries).values(asdict(canary) | {"keys": sorted(canary.keys)}))
            return _with(within, tx, _point(tx, CANARY, canary.target if canary else None, actor, "canary"))


def _target(connection: Connection, alias: str) -> str | None:
    found: str | None = connection.scalar(select(aliases.c.target).where(aliases.c.alias == alias))
    return found


def _with(within: Within | None, tx: Connection, move: Move) -> Move:
    if within:
        within(tx, move)
    return move


def _point(tx: Connection, alias: str, target: str | None, actor: str, why: str) -> Move:
    before = _target(tx, alias)
    if target is None:
        tx.execute(delete(aliases).where(aliases.c.alias == alias))
    elif before is None:
        tx.execute(insert(aliases).values(alias=alias, target=target))
    else:
        tx.execute(update(aliases).where(aliases.c.alias == alias).values(target=target))
    move = Move(_now(), actor, alias, target, before, why)
    tx.execute(insert(moves).values(asdict(move)))
    return move


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
