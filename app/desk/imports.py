"""Answer sheets from tables: a template to fill in, other systems' exports, seen before stored."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage
from wtforms import SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Length

from app.access import current_staff, now, record
from app.attachments import attachment
from app.config import LARGEST_BODY, settings
from app.db import reading, transaction
from app.errors import InvalidInput, Problem, TableRefused
from app.formats import channel_name
from app.forms import plain_text, show_faults
from app.models import Channel, Survey
from app.services import answer_columns, audit, collecting, importing, publishing, survey_areas
from app.services.importing import ImportSource, Plan
from app.spreadsheets.parsing import MOST_COLUMNS
from app.spreadsheets.reading import LARGEST_FILE, Row, read_headings, read_table
from surveys.questionnaire import Questionnaire

blueprint = Blueprint("imports", __name__, url_prefix="/desk")

_SECONDS_TO_CONFIRM = 60 * 60
_LONGEST_HEADING = 200


class UploadForm(FlaskForm):  # type: ignore[misc]
    """A table with answer sheets, and what the table does not say itself."""

    mapping = SelectField(_("表格是哪一种"))
    area = SelectField(_("没有写片区的答卷算在哪里"), coerce=int)
    channel = SelectField(_("调查方式"))
    file = FileField(_("表格文件（.xlsx 或 .csv）"), [FileRequired(_("请选择一个文件。"))])


class SampleForm(FlaskForm):  # type: ignore[misc]
    """A file of another system, of which only the headings are read."""

    file = FileField(
        _("那边导出的表格（.xlsx 或 .csv），只读列名"), [FileRequired(_("请选择一个文件。"))]
    )


class MappingForm(FlaskForm):  # type: ignore[misc]
    """The names that stand in another system's table; those of the questions have no field here."""

    name = StringField(
        _("来源的名称"), [Length(max=importing.LONGEST_NAME), plain_text], default=""
    )
    key = StringField(_("每行编号所在的列名"), [Length(max=200), plain_text], default="")
    area = StringField(_("片区所在的列名（可以不填）"), [Length(max=200), plain_text], default="")

    def document(self, questionnaire: Questionnaire) -> dict[str, Any]:
        """Return what was filled in, with the columns and words of each question."""
        words: dict[str, dict[str, str]] = {}
        columns: dict[str, str] = {}
        for column in answer_columns.answer_columns(questionnaire):
            if heading := _typed(f"column-{column.id}"):
                columns[column.id] = heading
            if column.way is answer_columns.Way.CHOSEN:
                for option in column.question.choices:
                    if said := _typed(f"words-{column.question.id}-{option.code}"):
                        words.setdefault(column.question.id, {})[option.code] = said
        return {
            "key": self.key.data.strip(),
            "area": self.area.data.strip(),
            "columns": columns,
            "words": words,
        }


def _typed(name: str) -> str:
    return " ".join(request.form.get(name, "").replace("\0", "").split())[:_LONGEST_HEADING]


@blueprint.url_value_preprocessor
def limit_body(_endpoint: str | None, _values: object) -> None:
    """Let what a preview carries through the page come back; no other form is so large."""
    request.max_form_memory_size = LARGEST_BODY


@blueprint.get("/surveys/<id:survey_id>/imports")
def home(survey_id: int) -> ResponseReturnValue:
    """Show what was imported into a survey, and ask for more."""
    with reading() as session:
        survey = _find(session, survey_id)
        return _page(session, survey, _upload_form(session, survey))


@blueprint.get("/surveys/<id:survey_id>/imports/template.xlsx")
def template(survey_id: int) -> Response:
    """Hand out the empty table of a survey: a row for each answer sheet, options to choose from."""
    with reading() as session:
        survey = _find(session, survey_id)
        asked = collecting.load_questionnaire(session, survey.questionnaire.digest)
        names = importing.shortest_references(survey_areas.tree_of(session, survey))
    title = f"{survey.title} {_('答卷')}"
    sheet = answer_columns.template_sheet(str(_("答卷")), asked, names)
    return attachment([sheet], "xlsx", title, f"answers-{survey.id}")


@blueprint.post("/surveys/<id:survey_id>/imports")
def preview(survey_id: int) -> ResponseReturnValue:
    """Read a table and show what it would store and what is wrong; nothing is stored."""
    with reading() as session:
        survey = _find(session, survey_id)
        form = _upload_form(session, survey)
        if not form.validate_on_submit():
            return _page(session, survey, form), 422
        importing.ensure_taken(survey)
        _asked, mapping = importing.find_mapping(session, survey, _mapping_id(form.mapping.data))
    # The file is read outside: it takes seconds, and holds nothing of the database.
    upload: FileStorage = form.file.data
    with closing(upload):
        content = upload.stream.read(LARGEST_FILE + 1)
    try:
        table = read_table(content, upload.filename or "", mapping.wanted())
    except TableRefused as refusal:
        with reading() as session:
            return _page(session, survey, form, refusal), 422
    sent = {
        "survey": survey_id,
        "mapping": _mapping_id(form.mapping.data),
        "area": form.area.data,
        "channel": form.channel.data,
        "digest": hashlib.sha256(content).hexdigest(),
        "headings": list(table.rows[0].cells),
        "rows": [[row.number, *row.cells.values()] for row in table.rows],
    }
    with reading() as session:
        plan = _plan(session, survey, sent)
    page = render_template(
        "desk/import_preview.html",
        survey=survey,
        plan=plan,
        refusal=TableRefused(fault for faults in plan.faults.values() for fault in faults),
        ignored=table.ignored,
        token=_serializer().dumps(sent),
    )
    return page, 422 if plan.faults else 200


@blueprint.post("/surveys/<id:survey_id>/imports/confirm")
def confirm(survey_id: int) -> ResponseReturnValue:
    """Store what the preview showed, checked anew; faulty rows are left out only if that is said.

    The rows are checked before the transaction: while it lasts, residents on SQLite wait.
    """
    with reading() as session:
        survey = _find(session, survey_id)
        sent = _read(request.form.get("table", ""), survey_id)
        plan = _plan(session, survey, sent)
        _asked, mapping = importing.find_mapping(session, survey, sent["mapping"])
    if plan.faults and request.form.get("leave_out") != "1":
        raise Problem(_("有的行有错，请改好表格重新上传，或选择不导入这些行。"))
    if not plan.new:
        raise Problem(_("没有新的答卷可以导入。"))
    source = ImportSource(mapping.source, Channel(sent["channel"]), sent["digest"])
    with transaction() as session:
        survey, staff = _find(session, survey_id), current_staff()
        made = importing.store_import(session, survey, plan, source, staff, settings().keys, now())
        record(session, audit.answers_imported(staff.name, survey, made))
    return redirect(url_for("imports.home", survey_id=survey_id), 303)


@blueprint.post("/surveys/<id:survey_id>/imports/<id:import_id>/set-aside")
def set_aside(survey_id: int, import_id: int) -> ResponseReturnValue:
    """Set everything that an import stored aside, with a reason."""
    reason = request.form.get("reason", "").replace("\0", "").strip()[:500]
    with transaction() as session:
        survey = _find(session, survey_id)
        made = importing.find_import(session, survey, import_id)
        importing.set_aside_import(session, made, reason)
        record(session, audit.import_set_aside(current_staff().name, survey, made, reason))
    return redirect(url_for("imports.home", survey_id=survey_id), 303)


@blueprint.get("/surveys/<id:survey_id>/mappings/new")
def new_mapping(survey_id: int) -> ResponseReturnValue:
    """Ask which columns of another system's table answer which question."""
    with reading() as session:
        survey = _find(session, survey_id)
        asked = collecting.load_questionnaire(session, survey.questionnaire.digest)
    return _mapping_page(survey, asked, MappingForm())


@blueprint.post("/surveys/<id:survey_id>/mappings/sample")
def read_sample(survey_id: int) -> ResponseReturnValue:
    """Read the headings of a file, to be chosen from; nothing of it is kept."""
    with reading() as session:
        survey = _find(session, survey_id)
        asked = collecting.load_questionnaire(session, survey.questionnaire.digest)
    sample = SampleForm()
    if not sample.validate_on_submit():
        return _mapping_page(survey, asked, MappingForm(formdata=None), sample=sample), 422
    upload: FileStorage = sample.file.data
    with closing(upload):
        content = upload.stream.read(LARGEST_FILE + 1)
    try:
        headings = read_headings(content, upload.filename or "")
    except TableRefused as refusal:
        form = MappingForm(formdata=None)
        return _mapping_page(survey, asked, form, sample=sample, refusal=refusal), 422
    return _mapping_page(survey, asked, MappingForm(formdata=None), headings=headings)


@blueprint.post("/surveys/<id:survey_id>/mappings/new")
def make_mapping(survey_id: int) -> ResponseReturnValue:
    """Save a mapping for the surveys of this area with this questionnaire."""
    with transaction() as session:
        survey, form = _find(session, survey_id), MappingForm()
        asked = collecting.load_questionnaire(session, survey.questionnaire.digest)
        if not form.validate_on_submit():
            return _mapping_page(survey, asked, form), 422
        try:
            document = form.document(asked)
            made = importing.save_mapping(session, survey, form.name.data.strip(), document)
        except InvalidInput as refusal:
            show_faults(form, refusal)
            return _mapping_page(survey, asked, form), 422
        record(session, audit.mapping_saved(current_staff().name, survey, made))
    return redirect(url_for("imports.home", survey_id=survey_id, mapping=made.id), 303)


def _find(session: Session, survey_id: int) -> Survey:
    return publishing.find_survey(session, survey_id, current_staff().area)


def _upload_form(session: Session, survey: Survey) -> UploadForm:
    form = UploadForm(mapping=request.args.get("mapping", ""))
    form.mapping.choices = [
        SelectChoice("", _("本系统的模板")),
        *(SelectChoice(str(one.id), one.name) for one in importing.load_mappings(session, survey)),
    ]
    form.area.choices = [
        SelectChoice(place.id, place.name)
        for place in survey_areas.load_places(session, survey, current_staff().area)
    ]
    form.channel.choices = [
        SelectChoice(channel.value, channel_name(channel)) for channel in importing.CHANNELS
    ]
    return form


def _mapping_id(chosen: str) -> int | None:
    return int(chosen) if chosen else None


def _page(
    session: Session, survey: Survey, form: UploadForm, refusal: TableRefused | None = None
) -> str:
    return render_template(
        "desk/imports.html",
        survey=survey,
        form=form,
        refusal=refusal,
        imports=importing.load_imports(session, survey),
    )


def _mapping_page(
    survey: Survey,
    asked: Questionnaire,
    form: MappingForm,
    *,
    headings: Sequence[str] = (),
    sample: SampleForm | None = None,
    refusal: TableRefused | None = None,
) -> str:
    return render_template(
        "desk/mapping.html",
        survey=survey,
        form=form,
        sample=sample or SampleForm(formdata=None),
        refusal=refusal,
        # They come back with the form, so that a fault on it does not ask for the file again.
        headings=headings or _sent_headings(),
        columns=answer_columns.answer_columns(asked),
        typed=request.form,
    )


def _sent_headings() -> list[str]:
    return [each[:_LONGEST_HEADING] for each in request.form.getlist("heading")[:MOST_COLUMNS]]


def _plan(session: Session, survey: Survey, sent: Mapping[str, Any]) -> Plan:
    _asked, mapping = importing.find_mapping(session, survey, sent["mapping"])
    rows: Sequence[Row] = [
        Row(number, dict(zip(sent["headings"], cells, strict=True)))
        for number, *cells in sent["rows"]
    ]
    return importing.plan_import(session, survey, mapping, rows, sent["area"], settings().keys)


# As with areas: what was read travels through the page, signed for one person (decision 19).


def _read(token: str, survey_id: int) -> dict[str, Any]:
    try:
        sent: dict[str, Any] = _serializer().loads(token, max_age=_SECONDS_TO_CONFIRM)
    except BadSignature:
        raise Problem(_("预览已经过期，请重新上传表格。")) from None
    if sent["survey"] != survey_id:
        raise Problem(_("预览已经过期，请重新上传表格。"))
    return sent


def _serializer() -> URLSafeTimedSerializer:
    salt = f"answers-import/{current_staff().id}"
    return URLSafeTimedSerializer(settings().keys.session, salt=salt)
