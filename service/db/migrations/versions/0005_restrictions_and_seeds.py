"""Restrictions of who may read older versions, and which shipped files seeding has published."""

import sqlalchemy as sa
from alembic import op

revision = "0005_seeds"
down_revision = "0004"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "restrictions",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("doc_id", sa.String(length=100), nullable=False),
        sa.Column("audience", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("revision"),
    )
    op.create_index("ix_restrictions_doc_id", "restrictions", ["doc_id"], unique=False)
    op.create_table(
        "seeds",
        sa.Column("path", sa.String(length=500), nullable=False),
        sa.Column("doc_id", sa.String(length=100), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("path"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("seeds")
    op.drop_table("restrictions")
