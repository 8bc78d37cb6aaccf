"""The one SQL engine of a process: SQLite in the home, or whatever the settings name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Engine, create_engine, event

from service.db.migrations import migrate

# Kept in the file, and set before there are tables: readers do not wait, and free pages can be given back.
_OF_THE_FILE = ("auto_vacuum=INCREMENTAL", "journal_mode=WAL")
# Of each connection: acknowledged means on disk, and what is deleted is overwritten.
_OF_A_CONNECTION = ("busy_timeout=5000", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON")


def open_database(url: str) -> Engine:
    """The engine for a SQLAlchemy URL, with its tables brought up to date."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, _: _set(connection, _OF_A_CONNECTION))
        with engine.connect() as connection:
            _set(connection.connection, _OF_THE_FILE)
    migrate(engine)
    return engine


def _set(connection: Any, pragmas: Iterable[str]) -> None:
    cursor = connection.cursor()
    for pragma in pragmas:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
