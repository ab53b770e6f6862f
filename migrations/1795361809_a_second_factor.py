"""a second factor

Revision ID: 1795361809
Revises: 1795361696
Create Date: 2026-11-22 15:36:49.768214

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = '1795361809'
down_revision: Union[str, Sequence[str], None] = '1795361696'
branch_labels: Union[str, Sequence[str], None] = ()
depends_on: Union[str, Sequence[str], None] = None

OUTCOMES_BEFORE = "outcome IN ('signed_in', 'refused', 'locked')"
OUTCOMES = (
    "outcome IN ('signed_in', 'refused', 'locked', 'asked_for_code', 'code_refused', 'recovered')"
)


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table('recovery_codes',
    sa.Column('code_hash', sa.LargeBinary(length=32), nullable=False),
    sa.Column('staff_id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_recovery_codes_staff_id_staff')),
    sa.PrimaryKeyConstraint('code_hash', name=op.f('pk_recovery_codes'))
    )
    with op.batch_alter_table('recovery_codes', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_recovery_codes_staff_id'), ['staff_id'], unique=False)

    # Never made anew: other tables refer to these two.
    with op.batch_alter_table('staff', schema=None, recreate='never') as batch_op:
        batch_op.add_column(sa.Column('password_changed_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('factor_seed', sa.LargeBinary(length=16), nullable=True))
        batch_op.add_column(sa.Column('factor_step', sa.Integer(), nullable=True))
    # When the passwords of before were chosen is not known: their 180 days begin now.
    op.execute(
        "UPDATE staff SET password_changed_at = CURRENT_TIMESTAMP "
        "WHERE NOT must_change_password AND NOT is_demo"
    )

    with op.batch_alter_table('staff_sessions', schema=None, recreate='never') as batch_op:
        batch_op.add_column(sa.Column('is_half', sa.Boolean(), nullable=False, server_default=sa.false()))

    _replace_outcomes(OUTCOMES)


def downgrade() -> None:
    """Downgrade schema."""
    op.execute("DELETE FROM sign_ins WHERE outcome = 'asked_for_code'")
    op.execute("UPDATE sign_ins SET outcome = 'refused' WHERE outcome = 'code_refused'")
    op.execute("UPDATE sign_ins SET outcome = 'signed_in' WHERE outcome = 'recovered'")
    _replace_outcomes(OUTCOMES_BEFORE)

    # A half session must not become a whole one.
    op.execute("DELETE FROM staff_sessions WHERE is_half")
    with op.batch_alter_table('staff_sessions', schema=None, recreate='never') as batch_op:
        batch_op.drop_column('is_half')

    with op.batch_alter_table('staff', schema=None, recreate='never') as batch_op:
        batch_op.drop_column('factor_step')
        batch_op.drop_column('factor_seed')
        batch_op.drop_column('password_changed_at')

    with op.batch_alter_table('recovery_codes', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_recovery_codes_staff_id'))

    op.drop_table('recovery_codes')


def _replace_outcomes(allowed: str) -> None:
    with op.batch_alter_table('sign_ins', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('ck_sign_ins_signinoutcome'), type_='check')
        batch_op.create_check_constraint(batch_op.f('ck_sign_ins_signinoutcome'), sa.text(allowed))
