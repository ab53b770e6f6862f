"""One area of an administrator: renamed, counted, moved, extended, closed, and never deleted."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import HiddenField, SelectField, StringField
from wtforms.fields.choices import SelectChoice

from app.access import current_staff, record
from app.db import reading, transaction
from app.desk.areas import blueprint
from app.errors import EditConflict, InvalidInput, Problem
from app.forms import plain_text, show_faults
from app.models import Area
from app.services import areas, audit
from app.services.areas import AreaPlan


class AddForm(FlaskForm):  # type: ignore[misc]
    """What an area is called and counted as."""

    name = StringField(_("片区名称"), [plain_text], default="")
    population = StringField(_("人口（可不填）"), [plain_text], default="")
    stratum = StringField(_("分层（可不填）"), [plain_text], default="")

    def plan(self) -> AreaPlan:
        """Return what was typed."""
        return AreaPlan(self.name.data or "", self.population.data or "", self.stratum.data or "")


class ChangeForm(AddForm):
    """The same of an area that there is; `seen` is the version that was changed."""

    seen = HiddenField()


class MoveForm(FlaskForm):  # type: ignore[misc]
    """Under which parent an area shall be."""

    parent = SelectField(_("新的上级片区"), coerce=int)
    seen = HiddenField()


@blueprint.get("/<id:area_id>")
def area(area_id: int) -> ResponseReturnValue:
    """Show one area, to be changed."""
    with reading() as session:
        return _page(session, _find(session, area_id))


@blueprint.post("/<id:area_id>")
def change(area_id: int) -> ResponseReturnValue:
    """Give an area another name, population or stratum."""
    form = ChangeForm()
    with transaction() as session:
        found = areas.find_area_to_change(session, area_id, current_staff().area)
        if not form.validate_on_submit():
            return _page(session, found, change=form), 422
        before = audit.area_facts(found)
        try:
            areas.change_area(session, found, form.plan(), _seen(form))
        except InvalidInput as refusal:
            show_faults(form, refusal)
            return _page(session, found, change=form), 422
        except EditConflict as conflict:
            # Whoever sends the form once more has seen what it overwrites.
            form.seen.data = str(found.version)
            return _page(session, found, change=form, conflict=conflict), conflict.status
        if before != audit.area_facts(found):
            record(session, audit.area_changed(current_staff().name, found, before))
    return redirect(url_for("areas.area", area_id=area_id, done="change"), 303)


@blueprint.post("/<id:area_id>/move")
def move(area_id: int) -> ResponseReturnValue:
    """Put an area under another parent, with everything below it."""
    with transaction() as session:
        mine, found = current_staff().area, _find_below(session, area_id)
        form = _with_parents(session, MoveForm(), found)
        if not form.validate_on_submit():
            return _page(session, found, move=form), 422
        before = areas.find_area(session, found.parent_id or 0, mine)
        after = areas.find_area(session, form.parent.data, mine)
        try:
            areas.move_area(session, found, after, _seen(form))
        except InvalidInput as refusal:
            show_faults(form, refusal)
            return _page(session, found, move=form), 422
        except EditConflict as conflict:
            form.seen.data = str(found.version)
            return _page(session, found, move=form, conflict=conflict), conflict.status
        record(session, audit.area_moved(current_staff().name, found, before, after))
    return redirect(url_for("areas.area", area_id=area_id, done="move"), 303)


@blueprint.get("/<id:area_id>/add")
def new(area_id: int) -> ResponseReturnValue:
    """Ask for an area below this one."""
    with reading() as session:
        found = _find(session, area_id)
    return render_template("desk/area_add.html", area=found, form=AddForm())


@blueprint.post("/<id:area_id>/add")
def add(area_id: int) -> ResponseReturnValue:
    """Add an area below this one."""
    form = AddForm()
    with transaction() as session:
        found = areas.find_area_to_change(session, area_id, current_staff().area)
        if not form.validate_on_submit():
            return render_template("desk/area_add.html", area=found, form=form), 422
        try:
            added = areas.add_below(session, found, form.plan())
        except InvalidInput as refusal:
            show_faults(form, refusal)
            return render_template("desk/area_add.html", area=found, form=form), 422
        record(session, audit.area_added(current_staff().name, added))
    return redirect(url_for("areas.area", area_id=area_id, done="add"), 303)


@blueprint.post("/<id:area_id>/close")
def close(area_id: int) -> ResponseReturnValue:
    """Close an area and everything below it."""
    with transaction() as session:
        found = _find_below(session, area_id)
        count = areas.close_area(session, found)
        record(session, audit.area_closed(current_staff().name, found, count))
    return redirect(url_for("areas.area", area_id=area_id, done="close"), 303)


@blueprint.post("/<id:area_id>/reopen")
def reopen(area_id: int) -> ResponseReturnValue:
    """Take a closed area into use again."""
    with transaction() as session:
        found = _find_below(session, area_id)
        areas.reopen_area(session, found)
        record(session, audit.area_reopened(current_staff().name, found))
    return redirect(url_for("areas.area", area_id=area_id, done="reopen"), 303)


_DONE = {
    "change": _("已保存。"),
    "move": _("已移到新的上级片区下面。"),
    "add": _("已添加。"),
    "close": _("已停用。"),
    "reopen": _("已恢复使用。"),
}


def _find(session: Session, area_id: int) -> Area:
    return areas.find_area(session, area_id, current_staff().area)


def _find_below(session: Session, area_id: int) -> Area:
    """Return an area to move, close or reopen: of one's own, somebody above decides."""
    mine = current_staff().area
    if area_id == mine.id:
        raise Problem(_("这是您自己管辖的片区，要由上一级的管理员来移动或停用。"))
    return areas.find_area_to_change(session, area_id, mine)


def _seen(form: ChangeForm | MoveForm) -> int:
    typed = form.seen.data or ""
    return int(typed) if typed.isascii() and typed.isdecimal() and len(typed) < 10 else 0


def _with_parents(session: Session, form: MoveForm, moving: Area) -> MoveForm:
    mine = areas.load_open(session, current_staff().area)
    names = areas.names_from(mine)
    form.parent.choices = [
        SelectChoice(each.id, names[each.id])
        for each in mine
        if not each.path.startswith(moving.path)
    ]
    return form


def _page(
    session: Session,
    found: Area,
    *,
    change: ChangeForm | None = None,
    move: MoveForm | None = None,
    conflict: EditConflict | None = None,
) -> str:
    seen, mine = str(found.version), current_staff().area
    if change is None:
        people = "" if found.population is None else str(found.population)
        change = ChangeForm(
            formdata=None,
            name=found.name,
            population=people,
            stratum=found.stratum or "",
            seen=seen,
        )
    if move is None:
        move = MoveForm(formdata=None, parent=found.parent_id, seen=seen)
        move = _with_parents(session, move, found)
    return render_template(
        "desk/area.html",
        area=found,
        above=areas.load_above(session, found, mine),
        below=areas.children_of(session, found),
        change=change,
        move=move,
        is_mine=found.id == mine.id,
        conflict=conflict,
        done=_DONE.get(request.args.get("done", "")),
    )
