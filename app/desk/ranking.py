"""Towns by one rate, with intervals and a rubric's lines; what is asked for is in the address."""

from collections.abc import Mapping

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import SelectField
from wtforms.fields.choices import SelectChoice

from analysis.scoring.rubric import Rubric
from app.access import current_staff
from app.config import settings
from app.db import reading
from app.desk.views import blueprint
from app.errors import Problem
from app.services import charting, evaluating, publishing, results, rubrics


class RankingForm(FlaskForm):  # type: ignore[misc]
    """By which measure, and with whose lines; it changes nothing, so it has no token."""

    class Meta:  # noqa: D106 - Flask-WTF's way to say so
        csrf = False

    measure = SelectField(_("测量项"))
    rubric = SelectField(_("指标体系的满分线和零分线"))


@blueprint.get("/surveys/<id:survey_id>/ranking")
def ranking(survey_id: int) -> ResponseReturnValue:
    """Show the towns by one measure, as a chart and as the table of the same figures."""
    with reading() as session:
        survey = publishing.find_survey(session, survey_id, current_staff().area)
        evidence = results.load_evidence(session, survey)
        offered = rubrics.offered(session, current_staff().area)
    form = _form(evidence, offered)
    ranked = None
    if form.validate():
        rubric = offered.get(form.rubric.data)
        ranked = charting.rank(evidence, form.measure.data, rubric, settings().font)
    page = render_template(
        "desk/ranking.html", evidence=evidence, survey=survey, form=form, ranking=ranked
    )
    return page, 200 if ranked else 422


def _form(evidence: results.Evidence, offered: Mapping[str, Rubric]) -> RankingForm:
    measures = charting.rankable(evidence.questionnaire)
    if not measures:
        raise Problem(_("这份问卷没有可以排名的比率。"))
    fed = [rubric for rubric, _count in evaluating.rubrics_for(evidence, offered)]
    form = RankingForm(request.args)
    form.measure.choices = [SelectChoice(one.id, one.name) for one in measures]
    form.rubric.choices = [
        SelectChoice("", _("不画")),
        *(SelectChoice(one.id, one.title) for one in fed),
    ]
    usual = {"measure": measures[0].id, "rubric": fed[0].id if fed else ""}
    for name, value in usual.items():
        if name not in request.args:
            form[name].data = value
    return form
