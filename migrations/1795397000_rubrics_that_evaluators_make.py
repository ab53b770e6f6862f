"""rubrics that evaluators make

Revision ID: 1795397000
Revises: 1795380001
Create Date: 2026-11-22 18:50:00

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = '1795397000'
down_revision: Union[str, Sequence[str], None] = '1795396000'
branch_labels: Union[str, Sequence[str], None] = ()
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table('stored_rubrics',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('area_id', sa.Integer(), nullable=False),
    sa.Column('staff_id', sa.Integer(), nullable=True),
    sa.Column('slug', sa.String(length=64), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('title', sa.String(length=200), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('state', sa.Enum('draft', 'in_use', name='rubricstate', native_enum=False, create_constraint=True, length=20), nullable=False),
    sa.Column('changed_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['area_id'], ['areas.id'], name=op.f('fk_stored_rubrics_area_id_areas')),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_stored_rubrics_staff_id_staff')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_stored_rubrics')),
    sa.UniqueConstraint('area_id', 'slug', 'version', name=op.f('uq_stored_rubrics_area_id'))
    )
    op.create_index(op.f('ix_stored_rubrics_area_id'), 'stored_rubrics', ['area_id'])


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_index(op.f('ix_stored_rubrics_area_id'), table_name='stored_rubrics')
    op.drop_table('stored_rubrics')
