"""How often one may try to sign in: wrong passwords and wrong codes are one count.

The database counts and decides. A refusal is returned and not raised: what raises rolls back, and
the count with it.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, case, or_, select, update
from sqlalchemy.orm import Session, joinedload

from app.config import Keys
from app.db import rows_hit
from app.models import SignIn, SignInOutcome, Staff
from app.services import second_factor
from app.services.codes import fold

TRIES = 5
FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=30), timedelta(minutes=15)
_STRANGERS = 10_000


@dataclass(frozen=True, slots=True)
class Refused:
    """A try that opens nothing; `until` is when the next one is heard, if not at once."""

    until: datetime | None


def account_or_none(session: Session, name: str, *, allow_demo: bool) -> Staff | None:
    """Return the open account with this name.

    Demo accounts, whose passwords are printed in the README, are no accounts unless `allow_demo`.
    """
    query = select(Staff).where(Staff.name == name, ~Staff.is_closed)
    staff = session.scalar(query.options(joinedload(Staff.area)))
    return None if staff is not None and staff.is_demo and not allow_demo else staff


def record_password(
    session: Session, staff: Staff, now: datetime, *, is_right: bool
) -> Refused | None:
    """Count a try of a password; return why it opens nothing, or None for the right password.

    Of many tries sent at once those that come after the fifth failure find the account locked,
    the right password too. Where a second factor is set up the right password forgives nothing:
    or whoever knows it could try codes for ever.
    """
    # As it was when the password was verified: a factor that was set up since must be asked for.
    unchanged = (Staff.password_hash == staff.password_hash) & (
        Staff.factor_seed.is_not_distinct_from(staff.factor_seed)
    )
    kept = case((Staff.factor_seed.is_(None), 0), else_=Staff.failed_sign_ins)
    taken = update(Staff).where(_is_heard(staff, now), unchanged)
    if is_right and rows_hit(session, taken.values(failed_sign_ins=kept, locked_until=None)):
        return None
    return _count_failure(session, staff, now, SignInOutcome.REFUSED)


def record_code(
    session: Session, keys: Keys, staff: Staff, typed: str, now: datetime
) -> Refused | SignInOutcome:
    """Count a try of a code, the phone's or a recovery code; only a right one forgives the count.

    Returns how the sign-in ended, or why it did not. A code of the phone is taken once: of two at
    the same moment the second finds its time step used.
    """
    assert staff.factor_seed is not None  # noqa: S101 - nobody else is half signed in
    heard = _is_heard(staff, now) & (Staff.factor_seed == staff.factor_seed)
    forgiven = update(Staff).where(heard).values(failed_sign_ins=0, locked_until=None)
    if len(fold(typed)) == second_factor.CODE_LENGTH:
        secret = second_factor.secret_of(keys, staff, staff.factor_seed)
        step = second_factor.step_or_none(secret, typed, now)
        if step is not None and rows_hit(
            session, forgiven.where(Staff.factor_step < step).values(factor_step=step)
        ):
            return SignInOutcome.SIGNED_IN
    elif _is_still_heard(session, heard) and second_factor.spend_recovery_code(
        session, keys, staff, typed
    ):
        rows_hit(session, forgiven)
        return SignInOutcome.RECOVERED
    return _count_failure(session, staff, now, SignInOutcome.CODE_REFUSED)


def _is_still_heard(session: Session, heard: ColumnElement[bool]) -> bool:
    # Holds the account's row until the commit: nobody locks it while a recovery code is spent.
    held = update(Staff).where(heard).values(failed_sign_ins=Staff.failed_sign_ins)
    return rows_hit(session, held) == 1


def _count_failure(
    session: Session, staff: Staff, now: datetime, outcome: SignInOutcome
) -> Refused:
    failed = session.scalar(
        update(Staff)
        .where(_is_heard(staff, now))
        .values(failed_sign_ins=Staff.failed_sign_ins + 1)
        .returning(Staff.failed_sign_ins),
        execution_options={"synchronize_session": False},
    )
    if failed is None:
        session.add(SignIn(staff_id=staff.id, at=now, outcome=SignInOutcome.LOCKED))
        return Refused(session.get_one(Staff, staff.id).locked_until)
    session.add(SignIn(staff_id=staff.id, at=now, outcome=outcome))
    until = _locked_until(failed, now)
    rows_hit(session, update(Staff).where(Staff.id == staff.id).values(locked_until=until))
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


class Strangers:
    """Tries of names that have no account, counted like the others so that they look alike.

    In memory and bounded: whoever tries ten thousand names makes it forget the first ones.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, tuple[int, datetime | None]] = OrderedDict()
        self._lock = threading.Lock()

    def refuse(self, name: str, now: datetime) -> Refused:
        """Count a try of this name, unless it has to wait."""
        key = hashlib.sha256(name.encode()).digest()  # people type passwords into this field
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
