"""Who may sign in: a name, a password kept as Argon2id, a role and a branch of the area tree."""

import secrets

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.errors import InvalidInput, NotFound
from app.errors import say as _
from app.models import Area, Role, Staff

# SECURITY.md: 19 MiB and two passes, about 42 ms.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Verified when the name is unknown, so that a name cannot be found out by the answer's time.
_NOBODY = _hasher.hash(secrets.token_hex(16))


def add_staff(
    session: Session, name: str, role: Role, area: Area, password: str, *, is_demo: bool = False
) -> Staff:
    """Add an account. Raises `InvalidInput` when the name is taken."""
    if session.scalar(select(Staff.id).where(Staff.name == name)) is not None:
        raise InvalidInput({"name": _("这个用户名已被使用。")})
    staff = Staff(
        name=name,
        role=role,
        area_id=area.id,
        password_hash=_hasher.hash(password),
        is_demo=is_demo,
    )
    session.add(staff)
    session.flush()
    return staff


def sign_in(session: Session, name: str, password: str, *, allow_demo: bool) -> Staff:
    """Return the account with this name and password.

    Raises `InvalidInput` with one sentence for every reason. Demo accounts, whose passwords are
    printed in the README, are no accounts unless `allow_demo`.
    """
    staff = session.scalar(select(Staff).where(Staff.name == name))
    if staff is not None and staff.is_demo and not allow_demo:
        staff = None
    try:
        _hasher.verify(staff.password_hash if staff else _NOBODY, password)
    except VerificationError:
        staff = None
    if staff is None:
        raise InvalidInput({"password": _("用户名或密码不对，请核对后再试。")})
    return staff


def find_staff(session: Session, staff_id: int) -> Staff:
    """Return one account with its area. Raises `NotFound`."""
    staff = session.scalar(
        select(Staff).where(Staff.id == staff_id).options(joinedload(Staff.area))
    )
    if staff is None:
        raise NotFound
    return staff
