"""Quality review: signals choose what a person looks at, the person decides, a rule counts."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import (
    BooleanField,
    HiddenField,
    IntegerField,
    SelectField,
    SelectMultipleField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from analysis.quality import Signal
from app.access import current_staff, now, record
from app.config import settings
from app.db import reading, transaction
from app.errors import InvalidInput, NotFound, Problem
from app.formats import review_reason_name
from app.forms import plain_text, show_faults
from app.models import BackCheckPlan, Review, ReviewReason, ReviewState, Survey
from app.services import audit, back_checks, collecting, inclusion, publishing, results, reviewing
from app.signals import signal_names

# A blueprint of its own because it has an audience of its own: it shows one person's answers.
blueprint = Blueprint("review", __name__, url_prefix="/desk")

_Word = TypeVar("_Word", bound=StrEnum)
_MOST_PAGES = 10_000


@dataclass(frozen=True, slots=True)
class _Look:
    """One submission on the screen, and what was decided of it before."""

    case: reviewing.Case
    record: reviewing.Record
    reviews: Sequence[Review]


class DecisionForm(FlaskForm):  # type: ignore[misc]
    """What to make of one submission; `seen` is the last decision that was on the page."""

    reason = SelectField(_("理由（有疑问、判为无效时必选）"), default="")
    words = TextAreaField(
        _("说明（不要写姓名、电话）"), [Length(max=reviewing.LONGEST_WORDS), plain_text], default=""
    )
    seen = HiddenField()


class RuleForm(FlaskForm):  # type: ignore[misc]
    """Which decisions keep a submission out of the official rates."""

    excluded = SelectMultipleField(_("判为无效的理由是下面这些的，不计入"))
    excludes_queried = BooleanField(_("有疑问、还没有查清的，也不计入"))
    reason = TextAreaField(
        _("修改的理由（调查开放以后必填）"), [Length(max=500), plain_text], default=""
    )
    seen = HiddenField()


class PlanForm(FlaskForm):  # type: ignore[misc]
    """How interviews are drawn for back-checks; fixed when the first are drawn."""

    percent = IntegerField(
        _("抽取比例（百分之几，5 到 10）"), [InputRequired(_("请填写比例。"))], default=5
    )
    questions = SelectMultipleField(_("重问哪几道题（最多 5 道，选事实性的题更好）"))


@blueprint.get("/surveys/<id:survey_id>/review")
def home(survey_id: int) -> ResponseReturnValue:
    """Show what the signals found, and the submissions that they point at."""
    signal = _word(Signal, request.args.get("signal", ""))
    state = _word(ReviewState, request.args.get("state", ""))
    number = min(max(request.args.get("page", 1, type=int), 1), _MOST_PAGES)
    with reading() as session:
        survey = _find(session, survey_id)
        case = reviewing.load_case(session, survey, settings().keys)
        rule = inclusion.load_inclusion(session, survey.id)
    chosen = reviewing.chosen_records(case, signal, state)
    start = (number - 1) * reviewing.RECORDS_ON_A_PAGE
    kept = {"signal": signal and signal.value, "state": state and state.value}
    return render_template(
        "desk/review.html",
        survey=survey,
        case=case,
        rule=rule,
        names=signal_names(),
        chosen=chosen[start : start + reviewing.RECORDS_ON_A_PAGE],
        count=len(chosen),
        number=number,
        has_more=len(chosen) > start + reviewing.RECORDS_ON_A_PAGE,
        kept=kept,
        states=list(ReviewState),
    )


# Signals take their time, and on SQLite residents wait while a transaction writes: both views read
# first. What changes in between, the keys of the tables find out.


@blueprint.get("/surveys/<id:survey_id>/review/<reference>")
def one(survey_id: int, reference: str) -> ResponseReturnValue:
    """Show one submission's coded answers with its signals; the look is put on record."""
    try:
        look = _look(survey_id, reference)
    except NotFound:
        with reading() as session:
            _find(session, survey_id)
        return redirect(url_for("review.home", survey_id=survey_id), 303)
    survey, found = look.case.survey, look.record
    with transaction() as session:
        record(session, audit.submission_viewed(current_staff().name, survey, found.reference))
    return _one_page(look, _decision_form(seen=str(found.seen)))


@blueprint.post("/surveys/<id:survey_id>/review/<reference>")
def decide(survey_id: int, reference: str) -> ResponseReturnValue:
    """Add a decision about one submission."""
    look, form = _look(survey_id, reference), _decision_form()
    state = _word(ReviewState, request.form.get("to", ""))
    if state is None:
        raise Problem
    if not form.validate_on_submit():
        return _one_page(look, form), 422
    decision = reviewing.Decision(
        state,
        ReviewReason(form.reason.data) if form.reason.data else None,
        form.words.data or "",
        _number(form.seen.data),
    )
    survey, found, staff = look.case.survey, look.record, current_staff()
    try:
        with transaction() as session:
            made = reviewing.decide(session, found, decision, staff, now())
            act = audit.submission_reviewed(staff.name, survey, reference, found.review, made)
            record(session, act)
    except InvalidInput as refusal:
        show_faults(form, refusal)
        return _one_page(look, form), 422
    return redirect(url_for("review.home", survey_id=survey_id), 303)


@blueprint.get("/surveys/<id:survey_id>/inclusion")
def rule(survey_id: int) -> ResponseReturnValue:
    """Show the rule for counting, to be changed, and every version before."""
    with reading() as session:
        survey = _find(session, survey_id)
        before = inclusion.load_inclusion(session, survey.id)
        form = _rule_form(
            excluded=sorted(before.excluded),
            excludes_queried=before.excludes_queried,
            seen=str(before.number),
        )
        return _rule_page(session, survey, form)


@blueprint.post("/surveys/<id:survey_id>/inclusion")
def change_rule(survey_id: int) -> ResponseReturnValue:
    """Write another version of the rule."""
    with transaction() as session:
        survey, staff, form = _find(session, survey_id), current_staff(), _rule_form()
        if not form.validate_on_submit():
            return _rule_page(session, survey, form), 422
        before = inclusion.load_inclusion(session, survey.id)
        wanted = replace(
            before,
            number=_number(form.seen.data),
            excluded=frozenset(ReviewReason(each) for each in form.excluded.data),
            excludes_queried=form.excludes_queried.data,
        )
        try:
            made = inclusion.change_rule(session, survey, wanted, form.reason.data, staff, now())
        except InvalidInput as refusal:
            show_faults(form, refusal)
            return _rule_page(session, survey, form), 422
        record(session, audit.inclusion_changed(staff.name, survey, before, made))
    return redirect(url_for("review.rule", survey_id=survey_id), 303)


@blueprint.get("/surveys/<id:survey_id>/back-checks")
def checks(survey_id: int) -> ResponseReturnValue:
    """Show which interviews were drawn to be checked, and how often answers were the same."""
    with reading() as session:
        survey = _find(session, survey_id)
        return _checks_page(session, survey, _plan_form(session, survey))


@blueprint.post("/surveys/<id:survey_id>/back-checks")
def draw(survey_id: int) -> ResponseReturnValue:
    """Draw interviews by the plan, which the first draw fixes."""
    with transaction() as session:
        survey = _find(session, survey_id)
        plan, form = back_checks.plan_or_none(session, survey), _plan_form(session, survey)
        if plan is None:
            if not form.validate_on_submit():
                return _checks_page(session, survey, form), 422
            try:
                plan = _make_plan(session, survey, form)
            except InvalidInput as refusal:
                show_faults(form, refusal)
                return _checks_page(session, survey, form), 422
        added = back_checks.draw(session, survey, plan)
        record(session, audit.back_checks_drawn(current_staff().name, survey, plan, added))
    return redirect(url_for("review.checks", survey_id=survey_id), 303)


def _make_plan(session: Session, survey: Survey, form: PlanForm) -> BackCheckPlan:
    asked = collecting.load_questionnaire(session, survey.questionnaire.digest)
    return back_checks.make_plan(session, survey, asked, form.percent.data, form.questions.data)


def _find(session: Session, survey_id: int) -> Survey:
    return publishing.find_survey(session, survey_id, current_staff().area)


def _word(kind: type[_Word], text: str) -> _Word | None:
    return kind(text) if text in set(kind) else None


def _number(text: str | None) -> int:
    # No version is -1: what is no number was not on our page, and is met as a conflict.
    return int(text) if text and re.fullmatch("[0-9]{1,6}", text) else -1


def _decision_form(**values: str) -> DecisionForm:
    form = DecisionForm(**values)
    form.reason.choices = [SelectChoice("", _("请选择")), *_reasons()]
    return form


def _rule_form(**values: object) -> RuleForm:
    form = RuleForm(**values)
    form.excluded.choices = _reasons()
    return form


def _reasons() -> list[SelectChoice]:
    return [SelectChoice(each.value, review_reason_name(each)) for each in ReviewReason]


def _plan_form(session: Session, survey: Survey) -> PlanForm:
    asked = collecting.load_questionnaire(session, survey.questionnaire.digest)
    form = PlanForm()
    form.questions.choices = [
        SelectChoice(part.id, f"{part.number} {part.text}")
        for part in back_checks.possible_questions(asked)
    ]
    return form


def _look(survey_id: int, reference: str) -> _Look:
    with reading() as session:
        survey = _find(session, survey_id)
        case = reviewing.load_case(session, survey, settings().keys)
        found = reviewing.find_record(case, reference)
        return _Look(case, found, reviewing.load_reviews(session, found))


def _one_page(look: _Look, form: DecisionForm) -> str:
    found = look.record
    return render_template(
        "desk/review_one.html",
        survey=look.case.survey,
        record=found,
        names=signal_names(),
        lines=list(reviewing.answer_lines(look.case.questionnaire, found.answers)),
        reviews=look.reviews,
        form=form,
    )


def _rule_page(session: Session, survey: Survey, form: RuleForm) -> str:
    evidence = results.load_evidence(session, survey)
    try:
        reviewed = results.reviewed_rates(evidence)
    except Problem:  # the rates page says what is wrong with the design; the rule stands without
        reviewed = []
    return render_template(
        "desk/inclusion.html",
        survey=survey,
        form=form,
        rule=evidence.inclusion,
        versions=inclusion.load_rules(session, survey.id),
        evidence=evidence,
        reviewed=reviewed,
    )


def _checks_page(session: Session, survey: Survey, form: PlanForm) -> str:
    plan = back_checks.plan_or_none(session, survey)
    drawn = back_checks.load_checks(session, survey, survey.area)
    asked = collecting.load_questionnaire(session, survey.questionnaire.digest)
    rates = back_checks.question_rates(drawn, plan.questions if plan else ())
    return render_template(
        "desk/back_checks.html",
        survey=survey,
        form=form,
        plan=plan,
        checks=drawn,
        tallies=[*back_checks.tally(drawn), back_checks.tally_of(str(_("合计")), drawn)],
        questions=[(asked.question(name), rate) for name, rate in rates.items()],
    )
