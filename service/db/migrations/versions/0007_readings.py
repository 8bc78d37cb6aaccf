"""What the evidence reader makes of units is kept with the words of a version."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the table; the next start fills it for what was published before."""
    op.create_table(
        "readings",
        sa.Column("content", sa.String(64), sa.ForeignKey("contents.content"), primary_key=True),
        sa.Column("title", sa.String(300), primary_key=True),
        sa.Column("reader", sa.String(100), primary_key=True),
        sa.Column("start", sa.Integer, primary_key=True),
        sa.Column("end", sa.Integer, primary_key=True),
        sa.Column("input_hash", sa.String(32), nullable=False),
        sa.Column("checksum", sa.BigInteger, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_index("readings_by_input", "readings", ["input_hash", "reader"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("readings")
