"""areas have a population and a stratum

Revision ID: 1795362295
Revises: 1795361809
Create Date: 2026-11-22 15:44:56.148027

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = '1795362295'
down_revision: Union[str, Sequence[str], None] = '1795361809'
branch_labels: Union[str, Sequence[str], None] = ()
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    with op.batch_alter_table('areas', schema=None) as batch_op:
        batch_op.add_column(sa.Column('population', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('stratum', sa.String(length=50), nullable=True))


def downgrade() -> None:
    """Downgrade schema."""
    # Not in a batch: that would copy and drop the table, which other tables refer to.
    op.drop_column('areas', 'stratum')
    op.drop_column('areas', 'population')
