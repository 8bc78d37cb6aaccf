"""The cells of table rows are kept as structure, and with a version what was left out of its file."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005_seeds"


def upgrade() -> None:
    """Add the columns; rows that were published before keep their text alone."""
    op.add_column("passages", sa.Column("cells", sa.JSON(), nullable=True))
    op.add_column("versions", sa.Column("left_out", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("versions", "left_out")
    op.drop_column("passages", "cells")
