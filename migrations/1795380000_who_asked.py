"""who asked in person or by telephone

Revision ID: 1795380000
Revises: 1795370000
Create Date: 2026-11-22 16:50:00.000000

"""
from typing import Sequence, Union

from alembic import op


# revision identifiers, used by Alembic.
revision: str = '1795380000'
down_revision: Union[str, Sequence[str], None] = '1795370000'
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    # In one statement, which both databases take: a batch would copy all answers on SQLite.
    op.execute(
        "ALTER TABLE submissions ADD COLUMN interviewer_id INTEGER "
        "CONSTRAINT fk_submissions_interviewer_id_staff REFERENCES staff (id)"
    )


def downgrade() -> None:
    """Downgrade schema."""
    # SQLite drops no column that refers to another table, but in a copy of the table.
    with op.batch_alter_table('submissions', table_kwargs={'sqlite_with_rowid': False}) as batch_op:
        batch_op.drop_column('interviewer_id')
