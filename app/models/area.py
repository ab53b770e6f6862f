from sqlalchemy import ColumnElement, ForeignKey, String, false, func, select
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class Area(Base):
    """A place in the tree of county, township and village.

    `path` is the ids from the root down, each followed by a slash ("1/4/17/"): a branch is every
    area whose path begins with its own, which one index serves on both databases.
    `population` counts residents; `stratum` is the group from which a sample draws by itself.
    One that `is_closed` is offered to nothing new. `version` counts what was changed on it, so
    that of two who edit it at once the later one is told.
    """

    __tablename__ = "areas"

    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("areas.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    path: Mapped[str] = mapped_column(String(200), unique=True)
    population: Mapped[int | None]
    stratum: Mapped[str | None] = mapped_column(String(50))
    is_closed: Mapped[bool] = mapped_column(default=False, server_default=false())
    version: Mapped[int] = mapped_column(default=1, server_default="1")


class SurveyArea(Base):
    """An area as a survey knows it: where it lay and what it was when the survey was opened.

    A survey in draft has none. Rows may be added later and are never changed: what was answered,
    printed and wanted there stays where it was counted (docs/decisions/0024).
    """

    __tablename__ = "survey_areas"

    survey_id: Mapped[int] = mapped_column(ForeignKey("surveys.id"), primary_key=True)
    area_id: Mapped[int] = mapped_column(ForeignKey("areas.id"), primary_key=True, index=True)
    path: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(String(100))
    population: Mapped[int | None]
    stratum: Mapped[str | None] = mapped_column(String(50))


def area_name(
    survey_id: ColumnElement[int] | Mapped[int], area_id: ColumnElement[int] | Mapped[int]
) -> ColumnElement[str]:
    """Return what a survey calls an area: its name at opening, and in draft that of today."""
    then, now = SurveyArea.__table__.alias(), Area.__table__.alias()
    at_opening = select(then.c.name).where(then.c.survey_id == survey_id, then.c.area_id == area_id)
    today = select(now.c.name).where(now.c.id == area_id)
    return func.coalesce(
        at_opening.correlate_except(then).scalar_subquery(),
        today.correlate_except(now).scalar_subquery(),
    )
