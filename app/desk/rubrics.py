"""Rubrics on screen: those of the documents, and an evaluator's own, from a template or a file."""

from contextlib import closing

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage
from wtforms import BooleanField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length

from analysis.scoring.book import BookRefused
from analysis.scoring.rubric import EXAMPLE, Rubric
from app.access import current_staff, now, record
from app.attachments import attachment, download
from app.db import reading, transaction
from app.errors import NotFound, Problem, TableRefused
from app.forms import plain_text
from app.models import Area, StoredRubric
from app.services import areas, audit, evaluating, report_audit, rubric_tables, rubrics
from app.spreadsheets.reading import LARGEST_FILE
from app.spreadsheets.rubric_book import book_sheets

blueprint = Blueprint("rubrics", __name__, url_prefix="/desk/rubrics")

LARGEST_BODY = LARGEST_FILE + 64 * 1024
# A form with every figure of a large rubric; nothing of it is as large as a file.
_LARGEST_FORM = 2 * 1024 * 1024
_FORM = "<any(toml, xlsx):book_form>"


class UploadForm(FlaskForm):  # type: ignore[misc]
    """A rubric or a report as a file."""

    file = FileField(_("文件（.xlsx 或 .toml）"), [FileRequired(_("请选择一个文件。"))])


class KeepForm(UploadForm):
    """A file that becomes a rubric of an area."""

    area = SelectField(_("属于哪个片区"), coerce=int)


class CopyForm(FlaskForm):  # type: ignore[misc]
    """A rubric made from another one."""

    template = SelectField(_("照哪一份做"))
    slug = StringField(
        _("代号（小写字母、数字、连字符）"), [DataRequired(_("请填写代号。")), plain_text]
    )
    title = StringField(
        _("名称"),
        [DataRequired(_("请填写名称。")), Length(max=rubrics.LONGEST_TITLE), plain_text],
    )
    owner = SelectField(_("属于哪个片区"), coerce=int)
    figures = BooleanField(_("连同文件印的结果一起抄"))


@blueprint.url_value_preprocessor
def limit_body(_endpoint: str | None, _values: object) -> None:
    """Refuse a large body before the check of the form's token reads it."""
    request.max_content_length = LARGEST_BODY
    request.max_form_memory_size = _LARGEST_FORM


@blueprint.get("/")
def home() -> ResponseReturnValue:
    """List every rubric, and ask for more."""
    with reading() as session:
        return _home(session, _copy_form(session), _keep_form(session))


def _home(
    session: Session, copying: CopyForm, keeping: KeepForm, refusal: TableRefused | None = None
) -> str:
    return render_template(
        "desk/rubrics.html",
        bundled=evaluating.rubrics(),
        stored=rubrics.load_stored(session, current_staff().area),
        copying=copying,
        keeping=keeping,
        refusal=refusal,
    )


def _areas(session: Session) -> list[SelectChoice]:
    branch = areas.load_branch(session, current_staff().area)
    return [SelectChoice(area.id, area.name) for area in branch]


def _keep_form(session: Session) -> KeepForm:
    form = KeepForm()
    form.area.choices = _areas(session)
    return form


def _copy_form(session: Session) -> CopyForm:
    form = CopyForm(template=request.args.get("template", EXAMPLE))
    form.owner.choices = _areas(session)
    own = rubrics.load_stored(session, current_staff().area)
    form.template.choices = [
        SelectChoice(EXAMPLE, _("示范（每种细则一个指标）")),
        *(SelectChoice(name, found.title) for name, found in evaluating.rubrics().items()),
        *(SelectChoice(rubrics.own_id(one), f"{one.title}（{one.version}）") for one in own),
    ]
    return form


@blueprint.get("/template.xlsx")
def template() -> Response:
    """Hand out the workbook to fill in, with an example for each kind of rule."""
    book = rubrics.book_of_text(rubrics.example_text())
    return attachment(book_sheets(book), "xlsx", str(_("指标体系模板")), "rubric-template")


@blueprint.post("/upload")
def upload() -> ResponseReturnValue:
    """Store a rubric from a file, as a draft; nothing is stored while there is a fault."""
    with reading() as session:
        form = _keep_form(session)
        if not form.validate_on_submit():
            return _home(session, _copy_form(session), form), 422
    try:
        draft = read_file(form)
    except TableRefused as refusal:
        with reading() as session:
            return _home(session, _copy_form(session), form, refusal), 422
    with transaction() as session:
        made = store(session, draft, form.area.data)
    return _to(made)


def read_file(form: UploadForm) -> rubrics.Draft:
    """Read what was uploaded. Raises `TableRefused` and `Unavailable`."""
    sent: FileStorage = form.file.data
    with closing(sent):
        content = sent.stream.read(LARGEST_FILE + 1)
    return rubrics.read_upload(content, sent.filename or "")


def store(session: Session, draft: rubrics.Draft, area_id: int) -> StoredRubric:
    """Store a draft in an area of mine, on record. Raises `NotFound`."""
    area, staff = areas.find_area(session, area_id, current_staff().area), current_staff()
    made = rubrics.store_draft(session, draft, area, staff, now())
    record(session, audit.rubric_saved(staff.name, made, None))
    return made


def _to(stored: StoredRubric) -> ResponseReturnValue:
    return redirect(url_for("rubrics.stored", stored_id=stored.id), 303)


@blueprint.post("/copy")
def copy() -> ResponseReturnValue:
    """Make a rubric from another one, as a draft."""
    with transaction() as session:
        form = _copy_form(session)
        if not form.validate_on_submit():
            return _home(session, form, _keep_form(session)), 422
        try:
            draft = _copied(session, form)
        except BookRefused as refusal:
            form.slug.errors = [fault.reason for fault in refusal.faults]
            return _home(session, form, _keep_form(session)), 422
        made = store(session, draft, form.owner.data)
    return _to(made)


def _copied(session: Session, form: CopyForm) -> rubrics.Draft:
    text = rubrics.find_text(session, form.template.data, current_staff().area)
    book = rubrics.book_of_text(text)
    if not form.figures.data:
        book = rubric_tables.without_results(book)
    return rubrics.read_tables(rubric_tables.renamed(book, form.slug.data, form.title.data))


@blueprint.post("/keep")
def keep() -> ResponseReturnValue:
    """Store a report that was audited, as a draft."""
    draft = sent_text()
    area_id = request.form.get("area", type=int)
    with transaction() as session:
        made = store(session, draft, area_id or current_staff().area_id)
    return _to(made)


def sent_text() -> rubrics.Draft:
    """Return the report that a page carried, checked anew. Raises `Problem`."""
    text = request.form.get("text", "").replace("\0", "").replace("\r\n", "\n")
    try:
        return rubrics.read_text(text, "")
    except TableRefused as refusal:
        raise Problem(refusal.faults[0]) from None


@blueprint.get("/bundled/<rubric_id>")
def bundled(rubric_id: str) -> ResponseReturnValue:
    """Show the rubric of a document as its annexes print it, and what contradicts itself there."""
    rubric = evaluating.find_rubric(rubric_id)
    return _rubric_page(rubric, rubric_id)


def _rubric_page(rubric: Rubric, name: str, **shown: object) -> str:
    findings = report_audit.findings_of(rubric)
    return render_template(
        "desk/rubric.html",
        rubric=rubric,
        name=name,
        findings=report_audit.by_kind(findings),
        count=len(findings),
        **shown,
    )


@blueprint.get("/<id:stored_id>")
def stored(stored_id: int) -> ResponseReturnValue:
    """Show a version of a rubric that somebody here made."""
    with reading() as session:
        found = find(session, stored_id)
        shown = {"stored": found, "versions": rubrics.load_versions(session, found)}
        return _rubric_page(rubrics.rubric_of(found), rubrics.own_id(found), **shown)


def find(session: Session, stored_id: int) -> StoredRubric:
    """Return one stored version of mine. Raises `NotFound`."""
    return rubrics.find_stored(session, stored_id, current_staff().area)


@blueprint.get(f"/bundled/<rubric_id>.{_FORM}")
def export_bundled(rubric_id: str, book_form: str) -> Response:
    """Hand out the rubric of a document as a file."""
    title = evaluating.find_rubric(rubric_id).title
    with reading() as session:
        text = rubrics.find_text(session, rubric_id)
    return _hand_out(text, book_form, title, rubric_id, current_staff().area)


@blueprint.get(f"/<id:stored_id>.{_FORM}")
def export_stored(stored_id: int, book_form: str) -> Response:
    """Hand out a stored version as a file."""
    with reading() as session:
        found = find(session, stored_id)
    return _hand_out(found.text, book_form, found.title, rubrics.own_id(found), found.area)


def _hand_out(text: str, form: str, title: str, name: str, area: Area) -> Response:
    if form == "xlsx":
        made = attachment(book_sheets(rubrics.book_of_text(text)), form, title, name)
    else:
        made = download(text.encode(), "application/toml", title, name, form)
    with transaction() as session:
        act = audit.rubric_exported(
            current_staff().name, audit.Action.RUBRIC_EXPORTED, area, name, form
        )
        record(session, act)
    return made


@blueprint.post("/<id:stored_id>/use")
def put_in_use(stored_id: int) -> ResponseReturnValue:
    """Offer a version for scores; it is never changed again."""
    with transaction() as session:
        found = find(session, stored_id)
        rubrics.put_in_use(session, found)
        record(session, audit.rubric_put_in_use(current_staff().name, found))
    return _to(found)


@blueprint.post("/<id:stored_id>/version")
def new_version(stored_id: int) -> ResponseReturnValue:
    """Make the next version of a rubric, to be changed."""
    with transaction() as session:
        found = find(session, stored_id)
        draft = rubrics.read_text(found.text, found.slug)
        made = store(session, draft, found.area_id)
    return _to(made)


def find_template(session: Session, name: str) -> str | None:
    """Return the text of a rubric that a report is typed in for, or None for no rubric."""
    if not name:
        return None
    try:
        return rubrics.find_text(session, name, current_staff().area)
    except NotFound:
        raise Problem(_("没有这个指标体系，请重新选择。")) from None
