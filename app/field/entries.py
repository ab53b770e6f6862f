"""What an object's own staff enter for its evaluation: measurements, evidence, their own scores."""

from collections.abc import Mapping
from contextlib import closing

from flask import Blueprint, Response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage
from wtforms import HiddenField, RadioField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Length

from analysis.scoring.rubric import Indicator
from app.access import current_staff, now, record
from app.attachments import stored_attachment
from app.db import reading, transaction
from app.errors import InvalidInput, Sentence
from app.forms import plain_text, show_faults, typed_field
from app.models import Entry, EvaluationObject, EvaluationState, ScoreOrigin
from app.services import entries, evaluations, evidence_files
from app.services import evaluation_acts as acts
from app.services.audit import Action
from app.services.entries import Author, EntryConflict, FieldKind
from app.services.evaluation_sheets import ENTRY_STATES

blueprint = Blueprint("entries", __name__, url_prefix="/field/evaluations")


class EntryForm(FlaskForm):  # type: ignore[misc]
    """A measurement; its own fields are those of the indicator. `seen` is the version shown."""

    note = TextAreaField(
        _("说明：数字从哪里来（可以不填；不要写个人姓名、电话、身份证号）"),
        [Length(max=entries.LONGEST_NOTE), plain_text],
        default="",
    )
    seen = HiddenField()

    def typed(self) -> dict[str, str]:
        """Return what was typed into the indicator's fields."""
        return {field.name: field.data or "" for field in self if field.name not in _OWN}


_OWN = {"note", "seen", "csrf_token"}
_MET = (SelectChoice(entries.YES, _("做到")), SelectChoice(entries.NO, _("没有做到")))


class EvidenceForm(FlaskForm):  # type: ignore[misc]
    """A file that shows where a figure is from."""

    file = FileField(_("文件"), [FileRequired(_("请选择一个文件。"))])


def form_class(indicator: Indicator) -> type[EntryForm]:
    """Return a form with the fields that this indicator asks for."""
    fields = {field.name: _field(field) for field in entries.fields_of(indicator)}
    return type("IndicatorForm", (EntryForm,), fields)


def _field(field: entries.EntryField) -> object:
    checks = [Length(max=entries.LONGEST_REASON), plain_text]
    match field.kind:
        case FieldKind.TICK:
            # What is not ticked is not read as "no": both must be possible to choose.
            return RadioField(field.label, choices=_MET, validate_choice=False)
        case FieldKind.TEXT:
            return TextAreaField(field.label, checks)
        case FieldKind.CASES:
            return StringField(field.label, checks, render_kw={"inputmode": "numeric"})
        case _:
            return StringField(field.label, checks, render_kw={"inputmode": "decimal"})


@blueprint.get("/")
def home() -> ResponseReturnValue:
    """List what is evaluated in my area, and how much of it is still to be entered."""
    with reading() as session:
        found = evaluations.load_objects_of_branch(session, current_staff().area)
        newest = entries.load_newest(session, [each.id for each in found])
        rows = [(each, _to_do(each, newest)) for each in found]
    return render_template("field/evaluations.html", rows=rows, now=now())


def _to_do(scored: EvaluationObject, newest: Mapping[tuple[int, str], Entry]) -> int:
    """Count the indicators that wait for this person."""
    evaluation, staff, moment = scored.evaluation, current_staff(), now()
    found = [
        (indicator, newest.get((scored.id, indicator.code)))
        for indicator in evaluations.rubric_of(evaluation).indicators
    ]
    return sum(
        entries.is_to_do(entry)
        and entries.why_closed(evaluation, indicator, entry, staff, moment) is None
        for indicator, entry in found
    )


@blueprint.get("/objects/<id:object_id>")
def scored_object(object_id: int) -> ResponseReturnValue:
    """List the indicators of an object with what was entered for each."""
    with reading() as session:
        scored = _find(session, object_id)
        newest = entries.load_newest(session, [scored.id])
        files = evidence_files.load_evidence_files(session, scored)
    staff, moment = current_staff(), now()
    rows = []
    for indicator in evaluations.rubric_of(scored.evaluation).indicators:
        entry = newest.get((scored.id, indicator.code))
        closed = entries.why_closed(scored.evaluation, indicator, entry, staff, moment)
        count = sum(each.indicator == indicator.code for each in files)
        rows.append((indicator, entry, closed, count))
    return render_template(
        "field/evaluation_object.html",
        scored=scored,
        rows=rows,
        states=ENTRY_STATES,
        is_late=scored.evaluation.deadline < moment,
    )


@blueprint.get("/objects/<id:object_id>/indicators/<indicator>")
def entry(object_id: int, indicator: str) -> ResponseReturnValue:
    """Show the form for one indicator, with what the rubric says and what was entered before."""
    with reading() as session:
        scored = _find(session, object_id)
        found = evaluations.indicator_of(scored.evaluation, indicator)
        return _entry_page(session, scored, found, _as_it_is(session, scored, found))


def _as_it_is(session: Session, scored: EvaluationObject, indicator: Indicator) -> EntryForm:
    """Return the form filled in with the newest version."""
    versions = entries.load_versions(session, scored, indicator.code)
    before = entries.typed_before(indicator, versions[0].document) if versions else {}
    return form_class(indicator)(
        formdata=None,
        **before,
        note=versions[0].note if versions else "",
        seen=str(versions[0].version if versions else 0),
    )


@blueprint.post("/objects/<id:object_id>/indicators/<indicator>")
def enter(object_id: int, indicator: str) -> ResponseReturnValue:
    """Enter a measurement, unless somebody else did meanwhile."""
    author = Author(current_staff(), now())
    with transaction() as session:
        scored = _find(session, object_id)
        found = evaluations.indicator_of(scored.evaluation, indicator)
        form = form_class(found)()
        if not form.validate_on_submit():
            return _entry_page(session, scored, found, form), 422
        versions = entries.load_versions(session, scored, found.code)
        try:
            typed, note = form.typed(), form.note.data
            made = entries.enter(session, scored, found, typed, note, _seen(form), author)
        except InvalidInput as refusal:
            show_faults(form, refusal)
            return _entry_page(session, scored, found, form), 422
        except EntryConflict as conflict:
            # Whoever saves again has seen what stands there now.
            newest = entries.load_versions(session, scored, found.code)
            form.seen.data = str(newest[0].version if newest else 0)
            return _entry_page(session, scored, found, form, conflict.sentence), conflict.status
        action, before = Action.MEASUREMENT_ENTERED, versions[0] if versions else None
        record(session, acts.entry_made(author.staff.name, action, scored, before, made))
    return redirect(url_for("entries.scored_object", object_id=object_id), 303)


def _seen(form: EntryForm) -> int:
    text = form.seen.data or ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 0


def _entry_page(
    session: Session,
    scored: EvaluationObject,
    indicator: Indicator,
    form: EntryForm,
    conflict: Sentence | None = None,
    evidence_form: EvidenceForm | None = None,
) -> str:
    versions = entries.load_versions(session, scored, indicator.code)
    newest = versions[0] if versions else None
    files = evidence_files.load_evidence_files(session, scored)
    return render_template(
        "field/entry.html",
        scored=scored,
        indicator=indicator,
        form=form,
        fields=[form[field.name] for field in entries.fields_of(indicator)],
        conflict=conflict,
        newest=newest,
        shown=entries.shown_measurement(indicator, newest) if newest else [],
        states=ENTRY_STATES,
        closed=entries.why_closed(scored.evaluation, indicator, newest, current_staff(), now()),
        evidence=[each for each in files if each.indicator == indicator.code],
        evidence_form=evidence_form or EvidenceForm(formdata=None),
        takes_files=scored.evaluation.state is EvaluationState.OPEN,
        suffixes=evidence_files.SUFFIXES,
        megabytes=evidence_files.LARGEST_EVIDENCE // 1024 // 1024,
    )


@blueprint.post("/objects/<id:object_id>/indicators/<indicator>/evidence")
def add_evidence(object_id: int, indicator: str) -> ResponseReturnValue:
    """Keep a file for one indicator."""
    author, form = Author(current_staff(), now()), EvidenceForm()
    with transaction() as session:
        scored = _find(session, object_id)
        found = evaluations.indicator_of(scored.evaluation, indicator)
        try:
            if not form.validate_on_submit():
                raise InvalidInput({})
            upload: FileStorage = form.file.data
            with closing(upload):
                content = upload.stream.read(evidence_files.LARGEST_EVIDENCE + 1)
            name = upload.filename or ""
            file = evidence_files.add_evidence(session, scored, found.code, name, content, author)
        except InvalidInput as refusal:
            show_faults(form, refusal)
            typed = _as_it_is(session, scored, found)
            return _entry_page(session, scored, found, typed, None, form), 422
        action = Action.EVIDENCE_ADDED
        record(session, acts.evidence_moved(author.staff.name, action, scored, file))
    return redirect(url_for("entries.entry", object_id=object_id, indicator=indicator), 303)


@blueprint.get("/objects/<id:object_id>/evidence/<id:file_id>")
def evidence(object_id: int, file_id: int) -> Response:
    """Hand out a file as an attachment; the look is on record."""
    with transaction() as session:
        scored = _find(session, object_id)
        file = evidence_files.find_evidence(session, scored, file_id)
        action = Action.EVIDENCE_DOWNLOADED
        record(session, acts.evidence_moved(current_staff().name, action, scored, file))
    return stored_attachment(file.content or b"", file.suffix, file.name, f"evidence-{file.id}")


@blueprint.get("/objects/<id:object_id>/self")
def self_scores(object_id: int) -> ResponseReturnValue:
    """Ask for the object's own scores (自评), in total and by indicator."""
    with reading() as session:
        scored = _find(session, object_id)
        reported = evaluations.load_reported(session, [scored.id])
    own = reported.get((scored.id, ScoreOrigin.SELF), {})
    return _self_page(scored, {code: str(points) for code, points in own.items()}, {})


@blueprint.post("/objects/<id:object_id>/self")
def report_self_scores(object_id: int) -> ResponseReturnValue:
    """Keep the object's own scores."""
    author = Author(current_staff(), now())
    with transaction() as session:
        scored = _find(session, object_id)
        codes = ["", *(one.code for one in evaluations.rubric_of(scored.evaluation).indicators)]
        typed = {code: typed_field(f"score-{code}") for code in codes}
        evaluations.ensure_self_scored(scored.evaluation, author)
        try:
            changed = evaluations.report_scores(session, scored, ScoreOrigin.SELF, typed, author)
        except InvalidInput as refusal:
            return _self_page(scored, typed, refusal.faults), 422
        if changed:
            name = author.staff.name
            record(session, acts.scores_reported(name, scored, ScoreOrigin.SELF, changed))
    return redirect(url_for("entries.scored_object", object_id=object_id), 303)


def _self_page(
    scored: EvaluationObject, typed: Mapping[str, str], faults: Mapping[str, Sentence]
) -> str:
    return render_template(
        "field/self_scores.html",
        scored=scored,
        indicators=evaluations.rubric_of(scored.evaluation).indicators,
        typed=typed,
        faults=faults,
    )


def _find(session: Session, object_id: int) -> EvaluationObject:
    return evaluations.find_object(session, object_id, current_staff().area)
