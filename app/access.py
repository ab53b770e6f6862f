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
from wtforms import Field, PasswordField, StringField
from wtforms.validators import DataRequired, Length

from app import limits
from app.config import Mode, settings
from app.db import reading, transaction
from app.errors import NotAllowed, NotFound, NotIdentified, Problem, Sentence
from app.formats import BEIJING, date_of
from app.forms import plain_text
from app.models import ApiToken, Role, SignInOutcome, Staff, StaffSession
from app.services import audit, devices, passwords, second_factor, tokens, tries


@dataclass(frozen=True, slots=True)
class Audience:
    """Who may read a blueprint's pages, and who may also change something there."""

    reading: frozenset[Role]
    changing: frozenset[Role]


def _audience(*changing: Role, reading: Iterable[Role] = ()) -> Audience:
    return Audience(frozenset(changing) | frozenset(reading), frozenset(changing))


PUBLIC = _audience()
# Those who gave the password and still owe the code: they reach this, and it is for them alone.
HALF = _audience()
# Machines with a token: they have no session and no cookie, and reach this alone.
MACHINES = _audience()

# The one table of audiences. A test compares it with the blueprints that exist.
AUDIENCES: dict[str, Audience] = {
    "respond": PUBLIC,
    "signin": PUBLIC,
    "bootstrap": PUBLIC,  # the staff pages' style sheet
    "code": HALF,
    "account": _audience(*Role),
    "factor": _audience(*Role),
    "admin": _audience(Role.ADMINISTRATOR, reading=[Role.AUDITOR]),
    "field": _audience(Role.ADMINISTRATOR, Role.EVALUATOR, Role.FIELDWORKER),
    "interview": _audience(Role.ADMINISTRATOR, Role.EVALUATOR, Role.FIELDWORKER),
    "paper": _audience(Role.ADMINISTRATOR, Role.EVALUATOR, Role.FIELDWORKER),
    # What residents wrote in their own words: not even auditors read it.
    "texts": _audience(Role.ADMINISTRATOR, Role.EVALUATOR),
    # One person's answers, without their words: those who review them, and nobody else.
    "review": _audience(Role.ADMINISTRATOR, Role.EVALUATOR),
    # Nor do they take single answer sheets away.
    "answers": _audience(Role.ADMINISTRATOR, Role.EVALUATOR),
    "desk": _audience(Role.ADMINISTRATOR, Role.EVALUATOR, reading=[Role.AUDITOR]),
    "imports": _audience(Role.ADMINISTRATOR, Role.EVALUATOR, reading=[Role.AUDITOR]),
    "evaluations": _audience(Role.ADMINISTRATOR, Role.EVALUATOR, reading=[Role.AUDITOR]),
    # An object's own staff enter what no survey measures.
    "entries": _audience(Role.ADMINISTRATOR, Role.EVALUATOR, Role.FIELDWORKER),
    "rubrics": _audience(Role.ADMINISTRATOR, Role.EVALUATOR, reading=[Role.AUDITOR]),
    "areas": _audience(Role.ADMINISTRATOR, reading=[Role.AUDITOR]),
    "tokens": _audience(Role.ADMINISTRATOR, reading=[Role.AUDITOR]),
    "api": MACHINES,
    "api_description": PUBLIC,  # what can be asked, and no answer
}
_READING = {"GET", "HEAD", "OPTIONS"}
_PUBLIC_ENDPOINTS = {"static", "healthz", "readyz"}
# What a person may have to see to first, and the blueprints that are open until it is done.
_FIRST = {"account.home": {"account"}, "factor.home": {"factor", "account"}}

blueprint = Blueprint("signin", __name__, url_prefix="/staff")


class SignInForm(FlaskForm):  # type: ignore[misc]
    """Name and password."""

    name = StringField(_("用户名"), [DataRequired(_("请填写用户名。")), Length(max=64), plain_text])
    password = PasswordField(_("密码"), [DataRequired(_("请填写密码。")), Length(max=200)])


class StaffSessions(SecureCookieSessionInterface):
    """Sessions for staff only: a resident's or machine's request neither reads nor writes one."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Return the session, or nothing where none belongs (the request has no route yet)."""
        if request.path.startswith(("/s/", "/p/", "/r/", "/api/")):
            return None
        return super().open_session(app, request)


def init_app(app: Flask) -> None:
    """Ask at every request whether this person may be here."""
    app.before_request(_admit)
    app.jinja_env.globals.update(may_read=may_read, may_change=may_change)


def now() -> datetime:
    """Return the instant by which sessions end and locks open."""
    return datetime.now(UTC)


def record(session: Session, act: audit.Act, at: datetime | None = None) -> None:
    """Put an act on record, now and in the transaction that does it; call it last in there.

    `at` says when instead, where a finer instant would tell who answered.
    """
    audit.record_act(session, settings().keys, act, at or now())


def current_staff() -> Staff:
    """Return the signed-in person, with the area that bounds what they see."""
    staff: Staff = g.staff
    return staff


def current_token() -> ApiToken:
    """Return the token of this request, with the area that bounds what it reads."""
    token: ApiToken = g.api_token
    return token


def current_device() -> StaffSession:
    """Return the session of this request."""
    device: StaffSession = g.device
    return device


def half_signed_in() -> Staff:
    """Return the person who gave the password and still owes the code; nobody is signed in yet."""
    staff: Staff = g.half
    return staff


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
    _refuse_unreadable_query()
    if request.endpoint is None or request.endpoint in _PUBLIC_ENDPOINTS:
        return None
    name = request.blueprint or ""
    audience = AUDIENCES.get(name)
    if audience is None:
        raise NotAllowed
    if audience is PUBLIC:
        return None
    if audience is MACHINES:
        _admit_machine()
        return None
    found = _recognise()
    if found is None:
        return redirect(_sign_in_address(), 303)
    return _admit_staff(*found, audience, name)


def _refuse_unreadable_query() -> None:
    """Refuse what stands after the question mark if it is no UTF-8. Raises `Problem`."""
    try:
        request.query_string.decode()
    except UnicodeDecodeError:
        # The page that says so reads it once more.
        request.query_string = b""
        raise Problem from None


def _admit_machine() -> None:
    """Admit whoever shows a token that is in force. Raises `NotIdentified` or `TooMany`."""
    limits.admit_token()
    scheme, _blank, shown = request.headers.get("Authorization", "").partition(" ")
    moment, keys, token = now(), settings().keys, None
    if scheme.lower() == "bearer":
        with reading() as database:
            token = tokens.token_or_none(database, keys, shown.strip(), moment)
    if token is None:
        limits.count_wrong_token()
        raise NotIdentified
    limits.admit_asking(token.id)
    # Once a day: to ask for results writes nothing else here.
    if token.last_used_on != date_of(moment):
        with transaction() as database:
            tokens.record_used(database, token, moment)
    g.api_token = token


def _admit_staff(
    device: StaffSession, staff: Staff, audience: Audience, name: str
) -> ResponseReturnValue | None:
    if device.is_half:
        # Nobody is signed in: what asks for the person in any other view fails.
        g.half = staff
        return None if audience is HALF else redirect(url_for("code.ask"), 303)
    g.device, g.staff = device, staff
    if audience is HALF:
        return redirect(home_of(staff), 303)
    first = _first(staff)
    if first is not None and name not in _FIRST[first]:
        return redirect(url_for(first), 303)
    if not (may_read(name) if request.method in _READING else may_change(name)):
        raise NotAllowed
    return None


def _first(staff: Staff) -> str | None:
    """Return the page that this person has to see to before any other, if there is one."""
    if passwords.must_change(staff, settings().password_rules, now()):
        return "account.home"
    if second_factor.must_enrol(staff, settings().second_factor):
        return "factor.home"
    return None


def _sign_in_address() -> str:
    # Whoever was sending a form is led to the start afterwards: its address shows no page.
    if request.method not in _READING:
        return url_for("signin.sign_in")
    return url_for("signin.sign_in", next=request.full_path.rstrip("?"))


def _recognise() -> tuple[StaffSession, Staff] | None:
    token, moment = session.get("token"), now()
    if token is None:
        return None
    with reading() as database:
        found = devices.session_or_none(database, token, moment)
    if found is None or (found[1].is_demo and not _is_demo()):
        return None
    # Not at every view: most of them only read, and in SQLite one writer holds up all others.
    if moment - found[0].seen_at >= devices.SEEN_EVERY:
        with transaction() as database:
            devices.record_seen(database, found[0], moment)
    return found


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
        staff = tries.account_or_none(database, name, allow_demo=_is_demo())
    is_right = passwords.is_password(staff, form.password.data)
    if staff is None:
        return _refusal(form, tries.strangers.refuse(name, moment))
    with transaction() as database:
        refused = tries.record_password(database, staff, moment, is_right=is_right)
        if refused is None:
            _leave(database, moment)
            token = _begin(database, staff, moment)
    if refused is not None:
        return _refusal(form, refused)
    session.clear()
    session["token"] = token
    if staff.factor_seed is not None:
        return redirect(url_for("code.ask", next=local(request.args.get("next"))), 303)
    return redirect(local(request.args.get("next")) or home_of(staff), 303)


def _begin(database: Session, staff: Staff, moment: datetime) -> str:
    if staff.factor_seed is not None:
        return devices.open_session(database, staff, moment, SignInOutcome.ASKED_FOR_CODE)
    token = devices.open_session(database, staff, moment)
    record(database, audit.staff_act(staff.name, audit.Action.SIGNED_IN, staff))
    return token


@blueprint.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End the session, here and at the server."""
    with transaction() as database:
        _leave(database, now())
    session.clear()
    return redirect(url_for("signin.sign_in"), 303)


def _leave(database: Session, moment: datetime) -> None:
    if "token" in session:
        devices.end_session(database, session["token"], moment)


def refusal_sentence(refused: tries.Refused, wrong: Sentence) -> Sentence:
    """Return what a refused try is told: that it was wrong, or from when the next is heard."""
    if refused.until is None:
        return wrong
    # Seconds are cut off below, so a second is added: the instant shown is never too early.
    until = refused.until.astimezone(BEIJING) + timedelta(seconds=1)
    return _("尝试次数过多，请在北京时间 %(time)s 以后再试。", time=f"{until:%H:%M:%S}")


def confirm_password(field: Field, wrong: Sentence) -> bool:
    """Say whether this field holds the signed-in person's password; else say beside it why not.

    A wrong one counts as a failed sign-in: a session left open is no place to guess.
    """
    staff, moment = current_staff(), now()
    is_right = passwords.is_password(staff, field.data)
    with transaction() as database:
        refused = tries.record_password(database, staff, moment, is_right=is_right)
    if refused is not None:
        field.errors = [*field.errors, refusal_sentence(refused, wrong)]
    return refused is None


def _refusal(form: SignInForm, refused: tries.Refused) -> ResponseReturnValue:
    form.password.errors = [refusal_sentence(refused, _("用户名或密码不对，请核对后再试。"))]
    return _sign_in_page(form)


@blueprint.get("/language/<any(zh, en):language>")
def choose_language(language: str) -> ResponseReturnValue:
    """Remember the language of the staff pages on this device."""
    response = redirect(local(request.args.get("next")) or url_for("signin.sign_in"), 303)
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


def local(address: str | None) -> str | None:
    """Return an address on this site, or nothing: a link must not lead a person elsewhere."""
    if not address or not address.startswith("/") or address[1:2] in {"/", "\\"}:
        return None
    if not address.isprintable():  # a line break would end the header that it is to stand in
        return None
    parts: Sequence[str] = urlsplit(address)[:2]
    return None if any(parts) else address
