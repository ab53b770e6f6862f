"""The area tree of an administrator: what there is, and more from a table, seen before stored."""

from collections.abc import Sequence
from contextlib import closing

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.datastructures import FileStorage

from app.access import current_staff, record
from app.config import settings
from app.db import reading, transaction
from app.errors import Problem, TableRefused
from app.services import area_import, areas, audit
from app.spreadsheets.reading import LARGEST_FILE, Row, read_table

blueprint = Blueprint("areas", __name__, url_prefix="/desk/areas")

_LARGEST_BODY = LARGEST_FILE + 64 * 1024
_SECONDS_TO_CONFIRM = 60 * 60
_MOST_LISTED = 200
# Flask refuses a field beyond 500,000 bytes.
_LONGEST_TOKEN = 450_000


class UploadForm(FlaskForm):  # type: ignore[misc]
    """A table with areas."""

    file = FileField(_("表格文件（.xlsx 或 .csv）"), [FileRequired(_("请选择一个文件。"))])


@blueprint.url_value_preprocessor
def limit_body(_endpoint: str | None, _values: object) -> None:
    """Refuse a large body before the check of the form's token reads it."""
    request.max_content_length = _LARGEST_BODY


@blueprint.get("/")
def home() -> ResponseReturnValue:
    """Show the areas of my branch as a tree."""
    return _page(UploadForm())


@blueprint.post("/")
def preview() -> ResponseReturnValue:
    """Read a table and show what it would add and change; nothing is stored."""
    form = UploadForm()
    if not form.validate_on_submit():
        return _page(form), 422
    upload: FileStorage = form.file.data
    with closing(upload):
        content = upload.stream.read(LARGEST_FILE + 1)
    try:
        table = read_table(content, upload.filename or "", area_import.COLUMNS)
        with reading() as session:
            plan = area_import.plan_import(session, table.rows, current_staff().area)
        token = _sign(table.rows)
    except TableRefused as refusal:
        return _page(form, refusal), 422
    return render_template(
        "desk/areas_preview.html",
        plan=plan,
        ignored=table.ignored,
        most=_MOST_LISTED,
        token=token,
    )


@blueprint.post("/import")
def confirm() -> ResponseReturnValue:
    """Store what the preview showed, checked anew against the areas that there are by now."""
    rows = _read(request.form.get("table", ""))
    branch = current_staff().area
    try:
        with reading() as session:
            prepared = area_import.prepare(session, rows, branch)
        with transaction() as session:
            done = area_import.import_areas(session, prepared, branch)
            counts = {"added": len(done.added), "changed": len(done.changed)}
            if any(counts.values()):
                record(session, audit.areas_imported(current_staff().name, branch, **counts))
    except TableRefused as refusal:
        return _page(UploadForm(), refusal), 422
    return redirect(url_for("areas.home", added=counts["added"], changed=counts["changed"]), 303)


def _page(form: UploadForm, refusal: TableRefused | None = None) -> str:
    branch = current_staff().area
    with reading() as session:
        found = areas.load_branch(session, branch)
    return render_template(
        "desk/areas.html",
        form=form,
        areas=found,
        top=branch.path.count("/"),
        refusal=refusal,
        added=request.args.get("added", type=int),
        changed=request.args.get("changed", type=int, default=0),
    )


# What was read travels through the page and not through a store of half-done uploads. It is
# signed for one person, so that no table comes in past the reader and its limits.


def _sign(rows: Sequence[Row]) -> str:
    token = str(_serializer().dumps([[row.number, dict(row.cells)] for row in rows]))
    if len(token) > _LONGEST_TOKEN:
        raise TableRefused([_("表格太大，请分成几个文件。")])
    return token


def _read(token: str) -> list[Row]:
    try:
        rows = _serializer().loads(token, max_age=_SECONDS_TO_CONFIRM)
    except BadSignature:
        raise Problem(_("预览已经过期，请重新上传表格。")) from None
    return [Row(number, cells) for number, cells in rows]


def _serializer() -> URLSafeTimedSerializer:
    salt = f"areas-import/{current_staff().id}"
    return URLSafeTimedSerializer(settings().keys.session, salt=salt)
