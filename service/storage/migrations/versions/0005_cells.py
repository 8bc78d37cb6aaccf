"""The cells of table rows are kept as structure."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column; rows that were published before keep their text alone."""
    op.add_column("passages", sa.Column("cells", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("passages", "cells")
