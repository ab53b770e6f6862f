"""Passwords: how they are kept, how many are verified at once, and what they must be."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from app.config import PasswordRules
from app.errors import Sentence, Unavailable
from app.errors import say as _
from app.models import Staff

LONGEST_USE = timedelta(days=180)
_SHORTEST, _KINDS_OF_SIGNS, _SHORTEST_ASVS = 10, 3, 8
# ASVS 6.1.2 wants the words documented that a password must not be built on; the user name is one.
_CONTEXT = ("minping", "民评")

# SECURITY.md: 19 MiB and two passes, about 42 ms; at most four at once.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_AT_ONCE, _WAITING = 4, 4
_verifiers = threading.BoundedSemaphore(_AT_ONCE)
# Half of the server's 16 threads at most; whoever comes then is told so at once.
_places = threading.BoundedSemaphore(_AT_ONCE + _WAITING)
# Verified when the name is unknown, so that a name cannot be found out by the answer's time.
_NOBODY = _hasher.hash(secrets.token_hex(16))


def draw_password() -> str:
    """Return an initial password, to be shown once."""
    return secrets.token_urlsafe(12)


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


@contextmanager
def _turn() -> Iterator[None]:
    if not _places.acquire(blocking=False):
        raise Unavailable(_("现在登录的人太多，请过一会儿再试。"))
    try:
        with _verifiers:
            yield
    finally:
        _places.release()


def must_change(staff: Staff, rules: PasswordRules, now: datetime) -> bool:
    """Say whether the password is an initial one, or (等保) too old; demo accounts keep theirs."""
    changed = staff.password_changed_at
    is_old = rules is PasswordRules.DJCP and changed is not None and changed <= now - LONGEST_USE
    return not staff.is_demo and (staff.must_change_password or is_old)


def password_faults(rules: PasswordRules, name: str, old: str, new: str) -> list[Sentence]:
    """Return everything that speaks against a new password."""
    by_rules = _djcp_faults(new) if rules is PasswordRules.DJCP else _asvs_faults(new)
    faults = (
        *by_rules,
        (name.casefold() in new.casefold(), _("密码不能包含用户名。")),
        (new == old, _("新密码不能与原密码相同。")),
    )
    return [sentence for is_fault, sentence in faults if is_fault]


def _djcp_faults(new: str) -> tuple[tuple[bool, Sentence], ...]:
    signs = (str.islower, str.isupper, str.isdigit)
    kinds = [any(map(kind, new)) for kind in signs]
    kinds.append(any(not any(kind(sign) for kind in signs) for sign in new))
    return (
        (len(new) < _SHORTEST, _("密码至少要有 10 个字符。")),
        (
            sum(kinds) < _KINDS_OF_SIGNS,
            _("密码要包含小写字母、大写字母、数字、其他符号中的至少三类。"),
        ),
    )


def _asvs_faults(new: str) -> tuple[tuple[bool, Sentence], ...]:
    plain = new.casefold()
    return (
        (len(new) < _SHORTEST_ASVS, _("密码至少要有 8 个字符，最好 15 个以上。")),
        (plain in _common(), _("这个密码太常见，很容易被猜到。")),
        (any(word in plain for word in _CONTEXT), _("密码不能包含本系统的名称。")),
    )


@cache
def _common() -> frozenset[str]:
    # Read when first needed: most processes never are asked to.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # noqa: PLC0415

    return frozenset(FREQUENCY_LISTS["passwords"])
