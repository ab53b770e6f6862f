"""What is done with cards in hand: issued, taken back, reported lost, made void."""

from collections.abc import Sequence
from datetime import date

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import DateField, HiddenField, RadioField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length, Optional

from app.access import current_staff, now, record
from app.alarms import card_alarm
from app.config import settings
from app.db import reading, transaction
from app.errors import EditConflict, InvalidInput, Sentence
from app.field.views import blueprint, stamp
from app.formats import date_of
from app.forms import plain_text, show_faults
from app.models import Batch, CardState
from app.services import audit, cards, codes, ledger

_LONGEST_CODES = 20_000
_ACTS = {
    CardState.ISSUED: _("发出"),
    CardState.RETURNED: _("收回"),
    CardState.LOST: _("报失"),
    CardState.VOID: _("作废（不能恢复）"),
}


class ActForm(FlaskForm):  # type: ignore[misc]
    """What is done with some cards, to whom they go, where and why."""

    act = RadioField(
        _("做什么"),
        choices=[SelectChoice(state.value, name) for state, name in _ACTS.items()],
        default=CardState.ISSUED.value,
    )
    holder = StringField(_("发给谁（村医、网格员等；不要填受访群众的姓名）"), [plain_text])
    place = StringField(_("地点（可不填）"), [plain_text])
    reason = StringField(_("理由（报失、作废时必填；不要填姓名）"), [plain_text])

    def handover(self) -> ledger.Handover:
        """Return to whom, where and why; the page of one card asks for nothing but the act."""
        said = (self.holder.data, self.place.data, self.reason.data)
        return ledger.Handover(*(text or "" for text in said))


class SerialsForm(ActForm):
    """Cards of one batch, by serial."""

    serials = StringField(_("编号，如 1-20, 25"), [DataRequired(_("请填写编号。")), plain_text])


class ExpiryForm(FlaskForm):  # type: ignore[misc]
    """Another last day of a batch; `seen` is the one that was moved."""

    expires_at = DateField(_("有效期至（不填为调查结束为止；这一天仍可作答）"), [Optional()])
    seen = HiddenField()


class CodesForm(ActForm):
    """Cards of any batch, by the code on each; the camera writes its address."""

    codes = TextAreaField(
        _("卡片号码，每行一个"),
        [DataRequired(_("请扫卡或填写号码。")), Length(max=_LONGEST_CODES), plain_text],
    )


@blueprint.get("/batches/<id:batch_id>")
def batch(batch_id: int) -> ResponseReturnValue:
    """Show which cards of a batch came back, what was done with them, and do more."""
    with reading() as session:
        found = cards.find_batch(session, batch_id, current_staff().area)
        return _batch_page(session, found, SerialsForm(holder=found.holder))


@blueprint.post("/batches/<id:batch_id>")
def move(batch_id: int) -> ResponseReturnValue:
    """Move the cards with these serials, and say which were moved and which not."""
    with transaction() as session:
        found = cards.find_batch(session, batch_id, current_staff().area)
        form = SerialsForm()
        if not form.validate_on_submit():
            return _batch_page(session, found, form), 422
        try:
            ranges = ledger.read_serials(form.serials.data, found.size)
            moved = _move(session, found, ranges, form)
        except InvalidInput as refusal:
            show_faults(form, refusal)
            return _batch_page(session, found, form), 422
        page = _batch_page(session, found, SerialsForm(formdata=None, holder=found.holder), [moved])
        _record(session, [moved])
    return page


@blueprint.post("/batches/<id:batch_id>/expiry")
def move_expiry(batch_id: int) -> ResponseReturnValue:
    """Move the last day of a batch, later or earlier."""
    expiry = ExpiryForm()
    with transaction() as session:
        found = cards.find_batch(session, batch_id, current_staff().area)
        form, before = SerialsForm(formdata=None, holder=found.holder), found.expires_at
        if not expiry.validate_on_submit():
            return _batch_page(session, found, form, expiry=expiry), 422
        try:
            to, today = expiry.expires_at.data, date_of(now())
            cards.move_expiry(session, found, to, _day_or_none(expiry.seen.data), today)
        except InvalidInput as refusal:
            show_faults(expiry, refusal)
            return _batch_page(session, found, form, expiry=expiry), 422
        except EditConflict as conflict:
            expiry.seen.data = _typed_day(found.expires_at)
            page = _batch_page(session, found, form, expiry=expiry, conflict=conflict.sentence)
            return page, conflict.status
        if before != to:
            record(session, audit.expiry_moved(current_staff().name, found, before))
    return redirect(url_for("field.batch", batch_id=batch_id), 303)


def _typed_day(day: date | None) -> str:
    return "" if day is None else day.isoformat()


def _day_or_none(typed: str | None) -> date | None:
    try:
        return date.fromisoformat(typed or "")
    except ValueError:
        return None


@blueprint.get("/scan")
def scan() -> ResponseReturnValue:
    """Show the form that takes cards by their codes, with the camera where the browser can."""
    return render_template("field/scan.html", form=CodesForm(), moved=[])


@blueprint.post("/scan")
def move_scanned() -> ResponseReturnValue:
    """Move the cards with these codes, whichever batches they are of."""
    form = CodesForm()
    if not form.validate_on_submit():
        return render_template("field/scan.html", form=form, moved=[]), 422
    try:
        with transaction() as session:
            chosen = _cards_of(session, form.codes.data)
            moved = [_move(session, found, ranges, form) for found, ranges in chosen]
            _record(session, moved)
    except InvalidInput as refusal:
        show_faults(form, refusal)
        return render_template("field/scan.html", form=form, moved=[]), 422
    kept = CodesForm(formdata=None, act=form.act.data, holder=form.holder.data)
    return render_template("field/scan.html", form=kept, moved=moved)


def _move(
    session: Session, batch: Batch, ranges: Sequence[ledger.Range], form: ActForm
) -> ledger.Moved:
    to = CardState(form.act.data)
    return ledger.move(session, batch, ranges, to, stamp(), form.handover())


def _record(session: Session, moved: Sequence[ledger.Moved]) -> None:
    for each in moved:
        if each.changed:
            record(session, audit.cards_moved(current_staff().name, each))


def _cards_of(session: Session, typed: str) -> list[tuple[Batch, Sequence[ledger.Range]]]:
    """Return the batches of these codes with serials, in order, so that no two acts lock crosswise.

    Raises `InvalidInput` that names the lines without a card of this branch.
    """
    lines = {
        number: codes.fold(line.rpartition("/")[2])
        for number, line in enumerate(typed.splitlines(), 1)
        if line.strip()
    }
    found = cards.find_cards(session, list(lines.values()), current_staff().area, settings().keys)
    unknown = [str(number) for number, code in lines.items() if code not in found]
    if unknown or not lines:
        named = "、".join(unknown[:20])
        raise InvalidInput({"codes": _("第 %(lines)s 行：您的片区没有这张卡。", lines=named)})
    serials: dict[int, list[int]] = {}
    batches = {}
    for each, serial in found.values():
        batches[each.id] = each
        serials.setdefault(each.id, []).append(serial)
    return [(batches[number], ledger.as_ranges(serials[number])) for number in sorted(serials)]


def _batch_page(
    session: Session,
    batch: Batch,
    form: SerialsForm,
    moved: Sequence[ledger.Moved] = (),
    *,
    expiry: ExpiryForm | None = None,
    conflict: Sentence | None = None,
) -> str:
    day = batch.expires_at
    return render_template(
        "field/batch.html",
        batch=batch,
        form=form,
        expiry=expiry or ExpiryForm(formdata=None, expires_at=day, seen=_typed_day(day)),
        conflict=conflict,
        moved=moved,
        states=ledger.load_states(session, batch),
        entries=ledger.load_entries(session, batch),
        is_expired=ledger.is_expired(batch, date_of(now())),
        alarm=card_alarm(ledger.find_differences(session, [batch])),
    )
