"""A fieldworker asks a resident, in person or by telephone, and fills in the residents' form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from app import access
from app import answer_forms as forms
from app.access import current_staff, record
from app.config import settings
from app.db import reading, transaction
from app.errors import AnswerConflict, NotFound, Sentence
from app.models import Channel, Survey
from app.services import areas, audit, codes, collecting, publishing, survey_areas
from app.services.collecting import Delivery, Invitation
from app.services.survey_areas import Place
from surveys.answers import AnswerFault, InvalidAnswers, check
from surveys.questionnaire import Questionnaire

# A blueprint of its own: its form is the residents', with their style, script and signed token.
blueprint = Blueprint("interview", __name__, url_prefix="/field")

CHANNELS = (Channel.INTERVIEWED, Channel.TELEPHONED)
# What is asked beside the questionnaire; the first is ticked anew for every resident.
READ_FIELD, AREA_FIELD, CHANNEL_FIELD = "_read", "_area", "_channel"
# Answers that were taken down without a network say themselves when the interview was.
STARTED_FIELD, FINISHED_FIELD = "_started", "_finished"
_CLOCKS_DIFFER = timedelta(minutes=5)
_FORM = "field/interview.html"
_T = TypeVar("_T")


class _Faulty(ValueError):  # noqa: N818 - an expected outcome, named for what it is
    """Everything that is wrong with a sent form; `notes` by the id of the control."""

    def __init__(self, faults: Sequence[AnswerFault], notes: Mapping[str, Sentence]) -> None:
        self.faults, self.notes = faults, notes
        super().__init__()


@dataclass(frozen=True, slots=True)
class _Visit:
    """What a fieldworker is about to ask, and where in their branch it can be asked."""

    survey: Survey
    invitation: Invitation
    questionnaire: Questionnaire
    places: Sequence[Place]


@blueprint.get("/surveys/<id:survey_id>/interview")
def form(survey_id: int) -> ResponseReturnValue:
    """Show the residents' form, to be read out and filled in for one of them."""
    with reading() as session:
        visit = _find(session, survey_id)
    collecting.ensure_open(visit.invitation, access.now())
    return _page(visit, _sign(visit), forms.key_or_new({}))


@blueprint.post("/surveys/<id:survey_id>/interview")
def take(survey_id: int) -> ResponseReturnValue:
    """Store the answers once for each key, with who asked, and lead to the receipt."""
    fields = request.form.to_dict(flat=False)
    try:
        with transaction() as session:
            visit = _find(session, survey_id)
            try:
                sent = forms.read(settings().keys.session, visit.invitation, fields, _whose())
                invitation, delivery = _read(visit, sent, fields)
            except (forms.ShowAgain, forms.BadForm, _Faulty) as reason:
                collecting.ensure_open(visit.invitation, access.now())
                return _form_again(visit, fields, reason)
            receipt = _store(session, visit, invitation, delivery)
    except AnswerConflict as conflict:
        page = render_template("respond/conflict.html", conflict=conflict, key=sent.key)
        return page, conflict.status
    same = {"area": invitation.area_id, "channel": invitation.channel.value}
    return redirect(url_for("interview.taken", survey_id=survey_id, receipt=receipt, **same), 303)  # type: ignore[arg-type]


@blueprint.get("/surveys/<id:survey_id>/interview/<receipt>")
def taken(survey_id: int, receipt: str) -> ResponseReturnValue:
    """Show the receipt, for the resident to note, and lead on to the next one."""
    receipt = codes.fold(receipt).upper()
    with reading() as session:
        survey = publishing.find_survey_reaching(session, survey_id, current_staff().area)
        try:
            state, key = collecting.find_receipt(session, receipt, survey)
        except NotFound:
            return redirect(url_for("interview.form", survey_id=survey_id), 303)
    return render_template(
        "field/taken.html",
        survey=survey,
        receipt=receipt,
        state=state,
        key=key,
        same={name: request.args[name] for name in ("area", "channel") if name in request.args},
    )


def _find(session: Session, survey_id: int) -> _Visit:
    branch = current_staff().area
    survey = publishing.find_survey_reaching(session, survey_id, branch)
    return _Visit(
        survey,
        collecting.invite(survey, survey.area_id, Channel.INTERVIEWED),
        collecting.load_questionnaire(session, survey.questionnaire.digest),
        survey_areas.load_places(session, survey, branch),
    )


def _read(visit: _Visit, sent: forms.Form, fields: forms.Fields) -> tuple[Invitation, Delivery]:
    """Read a whole form. Raises `BadForm`, or `_Faulty` with every fault."""
    notes: dict[str, Sentence] = {}
    if not fields.get(READ_FIELD):
        notes[READ_FIELD] = _("请先把说明读给对方听，对方愿意回答再填写。")
    place = _chosen(fields, AREA_FIELD, {str(place.id): place for place in visit.places})
    if place is None:
        notes[AREA_FIELD] = _("请选择对方所在的片区。")
    channel = _chosen(fields, CHANNEL_FIELD, {each.value: each for each in CHANNELS})
    if channel is None:
        notes[f"{CHANNEL_FIELD}-{CHANNELS[0]}"] = _("请选择是当面问的还是打电话问的。")
    try:
        sheet = check(visit.questionnaire, fields)
    except InvalidAnswers as reason:
        raise _Faulty(reason.faults, notes) from reason
    if place is None or channel is None or notes:
        raise _Faulty((), notes)
    offline = _seconds_offline(fields)
    delivery = Delivery(
        sent.key,
        sheet,
        sent.duration_seconds if offline is None else offline,
        notice_number=sent.notice_number,
        interviewer_id=current_staff().id,
    )
    return replace(visit.invitation, area_id=place.id, channel=channel), delivery


def _chosen(fields: forms.Fields, name: str, offered: Mapping[str, _T]) -> _T | None:
    return offered.get(fields.get(name, [""])[0])


def _seconds_offline(fields: forms.Fields) -> int | None:
    """Return how long an interview took by the phone's own clock, where it says so."""
    try:
        times = [
            datetime.fromisoformat(fields[name][0])
            for name in (STARTED_FIELD, FINISHED_FIELD)
            if name in fields
        ]
        if not times:
            return None
        started, finished = times
        seconds = (finished - started).total_seconds()
        is_past = finished <= access.now() + _CLOCKS_DIFFER
    except (ValueError, TypeError) as error:
        raise forms.BadForm from error
    if not (is_past and 0 <= seconds <= forms.LONGEST_DURATION):
        raise forms.BadForm
    return int(seconds)


def _store(session: Session, visit: _Visit, invitation: Invitation, delivery: Delivery) -> str:
    now, is_new = access.now(), not collecting.is_stored(session, delivery.key)
    receipt = collecting.record_submission(session, invitation, delivery, settings().keys, now)
    if is_new:
        place = areas.find_area(session, invitation.area_id)
        act = audit.interviewed(current_staff().name, visit.survey, place, invitation.channel)
        # No instant finer than the hour, here as little as with the answers (SECURITY.md).
        record(session, act, at=now.replace(minute=0, second=0, microsecond=0))
    return receipt


def _form_again(visit: _Visit, fields: forms.Fields, reason: Exception) -> ResponseReturnValue:
    """Show the filled form again with everything that is wrong, and nothing lost."""
    stale = isinstance(reason, forms.BadForm)
    token = _sign(visit) if stale else fields[forms.TOKEN_FIELD][0]
    shown = forms.Shown(fields, stale=stale)
    if isinstance(reason, _Faulty):
        shown = forms.Shown(fields, reason.faults, reason.notes)
    page = _page(visit, token, forms.key_or_new(fields), shown)
    return page, 400 if stale else 422 if isinstance(reason, _Faulty) else 200


def _page(visit: _Visit, token: str, key: str, shown: forms.Shown | None = None) -> str:
    chosen = shown.chosen if shown else {}
    return forms.render(
        _FORM,
        visit.invitation,
        visit.questionnaire,
        token,
        key,
        shown,
        survey=visit.survey,
        places=visit.places,
        channels=CHANNELS,
        area=chosen.get(AREA_FIELD, [request.args.get("area", "")])[0],
        channel=chosen.get(CHANNEL_FIELD, [request.args.get("channel", "")])[0],
    )


def _sign(visit: _Visit) -> str:
    return forms.sign(settings().keys.session, visit.invitation, whose=_whose())


def _whose() -> str:
    # Another person's form, or a form on another site, holds no token that is good here.
    return f"interview/{current_staff().id}"
