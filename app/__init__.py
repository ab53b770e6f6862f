"""The only place that knows Flask, the database and the clock."""

import logging
import secrets
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, json, render_template, request
from flask.typing import ResponseReturnValue
from flask_alembic import Alembic
from flask_babel import Babel, get_locale, lazy_gettext
from flask_babel import gettext as _
from flask_bootstrap import Bootstrap5
from flask_wtf import CSRFProtect
from flask_wtf.csrf import CSRFError
from sqlalchemy import text
from sqlalchemy.exc import DataError, InternalError, OperationalError
from werkzeug.exceptions import HTTPException, InternalServerError, SecurityError
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter, Map

from analysis import published
from analysis.scoring.audit import measurement_text
from analysis.scoring.wording import rule_text
from app import (
    access,
    account,
    admin,
    api,
    commands,
    db,
    desk,
    factor,
    field,
    formats,
    headers,
    limits,
    respond,
)
from app.api import description
from app.config import LARGEST_BODY, PROJECT, Mode, Settings, read_settings
from app.db import DatabaseBusy, reading
from app.desk import answers, areas, evaluations, imports, review, rubrics, texts, tokens
from app.errors import CardUnusable, Problem, SurveyNotOpen, Unavailable
from app.field import entries, interview, paper
from app.language import CHINESE, ENGLISH, chosen_language
from app.models import Base
from app.models.base import Instant
from app.services import codes, evaluating, ledger, rubric_tables
from app.services.drawing import CannotPrint
from surveys.library import bundled

babel = Babel()
bootstrap = Bootstrap5()
csrf = CSRFProtect()

# Static but for one number, so that nothing which just failed is needed to show it.
_FAILED_PAGE = (PROJECT / "app/templates/failed.html").read_text(encoding="utf-8")


class _App(Flask):
    def log_exception(self, exc_info: Any) -> None:  # noqa: ANN401 - Flask's own signature
        # Flask would write the path, and the path of a card is its key.
        where = (_reference(), request.method, request.endpoint)
        self.logger.error("[%s] %s %s failed", *where, exc_info=exc_info)


class _RowId(IntegerConverter):
    """A row's number in an address; what no row can have is not found, not a database error."""

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, min=1, max=2**31 - 1)


def create_app(settings: Settings | None = None) -> Flask:
    """Make the application.

    Raises `SettingError` for a setting that cannot be used; `QuestionnaireError`, `PublishedError`
    or `RubricError` for a bundled file that contradicts itself: better no start than wrong points.
    """
    settings = settings or read_settings()
    bundled()
    published.bundled()
    evaluating.rubrics()
    app = _App(__name__)
    app.session_interface = access.StaffSessions()
    app.extensions["minping"] = settings
    app.url_map.converters["id"] = _RowId
    app.config.from_mapping(_flask_settings(settings))
    engine = db.init_app(app, settings.database_url)
    Alembic(app, metadatas=Base.metadata, engines=engine)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    _add_extensions(app)
    for audience in (
        respond,
        access,
        account,
        factor,
        admin,
        field,
        interview,
        desk,
        areas,
        imports,
        paper,
        rubrics,
        texts,
        review,
        evaluations,
        entries,
        tokens,
        answers,
        api,
        description,
    ):
        app.register_blueprint(audience.blueprint)
    app.register_blueprint(factor.half_blueprint)
    csrf.exempt(respond.blueprint)  # its forms carry a signed token and need no cookie
    csrf.exempt(interview.blueprint)  # the same form, its token signed for the one person
    _add_checks(app)
    _add_formats(app)
    _add_error_pages(app)
    commands.init_app(app)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    return app


def _flask_settings(settings: Settings) -> dict[str, object]:
    return {
        "SECRET_KEY": settings.keys.session,
        "ALEMBIC": {"script_location": str(PROJECT / "migrations")},
        "ALEMBIC_CONTEXT": {"render_as_batch": True, "render_item": _render_item},
        "BABEL_DEFAULT_LOCALE": CHINESE,
        "BOOTSTRAP_SERVE_LOCAL": True,
        "MAX_CONTENT_LENGTH": LARGEST_BODY,
        "TRUSTED_HOSTS": _hosts(settings),
        "SESSION_COOKIE_NAME": "staff",
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": settings.cookie_secure,
        "WTF_CSRF_TIME_LIMIT": None,
    }


def _hosts(settings: Settings) -> list[str] | None:
    # Besides the public name, the loopback names by which this machine asks for its health. A demo
    # answers to every name: phones reach it by whatever address the machine has today. IPv6
    # addresses are names that Werkzeug cannot compare.
    if settings.mode is Mode.DEMO:
        return None
    host = urlsplit(settings.base_url).hostname or ""
    return None if ":" in host else [host, "localhost", "127.0.0.1"]


def _render_item(kind: str, item: object, _context: object) -> str | bool:
    # A migration is history: it must not change when a class of ours does.
    if kind == "type" and isinstance(item, Instant):
        return "sa.DateTime(timezone=True)"
    return False


def _add_extensions(app: Flask) -> None:
    babel.init_app(app, locale_selector=chosen_language)
    bootstrap.init_app(app)
    csrf.init_app(app)
    access.init_app(app)
    headers.init_app(app)
    limits.init_app(app)


def _add_formats(app: Flask) -> None:
    app.jinja_env.filters.update(
        percent=formats.percent,
        measured=formats.measured,
        counted=formats.counted,
        percentage=formats.percentage,
        figure=formats.figure,
        points=formats.points,
        score=formats.score,
        channel_name=formats.channel_name,
        card_state_name=formats.card_state_name,
        review_state_name=formats.review_state_name,
        review_reason_name=formats.review_reason_name,
        late_rule_mark=formats.late_rule_mark,
        ranges=ledger.write_ranges,
        instant=formats.instant,
        day=formats.day,
        in_fours=codes.in_fours,
        rule_text=rule_text,
    )
    app.jinja_env.globals.update(
        measurement_text=measurement_text, field_name=rubric_tables.field_name
    )
    app.context_processor(lambda: {"html_lang": _html_lang(), "staff": g.get("staff")})


def _html_lang() -> str:
    # Of the words on the page, whoever chose them: a form is in the language of its questions.
    return "en" if str(get_locale()) == ENGLISH else "zh-CN"


def _add_checks(app: Flask) -> None:
    @app.get("/healthz")
    def healthz() -> ResponseReturnValue:
        """Say that the process answers."""
        return {"status": "ok"}

    @app.get("/readyz")
    def readyz() -> ResponseReturnValue:
        """Say that the database answers."""
        with reading() as session:
            session.execute(text("SELECT 1"))
        return {"status": "ok"}


_HEADINGS = {
    400: lazy_gettext("这一步没有办成"),
    403: lazy_gettext("没有权限"),
    404: lazy_gettext("没有这个页面"),
    401: lazy_gettext("没有有效的令牌"),
    413: lazy_gettext("内容太大"),
    429: lazy_gettext("请过一会儿再试"),
}


def _add_error_pages(app: Flask) -> None:
    app.register_error_handler(Problem, _problem_page)
    app.register_error_handler(DatabaseBusy, _busy_page)
    # Locked, full, read-only or unreachable: the answer is not stored, and a retry may be.
    app.register_error_handler(OperationalError, _busy_page)
    app.register_error_handler(InternalError, _busy_page)
    # A character or number that the database has no way to hold, such as NUL in PostgreSQL.
    app.register_error_handler(DataError, _unstorable_page)
    app.register_error_handler(CannotPrint, _unprintable_page)
    app.register_error_handler(CSRFError, _csrf_page)
    app.register_error_handler(HTTPException, _http_page)
    app.register_error_handler(SecurityError, _other_host)
    app.register_error_handler(InternalServerError, _failed_page)


def _problem_page(problem: Problem) -> ResponseReturnValue:
    match problem:
        case CardUnusable():
            heading = _("这张卡不能用")
        case SurveyNotOpen():
            heading = _("现在不能填写")
        case Unavailable():
            heading = _("系统正忙")
        case _:
            heading = str(_HEADINGS.get(problem.status, _HEADINGS[400]))
    if problem.status >= 500:
        current_app.logger.error("[%s] %s", _reference(), type(problem).__name__)
    page = _page(heading, str(problem.sentence), problem.status)
    more = {"WWW-Authenticate": "Bearer"} if problem.status == 401 else {}
    if problem.retry_seconds is not None:
        more["Retry-After"] = str(problem.retry_seconds)
    return *page, more


def _busy_page(error: Exception) -> ResponseReturnValue:
    reason = getattr(error, "orig", type(error).__name__)
    current_app.logger.error("[%s] database: %s", _reference(), reason)
    sentence = str(Unavailable.sentence)
    if headers.is_staff_side() or headers.is_machine_side():
        sentence = _("系统正忙，这一步还没有办成。请过一会儿再试。")
    return *_page(_("系统正忙"), sentence, 503), {"Retry-After": str(Unavailable.retry_seconds)}


def _unstorable_page(_error: DataError) -> ResponseReturnValue:
    sentence = _("内容里有不能保存的字符，请返回上一页修改。")
    return _page(str(_HEADINGS[400]), sentence, 400)


def _unprintable_page(error: CannotPrint) -> ResponseReturnValue:
    return _page(_("这些卡不能打印"), str(error), 422)


def _csrf_page(_error: CSRFError) -> ResponseReturnValue:
    return _page(_("页面已过期"), _("请返回上一页，刷新后再提交一次。"), 400)


def _http_page(error: HTTPException) -> ResponseReturnValue:
    sentences = {
        404: _("没有找到这个页面，请核对地址。"),
        405: _("请从页面上的按钮进入。"),
        413: _("提交的内容太大，没有存上。"),
    }
    if error.code is None or error.code < 400:
        return error
    sentence = sentences.get(error.code, _("请求有误，请返回上一页重试。"))
    heading = _HEADINGS.get(error.code, _HEADINGS[400])
    return _page(str(heading), sentence, error.code)


def _other_host(_error: SecurityError) -> ResponseReturnValue:
    # Plain: without a host that is ours no address of a page can be built.
    text = "请使用印在卡片上的网址。\nPlease use the address that is printed on the card.\n"
    return text, 400, {"Content-Type": "text/plain; charset=utf-8"}


def _failed_page(_error: InternalServerError) -> ResponseReturnValue:
    if headers.is_machine_side():
        return _problem_document("出了点问题", f"系统出错，参考号 {_reference()}。", 500), 500
    return _FAILED_PAGE.replace("REFERENCE", _reference()), 500


def _reference() -> str:
    """Return the number by which this request's page and log line find each other.

    Drawn here and never taken from a header: what the log says must not be somebody else's words.
    """
    if "reference" not in g:
        g.reference = secrets.token_hex(4)
    found: str = g.reference
    return found


def _page(heading: str, sentence: str, status: int) -> tuple[str | Response, int]:
    if headers.is_machine_side():
        return _problem_document(heading, sentence, status), status
    template = "problem.html" if headers.is_staff_side() else "respond/problem.html"
    shown = {"heading": heading, "sentence": sentence}
    if status >= 500:
        shown["reference"] = _reference()
    return render_template(template, **shown), status


def _problem_document(heading: str, sentence: str, status: int) -> Response:
    """Say to a machine what failed, as RFC 9457 lays it out; `detail` says what to do."""
    document: dict[str, object] = {
        "type": "about:blank",
        "title": heading,
        "status": status,
        "detail": sentence,
    }
    if status >= 500:
        document["reference"] = _reference()
    return Response(json.dumps(document), content_type="application/problem+json")
