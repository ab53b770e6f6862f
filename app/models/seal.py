from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Instant


class Seal(Base):
    """What a closed survey came to, sealed (封存); rows are only ever added.

    `revision` counts from 1; a correction adds one, with its reason, and the one before stays.
    `digest` is what reports cite: SHA-256 of the bundle's manifest. `leaves` are the hashes (32
    bytes each) under `root`, in the order of their values, which chance made. `contents` tells
    whether anything that rates rest on has changed since.
    """

    __tablename__ = "seals"

    survey_id: Mapped[int] = mapped_column(ForeignKey("surveys.id"), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(Instant)
    actor: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    root: Mapped[str] = mapped_column(String(64))
    contents: Mapped[str] = mapped_column(String(64))
    manifest: Mapped[dict[str, Any]] = mapped_column(JSON)
    leaves: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    bundle: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
