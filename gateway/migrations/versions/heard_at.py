"""When what was heard last had happened: a number alone may have been given out again.

What the columns mean is said in ``gateway.books.news``.  A step that has been released is never
edited: it says what a database of its time looks like.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Widen the bookmark.  Of one that was written before nothing more is known."""
    op.add_column("heard", sa.Column("at", sa.BigInteger))


def downgrade() -> None:
    """Take it away again: a verifier that went back to an older copy is not noticed."""
    with op.batch_alter_table("heard") as batch:
        batch.drop_column("at")
