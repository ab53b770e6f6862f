"""Evaluations: one rubric over many objects, their ranking, their sheets, what was entered."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import (
    DateField,
    DateTimeLocalField,
    HiddenField,
    IntegerField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from analysis.scoring import feed as feeds
from app.access import current_staff, now, record
from app.attachments import attachment, json_attachment, stored_attachment
from app.db import reading, transaction
from app.desk.views import in_calendar
from app.errors import InvalidInput, Problem, Sentence
from app.formats import BEIJING
from app.forms import plain_text, show_faults, typed_field
from app.models import Area, Evaluation, EvaluationObject, EvaluationState, ScoreOrigin
from app.services import (
    areas,
    collecting,
    entries,
    evaluations,
    evidence_files,
    publishing,
    rubrics,
)
from app.services import evaluation_acts as acts
from app.services.audit import Action
from app.services.entries import Author, EntryConflict
from app.services.evaluation_sheets import ENTRY_STATES, outcome_sheets
from app.services.evaluations import EvaluationPlan, Gap

blueprint = Blueprint("evaluations", __name__, url_prefix="/desk/evaluations")

GAPS = {
    Gap.NOT_ENTERED: _("还没有填报"),
    Gap.RETURNED: _("已退回，等待更正"),
    Gap.NOBODY_ANSWERED: _("还没有答卷，不可计算"),
    Gap.SUPPRESSED: _("答卷太少，为保护答题人不单列"),
    Gap.NOT_IN_SURVEY: _("调查没有按这个片区分开"),
}


class EvaluationForm(FlaskForm):  # type: ignore[misc]
    """A new evaluation; instants are Beijing time."""

    area = HiddenField()
    name = StringField(
        _("评价名称"), [DataRequired(_("请填写评价名称。")), Length(max=200), plain_text]
    )
    year = IntegerField(_("评价年度"), [InputRequired(_("请填写年份。"))])
    rubric = SelectField(_("指标体系"))
    places = SelectMultipleField(
        _("评价对象"),
        coerce=int,
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    others = TextAreaField(
        _("其他评价对象（部门、项目等），每行一个，可以不填"),
        [Length(max=20_000), plain_text],
        default="",
    )
    survey = SelectField(_("满意度、知晓率取自哪次调查"))
    previous = SelectField(_("上一年的评价（用来比较）"))
    deadline = DateTimeLocalField(
        _("填报截止时间（北京时间）"), [DataRequired(_("请填写截止时间。")), in_calendar]
    )
    erase_at = DateField(
        _("佐证材料的删除日期"), [DataRequired(_("请填写删除日期。")), in_calendar]
    )


class DeadlineForm(FlaskForm):  # type: ignore[misc]
    """Another deadline; `seen` is the one that was moved."""

    deadline = DateTimeLocalField(
        _("新的截止时间（北京时间）"), [DataRequired(_("请填写截止时间。")), in_calendar]
    )
    reason = StringField(
        _("理由"), [DataRequired(_("请写明为什么改截止时间。")), Length(max=500), plain_text]
    )
    seen = HiddenField()


class ReturnForm(FlaskForm):  # type: ignore[misc]
    """What has to be corrected, and until when; `seen` is the version that was looked at."""

    reason = TextAreaField(
        _("要更正什么"),
        [DataRequired(_("请写明要更正什么。")), Length(max=entries.LONGEST_REASON), plain_text],
    )
    due = DateTimeLocalField(
        _("更正期限（北京时间）"), [DataRequired(_("请填写更正期限。")), in_calendar]
    )
    seen = HiddenField()


# ---------------------------------------------------------------------------------------------
# Evaluations
# ---------------------------------------------------------------------------------------------


@blueprint.get("/")
def home() -> ResponseReturnValue:
    """List the evaluations of my area."""
    with reading() as session:
        found = evaluations.load_evaluations(session, current_staff().area)
    return render_template("desk/evaluations.html", evaluations=found)


@blueprint.get("/new")
def new_evaluation() -> ResponseReturnValue:
    """Show the form for a new evaluation of an area; which area stands in the address."""
    with reading() as session:
        area = _area(session, request.args.get("area", ""))
        form = _evaluation_form(session, area)
        return _new_page(session, form, area)


@blueprint.post("/new")
def make_evaluation() -> ResponseReturnValue:
    """Make an evaluation with its objects."""
    with transaction() as session:
        area = _area(session, request.form.get("area", ""))
        form = _evaluation_form(session, area)
        if not form.validate_on_submit():
            return _new_page(session, form, area), 422
        try:
            made = evaluations.make_evaluation(session, area, _plan(session, form, area), now())
        except InvalidInput as refusal:
            show_faults(form, refusal)
            return _new_page(session, form, area), 422
        objects = evaluations.load_objects(session, made)
        record(session, acts.evaluation_made(current_staff().name, made, len(objects)))
    return redirect(url_for("evaluations.overview", evaluation_id=made.id), 303)


def _area(session: Session, text: str) -> Area:
    branch = current_staff().area
    is_number = text.isascii() and text.isdecimal() and len(text) < 10
    return areas.find_area(session, int(text), branch) if is_number else branch


def _evaluation_form(session: Session, area: Area) -> EvaluationForm:
    today = datetime.now(BEIJING).replace(minute=0, second=0, microsecond=0, tzinfo=None)
    below = areas.children_of(session, area)
    form = EvaluationForm(
        area=str(area.id),
        year=today.year,
        places=[place.id for place in below],
        deadline=today + timedelta(days=30),
        erase_at=(today + timedelta(days=2 * 365)).date(),
    )
    branch, nothing = current_staff().area, SelectChoice("", _("不用"))
    offered = evaluations.offered_rubrics(session, branch)
    form.rubric.choices = [SelectChoice(key, title) for key, title in offered.items()]
    form.places.choices = [SelectChoice(place.id, place.name) for place in below]
    surveys = publishing.load_surveys(session, branch)
    form.survey.choices = [nothing, *(SelectChoice(str(one.id), one.title) for one in surveys)]
    made = evaluations.load_evaluations(session, branch)
    form.previous.choices = [
        nothing,
        *(SelectChoice(str(one.id), f"{one.year} {one.name}") for one, _count in made),
    ]
    return form


def _plan(session: Session, form: EvaluationForm, area: Area) -> EvaluationPlan:
    branch, survey, previous = current_staff().area, form.survey.data, form.previous.data
    return EvaluationPlan(
        name=form.name.data,
        year=form.year.data,
        rubric_id=form.rubric.data,
        document=rubrics.find_document(session, form.rubric.data, branch),
        places=[areas.find_area(session, place, area) for place in form.places.data],
        others=[line.strip() for line in form.others.data.splitlines() if line.strip()],
        survey=publishing.find_survey(session, int(survey), branch) if survey else None,
        previous=evaluations.find_evaluation(session, int(previous), branch) if previous else None,
        deadline=form.deadline.data.replace(tzinfo=BEIJING),
        erase_at=form.erase_at.data,
    )


def _new_page(session: Session, form: EvaluationForm, area: Area) -> str:
    return render_template(
        "desk/new_evaluation.html",
        form=form,
        area=area,
        areas=areas.load_branch(session, current_staff().area),
    )


@blueprint.get("/<id:evaluation_id>")
def overview(evaluation_id: int) -> ResponseReturnValue:
    """Show the ranking with grades, what is missing, self-evaluations and the year before."""
    with reading() as session:
        found = _find(session, evaluation_id)
        form = DeadlineForm(seen=found.deadline.isoformat())
        return _overview_page(session, found, form)


def _overview_page(session: Session, found: Evaluation, form: DeadlineForm) -> str:
    return render_template(
        "desk/evaluation.html",
        evaluation=found,
        outcome=evaluations.load_outcome(session, found, now()),
        form=form,
        is_late=found.deadline < now(),
    )


@blueprint.post("/<id:evaluation_id>/deadline")
def move_deadline(evaluation_id: int) -> ResponseReturnValue:
    """Move the instant until which measurements are taken from the objects' own staff."""
    with transaction() as session:
        found, form = _find(session, evaluation_id), DeadlineForm()
        if not form.validate_on_submit():
            return _overview_page(session, found, form), 422
        before, after = found.deadline, form.deadline.data.replace(tzinfo=BEIJING)
        reason, seen = form.reason.data.strip(), _instant_or_none(form.seen.data)
        try:
            evaluations.move_deadline(session, found, after, seen, reason, now())
        except InvalidInput as refusal:
            show_faults(form, refusal)
            return _overview_page(session, found, form), 422
        record(session, acts.deadline_moved(current_staff().name, found, before, after, reason))
    return redirect(url_for("evaluations.overview", evaluation_id=evaluation_id), 303)


def _instant_or_none(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


@blueprint.post("/<id:evaluation_id>/close")
def close(evaluation_id: int) -> ResponseReturnValue:
    """Close an evaluation for good; its scores stand on what there is now."""
    with transaction() as session:
        found = _find(session, evaluation_id)
        evaluations.close_evaluation(session, found, now())
        record(session, acts.evaluation_closed(current_staff().name, found))
    return redirect(url_for("evaluations.overview", evaluation_id=evaluation_id), 303)


@blueprint.get("/<id:evaluation_id>/sources")
def sources(evaluation_id: int) -> ResponseReturnValue:
    """Show which measure of the survey feeds which indicator."""
    with reading() as session:
        return _sources_page(session, _find(session, evaluation_id))


@blueprint.post("/<id:evaluation_id>/sources")
def choose_sources(evaluation_id: int) -> ResponseReturnValue:
    """Choose which measure of the survey feeds which indicator."""
    with transaction() as session:
        found = _find(session, evaluation_id)
        before = {**found.measures}
        rateable = filter(evaluations.measurable, evaluations.rubric_of(found).indicators)
        typed = {one.code: typed_field(f"measure-{one.code}") for one in rateable}
        chosen = {code: measure for code, measure in typed.items() if measure}
        try:
            evaluations.set_measures(session, found, chosen)
        except InvalidInput as refusal:
            raise Problem(next(iter(refusal.faults.values()))) from None
        if chosen != before:
            record(session, acts.sources_chosen(current_staff().name, found, before, chosen))
    return redirect(url_for("evaluations.overview", evaluation_id=evaluation_id), 303)


def _sources_page(session: Session, found: Evaluation) -> str:
    usable = {}
    if found.survey is not None:
        asked = collecting.load_questionnaire(session, found.survey.questionnaire.digest)
        usable = evaluations.usable_measures(asked)
    rubric = evaluations.rubric_of(found)
    return render_template(
        "desk/evaluation_sources.html",
        evaluation=found,
        indicators=[*filter(evaluations.measurable, rubric.indicators)],
        measures=usable,
    )


@blueprint.get("/<id:evaluation_id>/year-before")
def year_before(evaluation_id: int) -> ResponseReturnValue:
    """Ask for the totals of the year before that are not in this system."""
    with reading() as session:
        found = _find(session, evaluation_id)
        objects = evaluations.load_objects(session, found)
        reported = evaluations.load_reported(session, [each.id for each in objects])
        origin = ScoreOrigin.YEAR_BEFORE
        typed = {each.id: str(reported.get((each.id, origin), {}).get("", "")) for each in objects}
    return _year_before_page(found, objects, typed, {})


@blueprint.post("/<id:evaluation_id>/year-before")
def report_year_before(evaluation_id: int) -> ResponseReturnValue:
    """Keep the totals of the year before."""
    author, origin = Author(current_staff(), now()), ScoreOrigin.YEAR_BEFORE
    with transaction() as session:
        found = _find(session, evaluation_id)
        objects = evaluations.load_objects(session, found)
        typed = {each.id: typed_field(f"total-{each.id}") for each in objects}
        faults = evaluations.score_faults(typed)
        if faults:
            return _year_before_page(found, objects, typed, faults), 422
        done = [
            (each, evaluations.report_scores(session, each, origin, {"": typed[each.id]}, author))
            for each in objects
        ]
        for each, changed in done:
            if changed:
                record(session, acts.scores_reported(author.staff.name, each, origin, changed))
    return redirect(url_for("evaluations.overview", evaluation_id=evaluation_id), 303)


def _year_before_page(
    found: Evaluation,
    objects: Sequence[EvaluationObject],
    typed: Mapping[int, str],
    faults: Mapping[int, Sentence],
) -> str:
    return render_template(
        "desk/evaluation_before.html",
        evaluation=found,
        objects=objects,
        typed=typed,
        faults=faults,
    )


@blueprint.get("/<id:evaluation_id>/ranking.xlsx")
def export_ranking(evaluation_id: int) -> Response:
    """Hand out the ranking and every score sheet as Excel."""
    with reading() as session:
        found = _find(session, evaluation_id)
        outcome = evaluations.load_outcome(session, found, now())
        sheets = outcome_sheets(outcome, GAPS)
    made = attachment(sheets, "xlsx", f"{found.year} {found.name}", f"evaluation-{found.id}")
    _record_export(found, Action.SCORES_EXPORTED, "xlsx")
    return made


@blueprint.get("/<id:evaluation_id>/feeds.json")
def export_feeds(evaluation_id: int) -> Response:
    """Hand out the measurements of every object, for `python -m analysis.scoring rank`."""
    with reading() as session:
        found = _find(session, evaluation_id)
        assessed = evaluations.load_assessed(session, found, now())
    text = feeds.dump_many(each.feed for each in assessed)
    made = json_attachment(text, f"{found.year} {found.name}", f"feeds-{found.id}")
    _record_export(found, Action.FEED_DOWNLOADED, "json")
    return made


def _record_export(found: Evaluation, action: Action, form: str) -> None:
    with transaction() as session:
        record(session, acts.outcome_exported(current_staff().name, action, found, form))


# ---------------------------------------------------------------------------------------------
# One object
# ---------------------------------------------------------------------------------------------


@blueprint.get("/objects/<id:object_id>")
def scored_object(object_id: int) -> ResponseReturnValue:
    """Show an object's score sheet with where each measurement is from."""
    with reading() as session:
        scored = _find_object(session, object_id)
        found = _find(session, scored.evaluation_id)
        outcome = evaluations.load_outcome(session, found, now())
        mine = next(each for each in outcome.compared if each.assessed.scored.id == object_id)
        return render_template(
            "desk/evaluation_object.html",
            evaluation=found,
            compared=mine,
            gaps=GAPS,
            states=ENTRY_STATES,
            evidence=evidence_files.load_evidence_files(session, scored),
        )


@blueprint.post("/objects/<id:object_id>/accept")
def accept(object_id: int) -> ResponseReturnValue:
    """Take the entries that were ticked, each in the version that was looked at."""
    author = Author(current_staff(), now())
    with transaction() as session:
        scored = _find_object(session, object_id)
        done = []
        for text in request.form.getlist("entry"):
            code, _colon, seen = text.rpartition(":")
            indicator = evaluations.indicator_of(scored.evaluation, code)
            before = entries.load_versions(session, scored, indicator.code)
            made = entries.accept_entry(session, scored, code, _version(seen), author)
            done.append((before[0], made))
        for before_it, made in done:
            action = Action.MEASUREMENT_ACCEPTED
            record(session, acts.entry_made(author.staff.name, action, scored, before_it, made))
    return redirect(url_for("evaluations.scored_object", object_id=object_id), 303)


def _version(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 0


@blueprint.get("/objects/<id:object_id>/indicators/<indicator>")
def entry(object_id: int, indicator: str) -> ResponseReturnValue:
    """Show what was entered for one indicator with its history, to be taken or sent back."""
    with reading() as session:
        scored = _find_object(session, object_id)
        return _entry_page(session, scored, indicator, _return_form(session, scored, indicator))


@blueprint.post("/objects/<id:object_id>/indicators/<indicator>")
def return_entry(object_id: int, indicator: str) -> ResponseReturnValue:
    """Send an entry back for correction."""
    author = Author(current_staff(), now())
    with transaction() as session:
        scored, form = _find_object(session, object_id), ReturnForm()
        code = evaluations.indicator_of(scored.evaluation, indicator).code
        if not form.validate_on_submit():
            return _entry_page(session, scored, code, form), 422
        versions = entries.load_versions(session, scored, code)
        due, seen = form.due.data.replace(tzinfo=BEIJING), _version(form.seen.data)
        try:
            made = entries.return_entry(session, scored, code, seen, form.reason.data, due, author)
        except InvalidInput as refusal:
            show_faults(form, refusal)
            return _entry_page(session, scored, code, form), 422
        except EntryConflict as conflict:
            newest = entries.load_versions(session, scored, code)
            form.seen.data = str(newest[0].version if newest else 0)
            form.reason.errors = [conflict.sentence]
            return _entry_page(session, scored, code, form), conflict.status
        action = Action.MEASUREMENT_RETURNED
        record(session, acts.entry_made(author.staff.name, action, scored, versions[0], made))
    return redirect(url_for("evaluations.scored_object", object_id=object_id), 303)


def _return_form(session: Session, scored: EvaluationObject, code: str) -> ReturnForm:
    versions = entries.load_versions(session, scored, code)
    today = datetime.now(BEIJING).replace(minute=0, second=0, microsecond=0, tzinfo=None)
    return ReturnForm(
        seen=str(versions[0].version) if versions else "0", due=today + timedelta(days=7)
    )


def _entry_page(session: Session, scored: EvaluationObject, code: str, form: ReturnForm) -> str:
    indicator = evaluations.indicator_of(scored.evaluation, code)
    versions = entries.load_versions(session, scored, code)
    files = evidence_files.load_evidence_files(session, scored)
    return render_template(
        "desk/evaluation_entry.html",
        scored=scored,
        indicator=indicator,
        versions=[(each, entries.shown_measurement(indicator, each)) for each in versions],
        evidence=[each for each in files if each.indicator == code],
        states=ENTRY_STATES,
        form=form,
        is_open=scored.evaluation.state is EvaluationState.OPEN,
    )


@blueprint.get("/objects/<id:object_id>/evidence/<id:file_id>")
def evidence(object_id: int, file_id: int) -> Response:
    """Hand out a file as an attachment; the look is on record."""
    with transaction() as session:
        scored = _find_object(session, object_id)
        file = evidence_files.find_evidence(session, scored, file_id)
        action = Action.EVIDENCE_DOWNLOADED
        record(session, acts.evidence_moved(current_staff().name, action, scored, file))
    return stored_attachment(file.content or b"", file.suffix, file.name, f"evidence-{file.id}")


def _find(session: Session, evaluation_id: int) -> Evaluation:
    return evaluations.find_evaluation(session, evaluation_id, current_staff().area)


def _find_object(session: Session, object_id: int) -> EvaluationObject:
    return evaluations.find_judged_object(session, object_id, current_staff().area)
