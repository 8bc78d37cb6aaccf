"""The tables of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "contents",
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("passages", sa.Integer(), nullable=False),
        sa.Column("terms", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("content"),
    )
    op.create_table(
        "generations",
        sa.Column("generation", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("encoder", sa.String(length=64), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("generation"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "retractions",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("doc_id", sa.String(length=100), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("revision"),
    )
    op.create_index("ix_retractions_doc_id", "retractions", ["doc_id"], unique=False)
    op.create_table(
        "revisions",
        sa.Column("revision", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("change", sa.String(length=20), nullable=False),
        sa.Column("doc_id", sa.String(length=100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("revision"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sources",
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("source"),
    )
    op.create_table(
        "unsettled", sa.Column("content", sa.String(length=64), nullable=False), sa.PrimaryKeyConstraint("content")
    )
    op.create_table(
        "passages",
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("end", sa.Integer(), nullable=False),
        sa.Column("heading", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("terms", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["content"],
            ["contents.content"],
        ),
        sa.PrimaryKeyConstraint("content", "ordinal"),
    )
    op.create_table(
        "postings",
        sa.Column("term", sa.String(length=60), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["content"],
            ["contents.content"],
        ),
        sa.PrimaryKeyConstraint("term", "content", "ordinal"),
    )
    op.create_index("postings_by_content", "postings", ["content"], unique=False)
    op.create_table(
        "vectors",
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("encoder", sa.String(length=64), nullable=False),
        sa.Column("dimensions", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["content"],
            ["contents.content"],
        ),
        sa.PrimaryKeyConstraint("content", "encoder"),
    )
    op.create_table(
        "versions",
        sa.Column("doc_id", sa.String(length=100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("effective_from", sa.String(32), nullable=False),
        sa.Column("effective_to", sa.String(32), nullable=True),
        sa.Column("audience", sa.JSON(), nullable=False),
        sa.Column("precedence", sa.Integer(), nullable=False),
        sa.Column("supersedes", sa.JSON(), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("filename", sa.String(length=300), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["content"],
            ["contents.content"],
        ),
        sa.ForeignKeyConstraint(
            ["source"],
            ["sources.source"],
        ),
        sa.PrimaryKeyConstraint("doc_id", "version"),
    )
    op.create_index("ix_versions_content", "versions", ["content"], unique=False)
    op.create_table(
        "idempotency",
        sa.Column("scope", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("scope"),
    )
    op.create_table(
        "journal",
        sa.Column("request_id", sa.String(length=32), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("reply", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("request_id"),
    )
    op.create_index("ix_journal_at", "journal", ["at"], unique=False)
    op.create_table(
        "keys",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("audiences", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("revoked_at", sa.String(32), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )
    op.create_table(
        "quoted",
        sa.Column("request_id", sa.String(length=32), nullable=False),
        sa.Column("doc_id", sa.String(length=100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["journal.request_id"],
        ),
        sa.PrimaryKeyConstraint("request_id", "doc_id", "version"),
    )
    op.create_index("quoted_by_document", "quoted", ["doc_id", "version"], unique=False)


def downgrade() -> None:
    """Drop all tables."""
    op.drop_index("quoted_by_document", table_name="quoted")
    op.drop_table("quoted")
    op.drop_table("keys")
    op.drop_index("ix_journal_at", table_name="journal")
    op.drop_table("journal")
    op.drop_table("idempotency")
    op.drop_index("ix_versions_content", table_name="versions")
    op.drop_table("versions")
    op.drop_table("vectors")
    op.drop_index("postings_by_content", table_name="postings")
    op.drop_table("postings")
    op.drop_table("passages")
    op.drop_table("unsettled")
    op.drop_table("sources")
    op.drop_table("revisions")
    op.drop_index("ix_retractions_doc_id", table_name="retractions")
    op.drop_table("retractions")
    op.drop_table("generations")
    op.drop_table("contents")
