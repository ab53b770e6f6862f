"""notices with versions, and free texts apart

Revision ID: 1795361696
Revises: 1795356428
Create Date: 2026-11-22 15:34:56.601909

"""
from typing import ContextManager, Sequence, Union

from alembic import op
from alembic.operations import BatchOperations
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = '1795361696'
down_revision: Union[str, Sequence[str], None] = '1795356428'
branch_labels: Union[str, Sequence[str], None] = ()
depends_on: Union[str, Sequence[str], None] = None


# A survey made before has its notice in one text, which becomes the purpose of version 1, and its
# answers are kept for a year after its end, the date that is wanted where none was named.
# SQLite: surveys are not rebuilt, as rows that refer to them would not allow it.
def _submissions() -> ContextManager[BatchOperations]:
    # Alembic forgets WITHOUT ROWID when it rebuilds a table on SQLite.
    return op.batch_alter_table('submissions', table_kwargs={'sqlite_with_rowid': False})


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table('notices',
    sa.Column('survey_id', sa.Integer(), nullable=False),
    sa.Column('number', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('organiser', sa.String(length=200), nullable=False),
    sa.Column('purpose', sa.Text(), nullable=False),
    sa.Column('collected', sa.Text(), nullable=False),
    sa.Column('readers', sa.Text(), nullable=False),
    sa.Column('contact', sa.String(length=200), nullable=False),
    sa.Column('erase_at', sa.Date(), nullable=False),
    sa.Column('erased_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('cleaned_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['survey_id'], ['surveys.id'], name=op.f('fk_notices_survey_id_surveys')),
    sa.PrimaryKeyConstraint('survey_id', 'number', name=op.f('pk_notices'))
    )
    a_year_later = "date(closes_at, '+8 hours', '+1 year')"
    if op.get_context().dialect.name == 'postgresql':
        a_year_later = "((closes_at AT TIME ZONE 'Asia/Shanghai')::date + interval '1 year')::date"
    op.execute(
        "INSERT INTO notices (survey_id, number, organiser, purpose, collected, readers, contact, erase_at)"
        f" SELECT id, 1, '', notice, '', '', contact, {a_year_later} FROM surveys"
    )
    op.add_column('surveys', sa.Column('notice_number', sa.Integer(), server_default='1', nullable=False))
    op.drop_column('surveys', 'contact')
    op.drop_column('surveys', 'notice')

    with _submissions() as batch_op:
        batch_op.add_column(sa.Column('notice_number', sa.Integer(), server_default='1', nullable=False))
        batch_op.create_foreign_key(batch_op.f('fk_submissions_survey_id_notices'), 'notices', ['survey_id', 'notice_number'], ['survey_id', 'number'])

    op.create_table('free_texts',
    sa.Column('submission_key', sa.Uuid(), nullable=False),
    sa.Column('question_id', sa.String(length=130), nullable=False),
    sa.Column('text', sa.Text(), nullable=True),
    sa.Column('salt', sa.LargeBinary(length=16), nullable=True),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('erased_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['submission_key'], ['submissions.key'], name=op.f('fk_free_texts_submission_key_submissions')),
    sa.PrimaryKeyConstraint('submission_key', 'question_id', name=op.f('pk_free_texts')),
    sqlite_with_rowid=False
    )
    if op.get_context().dialect.name == 'postgresql':
        # Or ANALYZE copies samples of the texts into pg_statistic, where erasing does not reach.
        op.execute('ALTER TABLE free_texts ALTER COLUMN text SET STATISTICS 0')


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table('free_texts')
    with _submissions() as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_submissions_survey_id_notices'), type_='foreignkey')
        batch_op.drop_column('notice_number')

    op.add_column('surveys', sa.Column('contact', sa.String(length=200), server_default='', nullable=False))
    op.add_column('surveys', sa.Column('notice', sa.Text(), server_default='', nullable=False))
    for column, text in (('contact', 'contact'), ('notice', "organiser || ' ' || purpose || ' ' || collected || ' ' || readers")):
        op.execute(
            f"UPDATE surveys SET {column} = (SELECT {text} FROM notices"
            " WHERE survey_id = surveys.id AND number = surveys.notice_number)"
        )
    op.drop_column('surveys', 'notice_number')
    op.drop_table('notices')
