"""reviews of submissions, the rule for counting them, and back-checks

Revision ID: 1795392000
Revises: 1795380001
Create Date: 2026-11-22 18:50:00.000000

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = '1795392000'
down_revision: Union[str, Sequence[str], None] = '1795393000'
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None

REASONS = ('duplicate', 'fabricated', 'test', 'out_of_scope', 'careless', 'influenced', 'other')


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table('reviews',
    sa.Column('submission_key', sa.Uuid(), nullable=False),
    sa.Column('number', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('state', sa.Enum('valid', 'queried', 'set_aside', name='reviewstate', native_enum=False, create_constraint=True, length=20), nullable=False),
    sa.Column('reason', sa.Enum(*REASONS, name='reviewreason', native_enum=False, create_constraint=True, length=20), nullable=True),
    sa.Column('words', sa.Text(), nullable=False),
    sa.Column('staff_id', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_reviews_staff_id_staff')),
    sa.ForeignKeyConstraint(['submission_key'], ['submissions.key'], name=op.f('fk_reviews_submission_key_submissions')),
    sa.PrimaryKeyConstraint('submission_key', 'number', name=op.f('pk_reviews')),
    sqlite_with_rowid=False
    )
    op.create_table('inclusion_rules',
    sa.Column('survey_id', sa.Integer(), nullable=False),
    sa.Column('number', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('excluded', sa.JSON(), nullable=False),
    sa.Column('excludes_queried', sa.Boolean(), nullable=False),
    sa.Column('after_opening', sa.Boolean(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('staff_id', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_inclusion_rules_staff_id_staff')),
    sa.ForeignKeyConstraint(['survey_id'], ['surveys.id'], name=op.f('fk_inclusion_rules_survey_id_surveys')),
    sa.PrimaryKeyConstraint('survey_id', 'number', name=op.f('pk_inclusion_rules'))
    )
    op.create_table('back_check_plans',
    sa.Column('survey_id', sa.Integer(), nullable=False),
    sa.Column('seed', sa.Integer(), nullable=False),
    sa.Column('percent', sa.Integer(), nullable=False),
    sa.Column('questions', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['survey_id'], ['surveys.id'], name=op.f('fk_back_check_plans_survey_id_surveys')),
    sa.PrimaryKeyConstraint('survey_id', name=op.f('pk_back_check_plans'))
    )
    op.create_table('back_checks',
    sa.Column('survey_id', sa.Integer(), nullable=False),
    sa.Column('number', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('submission_key', sa.Uuid(), nullable=False),
    sa.Column('outcome', sa.Enum('asked_again', 'never_interviewed', 'not_reached', name='backcheckoutcome', native_enum=False, create_constraint=True, length=20), nullable=True),
    sa.Column('matches', sa.JSON(), nullable=False),
    sa.Column('staff_id', sa.Integer(), nullable=True),
    sa.Column('checked_hour', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_back_checks_staff_id_staff')),
    sa.ForeignKeyConstraint(['submission_key'], ['submissions.key'], name=op.f('fk_back_checks_submission_key_submissions')),
    sa.ForeignKeyConstraint(['survey_id'], ['surveys.id'], name=op.f('fk_back_checks_survey_id_surveys')),
    sa.PrimaryKeyConstraint('survey_id', 'number', name=op.f('pk_back_checks')),
    sa.UniqueConstraint('submission_key', name=op.f('uq_back_checks_submission_key'))
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table('back_checks')
    op.drop_table('back_check_plans')
    op.drop_table('inclusion_rules')
    op.drop_table('reviews')
