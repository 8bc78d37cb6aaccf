"""The registry's names and tables: which adapter an alias names, how it came to, and what the shadow saw."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Float, Index, Integer, MetaData, String, Table

LIVE, PREVIOUS, SHADOW, CANARY = "live", "previous", "shadow", "canary"  # the aliases
ZERO_SHOT, PROMPT = "baseline:zero-shot", "baseline:prompt"
BASELINES = (ZERO_SHOT, PROMPT)  # what needs no training; the latter needs a chat model

metadata = MetaData()

aliases = Table(
    "adapter_aliases",
    metadata,
    Column("alias", String(20), primary_key=True),
    Column("target", String(100), nullable=False),
)

moves = Table(
    "adapter_moves",
    metadata,
    Column("move", Integer, primary_key=True, autoincrement=True),
    Column("at", String(32), nullable=False),  # ISO 8601, UTC
    Column("actor", String(100), nullable=False),
    Column("alias", String(20), nullable=False),
    Column("target", String(100)),
    Column("before", String(100)),
    Column("why", String(20), nullable=False),
    sqlite_autoincrement=True,
)

agreement = Table(
    "adapter_agreement",
    metadata,
    Column("shadow", String(100), primary_key=True),
    Column("live", String(100), primary_key=True),
    Column("field", String(100), primary_key=True),
    Column("seen", Integer, nullable=False),
    Column("agreed", Integer, nullable=False),
    Index("adapter_agreement_by_live", "live"),
)

# Where the shadow said something else than the reply, by field: reviews look at these.
differences = Table(
    "adapter_differences",
    metadata,
    Column("request_id", String(32), primary_key=True),
    Column("shadow", String(100), primary_key=True),
    Column("field", String(100), primary_key=True),
    Column("live", String(100), nullable=False),
    Column("live_value", String(100), nullable=False),
    Column("shadow_value", String(100), nullable=False),
)

# Which part of the traffic the alias `canary` answers; one row, or none.
canary = Table(
    "adapter_canary",
    metadata,
    Column("target", String(100), primary_key=True),
    Column("share", Float, nullable=False),  # 0..1 of requests, by a hash of their ticket
    Column("keys", JSON, nullable=False),  # ids of keys that it answers always
)
