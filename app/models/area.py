from sqlalchemy import ForeignKey, String, false
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
