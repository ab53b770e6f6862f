"""evaluations of many objects

Revision ID: 1795396000
Revises: 1795380001
Create Date: 2026-11-22 18:44:04.339702

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = '1795396000'
down_revision: Union[str, Sequence[str], None] = '1795394000'
branch_labels: Union[str, Sequence[str], None] = ()
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table('evaluations',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('year', sa.Integer(), nullable=False),
    sa.Column('rubric_id', sa.String(length=64), nullable=False),
    sa.Column('rubric_digest', sa.String(length=64), nullable=False),
    sa.Column('rubric_document', sa.Text(), nullable=False),
    sa.Column('area_id', sa.Integer(), nullable=False),
    sa.Column('survey_id', sa.Integer(), nullable=True),
    sa.Column('measures', sa.JSON(), nullable=False),
    sa.Column('previous_id', sa.Integer(), nullable=True),
    sa.Column('deadline', sa.DateTime(timezone=True), nullable=False),
    sa.Column('erase_at', sa.Date(), nullable=False),
    sa.Column('erased_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('state', sa.Enum('open', 'closed', name='evaluationstate', native_enum=False, create_constraint=True, length=20), nullable=False),
    sa.ForeignKeyConstraint(['area_id'], ['areas.id'], name=op.f('fk_evaluations_area_id_areas')),
    sa.ForeignKeyConstraint(['previous_id'], ['evaluations.id'], name=op.f('fk_evaluations_previous_id_evaluations')),
    sa.ForeignKeyConstraint(['survey_id'], ['surveys.id'], name=op.f('fk_evaluations_survey_id_surveys')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_evaluations'))
    )
    with op.batch_alter_table('evaluations', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_evaluations_area_id'), ['area_id'], unique=False)

    op.create_table('evaluation_objects',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('evaluation_id', sa.Integer(), nullable=False),
    sa.Column('area_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('feed', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['area_id'], ['areas.id'], name=op.f('fk_evaluation_objects_area_id_areas')),
    sa.ForeignKeyConstraint(['evaluation_id'], ['evaluations.id'], name=op.f('fk_evaluation_objects_evaluation_id_evaluations')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_evaluation_objects')),
    sa.UniqueConstraint('evaluation_id', 'name', name=op.f('uq_evaluation_objects_evaluation_id'))
    )
    with op.batch_alter_table('evaluation_objects', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_evaluation_objects_area_id'), ['area_id'], unique=False)

    op.create_table('entries',
    sa.Column('object_id', sa.Integer(), nullable=False),
    sa.Column('indicator', sa.String(length=64), nullable=False),
    sa.Column('version', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('state', sa.Enum('entered', 'returned', 'accepted', name='entrystate', native_enum=False, create_constraint=True, length=20), nullable=False),
    sa.Column('document', sa.Text(), nullable=False),
    sa.Column('note', sa.Text(), nullable=False),
    sa.Column('staff_id', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('due', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['object_id'], ['evaluation_objects.id'], name=op.f('fk_entries_object_id_evaluation_objects')),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_entries_staff_id_staff')),
    sa.PrimaryKeyConstraint('object_id', 'indicator', 'version', name=op.f('pk_entries'))
    )
    op.create_table('evidence_files',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('object_id', sa.Integer(), nullable=False),
    sa.Column('indicator', sa.String(length=64), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('suffix', sa.String(length=8), nullable=False),
    sa.Column('size', sa.Integer(), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('content', sa.LargeBinary(), nullable=True),
    sa.Column('staff_id', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('erased_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['object_id'], ['evaluation_objects.id'], name=op.f('fk_evidence_files_object_id_evaluation_objects')),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_evidence_files_staff_id_staff')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_evidence_files'))
    )
    with op.batch_alter_table('evidence_files', schema=None) as batch_op:
        batch_op.create_index('ix_evidence_files_object_id', ['object_id', 'indicator'], unique=False)

    op.create_table('reported_scores',
    sa.Column('object_id', sa.Integer(), nullable=False),
    sa.Column('origin', sa.Enum('self', 'year_before', name='scoreorigin', native_enum=False, create_constraint=True, length=20), nullable=False),
    sa.Column('indicator', sa.String(length=64), nullable=False),
    sa.Column('version', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('points', sa.String(length=20), nullable=False),
    sa.Column('staff_id', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['object_id'], ['evaluation_objects.id'], name=op.f('fk_reported_scores_object_id_evaluation_objects')),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_reported_scores_staff_id_staff')),
    sa.PrimaryKeyConstraint('object_id', 'origin', 'indicator', 'version', name=op.f('pk_reported_scores'))
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table('reported_scores')
    with op.batch_alter_table('evidence_files', schema=None) as batch_op:
        batch_op.drop_index('ix_evidence_files_object_id')

    op.drop_table('evidence_files')
    op.drop_table('entries')
    with op.batch_alter_table('evaluation_objects', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_evaluation_objects_area_id'))

    op.drop_table('evaluation_objects')
    with op.batch_alter_table('evaluations', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_evaluations_area_id'))

    op.drop_table('evaluations')
