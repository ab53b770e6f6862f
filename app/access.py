"""Who may see what: every blueprint declares its audience, and what is not declared is refused."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from flask import (
    Blueprint,
    Flask,
    Request,
    g,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import PasswordField, StringField
from wtforms.validators import DataRequired, Length

from app.config import Mode, settings
from app.db import reading, transaction
from app.errors import NotAllowed, NotFound, Sentence
from app.formats import BEIJING
from app.forms import plain_text
from app.models import Role, Staff, StaffSession
from app.services import accounts, audit


@dataclass(frozen=True, slots=True)
class Audience:
    """Who may read a blueprint's pages, and who may also change something there."""

    reading: frozenset[Role]
    changing: frozenset[Role]


def _audience(*changing: Role, reading: Iterable[Role] = ()) -> Audience:
    return Audience(frozenset(changing) | frozenset(reading), frozenset(changing))


PUBLIC = _audience()

# The one table of audiences. A test compares it with the blueprints that exist.
AUDIENCES: dict[str, Audience] = {
    "respond": PUBLIC,
    "signin": PUBLIC,
    "bootstrap": PUBLIC,  # the staff pages' style sheet
    "account": _audience(*Role),
    "field": _audience(Role.ADMINISTRATOR, Role.EVALUATOR, Role.FIELDWORKER),
    # What residents wrote in their own words: not even auditors read it.
    "texts": _audience(Role.ADMINISTRATOR, Role.EVALUATOR),
    "desk": _audience(Role.ADMINISTRATOR, Role.EVALUATOR, reading=[Role.AUDITOR]),
}
_READING = {"GET", "HEAD", "OPTIONS"}
_PUBLIC_ENDPOINTS = {"static", "healthz", "readyz"}

blueprint = Blueprint("signin", __name__, url_prefix="/staff")


class SignInForm(FlaskForm):  # type: ignore[misc]
    """Name and password."""

    name = StringField(_("用户名"), [DataRequired(_("请填写用户名。")), Length(max=64), plain_text])
    password = PasswordField(_("密码"), [DataRequired(_("请填写密码。")), Length(max=200)])


class StaffSessions(SecureCookieSessionInterface):
    """Sessions for staff only: a resident's request neither reads nor writes one."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Return the session, or nothing on residents' pages (the request has no route yet)."""
        if request.path.startswith(("/s/", "/p/", "/r/")):
            return None
        return super().open_session(app, request)


def init_app(app: Flask) -> None:
    """Ask at every request whether this person may be here."""
    app.before_request(_admit)
    app.jinja_env.globals.update(may_read=may_read, may_change=may_change)


def now() -> datetime:
    """Return the instant by which sessions end and locks open."""
    return datetime.now(UTC)


def record(session: Session, act: audit.Act) -> None:
    """Put an act on record, now and in the transaction that does it; call it last in there."""
    audit.record_act(session, settings().keys, act, now())


def current_staff() -> Staff:
    """Return the signed-in person, with the area that bounds what they see."""
    staff: Staff = g.staff
    return staff


def current_device() -> StaffSession:
    """Return the session of this request."""
    device: StaffSession = g.device
    return device


def may_read(name: str) -> bool:
    """Say whether the signed-in person may read the pages of this blueprint."""
    return current_staff().role in AUDIENCES[name].reading


def may_change(name: str) -> bool:
    """Say whether the signed-in person may change something in this blueprint."""
    return current_staff().role in AUDIENCES[name].changing


def home_of(staff: Staff) -> str:
    """Return the address where this person's work begins."""
    return url_for("field.home" if staff.role is Role.FIELDWORKER else "desk.home")


def _admit() -> ResponseReturnValue | None:
    if "\0" in request.path:  # PostgreSQL cannot even look for it
        raise NotFound
    if request.endpoint is None or request.endpoint in _PUBLIC_ENDPOINTS:
        return None
    name = request.blueprint or ""
    audience = AUDIENCES.get(name)
    if audience is None:
        raise NotAllowed
    if audience is PUBLIC:
        return None
    if not _recognise():
        return redirect(_sign_in_address(), 303)
    if current_staff().must_change_password and name != "account":
        return redirect(url_for("account.home"), 303)
    if not (may_read(name) if request.method in _READING else may_change(name)):
        raise NotAllowed
    return None


def _sign_in_address() -> str:
    # Whoever was sending a form is led to the start afterwards: its address shows no page.
    if request.method not in _READING:
        return url_for("signin.sign_in")
    return url_for("signin.sign_in", next=request.full_path.rstrip("?"))


def _recognise() -> bool:
    token, moment = session.get("token"), now()
    if token is None:
        return False
    with reading() as database:
        found = accounts.session_or_none(database, token, moment)
    if found is None or (found[1].is_demo and not _is_demo()):
        return False
    g.device, g.staff = found
    # Not at every view: most of them only read, and in SQLite one writer holds up all others.
    if moment - g.device.seen_at >= accounts.SEEN_EVERY:
        with transaction() as database:
            accounts.record_seen(database, g.device, moment)
    return True


def _is_demo() -> bool:
    return settings().mode is Mode.DEMO


@blueprint.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """Ask for name and password; lead on to where the person wanted to go."""
    form = SignInForm()
    if not form.validate_on_submit():
        return _sign_in_page(form)
    name, moment = form.name.data, now()
    with reading() as database:
        staff = accounts.account_or_none(database, name, allow_demo=_is_demo())
    is_right = accounts.is_password(staff, form.password.data)
    if staff is None:
        return _refusal(form, accounts.strangers.refuse(name, moment))
    with transaction() as database:
        refused = accounts.record_try(database, staff, moment, is_right=is_right)
        if refused is None:
            _leave(database, moment)
            token = accounts.open_session(database, staff, moment)
            act = audit.staff_act(staff.name, audit.Action.SIGNED_IN, staff)
            record(database, act)
    if refused is not None:
        return _refusal(form, refused)
    session.clear()
    session["token"] = token
    return redirect(_local(request.args.get("next")) or home_of(staff), 303)


@blueprint.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End the session, here and at the server."""
    with transaction() as database:
        _leave(database, now())
    session.clear()
    return redirect(url_for("signin.sign_in"), 303)


def _leave(database: Session, moment: datetime) -> None:
    if "token" in session:
        accounts.end_session(database, session["token"], moment)


def refusal_sentence(refused: accounts.Refused, wrong: Sentence) -> Sentence:
    """Return what a refused try is told: that it was wrong, or from when the next is heard."""
    if refused.until is None:
        return wrong
    # Seconds are cut off below, so a second is added: the instant shown is never too early.
    until = refused.until.astimezone(BEIJING) + timedelta(seconds=1)
    return _("尝试次数过多，请在北京时间 %(time)s 以后再试。", time=f"{until:%H:%M:%S}")


def _refusal(form: SignInForm, refused: accounts.Refused) -> ResponseReturnValue:
    form.password.errors = [refusal_sentence(refused, _("用户名或密码不对，请核对后再试。"))]
    return _sign_in_page(form)


@blueprint.get("/language/<any(zh, en):language>")
def choose_language(language: str) -> ResponseReturnValue:
    """Remember the language of the staff pages on this device."""
    response = redirect(_local(request.args.get("next")) or url_for("signin.sign_in"), 303)
    response.set_cookie(
        "lang",
        language,
        max_age=365 * 24 * 60 * 60,
        httponly=True,
        secure=settings().cookie_secure,
        samesite="Lax",
    )
    return response


def _sign_in_page(form: SignInForm) -> ResponseReturnValue:
    page = render_template("signin.html", form=form, demo=_is_demo())
    return page, 422 if form.errors else 200


def _local(address: str | None) -> str | None:
    """Return an address on this site, or nothing: a link must not lead a person elsewhere."""
    if not address or not address.startswith("/") or address[1:2] in {"/", "\\"}:
        return None
    parts: Sequence[str] = urlsplit(address)[:2]
    return None if any(parts) else address
