"""The one SQL engine of a process: SQLite in the home, or whatever the settings name."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, create_engine, event

from service.migrations import migrate

# Acknowledged means on disk; what is deleted is overwritten; free pages can be given back.
_PRAGMAS = (
    "auto_vacuum=INCREMENTAL",
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "secure_delete=ON",
    "busy_timeout=5000",
)


def open_database(url: str) -> Engine:
    """The engine for a SQLAlchemy URL, with its tables brought up to date."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_pragmas)
    migrate(engine)
    return engine


def _sqlite_pragmas(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
