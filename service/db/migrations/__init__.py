"""Migrations of the one database: every folder declares its tables, this one brings them up to date by Alembic.

A new step: `formfact` has no command for it, Alembic's own does: see CONTRIBUTING.md. A test compares the migrated
schema with the declared tables.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

from adapters import tables as adapters
from retrieval import tables as catalog
from service.db import tables as service

_LOCK = 0x666F726D  # of migrations, among the advisory locks of a database
METADATA = (catalog.metadata, service.metadata, adapters.metadata)


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest version; nothing happens where it is there.

    Replicas that start together on one PostgreSQL wait for each other; a home of SQLite has one owner anyway.
    """
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
