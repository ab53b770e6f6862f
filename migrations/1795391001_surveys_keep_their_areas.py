"""surveys keep their areas

Revision ID: 1795391001
Revises: 1795391000
Create Date: 2026-11-22 18:56:00

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = '1795391001'
down_revision: Union[str, Sequence[str], None] = '1795391000'
branch_labels: Union[str, Sequence[str], None] = ()
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table('survey_areas',
    sa.Column('survey_id', sa.Integer(), nullable=False),
    sa.Column('area_id', sa.Integer(), nullable=False),
    sa.Column('path', sa.String(length=200), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('population', sa.Integer(), nullable=True),
    sa.Column('stratum', sa.String(length=50), nullable=True),
    sa.ForeignKeyConstraint(['survey_id'], ['surveys.id'], name=op.f('fk_survey_areas_survey_id_surveys')),
    sa.ForeignKeyConstraint(['area_id'], ['areas.id'], name=op.f('fk_survey_areas_area_id_areas')),
    sa.PrimaryKeyConstraint('survey_id', 'area_id', name=op.f('pk_survey_areas'))
    )
    op.create_index(op.f('ix_survey_areas_area_id'), 'survey_areas', ['area_id'])
    # What was opened before keeps the tree of today: that of its opening is not known any more.
    op.execute("""
        INSERT INTO survey_areas (survey_id, area_id, path, name, population, stratum)
        SELECT surveys.id, areas.id, areas.path, areas.name, areas.population, areas.stratum
        FROM surveys
        JOIN areas AS root ON root.id = surveys.area_id
        JOIN areas ON areas.path LIKE root.path || '%'
        WHERE surveys.state <> 'draft'
    """)


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table('survey_areas')
