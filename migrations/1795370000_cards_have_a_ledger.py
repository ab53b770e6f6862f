"""cards have a ledger

Revision ID: 1795370000
Revises: 1795366247
Create Date: 2026-11-22 16:46:40.000000

"""
from datetime import UTC, datetime
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = '1795370000'
down_revision: Union[str, Sequence[str], None] = '1795366247'
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None

STATES = ('made', 'printed', 'issued', 'opened', 'answered', 'returned', 'lost', 'void', 'expired')
STATES_BEFORE = ('issued', 'answered', 'void')


def upgrade() -> None:
    """Upgrade schema."""
    op.add_column('batches', sa.Column('expires_at', sa.Date(), nullable=True))
    op.add_column('cards', sa.Column('holder', sa.String(length=100), nullable=True))
    _check_states(STATES)
    op.create_table('targets',
    sa.Column('survey_id', sa.Integer(), nullable=False),
    sa.Column('area_id', sa.Integer(), nullable=False),
    sa.Column('channel', sa.Enum('scanned', 'poster', 'interviewed', 'telephoned', 'pushed', 'paper', name='channel', native_enum=False, create_constraint=True, length=20), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['area_id'], ['areas.id'], name=op.f('fk_targets_area_id_areas')),
    sa.ForeignKeyConstraint(['survey_id'], ['surveys.id'], name=op.f('fk_targets_survey_id_surveys')),
    sa.PrimaryKeyConstraint('survey_id', 'area_id', 'channel', name=op.f('pk_targets'))
    )
    op.create_table('card_events',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('batch_id', sa.Integer(), nullable=False),
    sa.Column('first', sa.Integer(), nullable=False),
    sa.Column('last', sa.Integer(), nullable=False),
    sa.Column('before', sa.Enum(*STATES, name='before', native_enum=False, create_constraint=True, length=20), nullable=True),
    sa.Column('after', sa.Enum(*STATES, name='after', native_enum=False, create_constraint=True, length=20), nullable=False),
    sa.Column('actor', sa.String(length=64), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('holder', sa.String(length=100), nullable=False),
    sa.Column('place', sa.String(length=100), nullable=False),
    sa.Column('reason', sa.String(length=500), nullable=False),
    sa.ForeignKeyConstraint(['batch_id'], ['batches.id'], name=op.f('fk_card_events_batch_id_batches')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_card_events'))
    )
    with op.batch_alter_table('card_events', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_card_events_batch_id'), ['batch_id'], unique=False)
    _open_the_books()


def _check_states(states: Sequence[str]) -> None:
    # SQLite can only change a check by copying the table; to `cards` no other table refers.
    words = ', '.join(f"'{state}'" for state in states)
    if op.get_bind().dialect.name != 'sqlite':
        op.drop_constraint('ck_cards_cardstate', 'cards')
    with op.batch_alter_table('cards', schema=None, recreate='auto') as batch_op:
        batch_op.create_check_constraint(op.f('ck_cards_cardstate'), f"state IN ({words})")


def _open_the_books() -> None:
    """Write down that the cards there are were made and issued, and which of them are void."""
    values = {'actor': '', 'at': datetime.now(UTC), 'nothing': '', 'reason': '建立台账以前'}
    made = (
        "INSERT INTO card_events"
        " (batch_id, first, last, before, after, actor, at, holder, place, reason)"
        " SELECT id, 1, size, {before}, '{after}', :actor, :at, {holder}, :nothing, :reason"
        " FROM batches ORDER BY id"
    )
    void = (
        "INSERT INTO card_events"
        " (batch_id, first, last, before, after, actor, at, holder, place, reason)"
        " SELECT batch_id, serial, serial, 'issued', 'void', :actor, :at, :nothing, :nothing, :reason"
        " FROM cards WHERE state = 'void' ORDER BY batch_id, serial"
    )
    for statement in (
        made.format(before='NULL', after='made', holder=':nothing'),
        made.format(before="'made'", after='issued', holder='holder'),
        void,
    ):
        text = sa.text(statement).bindparams(sa.bindparam('at', type_=sa.DateTime(timezone=True)))
        op.get_bind().execute(text, values)


def downgrade() -> None:
    """Downgrade schema."""
    with op.batch_alter_table('card_events', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_card_events_batch_id'))

    op.drop_table('card_events')
    op.drop_table('targets')
    op.execute("UPDATE cards SET state = 'issued' WHERE state IN ('made', 'printed', 'opened')")
    op.execute("UPDATE cards SET state = 'void' WHERE state IN ('returned', 'lost')")
    _check_states(STATES_BEFORE)
    op.drop_column('cards', 'holder')
    op.drop_column('batches', 'expires_at')
