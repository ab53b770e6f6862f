"""paper slips keyed once or twice

Revision ID: 1795390000
Revises: 1795380001
Create Date: 2026-11-22 18:47:53.409565

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = '1795390000'
down_revision: Union[str, Sequence[str], None] = '1795392000'
branch_labels: Union[str, Sequence[str], None] = ()
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table('double_entries',
    sa.Column('survey_id', sa.Integer(), nullable=False),
    sa.Column('share', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['survey_id'], ['surveys.id'], name=op.f('fk_double_entries_survey_id_surveys')),
    sa.PrimaryKeyConstraint('survey_id', name=op.f('pk_double_entries'))
    )
    op.create_table('slips',
    sa.Column('survey_id', sa.Integer(), nullable=False),
    sa.Column('area_id', sa.Integer(), nullable=False),
    sa.Column('number', sa.String(length=20), nullable=False),
    sa.Column('notice_number', sa.Integer(), nullable=False),
    sa.Column('state', sa.Enum('awaiting', 'differing', 'stored', 'erased', name='slipstate', native_enum=False, create_constraint=True, length=20), nullable=False),
    sa.ForeignKeyConstraint(['area_id'], ['areas.id'], name=op.f('fk_slips_area_id_areas')),
    sa.ForeignKeyConstraint(['survey_id', 'notice_number'], ['notices.survey_id', 'notices.number'], name=op.f('fk_slips_survey_id_notices')),
    sa.ForeignKeyConstraint(['survey_id'], ['surveys.id'], name=op.f('fk_slips_survey_id_surveys')),
    sa.PrimaryKeyConstraint('survey_id', 'area_id', 'number', name=op.f('pk_slips')),
    sqlite_with_rowid=False
    )
    op.create_table('keying_differences',
    sa.Column('survey_id', sa.Integer(), nullable=False),
    sa.Column('area_id', sa.Integer(), nullable=False),
    sa.Column('number', sa.String(length=20), nullable=False),
    sa.Column('question_id', sa.String(length=130), nullable=False),
    sa.Column('first_wrong', sa.Boolean(), nullable=False),
    sa.Column('second_wrong', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['survey_id', 'area_id', 'number'], ['slips.survey_id', 'slips.area_id', 'slips.number'], name=op.f('fk_keying_differences_survey_id_slips')),
    sa.PrimaryKeyConstraint('survey_id', 'area_id', 'number', 'question_id', name=op.f('pk_keying_differences')),
    sqlite_with_rowid=False
    )
    op.create_table('keyings',
    sa.Column('survey_id', sa.Integer(), nullable=False),
    sa.Column('area_id', sa.Integer(), nullable=False),
    sa.Column('number', sa.String(length=20), nullable=False),
    sa.Column('place', sa.Integer(), nullable=False),
    sa.Column('staff_id', sa.Integer(), nullable=False),
    sa.Column('key', sa.Uuid(), nullable=False),
    sa.Column('typed', sa.JSON(none_as_null=True), nullable=True),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_keyings_staff_id_staff')),
    sa.ForeignKeyConstraint(['survey_id', 'area_id', 'number'], ['slips.survey_id', 'slips.area_id', 'slips.number'], name=op.f('fk_keyings_survey_id_slips')),
    sa.PrimaryKeyConstraint('survey_id', 'area_id', 'number', 'place', name=op.f('pk_keyings')),
    sa.UniqueConstraint('key', name=op.f('uq_keyings_key')),
    sa.UniqueConstraint('survey_id', 'area_id', 'number', 'staff_id', name=op.f('uq_keyings_survey_id')),
    sqlite_with_rowid=False
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table('keyings')
    op.drop_table('keying_differences')
    op.drop_table('slips')
    op.drop_table('double_entries')
