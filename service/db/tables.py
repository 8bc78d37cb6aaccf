"""The service's tables: keys, journal, idempotency records, audit, feedback, reviews, sign-ins, seeds."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table, Text

from retrieval.timestamps import Instant

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
    Column("expires_at", Instant),
    Column("last_used_at", Instant),  # to the minute: not every request writes
    Column("per_minute", Integer),  # requests; null: the setting's
    Column("at_once", Integer),  # requests being answered; null: the setting's
)

journal = Table(
    "journal",
    metadata,
    Column("request_id", String(32), primary_key=True),
    Column("at", Instant, nullable=False, index=True),
    Column("key_id", String(32), nullable=False),
    Column("request", JSON, nullable=False),  # the scrubbed ticket and the options
    Column("reply", JSON, nullable=False),
    Column("outputs", JSON),  # what the models put out, see service/use_cases/replay.py
    Column("vector", LargeBinary),  # float32 embedding of the ticket, made when drift is looked at
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

# Who published, promoted, purged, made keys: each row's hash covers the row before.
audit = Table(
    "audit",
    metadata,
    Column("entry", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("actor", String(100), nullable=False),
    Column("event", String(40), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("details", JSON, nullable=False),
    Column("hash", String(64), nullable=False),
)

# One row: the last entry. Writers take turns by updating it.
audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("entry", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("request_id", ForeignKey("journal.request_id"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("key_id", String(32), nullable=False),
    Column("helpful", Boolean, nullable=False),
    Column("comment", Text, nullable=False),  # scrubbed
)

reviews = Table(
    "reviews",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("request_id", ForeignKey("journal.request_id"), nullable=False, unique=True),
    Column("at", Instant, nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("priority", Integer, nullable=False),  # the higher the sooner
    Column("wanted", Integer, nullable=False),  # reviewers
    Column("done", Boolean, nullable=False),
    Index("reviews_in_order", "done", "priority", "at"),
)

judgements = Table(
    "judgements",
    metadata,
    Column("review_id", ForeignKey("reviews.id"), primary_key=True),
    Column("reviewer", String(32), primary_key=True),  # id of a key
    Column("at", Instant, nullable=False),
    Column("labels", JSON, nullable=False),  # field -> what is right
    Column("answer_right", Boolean),  # null: not said
    Column("comment", Text, nullable=False),  # scrubbed
)

# The console's sessions and the links that begin one; both by hash, like keys.
sessions = Table(
    "sessions",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("key_id", ForeignKey("keys.id"), nullable=False),
    Column("csrf", String(64), nullable=False),
    Column("expires_at", Instant, nullable=False),
)

links = Table(
    "sign_in_links",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("key_id", ForeignKey("keys.id"), nullable=False),
    Column("expires_at", Instant, nullable=False),
)

# What support tools sent and what became of it; see service/integrations/deliveries.py.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(32), primary_key=True),  # the key of the message: sent twice, it is one row
    Column("tool", String(20), nullable=False),
    Column("payload", JSON, nullable=False),  # the scrubbed message; empty once it is answered
    Column("state", String(10), nullable=False),  # waiting, done or failed
    Column("attempts", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("due", Instant, nullable=False),  # not to be tried before
    Column("error", String(200), nullable=False),  # of the last try, without a word of the ticket
    Index("deliveries_in_order", "state", "due"),
)

# The files of the domain's `documents/` that seeding has seen. The rows of a document are written with its first
# version: those not done belong to a seeding that was interrupted. Rows stay after a purge.
seeds = Table(
    "seeds",
    metadata,
    Column("path", String(500), primary_key=True),  # relative to `documents/`
    Column("doc_id", String(100), nullable=False),
    Column("sha256", String(64), nullable=False),  # of the file and its side-car
    Column("done", Boolean, nullable=False),
)
