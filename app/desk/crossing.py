"""Cross-tables on the screen and as files; what is asked for stays in the address."""

from dataclasses import dataclass
from typing import Any

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from markupsafe import Markup
from wtforms import SelectField
from wtforms.fields.choices import SelectChoice

from analysis.crosstables import CrossTable
from analysis.rates import Group
from app.access import current_staff, record
from app.attachments import FORMS, attachment
from app.config import settings
from app.db import reading, transaction
from app.desk.views import blueprint
from app.errors import Problem
from app.formats import channel_name
from app.services import audit, charting, crossing, exporting, publishing, results

_LONGEST_CHOICE = 40


class CrossForm(FlaskForm):  # type: ignore[misc]
    """What to count by what; it stands in the address and changes nothing, so it has no token."""

    class Meta:  # noqa: D106 - Flask-WTF's way to say so
        csrf = False

    question = SelectField(_("题目"))
    by = SelectField(_("分组"))
    area = SelectField(_("只看片区"))
    channel = SelectField(_("只看调查方式"))

    def asked(self) -> dict[str, str]:
        """Return what stands in the address."""
        return {name: value for name, value in self.data.items() if value}

    def inside(self) -> dict[str, Group]:
        """Return the filters."""
        chosen: dict[str, Group] = {}
        if self.area.data:
            chosen["area"] = int(self.area.data)
        if self.channel.data:
            chosen["channel"] = self.channel.data
        return chosen


@dataclass(frozen=True, slots=True)
class _Asked:
    evidence: results.Evidence
    form: CrossForm
    table: CrossTable | None


@blueprint.get("/surveys/<id:survey_id>/cross")
def cross(survey_id: int) -> ResponseReturnValue:
    """Show one question by area, channel or another question."""
    asked = _asked(survey_id)
    page = render_template(
        "desk/cross.html",
        evidence=asked.evidence,
        survey=asked.evidence.survey,
        form=asked.form,
        table=asked.table,
        names=_names(asked),
        chart=_chart(asked),
    )
    return page, 200 if asked.table else 422


@blueprint.get(f"/surveys/<id:survey_id>/cross.<any({', '.join(FORMS)}):form>")
def export_cross(survey_id: int, form: str) -> Response:
    """Hand out the table that the page would show."""
    asked = _asked(survey_id)
    if asked.table is None:
        raise Problem(_("筛选条件有误，请返回“交叉表”页修改。"))
    survey = asked.evidence.survey
    sheet = exporting.cross_sheet(asked.evidence, asked.table, asked.form.inside(), _names(asked))
    made = attachment([sheet], form, f"{survey.title} {sheet.title}", f"cross-{survey.id}")
    act = audit.results_exported(current_staff().name, audit.Action.TABLES_EXPORTED, survey, form)
    with transaction() as session:
        record(session, act)
    return made


def _asked(survey_id: int) -> _Asked:
    with reading() as session:
        survey = publishing.find_survey(session, survey_id, current_staff().area)
        evidence = results.load_evidence(session, survey)
    form = _form(evidence)
    if not form.validate():
        return _Asked(evidence, form, None)
    if form.question.data == form.by.data:
        form.by.errors = [_("一道题不能和自己交叉，请另选一题或另选分组。")]
        return _Asked(evidence, form, None)
    table = crossing.cross(evidence, form.question.data, form.by.data, form.inside())
    return _Asked(evidence, form, table)


def _form(evidence: results.Evidence) -> CrossForm:
    questions = crossing.crossable(evidence.questionnaire)
    if not questions:
        raise Problem(_("这份问卷没有可以统计的题。"))
    named = {part.id: f"{part.number}. {_short(part.text)}" for part in questions}
    once = {part.id: named[part.id] for part in questions if part.is_chosen_once}
    form = CrossForm(request.args)
    form.question.choices = _choices(named)
    form.by.choices = _choices({"area": _("片区"), "channel": _("调查方式"), **once})
    towns = {str(town.id): town.name for town in evidence.towns}
    form.area.choices = _choices({"": _("全部"), **towns})
    channels = {name: channel_name(name) for name in evidence.channels}
    form.channel.choices = _choices({"": _("全部"), **channels})
    usual = {"question": questions[0].id, "by": "area"}
    for field in form:
        if field.name not in request.args:
            field.data = usual.get(field.name, "")
    return form


def _choices(named: dict[str, Any]) -> list[SelectChoice]:
    return [SelectChoice(value, label) for value, label in named.items()]


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_CHOICE else f"{text[: _LONGEST_CHOICE - 1]}…"


def _chart(asked: _Asked) -> Markup | None:
    if asked.table is None:
        return None
    return charting.stacked_chart(asked.table, _names(asked), settings().font)


def _names(asked: _Asked) -> dict[Group, str]:
    if asked.table is None:
        return {}
    groups = [row.group for row in asked.table.rows if row.group is not None]
    return {group: results.group_name(asked.evidence, asked.table.by, group) for group in groups}
