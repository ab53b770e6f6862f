"""how samples were drawn

Revision ID: 1795394000
Revises: 1795380001
Create Date: 2026-11-22 19:00:00.000000

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = '1795394000'
down_revision: Union[str, Sequence[str], None] = '1795391001'
branch_labels: Union[str, Sequence[str], None] = ()
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table('survey_designs',
    sa.Column('survey_id', sa.Integer(), nullable=False),
    sa.Column('number', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('staff_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Enum('census', 'simple', 'stratified', 'clustered', 'self_selected', name='samplekind', native_enum=False, create_constraint=True, length=20), nullable=False),
    sa.Column('document', sa.JSON(), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('after_opening', sa.Boolean(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_survey_designs_staff_id_staff')),
    sa.ForeignKeyConstraint(['survey_id'], ['surveys.id'], name=op.f('fk_survey_designs_survey_id_surveys')),
    sa.PrimaryKeyConstraint('survey_id', 'number', name=op.f('pk_survey_designs'))
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table('survey_designs')
