"""The service's tables: keys, journal, idempotency records."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, Index, Integer, MetaData, String, Table

from retrieval.instants import Instant

metadata = MetaData()

keys = Table(
    "keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),  # sha256 of the key; the key itself is never stored
    Column("scopes", JSON, nullable=False),
    Column("audiences", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
)

journal = Table(
    "journal",
    metadata,
    Column("request_id", String(32), primary_key=True),
    Column("at", Instant, nullable=False, index=True),
    Column("key_id", String(32), nullable=False),
    Column("request", JSON, nullable=False),  # the scrubbed ticket and the options
    Column("reply", JSON, nullable=False),
)

# Which versions a journalled reply quotes, so that a purge finds its copies.
quoted = Table(
    "quoted",
    metadata,
    Column("request_id", ForeignKey("journal.request_id"), primary_key=True),
    Column("doc_id", String(100), primary_key=True),
    Column("version", Integer, primary_key=True),
    Index("quoted_by_document", "doc_id", "version"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("scope", String(64), primary_key=True),  # sha256 of API key, method, path and Idempotency-Key
    Column("fingerprint", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", JSON, nullable=False),
    Column("at", Instant, nullable=False),
)
