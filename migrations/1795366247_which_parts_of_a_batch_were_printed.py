"""which parts of a batch were printed

Revision ID: 1795366247
Revises: 1795366000
Create Date: 2026-11-22 16:50:47.419395

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = '1795366247'
down_revision: Union[str, Sequence[str], None] = '1795366000'
branch_labels: Union[str, Sequence[str], None] = ()
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table('printouts',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('batch_id', sa.Integer(), nullable=False),
    sa.Column('part', sa.Integer(), nullable=False),
    sa.Column('printed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('read_back', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['batch_id'], ['batches.id'], name=op.f('fk_printouts_batch_id_batches')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_printouts'))
    )
    with op.batch_alter_table('printouts', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_printouts_batch_id'), ['batch_id'], unique=False)


def downgrade() -> None:
    """Downgrade schema."""
    with op.batch_alter_table('printouts', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_printouts_batch_id'))

    op.drop_table('printouts')
