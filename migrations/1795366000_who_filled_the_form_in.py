"""who filled the form in

Revision ID: 1795366000
Revises: 1795362295
Create Date: 2026-11-22 15:30:00.000000

"""
from typing import Sequence, Union

from alembic import op


# revision identifiers, used by Alembic.
revision: str = '1795366000'
down_revision: Union[str, Sequence[str], None] = '1795362295'
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    # In one statement with its check, which both databases take: a batch would copy the whole
    # table on SQLite, and lose the other checks on the way.
    op.execute(
        "ALTER TABLE submissions ADD COLUMN assistance VARCHAR(20) "
        "CONSTRAINT ck_submissions_assistance CHECK (assistance IN ('none', 'proxy', 'staff'))"
    )


def downgrade() -> None:
    """Downgrade schema."""
    # In a copy of the table: SQLite drops no column that a check names, once it was copied.
    with op.batch_alter_table('submissions', table_kwargs={'sqlite_with_rowid': False}) as batch_op:
        batch_op.drop_constraint(batch_op.f('ck_submissions_assistance'), type_='check')
        batch_op.drop_column('assistance')
