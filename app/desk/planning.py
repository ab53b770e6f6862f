"""The planner: how many to ask and where, and what the sample can then carry."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import (
    BooleanField,
    DecimalField,
    Field,
    Form,
    IntegerField,
    SelectField,
    ValidationError,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Optional

from analysis.planning import Allocation
from analysis.scoring.rubric import Rubric
from app.access import current_staff, record
from app.db import reading, transaction
from app.desk.views import blueprint
from app.errors import InvalidInput
from app.formats import channel_name
from app.forms import show_faults
from app.models import Channel, Survey
from app.services import audit, planning, publishing, readings, rubrics
from app.services.planning import SamplePlan, Wish

_ASKED = InputRequired(_("请填写。"))


def _between(low: float, high: float) -> Callable[[Form, Field], None]:
    """Return a check that no number upsets: WTForms' own fails at sNaN and at thousands of digits.

    It raises `ValidationError`.
    """

    def check(_form: Form, field: Field) -> None:
        is_number = field.data is not None and Decimal(field.data).is_finite()
        if not (is_number and low <= field.data <= high):
            raise ValidationError(_("应在 %(low)s 和 %(high)s 之间。", low=low, high=high))

    return check


class PlanForm(FlaskForm):  # type: ignore[misc]
    """What a sample should tell; it stands in the address and changes nothing."""

    class Meta:  # noqa: D106 - Flask-WTF's way to say so
        csrf = False

    share = DecimalField(_("预期比率（百分数，如 85）"), [_ASKED, _between(1, 99)], default=85)
    unit = SelectField(
        _("想知道到多准"),
        choices=[
            SelectChoice("percent", _("按百分点：比率的 ± 多少个百分点")),
            SelectChoice("points", _("按得分：指标得分的 ± 多少")),
        ],
    )
    precision = DecimalField(_("± 多少"), [_ASKED, _between(0.01, 50)], default=5)
    indicator = SelectField(_("哪个指标的得分"), default="")
    is_each = BooleanField(_("每个乡镇都要这么准（不选则合起来这么准）"))
    design_effect = DecimalField(
        _("设计效应（按村成片抽样约 1.25，简单随机为 1）"),
        [_ASKED, _between(0.5, 20)],
        default=1.25,
    )
    response = DecimalField(_("预期应答率（百分数）"), [_ASKED, _between(1, 100)], default=80)
    fewest = IntegerField(_("每个乡镇最少找多少人"), [_ASKED, _between(0, 100_000)], default=0)
    most = IntegerField(_("每个乡镇最多找多少人（可不填）"), [Optional(), _between(1, 1_000_000)])
    allocation = SelectField(
        _("怎样分到乡镇"),
        choices=[
            SelectChoice(Allocation.PROPORTIONAL.value, _("按人口比例")),
            SelectChoice(Allocation.SQUARE_ROOT.value, _("按人口的平方根（照顾小镇）")),
            SelectChoice(Allocation.NEYMAN.value, _("Neyman 最优分配（各镇预期相同时等于按比例）")),
        ],
    )

    def wish(self) -> Wish:
        """Return what was filled in."""
        in_points = self.unit.data == "points"
        return Wish(
            share=float(self.share.data / 100),
            half_width=None if in_points else float(self.precision.data / 100),
            within=Fraction(self.precision.data) if in_points else None,
            is_each=self.is_each.data,
            design_effect=float(self.design_effect.data),
            response=float(self.response.data / 100),
            fewest=self.fewest.data,
            most=self.most.data,
            allocation=Allocation(self.allocation.data),
        )


@blueprint.get("/surveys/<id:survey_id>/plan")
def planner(survey_id: int) -> ResponseReturnValue:
    """Show the planner, and the plan that the address asks for."""
    with reading() as session:
        offered = rubrics.offered(session, current_staff().area)
        form = _form(offered)
        survey = publishing.find_survey(session, survey_id, current_staff().area)
        plan = None
        if request.args and form.validate():
            plan = _planned(session, survey, form, offered)
        return render_template(
            "desk/plan.html",
            survey=survey,
            form=form,
            plan=plan,
            channels=[(each.value, channel_name(each)) for each in Channel],
            asked=request.query_string.decode(),
        )


@blueprint.post("/surveys/<id:survey_id>/plan")
def write_plan(survey_id: int) -> ResponseReturnValue:
    """Write the planned answers of each town into the survey as targets."""
    channel = request.form.get("channel", "")
    with transaction() as session:
        offered = rubrics.offered(session, current_staff().area)
        form = _form(offered)
        survey = publishing.find_survey(session, survey_id, current_staff().area)
        plan = _planned(session, survey, form, offered) if form.validate() else None
        if plan is None or channel not in set(Channel):
            again = url_for("desk.planner", survey_id=survey_id)
            return redirect(f"{again}?{request.query_string.decode()}", 303)
        for area, before, after in planning.write_targets(session, survey, plan, Channel(channel)):
            name = current_staff().name
            act = audit.target_set(name, survey, area, Channel(channel), before, after)
            record(session, act)
    return redirect(url_for("desk.cards", survey_id=survey_id), 303)


def _form(offered: Mapping[str, Rubric]) -> PlanForm:
    # Both ways the plan stands in the address; the button adds the channel to it.
    form = PlanForm(request.args or None)
    names = {
        f"{rubric.id}:{each.code}": f"{rubric.title} · {each.name}"
        for rubric, each in readings.scored_by_rate(offered)
    }
    form.indicator.choices = [
        SelectChoice("", _("不按指标")),
        *(SelectChoice(name, names[name]) for name in planning.rising_indicators(offered)),
    ]
    return form


def _planned(
    session: Session, survey: Survey, form: PlanForm, offered: Mapping[str, Rubric]
) -> SamplePlan | None:
    indicator = planning.rising_indicators(offered).get(form.indicator.data or "")
    try:
        return planning.make_plan(session, survey, form.wish(), indicator)
    except InvalidInput as refusal:
        faults = {
            "precision" if name == "within" else name: sentence
            for name, sentence in refusal.faults.items()
        }
        show_faults(form, InvalidInput(faults))
        return None
