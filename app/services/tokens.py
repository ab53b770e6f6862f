"""Tokens of the API: drawn here, shown once, kept as a keyed hash, bound to a branch of areas."""

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Select, or_, select, update
from sqlalchemy.orm import Session, contains_eager, joinedload

from app.config import Keys
from app.db import rows_hit
from app.errors import InvalidInput, NotFound, Problem, Sentence
from app.errors import say as _
from app.formats import date_of
from app.models import ApiToken, Area, Staff
from app.services.areas import within

LONGEST_NAME = 50
MOST_DAYS = 365
# So that a scanner of files and logs can tell what it found.
_PREFIX = "minping_"


@dataclass(frozen=True, slots=True)
class TokenPlan:
    """A token to make: what for, until which day (in Beijing), and whether it reads answers."""

    name: str
    expires_on: date
    reads_answers: bool


def make_token(
    session: Session, keys: Keys, area: Area, plan: TokenPlan, maker: Staff | None, now: datetime
) -> tuple[ApiToken, str]:
    """Make a token for one branch; return its row and the token, which nobody can show again.

    Raises `InvalidInput`.
    """
    faults: dict[str, Sentence] = {}
    name, today = plan.name.strip(), date_of(now)
    if not name or len(name) > LONGEST_NAME:
        faults["name"] = _(
            "请写明给哪个系统用，最多 %(most)s 个字。",
            most=LONGEST_NAME,
        )
    if not today <= plan.expires_on <= today + timedelta(days=MOST_DAYS):
        faults["expires_on"] = _("有效期从今天起，最长一年。")
    if faults:
        raise InvalidInput(faults)
    token = _PREFIX + secrets.token_urlsafe(32)
    made = ApiToken(
        token_hash=_hash(keys, token),
        name=name,
        area_id=area.id,
        area=area,
        staff_id=None if maker is None else maker.id,
        reads_answers=plan.reads_answers,
        expires_on=plan.expires_on,
    )
    session.add(made)
    session.flush()
    return made, token


def token_or_none(session: Session, keys: Keys, shown: str, now: datetime) -> ApiToken | None:
    """Return the token with its area, if it is in force."""
    return session.scalar(
        _tokens().where(
            ApiToken.token_hash == _hash(keys, shown),
            ApiToken.revoked_at.is_(None),
            ApiToken.expires_on >= date_of(now),
        )
    )


def record_used(session: Session, token: ApiToken, now: datetime) -> None:
    """Note the day on which a token was used last; nothing finer is kept."""
    today = date_of(now)
    is_new = or_(ApiToken.last_used_on.is_(None), ApiToken.last_used_on < today)
    rows_hit(
        session, update(ApiToken).where(ApiToken.id == token.id, is_new).values(last_used_on=today)
    )


def load_tokens(session: Session, branch: Area | None = None) -> Sequence[ApiToken]:
    """Return the tokens of this branch, or all, with areas and makers, the newest first."""
    query = _tokens().options(joinedload(ApiToken.staff)).order_by(ApiToken.id.desc())
    return session.scalars(_inside(query, branch)).all()


def find_token(session: Session, token_id: int, branch: Area | None = None) -> ApiToken:
    """Return one token, inside this branch if given. Raises `NotFound`."""
    token = session.scalar(_inside(_tokens().where(ApiToken.id == token_id), branch))
    if token is None:
        raise NotFound
    return token


def revoke_token(session: Session, token: ApiToken, now: datetime) -> None:
    """Take a token out of force, for good. Raises `Problem` when it is already."""
    claim = update(ApiToken).where(ApiToken.id == token.id, ApiToken.revoked_at.is_(None))
    if rows_hit(session, claim.values(revoked_at=now)) == 0:
        raise Problem(_("这个令牌已经撤销了。"))


def _tokens() -> Select[ApiToken]:
    return select(ApiToken).join(ApiToken.area).options(contains_eager(ApiToken.area))


def _inside(query: Select[ApiToken], branch: Area | None) -> Select[ApiToken]:
    return query if branch is None else query.where(within(branch))


def _hash(keys: Keys, token: str) -> bytes:
    return hmac.digest(keys.lookup, b"api:" + token.encode(), "sha256")
