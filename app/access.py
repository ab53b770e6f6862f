"""Who may see what: every blueprint declares its audience, and what is not declared is refused."""

from collections.abc import Sequence
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
from wtforms import PasswordField, StringField
from wtforms.validators import DataRequired, Length

from app.config import Mode, settings
from app.db import reading
from app.errors import InvalidInput, NotAllowed, NotFound
from app.forms import plain_text
from app.models import Role, Staff
from app.services import accounts

PUBLIC: frozenset[Role] = frozenset()

# The one table of audiences. A test compares it with the blueprints that exist.
AUDIENCES: dict[str, frozenset[Role]] = {
    "respond": PUBLIC,
    "signin": PUBLIC,
    "bootstrap": PUBLIC,  # the staff pages' style sheet
    "field": frozenset({Role.ADMINISTRATOR, Role.EVALUATOR, Role.FIELDWORKER}),
    "desk": frozenset({Role.ADMINISTRATOR, Role.EVALUATOR}),
}
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


def current_staff() -> Staff:
    """Return the signed-in person, with the area that bounds what they see."""
    staff: Staff = g.staff
    return staff


def home_of(staff: Staff) -> str:
    """Return the address where this person's work begins."""
    return url_for("field.home" if staff.role is Role.FIELDWORKER else "desk.home")


def _admit() -> ResponseReturnValue | None:
    if "\0" in request.path:  # PostgreSQL cannot even look for it
        raise NotFound
    if request.endpoint is None or request.endpoint in _PUBLIC_ENDPOINTS:
        return None
    roles = AUDIENCES.get(request.blueprint or "")
    if roles is None:
        raise NotAllowed
    if roles is PUBLIC:
        return None
    staff = _signed_in()
    if staff is None:
        return redirect(url_for("signin.sign_in", next=request.full_path.rstrip("?")), 303)
    g.staff = staff
    if staff.role not in roles:
        raise NotAllowed
    return None


def _signed_in() -> Staff | None:
    if "staff" not in session:
        return None
    try:
        with reading() as database:
            staff = accounts.find_staff(database, session["staff"])
    except NotFound:
        return None
    return None if staff.is_demo and settings().mode is not Mode.DEMO else staff


@blueprint.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """Ask for name and password; lead on to where the person wanted to go."""
    form = SignInForm()
    if not form.validate_on_submit():
        return _sign_in_page(form)
    try:
        with reading() as database:
            staff = accounts.sign_in(
                database,
                form.name.data,
                form.password.data,
                allow_demo=settings().mode is Mode.DEMO,
            )
    except InvalidInput as refusal:
        form.password.errors = [*refusal.faults.values()]
        return _sign_in_page(form)
    session.clear()
    session["staff"] = staff.id
    return redirect(_local(request.args.get("next")) or home_of(staff), 303)


@blueprint.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End the session."""
    session.clear()
    return redirect(url_for("signin.sign_in"), 303)


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
    page = render_template("signin.html", form=form, demo=settings().mode is Mode.DEMO)
    return page, 422 if form.errors else 200


def _local(address: str | None) -> str | None:
    """Return an address on this site, or nothing: a link must not lead a person elsewhere."""
    if not address or not address.startswith("/") or address[1:2] in {"/", "\\"}:
        return None
    parts: Sequence[str] = urlsplit(address)[:2]
    return None if any(parts) else address
