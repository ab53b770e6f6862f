"""Questionnaires on paper: printed, keyed by one person or two, compared, settled."""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO

from flask import Blueprint, Response, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from app.access import current_staff, now, record
from app.config import settings
from app.db import reading, transaction
from app.errors import InvalidInput, NotFound, Sentence
from app.language import language_around
from app.models import Area, DoubleEntry, Survey
from app.services import audit, collecting, publishing, slips, survey_areas
from app.services.answer_columns import slip_number
from app.services.questionnaire_sheet import draw_questionnaire, printable_languages
from app.services.slips import NOTICE, Comparison, Entry
from app.services.survey_areas import Place
from app.wording import fault_sentence
from surveys.answers import AnswerFault, InvalidAnswers
from surveys.keying import Control, controls, labels, read, signs, told
from surveys.questionnaire import Questionnaire

blueprint = Blueprint("paper", __name__, url_prefix="/field")

# The form's fields beside the controls, whose names begin with a letter.
AREA_FIELD, NUMBER_FIELD, KEY_FIELD = "_area", "_number", "_key"
# What the last button sends: without it (the Enter key, a body cut short) nothing is stored.
END_FIELD = "_end"
FIRST, SECOND, OTHER = "first", "second", "other"
_MOST_LISTED = 50
_MOST_COMPARED = 5
_LONGEST = 5_000


@dataclass(frozen=True, slots=True)
class _Visit:
    """A survey that reaches my branch, what it asks, and where in my branch it can be asked."""

    survey: Survey
    questionnaire: Questionnaire
    places: Sequence[Place]
    double_entry: DoubleEntry | None


@dataclass(frozen=True, slots=True)
class _Shown:
    """A form shown again: what is wrong, by the field, and whether it was only to be checked."""

    faults: Mapping[str, Sequence[Sentence]] = field(default_factory=dict)
    blank: Sequence[str] = ()
    checked: bool = False


@blueprint.get("/surveys/<id:survey_id>/paper")
def home(survey_id: int) -> ResponseReturnValue:
    """Show how far paper has come in my branch, and lead to printing, keying and comparing."""
    staff = current_staff()
    with reading() as session:
        visit = _find(session, survey_id)
        return render_template(
            "field/paper.html",
            survey=visit.survey,
            double_entry=visit.double_entry,
            languages=printable_languages(visit.questionnaire),
            counts=slips.count_slips(session, visit.survey, staff.area),
            awaiting=slips.load_awaiting(session, visit.survey, staff.area, staff, _MOST_LISTED),
            mine=slips.load_mine(session, visit.survey, staff.area, staff, _MOST_LISTED),
        )


@blueprint.get("/surveys/<id:survey_id>/paper/questionnaire.pdf")
def sheet(survey_id: int) -> Response:
    """Print the questionnaire, in one of its languages."""
    with reading() as session:
        visit = _find(session, survey_id)
    asked = visit.questionnaire
    tag = request.args.get("language", asked.language)
    if tag not in {language.tag for language in printable_languages(asked)}:
        raise NotFound
    with force_locale(language_around(tag)):
        pdf = draw_questionnaire(visit.survey, asked.in_language(tag), settings().font)
    staff = current_staff()
    with transaction() as session:
        record(session, audit.questionnaire_printed(staff.name, visit.survey, staff.area, tag))
    name = f"questionnaire-{survey_id}-{tag}.pdf"
    return send_file(BytesIO(pdf), "application/pdf", download_name=name)


# ---------------------------------------------------------------------------------------------
# Keying
# ---------------------------------------------------------------------------------------------


@blueprint.get("/surveys/<id:survey_id>/paper/key")
def form(survey_id: int) -> ResponseReturnValue:
    """Show the empty form of a slip; after a slip, what became of it."""
    with reading() as session:
        visit = _find(session, survey_id)
        done = _uuid(request.args.get("done", ""))
        staff = current_staff()
        slip = done and slips.find_slip_keyed(session, visit.survey, done, staff)
    typed = {AREA_FIELD: request.args.get("area", ""), NOTICE: request.args.get("notice", "")}
    return _page(visit, typed, _Shown(), slip=slip, again="again" in request.args)


@blueprint.post("/surveys/<id:survey_id>/paper/key")
def key(survey_id: int) -> ResponseReturnValue:
    """Take what was typed from a slip, once for each key; or only check it."""
    typed = _typed()
    with transaction() as session:
        visit = _find(session, survey_id)
        shown, entry = _read(visit, typed)
        if entry is None or END_FIELD not in request.form:
            return _page(visit, typed, shown), 422 if shown.faults else 200
        staff = current_staff()
        try:
            is_new = slips.record_keying(
                session, visit.survey, entry, staff, settings().keys, now()
            )
        except InvalidInput as refusal:
            shown = _Shown({NUMBER_FIELD: [refusal.faults["number"]]})
            return _page(visit, typed, shown), 422
        if is_new:
            area = session.get_one(Area, entry.area.id)
            act = audit.slip_act(staff.name, audit.Action.SLIP_KEYED, visit.survey, area)
            record(session, act, at=_hour())
    same = {"area": entry.area.id, "notice": entry.notice_number, "done": entry.key}
    return redirect(
        url_for("paper.form", survey_id=survey_id, again=None if is_new else 1, **same),  # type: ignore[arg-type]
        303,
    )


def _typed() -> dict[str, str]:
    return {
        name: value.replace("\0", "")[:_LONGEST].strip() for name, value in request.form.items()
    }


def _read(visit: _Visit, typed: Mapping[str, str]) -> tuple[_Shown, Entry | None]:
    """Return everything that is wrong with a form, or the entry that it makes."""
    faults: dict[str, list[Sentence]] = {}
    places = {str(each.id): each for each in visit.places}
    place = places.get(typed.get(AREA_FIELD, ""))
    if place is None:
        faults[AREA_FIELD] = [_("请选择问卷是哪个片区的。")]
    number = slip_number(typed.get(NUMBER_FIELD, ""))
    if fault := slips.number_fault(number):
        faults[NUMBER_FIELD] = [fault]
    notice = _notice_or_none(visit, typed)
    if notice is None:
        faults[NOTICE] = [_("没有这一版说明。")]
    form_key = _uuid(typed.get(KEY_FIELD, ""))
    try:
        answers = read(visit.questionnaire, typed)
    except InvalidAnswers as invalid:
        faults |= _sentences(visit.questionnaire, invalid.faults)
    if faults or place is None or notice is None:
        return _Shown(faults), None
    blank = _blank(visit.questionnaire, typed)
    if form_key is None:
        return _Shown(blank=blank, checked=True), None
    return _Shown(blank=blank, checked=True), Entry(form_key, place, number, notice, answers)


def _notice_or_none(visit: _Visit, typed: Mapping[str, str]) -> int | None:
    said = typed.get(NOTICE) or str(visit.survey.notice_number)
    versions = {str(number): number for number in range(1, visit.survey.notice_number + 1)}
    return versions.get(said)


def _sentences(
    questionnaire: Questionnaire, faults: Sequence[AnswerFault]
) -> dict[str, list[Sentence]]:
    """Return what is wrong by the control where it is to be mended."""
    found: dict[str, list[Sentence]] = {}
    by_id = {control.id: control for control in controls(questionnaire)}
    for fault in faults:
        first = next(one.id for one in by_id.values() if one.question.id == fault.question)
        name = next((one for one in (fault.field, fault.question) if one in by_id), first)
        question = questionnaire.question(fault.question)
        found.setdefault(name, []).append(fault_sentence(question, fault))
    return found


def _blank(questionnaire: Questionnaire, typed: Mapping[str, str]) -> list[str]:
    """Return the numbers of the questions in which nothing was typed."""
    filled = {control.part.id for control in controls(questionnaire) if typed.get(control.id)}
    parts = {control.part.id: control.part.number for control in controls(questionnaire)}
    return [number for name, number in parts.items() if name not in filled]


def _page(visit: _Visit, typed: Mapping[str, str], shown: _Shown, **more: object) -> str:
    made = _uuid(typed.get(KEY_FIELD, "")) or uuid.uuid4()
    return render_template(
        "field/keying.html",
        survey=visit.survey,
        questionnaire=visit.questionnaire,
        places=visit.places,
        double_entry=visit.double_entry,
        controls=_by_question(visit.questionnaire),
        signs=signs,
        labels=labels,
        typed=typed,
        key=made,
        shown=shown,
        notice=typed.get(NOTICE) or visit.survey.notice_number,
        **more,
    )


def _by_question(questionnaire: Questionnaire) -> dict[str, list[Control]]:
    found: dict[str, list[Control]] = {}
    for control in controls(questionnaire):
        found.setdefault(control.question.id, []).append(control)
    return found


# ---------------------------------------------------------------------------------------------
# Comparing
# ---------------------------------------------------------------------------------------------


@blueprint.get("/surveys/<id:survey_id>/paper/differences")
def differences(survey_id: int) -> ResponseReturnValue:
    """Show what two people keyed differently, and ask what stands on the slip."""
    with reading() as session:
        return _differences_page(session, _find(session, survey_id))


@blueprint.post("/surveys/<id:survey_id>/paper/differences")
def settle(survey_id: int) -> ResponseReturnValue:
    """Store one slip with what is right in each control that differed."""
    staff, typed = current_staff(), _typed()
    area_id, number = _slip_named(typed)
    with transaction() as session:
        visit = _find(session, survey_id)
        found = slips.find_differing(session, visit.survey, staff.area, area_id, number)
        chosen, faults = _chosen(found, typed)
        try:
            if not faults:
                slips.settle(session, visit.survey, found, chosen, settings().keys, now())
        except InvalidAnswers as invalid:
            faults = _sentences(visit.questionnaire, invalid.faults)
        except InvalidInput as refusal:
            faults = {name: [said] for name, said in refusal.faults.items()}
        if faults:
            wrong = {(area_id, number): faults}
            return _differences_page(session, visit, typed, wrong), 422
        act = audit.slip_act(staff.name, audit.Action.SLIP_SETTLED, visit.survey, found.slip.area)
        record(session, act, at=_hour())
    return redirect(url_for("paper.differences", survey_id=survey_id), 303)


def _chosen(
    found: Comparison, typed: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, list[Sentence]]]:
    """Return what is right by control, and where nobody said it."""
    chosen: dict[str, str] = {}
    faults: dict[str, list[Sentence]] = {}
    for name in found.differing:
        match typed.get(f"pick-{name}"):
            case "first":
                chosen[name] = found.first.get(name, "")
            case "second":
                chosen[name] = found.second.get(name, "")
            case "other":
                chosen[name] = typed.get(f"other-{name}", "")
            case _:
                faults[name] = [_("请对照问卷选一个，或者照问卷重新填。")]
    return chosen, faults


def _differences_page(
    session: Session,
    visit: _Visit,
    typed: Mapping[str, str] | None = None,
    wrong: Mapping[tuple[int, str], Mapping[str, Sequence[Sentence]]] | None = None,
) -> str:
    branch = current_staff().area
    found = slips.load_differing(session, visit.survey, branch, _MOST_COMPARED)
    return render_template(
        "field/differences.html",
        survey=visit.survey,
        comparisons=found,
        counts=slips.count_slips(session, visit.survey, branch),
        controls={control.id: control for control in controls(visit.questionnaire)},
        told=told,
        suggested=_suggested,
        typed=typed or {},
        wrong=wrong or {},
    )


def _suggested(found: Comparison, control: Control | None) -> str:
    """Return the entry to begin with where only one of the two was led to the question."""
    if control is None:
        return ""
    led = [control.question.id in asked for asked in found.asked]
    return {(True, False): FIRST, (False, True): SECOND}.get((led[0], led[1]), "")


@blueprint.post("/surveys/<id:survey_id>/paper/withdraw")
def withdraw(survey_id: int) -> ResponseReturnValue:
    """Take a slip back that was keyed under a wrong number or in a wrong area."""
    staff, typed = current_staff(), _typed()
    with transaction() as session:
        survey = publishing.find_survey_reaching(session, survey_id, staff.area)
        area = slips.withdraw(session, survey, staff.area, _slip_named(typed))
        record(session, audit.slip_act(staff.name, audit.Action.SLIP_WITHDRAWN, survey, area))
    return redirect(url_for("paper.home", survey_id=survey_id), 303)


def _slip_named(typed: Mapping[str, str]) -> tuple[int, str]:
    area = typed.get(AREA_FIELD, "")
    if not re.fullmatch(r"[0-9]{1,9}", area):
        raise NotFound
    return int(area), typed.get(NUMBER_FIELD, "")


def _find(session: Session, survey_id: int) -> _Visit:
    branch = current_staff().area
    survey = publishing.find_survey_reaching(session, survey_id, branch)
    return _Visit(
        survey,
        collecting.load_questionnaire(session, survey.questionnaire.digest),
        survey_areas.load_places(session, survey, branch),
        slips.find_double_entry(session, survey),
    )


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _hour() -> datetime:
    # No instant finer than the hour, here as little as with the answers (SECURITY.md).
    return now().replace(minute=0, second=0, microsecond=0)
