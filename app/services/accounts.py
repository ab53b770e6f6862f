"""Who may sign in, how often one may try, and which devices are signed in.

Argon2 takes its time on purpose, and one writer holds up all others in SQLite. A password is
therefore verified between two transactions: read the account, verify, record what came of it.
"""

import hashlib
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import ColumnElement, CursorResult, Update, or_, select, update
from sqlalchemy.orm import Session, contains_eager, joinedload

from app.errors import InvalidInput, NotFound, Sentence, Unavailable
from app.errors import say as _
from app.models import Area, Role, SignIn, SignInOutcome, Staff, StaffSession

IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=12)
SEEN_EVERY = timedelta(minutes=1)
TRIES = 5
FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=30), timedelta(minutes=15)
SHORTEST_PASSWORD, KINDS_OF_SIGNS = 10, 3
_STRANGERS = 10_000

# SECURITY.md: 19 MiB and two passes, about 42 ms; at most four at once.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_verifiers = threading.BoundedSemaphore(4)
_PATIENCE = 5.0
# Verified when the name is unknown, so that a name cannot be found out by the answer's time.
_NOBODY = _hasher.hash(secrets.token_hex(16))


@dataclass(frozen=True, slots=True)
class Refused:
    """A try that opens nothing; `until` is when the next one is heard, if not at once."""

    until: datetime | None


# No blanks: nobody may be called like the command line is in the audit chain.
_NAME = re.compile(r"[\w.-]{1,64}")

# ---------------------------------------------------------------------------------------------
# Accounts
# ---------------------------------------------------------------------------------------------


def add_staff(
    session: Session, name: str, role: Role, area: Area, password: str, *, is_demo: bool = False
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
        password_hash=hash_password(password),
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


def load_staff(session: Session) -> Sequence[Staff]:
    """Return every account with its area, by name."""
    return session.scalars(select(Staff).options(joinedload(Staff.area)).order_by(Staff.name)).all()


def close_staff(session: Session, staff: Staff, now: datetime) -> None:
    """Close an account for good and end its sessions."""
    staff.is_closed = True
    end_sessions(session, staff, now)


def unlock_staff(staff: Staff) -> None:
    """Forget the failed tries, so that the next one is heard at once."""
    staff.failed_sign_ins, staff.locked_until = 0, None


def reset_password(session: Session, staff: Staff, password: str, now: datetime) -> None:
    """Give an account another initial password. Raises `InvalidInput` when it is closed."""
    if staff.is_closed:
        raise InvalidInput({"name": _("这个账号已停用。")})
    staff.password_hash, staff.must_change_password = hash_password(password), True
    unlock_staff(staff)
    end_sessions(session, staff, now)


# ---------------------------------------------------------------------------------------------
# Passwords
# ---------------------------------------------------------------------------------------------


def hash_password(password: str) -> str:
    """Return what is stored of a password. Raises `Unavailable` when too many are at it."""
    with _turn():
        return _hasher.hash(password)


def is_password(staff: Staff | None, password: str) -> bool:
    """Say whether this is the account's password; for no account it takes the same time.

    Raises `Unavailable` when too many are at it.
    """
    with _turn():
        try:
            _hasher.verify(staff.password_hash if staff else _NOBODY, password)
        except VerificationError:
            return False
    return staff is not None


def password_faults(name: str, old: str, new: str) -> list[Sentence]:
    """Return everything that speaks against a new password (等保: complexity)."""
    signs = (str.islower, str.isupper, str.isdigit)
    kinds = [any(map(kind, new)) for kind in signs]
    kinds.append(any(not any(kind(sign) for kind in signs) for sign in new))
    faults = (
        (len(new) < SHORTEST_PASSWORD, _("密码至少要有 10 个字符。")),
        (
            sum(kinds) < KINDS_OF_SIGNS,
            _("密码要包含小写字母、大写字母、数字、其他符号中的至少三类。"),
        ),
        (name.casefold() in new.casefold(), _("密码不能包含用户名。")),
        (new == old, _("新密码不能与原密码相同。")),
    )
    return [sentence for is_fault, sentence in faults if is_fault]


def change_password(
    session: Session, staff: Staff, password_hash: str, mine: int, now: datetime
) -> None:
    """Store the hash of a new password and end all sessions but `mine`.

    Raises `InvalidInput` when the password was changed since `staff` was read.
    """
    changed = _rows(
        session,
        update(Staff)
        .where(Staff.id == staff.id, Staff.password_hash == staff.password_hash)
        .values(password_hash=password_hash, must_change_password=False),
    )
    if changed != 1:
        raise InvalidInput({"old": _("密码刚刚在别处改过，请用新密码重新登录。")})
    end_sessions(session, staff, now, but=mine)


@contextmanager
def _turn() -> Iterator[None]:
    if not _verifiers.acquire(timeout=_PATIENCE):
        raise Unavailable(_("现在登录的人太多，请过一会儿再试。"))
    try:
        yield
    finally:
        _verifiers.release()


# ---------------------------------------------------------------------------------------------
# Tries
# ---------------------------------------------------------------------------------------------


def account_or_none(session: Session, name: str, *, allow_demo: bool) -> Staff | None:
    """Return the open account with this name.

    Demo accounts, whose passwords are printed in the README, are no accounts unless `allow_demo`.
    """
    query = select(Staff).where(Staff.name == name, ~Staff.is_closed)
    staff = session.scalar(query.options(joinedload(Staff.area)))
    return None if staff is not None and staff.is_demo and not allow_demo else staff


def record_try(session: Session, staff: Staff, now: datetime, *, is_right: bool) -> Refused | None:
    """Count a try of a password; return why it opens nothing, or None for the right password.

    The refusal is returned and not raised: what raises rolls back, and the count with it. The
    database counts and decides, also about the right password: of many tries sent at once those
    that come after the fifth failure find the account locked.
    """
    if is_right and _rows(
        session,
        update(Staff)
        .where(_is_heard(staff, now), Staff.password_hash == staff.password_hash)
        .values(failed_sign_ins=0, locked_until=None),
    ):
        return None
    failed = session.scalar(
        update(Staff)
        .where(_is_heard(staff, now))
        .values(failed_sign_ins=Staff.failed_sign_ins + 1)
        .returning(Staff.failed_sign_ins),
        execution_options={"synchronize_session": False},
    )
    if failed is None:
        _record_outcome(session, staff, SignInOutcome.LOCKED, now)
        return Refused(session.get_one(Staff, staff.id).locked_until)
    _record_outcome(session, staff, SignInOutcome.REFUSED, now)
    until = _locked_until(failed, now)
    _rows(session, update(Staff).where(Staff.id == staff.id).values(locked_until=until))
    return Refused(until)


def load_sign_ins(session: Session, staff: Staff, limit: int = 20) -> Sequence[SignIn]:
    """Return the newest tries on an account, newest first."""
    query = select(SignIn).where(SignIn.staff_id == staff.id)
    return session.scalars(query.order_by(SignIn.id.desc()).limit(limit)).all()


def _is_heard(staff: Staff, now: datetime) -> ColumnElement[bool]:
    is_free = or_(Staff.locked_until.is_(None), Staff.locked_until <= now)
    return (Staff.id == staff.id) & ~Staff.is_closed & is_free


def _locked_until(failed: int, now: datetime) -> datetime | None:
    if failed < TRIES:
        return None
    doublings = min(failed - TRIES, 10)  # far beyond the longest delay, and no overflow
    return now + min(FIRST_DELAY * (1 << doublings), LONGEST_DELAY)


def _record_outcome(session: Session, staff: Staff, outcome: SignInOutcome, now: datetime) -> None:
    session.add(SignIn(staff_id=staff.id, at=now, outcome=outcome))


class Strangers:
    """Tries of names that have no account, counted like the others so that they look alike.

    In memory and bounded: whoever tries ten thousand names makes it forget the first ones.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, tuple[int, datetime | None]] = OrderedDict()
        self._lock = threading.Lock()

    def refuse(self, name: str, now: datetime) -> Refused:
        """Count a try of this name, unless it has to wait."""
        key = _digest(name)  # people type passwords into this field
        with self._lock:
            failed, until = self._known.pop(key, (0, None))
            if until is None or until <= now:
                failed += 1
                until = _locked_until(failed, now)
            self._known[key] = failed, until
            if len(self._known) > _STRANGERS:
                self._known.popitem(last=False)
        return Refused(until)


strangers = Strangers()


# ---------------------------------------------------------------------------------------------
# Sessions
# ---------------------------------------------------------------------------------------------


def open_session(session: Session, staff: Staff, now: datetime) -> str:
    """Sign a device in; return its token, of which only the hash is kept."""
    token = secrets.token_urlsafe(32)
    session.add(
        StaffSession(token_hash=_digest(token), staff_id=staff.id, started_at=now, seen_at=now)
    )
    _record_outcome(session, staff, SignInOutcome.SIGNED_IN, now)
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
            ~Staff.is_closed,
        )
    ).one_or_none()
    return None if row is None else (row[0], row[1])


def record_seen(session: Session, device: StaffSession, now: datetime) -> None:
    """Keep a session from idling out."""
    _rows(
        session,
        update(StaffSession)
        .where(StaffSession.id == device.id, StaffSession.seen_at < now)
        .values(seen_at=now),
    )


def end_session(session: Session, token: str, now: datetime) -> None:
    """End the session with this token, if there is one."""
    _end(session, StaffSession.token_hash == _digest(token), now)


def end_sessions(session: Session, staff: Staff, now: datetime, *, but: int | None = None) -> None:
    """End every session of a person, but perhaps this one."""
    theirs = StaffSession.staff_id == staff.id
    _end(session, theirs if but is None else theirs & (StaffSession.id != but), now)


def _end(session: Session, which: ColumnElement[bool], now: datetime) -> None:
    still_open = StaffSession.ended_at.is_(None)
    _rows(session, update(StaffSession).where(which, still_open).values(ended_at=now))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _rows(session: Session, statement: Update) -> int:
    """Run an update and return how many rows it hit; objects already read stay as they are."""
    done = session.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(done, CursorResult)  # noqa: S101 - for the type checker
    return done.rowcount
