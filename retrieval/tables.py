"""The catalog's tables.

Rows of `versions`, `retractions`, `restrictions` and `revisions` are append-only; only a purge deletes.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

from retrieval.timestamps import Instant

metadata = MetaData()

# Every change to the catalog has a number; what was known at revision r are the rows recorded at or before r.
revisions = Table(
    "revisions",
    metadata,
    Column("revision", Integer, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("actor", String(100), nullable=False),
    Column("change", String(20), nullable=False),  # published | retracted | purged
    Column("doc_id", String(100), nullable=False),
    Column("version", Integer),
    sqlite_autoincrement=True,  # a revision number is never given twice, even after a purge
)

# Canonical text, once per content hash; passages and postings hang on it.
contents = Table(
    "contents",
    metadata,
    Column("content", String(64), primary_key=True),  # hash of the text and its cells
    Column("text", Text, nullable=False),
    Column("passages", Integer, nullable=False),
    Column("terms", Integer, nullable=False),
)

sources = Table(
    "sources",
    metadata,
    Column("source", String(64), primary_key=True),  # sha256 of the bytes
    Column("bytes", LargeBinary, nullable=False),
)

versions = Table(
    "versions",
    metadata,
    Column("doc_id", String(100), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("title", String(300), nullable=False),
    Column("effective_from", Instant, nullable=False),
    Column("effective_to", Instant),  # as stated, never derived from later versions
    Column("audience", JSON, nullable=False),
    Column("precedence", Integer, nullable=False),
    Column("supersedes", JSON, nullable=False),
    Column("content", ForeignKey("contents.content"), nullable=False, index=True),
    Column("source", ForeignKey("sources.source"), nullable=False),
    Column("filename", String(300), nullable=False),
    Column("left_out", JSON(none_as_null=True)),  # [what, where] pairs: what was knowingly not read
    Column("revision", Integer, nullable=False),
)

retractions = Table(
    "retractions",
    metadata,
    Column("revision", Integer, primary_key=True),
    Column("doc_id", String(100), nullable=False, index=True),
    Column("at", Instant, nullable=False),
)

# From `revision` on, older versions of the document admit only readers that `audience` admits too. The purge of one
# version keeps these rows, so that it does not give back the right to older ones.
restrictions = Table(
    "restrictions",
    metadata,
    Column("revision", Integer, primary_key=True),
    Column("doc_id", String(100), nullable=False, index=True),
    Column("audience", JSON, nullable=False),
)

passages = Table(
    "passages",
    metadata,
    Column("content", ForeignKey("contents.content"), primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("start", Integer, nullable=False),  # Unicode code points in the content's text
    Column("end", Integer, nullable=False),
    Column("heading", Text, nullable=False),
    Column("kind", String(10), nullable=False),  # prose | row
    Column("cells", JSON(none_as_null=True)),  # of a row: [column, value] pairs
    Column("terms", Integer, nullable=False),
)

postings = Table(
    "postings",
    metadata,
    Column("term", String(60), primary_key=True),
    Column("content", ForeignKey("contents.content"), primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("count", Integer, nullable=False),
    Index("postings_by_content", "content"),
)

# Embeddings, once per content and encoder: little-endian float32, passages x dimensions. The dense index is made of
# them, so that it can be rebuilt and compacted without the encoder.
vectors = Table(
    "vectors",
    metadata,
    Column("content", ForeignKey("contents.content"), primary_key=True),
    Column("encoder", String(64), primary_key=True),
    Column("dimensions", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

# What an evidence reader made of each unit of a content under a title; bytes that only the reader understands.
readings = Table(
    "readings",
    metadata,
    Column("content", ForeignKey("contents.content"), primary_key=True),
    Column("title", String(300), primary_key=True),
    Column("reader", String(100), primary_key=True),
    Column("start", Integer, primary_key=True),  # of the unit, Unicode code points in the content's text
    Column("end", Integer, primary_key=True),
    Column("input_hash", String(32), nullable=False),  # of the text that was read, see `retrieval.readings.input_hash`
    Column("checksum", BigInteger, nullable=False),  # CRC-32 of the data
    Column("data", LargeBinary, nullable=False),
    Index("readings_by_input", "input_hash", "reader"),
)

# Contents that the dense index may hold otherwise than the catalog says: written before the index is touched, deleted
# with the change itself. What stands here when a process starts was cut off, and is settled then.
unsettled = Table("unsettled", metadata, Column("content", String(64), primary_key=True))

# The dense index is remade beside the live one and swapped; the highest number that is live is the one to ask.
generations = Table(
    "generations",
    metadata,
    Column("generation", Integer, primary_key=True, autoincrement=True),
    Column(
        "name", String(100), nullable=False
    ),  # of the collection; random, since a Chroma server may serve others too
    Column("encoder", String(64), nullable=False),
    Column("live", Boolean, nullable=False),
    Column("at", Instant, nullable=False),
    sqlite_autoincrement=True,
)
