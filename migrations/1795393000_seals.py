"""what closed surveys came to, sealed

Revision ID: 1795393000
Revises: 1795380001
Create Date: 2026-11-22 18:50:00

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = '1795393000'
down_revision: Union[str, Sequence[str], None] = '1795380001'
branch_labels: Union[str, Sequence[str], None] = ()
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table('seals',
    sa.Column('survey_id', sa.Integer(), nullable=False),
    sa.Column('revision', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('actor', sa.String(length=64), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('root', sa.String(length=64), nullable=False),
    sa.Column('contents', sa.String(length=64), nullable=False),
    sa.Column('manifest', sa.JSON(), nullable=False),
    sa.Column('leaves', sa.LargeBinary(), nullable=False),
    sa.Column('bundle', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['survey_id'], ['surveys.id'], name=op.f('fk_seals_survey_id_surveys')),
    sa.PrimaryKeyConstraint('survey_id', 'revision', name=op.f('pk_seals')),
    sa.UniqueConstraint('digest', name=op.f('uq_seals_digest'))
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table('seals')
