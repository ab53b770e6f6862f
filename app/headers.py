"""Security headers, written in one place."""

import base64
import gzip
import hashlib
from functools import cache
from pathlib import Path

from flask import Flask, Response, request
from markupsafe import Markup

from app.config import settings

_NOTHING = "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
_STAFF = f"{_NOTHING}; style-src 'self'; script-src 'self'; img-src 'self' data:; font-src 'self'"


_ALWAYS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
_STAFF_SIDE = {
    "desk",
    "evaluations",
    "entries",
    "areas",
    "tokens",
    "answers",
    "imports",
    "review",
    "rubrics",
    "texts",
    "field",
    "interview",
    "paper",
    "signin",
    "code",
    "account",
    "factor",
    "admin",
}
# Of pages that do not exist, only the path is known.
_STAFF_PATHS = ("/desk/", "/field/", "/staff/")
# Staff pages that show the residents' form, with its style sheet and its script.
_WITH_FORM = {"interview"}
# The one page that reads cards with the phone's camera.
_SCANNING = {"field.scan", "field.move_scanned"}
# What staff handed in: should a browser open it after all, it runs nothing and reaches nothing.
_HANDED_IN = {"evaluations.evidence", "entries.evidence"}
# Machines get no page, whatever is wrong.
_MACHINES_PATH = "/api/"
_STATIC = {"static", "bootstrap.static"}
_RESIDENTS_FILES = Path(__file__).parent / "templates/respond"


@cache
def resident_style() -> Markup:
    """Return the residents' style sheet, which stands inside their page: one request for all."""
    return Markup(_resident_file("style.css"))  # noqa: S704 - our own file, not a person's text


@cache
def resident_script() -> Markup:
    """Return the residents' script, which stands inside their page, without its comments.

    A page shows it as `<script>{{ resident_script }}</script>`, with no blank between: its hash
    is what the policy allows, and nothing else may run. What differs between pages goes into
    attributes (`data-…`), never into the script. It may fetch from this server alone.
    """
    lines = (line.strip() for line in _resident_file("page.js").splitlines())
    kept = "\n".join(line for line in lines if line and not line.startswith("//"))
    return Markup(kept)  # noqa: S704 - our own file, not a person's text


def _resident_file(name: str) -> str:
    return (_RESIDENTS_FILES / name).read_text(encoding="utf-8").strip()


@cache
def _residents() -> str:
    style, script = (_hash(text) for text in (resident_style(), resident_script()))
    return f"{_NOTHING}; style-src {style}; script-src {script}; connect-src 'self'"


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def init_app(app: Flask) -> None:
    """Write the headers on every answer."""
    app.after_request(_write)
    app.jinja_env.globals["resident_style"] = resident_style()
    app.jinja_env.globals["resident_script"] = resident_script()


def is_staff_side() -> bool:
    """Say whether this request is for a staff page, there or not; all others are the residents'."""
    return request.blueprint in _STAFF_SIDE or request.path.startswith(_STAFF_PATHS)


def is_machine_side() -> bool:
    """Say whether this request is a machine's, answered with JSON or a file."""
    return request.path.startswith(_MACHINES_PATH)


def _write(response: Response) -> Response:
    residents = not is_staff_side() and not is_machine_side()
    if residents:
        _compress(response)
    headers = response.headers
    has_form = residents or request.blueprint in _WITH_FORM
    policy = _NOTHING if is_machine_side() else _staff_policy()
    headers["Content-Security-Policy"] = _residents() if has_form else policy
    headers["Referrer-Policy"] = "same-origin" if is_staff_side() else "no-referrer"
    camera = "(self)" if request.endpoint in _SCANNING else "()"
    headers["Permissions-Policy"] = f"geolocation=(), microphone=(), camera={camera}"
    headers.extend(_ALWAYS)
    if request.endpoint not in _STATIC or response.status_code >= 400:
        headers["Cache-Control"] = _cache_rule(response)
    if settings().base_url.startswith("https://"):
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return response


def _staff_policy() -> str:
    return f"{_NOTHING}; sandbox" if request.endpoint in _HANDED_IN else _STAFF


def _compress(response: Response) -> None:
    # Only the residents' pages: they must fit one round trip on a weak network, and they hold
    # nothing that belongs to a session, which compression could leak.
    response.vary.add("Accept-Encoding")
    is_page = response.mimetype == "text/html" and response.status_code != 303
    if is_page and request.accept_encodings["gzip"] > 0:
        response.set_data(gzip.compress(response.get_data(), compresslevel=6, mtime=0))
        response.content_encoding = "gzip"


def _cache_rule(response: Response) -> str:
    # The empty form may stay in the phone's memory, so that the back button shows it again with
    # the same key and a second tap on "submit" gives the same receipt. (It is sent to another
    # address, "?sent": the answer to a POST makes browsers forget the page at the same one.)
    # Nothing else may be kept: pages hold answers, receipts or results.
    is_empty_form = (
        request.endpoint in {"respond.card", "respond.poster"} and response.status_code == 200
    )
    return "private, no-cache" if is_empty_form else "no-store"
