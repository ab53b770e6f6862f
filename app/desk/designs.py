"""How a survey's sample was drawn: entered on screen, with what follows for its weights."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage
from wtforms import BooleanField, IntegerField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from analysis.designs import Lonely
from app.access import current_staff, now, record
from app.db import reading, transaction
from app.desk.views import blueprint
from app.errors import InvalidInput, Problem, Sentence, TableRefused
from app.forms import plain_text, show_faults
from app.models import SampleKind, Survey
from app.services import audit, collecting, designing, publishing, results
from app.services.designing import DesignPlan, Strata
from app.spreadsheets.reading import LARGEST_FILE, Column, read_table
from surveys.questionnaire import Questionnaire

KINDS = {
    SampleKind.SIMPLE: _("简单随机抽样（或发卡给随机选出的人）"),
    SampleKind.STRATIFIED: _("分层抽样：每层各抽各的"),
    SampleKind.CLUSTERED: _("分层两阶段抽样：先抽村，再在村里抽人"),
    SampleKind.CENSUS: _("普查：每个人都问到"),
    SampleKind.SELF_SELECTED: _("自愿参与（海报）：不计算抽样误差"),
}
STRATA = {Strata.TOWN: _("调查范围下面的每个片区（乡镇）"), Strata.LABEL: _("片区表里的“分层”")}
LONELY = {
    Lonely.REFUSE: _("不计算，提示我来决定"),
    Lonely.ADJUST: _("与总平均数比较（偏保守）"),
    Lonely.AVERAGE: _("取其他层的平均方差"),
    Lonely.COLLAPSE: _("与相邻的层合并"),
    Lonely.CERTAINTY: _("这个单位是必然抽中的，不计误差"),
}


class DesignForm(FlaskForm):  # type: ignore[misc]
    """A design as it is entered."""

    kind = SelectField(_("抽样方式"), choices=[SelectChoice(*each) for each in KINDS.items()])
    strata = SelectField(_("按什么分层"), choices=[SelectChoice(*each) for each in STRATA.items()])
    is_finite = BooleanField(_("按登记的人口作有限总体校正（两阶段抽样还要有每个村的人口）"))
    lonely = SelectField(
        _("一层只有一个抽样单位时"), choices=[SelectChoice(*each) for each in LONELY.items()]
    )
    smallest = IntegerField(
        _("不足多少人不单列（5 到 10）"), [InputRequired(_("请填写人数。"))], default=5
    )
    margins = TextAreaField(
        _("总体边际（可不填；每行：题目编号、选项、人数，用空格或逗号隔开）"),
        [Length(max=5000), plain_text],
        default="",
    )
    reason = StringField(_("理由（调查开放以后必填）"), [Length(max=500), plain_text], default="")


class MarginsForm(FlaskForm):  # type: ignore[misc]
    """A table with counts of people by the options of questions."""

    file = FileField(_("表格文件（.xlsx 或 .csv）"), [FileRequired(_("请选择一个文件。"))])


_COLUMNS = (Column("题目"), Column("选项"), Column("人数"))


@dataclass(frozen=True, slots=True)
class StratumLine:
    """A part of the population beside what was sampled of it."""

    name: str
    people: int | None
    villages: int
    answers: int

    @property
    def people_per_answer(self) -> float | None:
        """How many people an answer sheet stands for."""
        return self.people / self.answers if self.people and self.answers else None


@blueprint.get("/surveys/<id:survey_id>/design")
def design(survey_id: int) -> ResponseReturnValue:
    """Show how the sample was drawn, what it weighs, and every version before."""
    with reading() as session:
        survey = _find(session, survey_id)
        asked = collecting.load_questionnaire(session, survey.questionnaire.digest)
        return _page(session, survey, asked, _form_as_stored(session, survey))


def _form_as_stored(session: Session, survey: Survey, margins: str | None = None) -> DesignForm:
    """Return the form as the design stands, with other margins if they are given."""
    stored = designing.load_design(session, survey)
    plan = designing.plan_of(stored) if stored else DesignPlan(SampleKind.SIMPLE)
    return DesignForm(
        None,
        kind=plan.kind,
        strata=plan.strata,
        is_finite=plan.is_finite,
        lonely=plan.lonely,
        smallest=plan.smallest,
        margins=_written(plan.margins) if margins is None else margins,
    )


@blueprint.post("/surveys/<id:survey_id>/design/margins")
def read_margins(survey_id: int) -> ResponseReturnValue:
    """Read a table of margins into the form, to be looked at and saved; nothing is stored."""
    form, refusal, margins = MarginsForm(), None, None
    if form.validate_on_submit():
        upload: FileStorage = form.file.data
        with closing(upload):
            content = upload.stream.read(LARGEST_FILE + 1)
        try:
            table = read_table(content, upload.filename or "", _COLUMNS)
            rows = [" ".join(row.cells.values()) for row in table.rows]
            margins = "\n".join(rows)
        except TableRefused as fault:
            refusal = fault
    with reading() as session:
        survey = _find(session, survey_id)
        asked = collecting.load_questionnaire(session, survey.questionnaire.digest)
        shown = _form_as_stored(session, survey, margins)
        page = _page(session, survey, asked, shown, form, refusal)
    return page, 422 if margins is None else 200


@blueprint.post("/surveys/<id:survey_id>/design")
def save_design(survey_id: int) -> ResponseReturnValue:
    """Save the design as the next version."""
    with transaction() as session:
        survey, staff, form = _find(session, survey_id), current_staff(), DesignForm()
        asked = collecting.load_questionnaire(session, survey.questionnaire.digest)
        if not form.validate_on_submit():
            return _page(session, survey, asked, form), 422
        try:
            plan = _plan(form, asked)
            saved = designing.save_design(session, survey, asked, plan, staff, now())
        except InvalidInput as refusal:
            show_faults(form, refusal)
            return _page(session, survey, asked, form), 422
        record(session, audit.design_saved(staff.name, survey, saved))
    return redirect(url_for("desk.design", survey_id=survey_id), 303)


def _plan(form: DesignForm, asked: Questionnaire) -> DesignPlan:
    return DesignPlan(
        kind=SampleKind(form.kind.data),
        strata=Strata(form.strata.data),
        is_finite=form.is_finite.data,
        lonely=Lonely(form.lonely.data),
        smallest=form.smallest.data,
        margins=_margins(form.margins.data or "", asked),
        reason=form.reason.data or "",
    )


def _margins(text: str, asked: Questionnaire) -> dict[str, dict[str, int]]:
    """Read lines of question, option (its words or its code) and people. Raises `InvalidInput`."""
    codes = {
        part.id: {option.text: option.code for option in part.choices}
        for question in asked.questions
        for part in question.parts
    }
    found: dict[str, dict[str, int]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        cells = line.replace(",", " ").replace("，", " ").replace("\t", " ").split()
        if not cells:
            continue
        is_count = cells[-1].isascii() and cells[-1].isdecimal() and len(cells[-1]) <= 12
        if len(cells) != 3 or not is_count:
            raise InvalidInput(
                {"margins": _line_fault(number, _("应为题目编号、选项、人数三项。"))}
            )
        name, option, people = cells
        code = codes.get(name, {}).get(option, option)
        if code in found.get(name, {}):
            raise InvalidInput({"margins": _line_fault(number, _("这个选项重复了。"))})
        found.setdefault(name, {})[code] = int(people)
    return found


def _line_fault(number: int, what: Sentence) -> Sentence:
    return _("第 %(number)s 行：%(what)s", number=number, what=what)


def _written(margins: Mapping[str, Mapping[str, int]]) -> str:
    return "\n".join(
        f"{name} {code} {people}"
        for name, counts in margins.items()
        for code, people in counts.items()
    )


def _find(session: Session, survey_id: int) -> Survey:
    return publishing.find_survey(session, survey_id, current_staff().area)


def _page(
    session: Session,
    survey: Survey,
    asked: Questionnaire,
    form: DesignForm,
    file_form: MarginsForm | None = None,
    refusal: TableRefused | None = None,
) -> str:
    evidence = results.load_evidence(session, survey)
    versions = designing.load_designs(session, survey)
    faults, raking = [*evidence.design_faults], None
    try:
        raking = results.raking(evidence)
    except Problem as problem:  # said here, where it can be mended
        faults.append(problem.sentence)
    return render_template(
        "desk/design.html",
        survey=survey,
        evidence=evidence,
        form=form,
        file_form=file_form or MarginsForm(None),
        refusal=refusal,
        versions=versions,
        lines=_lines(evidence, designing.strata_of(versions[0])) if versions else [],
        faults=faults,
        raking=raking,
        kinds=KINDS,
        questions=[part for each in asked.questions for part in each.parts if part.is_chosen_once],
    )


def _lines(evidence: results.Evidence, strata: Sequence[designing.Stratum]) -> list[StratumLine]:
    return [
        StratumLine(
            each.name,
            each.people,
            each.villages,
            int(evidence.frame["area"].isin(each.towns).sum()),
        )
        for each in strata
    ]
