"""Rows that only one of two people at once may add: the keys of the tables decide."""

from collections.abc import Sequence

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.errors import Problem, Sentence
from app.models import Base


def add_once(session: Session, rows: Sequence[Base], taken: Sentence) -> None:
    """Add these rows. Raises `Problem` with the sentence `taken` where a key is stored already."""
    try:
        with session.begin_nested():
            session.add_all(rows)
            session.flush()
    except IntegrityError:
        raise Problem(taken) from None
