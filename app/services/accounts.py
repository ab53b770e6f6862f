"""Staff accounts: adding, changing, closing, and clearing away what is old.

Argon2 takes its time on purpose, and one writer holds up all others in SQLite. Passwords are
therefore hashed and verified outside every transaction that writes; only hashes come in here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session, contains_eager, joinedload

from app.db import rows_hit
from app.errors import InvalidInput, NotFound
from app.errors import say as _
from app.models import Area, Role, SignIn, SignInOutcome, Staff, StaffSession
from app.services import areas, devices

SESSIONS_KEPT = timedelta(days=30)
# 等保: at least six months, of which the longest in a row have 184 days.
SIGN_INS_KEPT = timedelta(days=184)

# No blanks: nobody may be called like the command line is in the audit chain.
_NAME = re.compile(r"[\w.-]{1,64}")
_SIGNED_IN = (SignInOutcome.SIGNED_IN, SignInOutcome.RECOVERED)


class AccountState(StrEnum):
    """What keeps a person from signing in, if anything does."""

    OPEN = "open"
    INITIAL = "initial"
    LOCKED = "locked"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Cleared:
    """How many rows were cleared away."""

    sessions: int
    sign_ins: int


def add_staff(
    session: Session,
    name: str,
    role: Role,
    area: Area,
    password_hash: str,
    *,
    is_demo: bool = False,
) -> Staff:
    """Add an account; its password must be changed, unless it is the demo's.

    Raises `InvalidInput` when the name is taken, or has a blank or a sign that no name needs.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput({"name": _("用户名只能用文字、数字和 . _ -，最多 64 个。")})
    if session.scalar(select(Staff.id).where(Staff.name == name)) is not None:
        raise InvalidInput({"name": _("这个用户名已被使用。")})
    staff = Staff(
        name=name,
        role=role,
        area_id=area.id,
        password_hash=password_hash,
        is_demo=is_demo,
        must_change_password=not is_demo,
    )
    staff.area = area
    session.add(staff)
    session.flush()
    return staff


def find_staff(session: Session, name: str) -> Staff:
    """Return the account with this name, closed or not. Raises `NotFound`."""
    query = select(Staff).where(Staff.name == name).options(joinedload(Staff.area))
    staff = session.scalar(query)
    if staff is None:
        raise NotFound(_("没有这个账号。"))
    return staff


def find_staff_within(
    session: Session, staff_id: int, branch: Area, *, to_change: bool = False
) -> Staff:
    """Return an account of this branch; `to_change` makes others wait. Raises `NotFound`."""
    query = select(Staff).join(Staff.area).where(Staff.id == staff_id, areas.within(branch))
    if to_change:
        query = query.with_for_update(of=Staff)
    staff = session.scalar(query.options(contains_eager(Staff.area)))
    if staff is None:
        raise NotFound
    return staff


def load_staff(session: Session) -> Sequence[Staff]:
    """Return every account with its area, by name."""
    return session.scalars(select(Staff).options(joinedload(Staff.area)).order_by(Staff.name)).all()


def load_staff_within(session: Session, branch: Area) -> Sequence[tuple[Staff, datetime | None]]:
    """Return the accounts of a branch by name, each with its last sign-in on record."""
    last = (
        select(func.max(SignIn.at))
        .where(SignIn.staff_id == Staff.id, SignIn.outcome.in_(_SIGNED_IN))
        .scalar_subquery()
    )
    query = select(Staff, last).join(Staff.area).where(areas.within(branch)).order_by(Staff.name)
    rows = session.execute(query.options(contains_eager(Staff.area)))
    return [(staff, at) for staff, at in rows]


def state_of(staff: Staff, now: datetime) -> AccountState:
    """Return what keeps this person from signing in, if anything does."""
    if staff.is_closed:
        return AccountState.CLOSED
    if staff.locked_until is not None and staff.locked_until > now:
        return AccountState.LOCKED
    return AccountState.INITIAL if staff.must_change_password else AccountState.OPEN


def change_staff(staff: Staff, role: Role, area: Area) -> None:
    """Give a person another role or area, from the next request of open sessions on."""
    staff.role, staff.area_id, staff.area = role, area.id, area


def close_staff(session: Session, staff: Staff, now: datetime) -> None:
    """Close an account for good and end its sessions."""
    staff.is_closed = True
    devices.end_sessions(session, staff, now)


def unlock_staff(staff: Staff) -> None:
    """Forget the failed tries, so that the next one is heard at once."""
    staff.failed_sign_ins, staff.locked_until = 0, None


def reset_password(session: Session, staff: Staff, password_hash: str, now: datetime) -> None:
    """Give an account another initial password; the second factor stays.

    Raises `InvalidInput` when the account is closed.
    """
    if staff.is_closed:
        raise InvalidInput({"name": _("这个账号已停用。")})
    staff.password_hash, staff.must_change_password = password_hash, True
    staff.password_changed_at = None
    unlock_staff(staff)
    devices.end_sessions(session, staff, now)


def change_password(
    session: Session, staff: Staff, password_hash: str, mine: int, now: datetime
) -> None:
    """Store the hash of a new password and end all sessions but `mine`.

    Raises `InvalidInput` when the password was changed since `staff` was read.
    """
    unchanged = Staff.password_hash == staff.password_hash
    changed = update(Staff).where(Staff.id == staff.id, unchanged)
    values = {"password_hash": password_hash, "password_changed_at": now}
    if rows_hit(session, changed.values(must_change_password=False, **values)) != 1:
        raise InvalidInput({"old": _("密码刚刚在别处改过，请用新密码重新登录。")})
    devices.end_sessions(session, staff, now, but=mine)


def clear_old(session: Session, now: datetime) -> Cleared:
    """Delete sessions that ended 30 days ago or more, and tries older than six months."""
    until = now - SESSIONS_KEPT
    # One that nobody ended ended by itself, at the latest when it was as long as any may be.
    has_run_out = StaffSession.started_at <= until - devices.LONGEST
    is_over = or_(StaffSession.ended_at <= until, has_run_out)
    return Cleared(
        rows_hit(session, delete(StaffSession).where(is_over)),
        rows_hit(session, delete(SignIn).where(SignIn.at <= now - SIGN_INS_KEPT)),
    )
