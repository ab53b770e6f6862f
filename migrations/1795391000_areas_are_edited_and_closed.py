"""areas are edited and closed

Revision ID: 1795391000
Revises: 1795380001
Create Date: 2026-11-22 18:50:00

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = '1795391000'
down_revision: Union[str, Sequence[str], None] = '1795390000'
branch_labels: Union[str, Sequence[str], None] = ()
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    op.add_column('areas', sa.Column('is_closed', sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column('areas', sa.Column('version', sa.Integer(), server_default='1', nullable=False))


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_column('areas', 'version')
    op.drop_column('areas', 'is_closed')
