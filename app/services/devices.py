"""Signed-in devices: sessions that begin and end at the server."""

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session, contains_eager

from app.db import rows_hit
from app.models import SignIn, SignInOutcome, Staff, StaffSession

IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=12)
LONGEST_HALF = timedelta(minutes=10)
SEEN_EVERY = timedelta(minutes=1)


def open_session(
    session: Session,
    staff: Staff,
    now: datetime,
    outcome: SignInOutcome = SignInOutcome.SIGNED_IN,
) -> str:
    """Sign a device in; return its token, of which only the hash is kept.

    As long as the outcome is that the code was asked for, it is only half signed in.
    """
    token = secrets.token_urlsafe(32)
    is_half = outcome is SignInOutcome.ASKED_FOR_CODE
    session.add(
        StaffSession(
            token_hash=_digest(token),
            staff_id=staff.id,
            started_at=now,
            seen_at=now,
            is_half=is_half,
        )
    )
    session.add(SignIn(staff_id=staff.id, at=now, outcome=outcome))
    return token


def session_or_none(
    session: Session, token: str, now: datetime
) -> tuple[StaffSession, Staff] | None:
    """Return the session with this token and its person with the area, unless it is over."""
    row = session.execute(
        select(StaffSession, Staff)
        .join(Staff, StaffSession.staff_id == Staff.id)
        .join(Staff.area)
        .options(contains_eager(Staff.area))
        .where(
            StaffSession.token_hash == _digest(token),
            StaffSession.ended_at.is_(None),
            StaffSession.seen_at > now - IDLE,
            StaffSession.started_at > now - LONGEST,
            or_(~StaffSession.is_half, StaffSession.started_at > now - LONGEST_HALF),
            ~Staff.is_closed,
        )
    ).one_or_none()
    return None if row is None else (row[0], row[1])


def record_seen(session: Session, device: StaffSession, now: datetime) -> None:
    """Keep a session from idling out."""
    seen_before = StaffSession.seen_at < now
    rows_hit(
        session,
        update(StaffSession).where(StaffSession.id == device.id, seen_before).values(seen_at=now),
    )


def end_session(session: Session, token: str, now: datetime) -> bool:
    """End the session with this token; say whether there was one."""
    return _end(session, StaffSession.token_hash == _digest(token), now) == 1


def end_sessions(session: Session, staff: Staff, now: datetime, *, but: int | None = None) -> None:
    """End every session of a person, but perhaps this one."""
    theirs = StaffSession.staff_id == staff.id
    _end(session, theirs if but is None else theirs & (StaffSession.id != but), now)


def _end(session: Session, which: ColumnElement[bool], now: datetime) -> int:
    still_open = StaffSession.ended_at.is_(None)
    return rows_hit(session, update(StaffSession).where(which, still_open).values(ended_at=now))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
