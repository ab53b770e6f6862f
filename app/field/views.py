"""A fieldworker's way: make cards for my area, print or show them, see how far it has come."""

from enum import StrEnum
from io import BytesIO
from typing import TypeVar

from flask import Blueprint, Response, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import BooleanField, DateField, IntegerField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Optional

from app.access import current_staff, now, record
from app.alarms import card_alarm
from app.attachments import FORMS, attachment
from app.config import settings
from app.db import reading, transaction
from app.errors import InvalidInput, NotFound
from app.formats import date_of
from app.forms import plain_text, show_faults
from app.models import Batch, CardState, Survey
from app.services import (
    audit,
    cards,
    drawing,
    ledger,
    publishing,
    sheets,
    survey_areas,
    targets,
)
from app.services.printing import LayoutName, Paper

blueprint = Blueprint("field", __name__, url_prefix="/field")

_Word = TypeVar("_Word", bound=StrEnum)


class BatchForm(FlaskForm):  # type: ignore[misc]
    """A batch of cards for one area."""

    area = SelectField(_("发到哪个片区"), coerce=int)
    size = IntegerField(_("张数"), [DataRequired(_("请填写张数。"))], default=10)
    holder = StringField(
        _("领卡人或存放处"), [DataRequired(_("请填写领卡人或存放处。")), plain_text]
    )
    expires_at = DateField(_("有效期至（可不填；这一天仍可作答）"), [Optional()])
    issue = BooleanField(
        _("同时发放给经手人"),
        description=_("做好就全部登记为已发给上面的领卡人，马上可以作答；请接着打印。"),
    )


@blueprint.get("/")
def home() -> ResponseReturnValue:
    """List the surveys that reach my area, and what is wanted of each today."""
    branch = current_staff().area
    with reading() as session:
        found = [
            (survey, targets.load_progress(session, survey, branch, now()))
            for survey in publishing.load_surveys_reaching(session, branch)
        ]
    return render_template("field/home.html", surveys=found)


@blueprint.get("/surveys/<id:survey_id>")
def survey(survey_id: int) -> ResponseReturnValue:
    """Show the batches of a survey in my area, and how many cards came back."""
    with reading() as session:
        found = publishing.find_survey_reaching(session, survey_id, current_staff().area)
        return _survey_page(session, found, _batch_form(session, found))


@blueprint.post("/surveys/<id:survey_id>")
def make_batch(survey_id: int) -> ResponseReturnValue:
    """Make a batch of cards for an area of mine."""
    with transaction() as session:
        found = publishing.find_survey_reaching(session, survey_id, current_staff().area)
        form = _batch_form(session, found)
        if not form.validate_on_submit():
            return _survey_page(session, found, form), 422
        branch = current_staff().area
        place = survey_areas.find_area_of(session, found, form.area.data, branch)
        try:
            plan = cards.BatchPlan(form.size.data, form.holder.data, form.expires_at.data)
            made = stamp()
            batch = cards.make_batch(session, found, place, plan, settings().keys, made)
            moved = ledger.issue_all(session, batch, made) if form.issue.data else None
            record(session, audit.batch_made(current_staff().name, batch))
            if moved is not None:
                record(session, audit.cards_moved(current_staff().name, moved))
        except InvalidInput as refusal:
            show_faults(form, refusal)
            return _survey_page(session, found, form), 422
    return redirect(url_for("field.survey", survey_id=survey_id), 303)


@blueprint.get("/batches/<id:batch_id>/print")
def print_batch(batch_id: int) -> ResponseReturnValue:
    """List the parts of a batch, which were printed, and what there is to print."""
    with reading() as session:
        batch = cards.find_batch(session, batch_id, current_staff().area)
        parts = sheets.load_parts(session, batch)
    return render_template("field/print.html", batch=batch, parts=parts)


@blueprint.get("/batches/<id:batch_id>/sheet.pdf")
def sheet(batch_id: int) -> Response:
    """Print one part of a batch; it is a bundle of keys and is never kept by a cache."""
    part, layout = _part(), _word(LayoutName, "layout", LayoutName.TEN)
    batch, found = _batch_to_print(batch_id)
    # Drawn outside the transaction, which would keep residents from answering all the while
    # (docs/decisions/0017-audit-chain.md); what is not on record does not leave.
    drawn = sheets.draw_sheet(batch, found, part, layout, settings())
    with transaction() as session:
        ledger.release(session, batch, stamp(), [drawn.ends])
        sheets.record_printout(session, batch, drawn, now())
        actor = current_staff().name
        record(session, audit.sheet_printed(actor, batch, drawn.serials, layout, drawn.read_back))
    return _pdf(drawn.pdf, f"cards-{batch.id}-{part}.pdf")


@blueprint.get("/batches/<id:batch_id>/list.pdf")
def hand_out_list(batch_id: int) -> Response:
    """Print the list to sign while handing out one part of a batch."""
    part = _part()
    batch, found = _batch_to_print(batch_id)
    pdf = sheets.draw_list(batch, found, part, settings())
    _record_serials(audit.Action.LIST_PRINTED, batch, sheets.part_serials(batch, part), "pdf")
    return _pdf(pdf, f"list-{batch.id}-{part}.pdf")


@blueprint.get(f"/batches/<id:batch_id>/serials.<any({', '.join(FORMS)}):form>")
def serials(batch_id: int, form: str) -> Response:
    """Hand out the serials of a batch as a table, for whoever holds the cards."""
    batch, found = _batch_to_print(batch_id)
    table = sheets.serials_sheet(batch)
    made = attachment([table], form, f"{found.title} {table.title} {batch.id}", "serials")
    _record_serials(audit.Action.SERIALS_EXPORTED, batch, range(1, batch.size + 1), form)
    return made


@blueprint.get("/surveys/<id:survey_id>/posters")
def posters(survey_id: int) -> ResponseReturnValue:
    """List the posters of a survey for my area."""
    with reading() as session:
        found = publishing.find_survey_reaching(session, survey_id, current_staff().area)
        mine = publishing.load_posters_in(session, found, current_staff().area)
    return render_template("field/posters.html", survey=found, posters=mine)


@blueprint.get("/surveys/<id:survey_id>/posters/<id:poster_id>.pdf")
def poster(survey_id: int, poster_id: int) -> Response:
    """Print a poster."""
    paper = _word(Paper, "paper", Paper.A4)
    with reading() as session:
        found = publishing.find_survey_reaching(session, survey_id, current_staff().area)
        link = publishing.find_poster_in(session, found, poster_id, current_staff().area)
    pdf = sheets.draw_poster(link, found, paper, settings())
    with transaction() as session:
        record(session, audit.poster_printed(current_staff().name, link, paper))
    return _pdf(pdf, f"poster-{link.id}-{paper}.pdf")


def _batch_to_print(batch_id: int) -> tuple[Batch, Survey]:
    with reading() as session:
        batch = cards.find_batch(session, batch_id, current_staff().area)
        return batch, publishing.find_survey(session, batch.survey_id)


def _part() -> int:
    written = request.args.get("part", "1")
    if not (written.isascii() and written.isdecimal() and len(written) <= 5):
        raise NotFound
    return int(written)


def _word(kind: type[_Word], name: str, default: _Word) -> _Word:
    try:
        return kind(request.args.get(name, default))
    except ValueError:
        raise NotFound from None


def _record_serials(action: audit.Action, batch: Batch, serials: range, form: str) -> None:
    with transaction() as session:
        actor = current_staff().name
        record(session, audit.serials_handed_out(actor, action, batch, serials, form))


def _pdf(content: bytes, name: str) -> Response:
    return send_file(BytesIO(content), "application/pdf", download_name=name)


@blueprint.get("/batches/<id:batch_id>/cards/<id:serial>")
def card(batch_id: int, serial: int) -> ResponseReturnValue:
    """Show one card's code large, to be scanned from this screen."""
    with transaction() as session:
        batch = cards.find_batch(session, batch_id, current_staff().area)
        code = cards.code_of(batch, serial, settings().keys)
        ledger.release(session, batch, stamp(), [(serial, serial)])
        (state,) = ledger.load_states(session, batch, [(serial, serial)])
        record(session, audit.card_shown(current_staff().name, batch, serial, "page"))
    return render_template("field/card.html", batch=batch, serial=serial, code=code, state=state)


@blueprint.get("/batches/<id:batch_id>/cards/<id:serial>.png")
def card_image(batch_id: int, serial: int) -> Response:
    """Draw one card's QR code."""
    with transaction() as session:
        batch = cards.find_batch(session, batch_id, current_staff().area)
        code = cards.code_of(batch, serial, settings().keys)
        png = drawing.qr_png(cards.card_address(settings(), code))
        ledger.release(session, batch, stamp(), [(serial, serial)])
        record(session, audit.card_shown(current_staff().name, batch, serial, "image"))
    return send_file(BytesIO(png), "image/png")


def stamp() -> ledger.Stamp:
    """Return who does something with cards, now."""
    return ledger.Stamp(current_staff().name, now())


def _batch_form(session: Session, survey: Survey) -> BatchForm:
    form = BatchForm()
    places = survey_areas.load_places(session, survey, current_staff().area)
    form.area.choices = [SelectChoice(place.id, place.name) for place in places]
    return form


def _survey_page(session: Session, found: Survey, form: BatchForm) -> str:
    branch, moment = current_staff().area, now()
    counted = ledger.load_ledger(session, found, branch, date_of(moment))
    differences = ledger.find_differences(session, [row.batch for row in counted.batches])
    return render_template(
        "field/survey.html",
        survey=found,
        ledger=counted,
        states=list(CardState),
        alarm=card_alarm(differences),
        targets=targets.load_progress(session, found, branch, moment),
        form=form,
    )
