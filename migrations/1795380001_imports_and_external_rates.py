"""imports of answers, and rates of other sources

Revision ID: 1795380001
Revises: 1795380000
Create Date: 2026-11-22 16:57:15.419171

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = '1795380001'
down_revision: Union[str, Sequence[str], None] = '1795380000'
branch_labels: Union[str, Sequence[str], None] = ()
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table('import_mappings',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('area_id', sa.Integer(), nullable=False),
    sa.Column('questionnaire_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=50), nullable=False),
    sa.Column('document', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['area_id'], ['areas.id'], name=op.f('fk_import_mappings_area_id_areas')),
    sa.ForeignKeyConstraint(['questionnaire_id'], ['questionnaire_versions.id'], name=op.f('fk_import_mappings_questionnaire_id_questionnaire_versions')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_import_mappings')),
    sa.UniqueConstraint('area_id', 'questionnaire_id', 'name', name=op.f('uq_import_mappings_area_id'))
    )
    op.create_table('answer_imports',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('survey_id', sa.Integer(), nullable=False),
    sa.Column('staff_id', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('source', sa.String(length=50), nullable=False),
    sa.Column('channel', sa.Enum('scanned', 'poster', 'interviewed', 'telephoned', 'pushed', 'paper', name='channel', native_enum=False, create_constraint=True, length=20), nullable=False),
    sa.Column('file_digest', sa.String(length=64), nullable=False),
    sa.Column('stored', sa.Integer(), nullable=False),
    sa.Column('known', sa.Integer(), nullable=False),
    sa.Column('left_out', sa.Integer(), nullable=False),
    sa.Column('state', sa.Enum('counted', 'set_aside', name='importstate', native_enum=False, create_constraint=True, length=20), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_answer_imports_staff_id_staff')),
    sa.ForeignKeyConstraint(['survey_id'], ['surveys.id'], name=op.f('fk_answer_imports_survey_id_surveys')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_answer_imports'))
    )
    op.create_index(op.f('ix_answer_imports_survey_id'), 'answer_imports', ['survey_id'])

    op.create_table('external_rates',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('survey_id', sa.Integer(), nullable=False),
    sa.Column('area_id', sa.Integer(), nullable=False),
    sa.Column('staff_id', sa.Integer(), nullable=False),
    sa.Column('measure_id', sa.String(length=64), nullable=False),
    sa.Column('numerator', sa.Integer(), nullable=False),
    sa.Column('base', sa.Integer(), nullable=False),
    sa.Column('source', sa.String(length=300), nullable=False),
    sa.Column('entered_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('withdrawn_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['area_id'], ['areas.id'], name=op.f('fk_external_rates_area_id_areas')),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_external_rates_staff_id_staff')),
    sa.ForeignKeyConstraint(['survey_id'], ['surveys.id'], name=op.f('fk_external_rates_survey_id_surveys')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_external_rates'))
    )
    op.create_index(op.f('ix_external_rates_survey_id'), 'external_rates', ['survey_id'])

    op.create_table('imported_rows',
    sa.Column('row_hash', sa.LargeBinary(length=32), nullable=True),
    sa.Column('import_id', sa.Integer(), nullable=False),
    sa.Column('submission_key', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['import_id'], ['answer_imports.id'], name=op.f('fk_imported_rows_import_id_answer_imports')),
    sa.ForeignKeyConstraint(['submission_key'], ['submissions.key'], name=op.f('fk_imported_rows_submission_key_submissions')),
    sa.PrimaryKeyConstraint('submission_key', name=op.f('pk_imported_rows')),
    sa.UniqueConstraint('row_hash', name=op.f('uq_imported_rows_row_hash')),
    sqlite_with_rowid=False
    )
    op.create_index(op.f('ix_imported_rows_import_id'), 'imported_rows', ['import_id'])


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table('imported_rows')
    op.drop_table('external_rates')
    op.drop_table('answer_imports')
    op.drop_table('import_mappings')
