"""The registry of adapters: aliases, how they moved, and what the shadow saw."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the registry's tables."""
    op.create_table(
        "adapter_aliases",
        sa.Column("alias", sa.String(length=20), nullable=False),
        sa.Column("target", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("alias"),
    )
    op.create_table(
        "adapter_moves",
        sa.Column("move", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("alias", sa.String(length=20), nullable=False),
        sa.Column("target", sa.String(length=100), nullable=True),
        sa.Column("before", sa.String(length=100), nullable=True),
        sa.Column("why", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("move"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "adapter_agreement",
        sa.Column("shadow", sa.String(length=100), nullable=False),
        sa.Column("live", sa.String(length=100), nullable=False),
        sa.Column("field", sa.String(length=100), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("agreed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("shadow", "live", "field"),
    )
    op.create_index("adapter_agreement_by_live", "adapter_agreement", ["live"], unique=False)


def downgrade() -> None:
    """Drop the registry's tables."""
    op.drop_index("adapter_agreement_by_live", table_name="adapter_agreement")
    op.drop_table("adapter_agreement")
    op.drop_table("adapter_moves")
    op.drop_table("adapter_aliases")
