"""An evaluator's way: make and open a survey, read the rates, read the points."""

from datetime import UTC, datetime, time, timedelta
from io import BytesIO

from flask import Blueprint, Response, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import (
    DateField,
    DateTimeLocalField,
    HiddenField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length, Optional, ValidationError

from analysis.scoring import annex, uncertainty
from analysis.scoring import feed as feeds
from app.access import current_staff, record
from app.attachments import FORMS, attachment
from app.config import settings
from app.db import reading, transaction
from app.errors import InvalidInput, NotFound, Problem
from app.formats import BEIJING, date_of
from app.forms import plain_text, show_faults
from app.models import Survey, SurveyState
from app.services import (
    areas,
    audit,
    collecting,
    drawing,
    evaluating,
    exporting,
    ledger,
    publishing,
    results,
    rubrics,
)
from surveys.library import bundled
from surveys.questionnaire import QuestionKind, Questionnaire

blueprint = Blueprint("desk", __name__, url_prefix="/desk")


_ASKED_FOR = {
    "organiser": _("请填写谁在调查。"),
    "purpose": _("请填写调查用途。"),
    "collected": _("请填写收集哪些内容。"),
    "readers": _("请填写谁能看到答卷。"),
    "contact": _("请填写群众有疑问时找谁。"),
}


def _checks(name: str) -> list[object]:
    return [
        DataRequired(_ASKED_FOR[name]),
        Length(max=publishing.NOTICE_TEXTS[name]),
        plain_text,
    ]


class NoticeForm(FlaskForm):  # type: ignore[misc]
    """What residents must be told before the first question."""

    organiser = StringField(_("谁在调查（单位全称）"), _checks("organiser"))
    purpose = TextAreaField(_("调查用途"), _checks("purpose"))
    collected = TextAreaField(_("收集哪些内容"), _checks("collected"))
    readers = TextAreaField(_("谁能看到答卷"), _checks("readers"))
    contact = StringField(_("群众有疑问时找谁"), _checks("contact"))
    erase_at = DateField(
        _("删除日期（到这一天删除文字回答和答题用时）"), [DataRequired(_("请填写删除日期。"))]
    )

    def plan(self) -> publishing.NoticePlan:
        """Return what was filled in."""
        texts = {name: self[name].data.strip() for name in publishing.NOTICE_TEXTS}
        return publishing.NoticePlan(**texts, erase_at=self.erase_at.data)


class CorrectionForm(NoticeForm):
    """A correction of a notice; `seen` is the version that was corrected."""

    reason = StringField(_("理由（推迟删除日期时必填）"), [Length(max=500), plain_text], default="")
    seen = HiddenField()


class SurveyForm(NoticeForm):
    """A new survey; instants are Beijing time."""

    questionnaire = SelectField(_("问卷"))
    area = SelectField(_("调查范围"), coerce=int)
    title = StringField(
        _("调查名称"), [DataRequired(_("请填写调查名称。")), Length(max=200), plain_text]
    )
    opens_at = DateTimeLocalField(_("开始时间（北京时间）"), [DataRequired(_("请填写开始时间。"))])
    closes_at = DateTimeLocalField(_("截止时间（北京时间）"), [DataRequired(_("请填写截止时间。"))])


_KINDS = {
    QuestionKind.SINGLE: _("单选"),
    QuestionKind.MULTIPLE: _("多选"),
    QuestionKind.TEXT: _("文字"),
    QuestionKind.SCALE: _("量表"),
    QuestionKind.MATRIX: _("矩阵量表"),
    QuestionKind.NPS: _("推荐意愿（0–10）"),
    QuestionKind.NUMBER: _("数字"),
    QuestionKind.DATE: _("日期"),
    QuestionKind.RANKING: _("排序"),
    QuestionKind.INFORMATION: _("说明，不用答"),
}

_ACTIONS = {
    audit.Action.SURVEY_MADE: _("新建调查"),
    audit.Action.SURVEY_OPENED: _("开放调查"),
    audit.Action.SURVEY_PAUSED: _("暂停调查"),
    audit.Action.SURVEY_CLOSED: _("结束调查"),
    audit.Action.NOTICE_CORRECTED: _("修改给群众看的说明"),
    audit.Action.ERASE_DATE_CHANGED: _("修改删除日期"),
    audit.Action.TEXTS_VIEWED: _("查看文字回答"),
    audit.Action.TEXTS_ERASED: _("到期删除"),
    audit.Action.AREA_ADDED: _("添加片区"),
    audit.Action.AREA_CHANGED: _("修改片区"),
    audit.Action.AREA_MOVED: _("移动片区"),
    audit.Action.AREA_CLOSED: _("停用片区"),
    audit.Action.AREA_REOPENED: _("恢复片区"),
    audit.Action.BATCH_MADE: _("制作卡片"),
    audit.Action.SHEET_PRINTED: _("打印卡片"),
    audit.Action.LIST_PRINTED: _("打印发卡登记表"),
    audit.Action.SERIALS_EXPORTED: _("导出编号表"),
    audit.Action.POSTER_PRINTED: _("打印海报"),
    audit.Action.CARD_SHOWN: _("出示一张卡"),
    audit.Action.INTERVIEWED: _("替群众填写"),
    audit.Action.ANSWERS_IMPORTED: _("导入答卷"),
    audit.Action.IMPORT_SET_ASIDE: _("撤销导入"),
    audit.Action.MAPPING_SAVED: _("设定对应关系"),
    audit.Action.DESIGN_SAVED: _("设定抽样设计"),
    audit.Action.RATE_ENTERED: _("登记外部数据"),
    audit.Action.RATE_WITHDRAWN: _("撤下外部数据"),
    audit.Action.SUBMISSION_VIEWED: _("查看一份答卷"),
    audit.Action.SUBMISSION_REVIEWED: _("审核一份答卷"),
    audit.Action.INCLUSION_CHANGED: _("修改纳入规则"),
    audit.Action.BACK_CHECKS_DRAWN: _("抽取回访"),
    audit.Action.BACK_CHECK_RECORDED: _("登记回访"),
    audit.Action.QUESTIONNAIRE_PRINTED: _("打印纸质问卷"),
    audit.Action.DOUBLE_ENTRY_SET: _("设定双录"),
    audit.Action.SLIP_KEYED: _("录入纸质问卷"),
    audit.Action.SLIP_SETTLED: _("核对纸质问卷"),
    audit.Action.SLIP_WITHDRAWN: _("撤回纸质问卷"),
    audit.Action.CARDS_ISSUED: _("发出卡片"),
    audit.Action.CARDS_RETURNED: _("收回卡片"),
    audit.Action.CARDS_LOST: _("卡片报失"),
    audit.Action.CARDS_VOIDED: _("作废卡片"),
    audit.Action.EXPIRY_MOVED: _("修改卡片有效期"),
    audit.Action.TARGET_SET: _("设定目标份数"),
    audit.Action.AREAS_TAKEN_IN: _("更新片区名录"),
    audit.Action.FEED_DOWNLOADED: _("下载测量数据"),
    audit.Action.EVALUATION_MADE: _("新建评价"),
    audit.Action.EVALUATION_CLOSED: _("结束评价"),
    audit.Action.DEADLINE_MOVED: _("修改填报截止时间"),
    audit.Action.SOURCES_CHOSEN: _("修改数据来源"),
    audit.Action.MEASUREMENT_ENTERED: _("填报测量值"),
    audit.Action.MEASUREMENT_RETURNED: _("退回更正"),
    audit.Action.MEASUREMENT_ACCEPTED: _("采纳测量值"),
    audit.Action.SCORES_REPORTED: _("登记自评或上年得分"),
    audit.Action.EVIDENCE_ADDED: _("上传佐证材料"),
    audit.Action.EVIDENCE_DOWNLOADED: _("下载佐证材料"),
    audit.Action.EVIDENCE_ERASED: _("到期删除佐证材料"),
    audit.Action.RATES_EXPORTED: _("导出比率"),
    audit.Action.TABLES_EXPORTED: _("导出频数表"),
    audit.Action.SCORES_EXPORTED: _("导出评分表"),
    audit.Action.ANSWERS_EXPORTED: _("导出单份答卷"),
    audit.Action.AUDIT_EXPORTED: _("导出操作记录"),
    audit.Action.SURVEY_SEALED: _("封存调查"),
    audit.Action.SEAL_EXPORTED: _("下载封存文件"),
    audit.Action.RUBRIC_SAVED: _("保存指标体系"),
    audit.Action.RUBRIC_PUT_IN_USE: _("启用指标体系"),
    audit.Action.RUBRIC_EXPORTED: _("导出指标体系"),
    audit.Action.FINDINGS_EXPORTED: _("导出核对结果"),
    audit.Action.AREAS_IMPORTED: _("导入片区"),
    audit.Action.TOKEN_MADE: _("制作接口令牌"),
    audit.Action.TOKEN_REVOKED: _("撤销接口令牌"),
    audit.Action.STAFF_ADDED: _("添加账号"),
    audit.Action.STAFF_CLOSED: _("停用账号"),
    audit.Action.STAFF_UNLOCKED: _("解锁账号"),
    audit.Action.PASSWORD_RESET: _("重置密码"),
    audit.Action.PASSWORD_CHANGED: _("修改了密码"),
    audit.Action.STAFF_CHANGED: _("更改身份或片区"),
    audit.Action.FACTOR_ENROLLED: _("设置两步验证"),
    audit.Action.FACTOR_RESET: _("取消两步验证"),
    audit.Action.RECOVERY_CODES_MADE: _("换了一组恢复码"),
    audit.Action.RECOVERY_CODE_USED: _("用了一个恢复码"),
    audit.Action.SIGNED_IN: _("登录系统"),
}
_FACTS = {
    "title": _("名称"),
    "questionnaire": _("问卷"),
    "state": _("状态"),
    "survey": _("调查编号"),
    "size": _("张数"),
    "first": _("起始编号"),
    "last": _("末尾编号"),
    "read_back": _("读回核对"),
    "form": _("形式"),
    "rubric": _("指标体系"),
    "version": _("版本"),
    "name": _("用户名"),
    "role": _("身份"),
    "area": _("片区"),
    "closed": _("已停用"),
    "initial_password": _("待修改初始密码"),
    "failed_sign_ins": _("连续输错次数"),
    "second_factor": _("两步验证"),
    "rows": _("条数"),
    "source": _("来源"),
    "left_out": _("没有导入的行"),
    "file_digest": _("文件摘要"),
    "measure": _("测量项"),
    "numerator": _("分子"),
    "base": _("基数"),
    "added": _("新增"),
    "changed": _("修改"),
    "notice": _("说明第几版"),
    "organiser": _("谁在调查"),
    "purpose": _("调查用途"),
    "collected": _("收集哪些内容"),
    "readers": _("谁能看到答卷"),
    "contact": _("找谁"),
    "erase_at": _("删除日期"),
    "texts": _("文字条数"),
    "durations": _("答题用时条数"),
    "batches": _("小批次批号条数"),
    "cards": _("编号"),
    "channel": _("调查方式"),
    "target": _("目标份数"),
    "revision": _("封存第几版"),
    "seal": _("封存摘要"),
    "root": _("哈希树的根"),
    "review_reason": _("审核理由"),
    "rule": _("规则第几版"),
    "excluded": _("哪些理由不计入"),
    "excludes_queried": _("有疑问的不计入"),
    "seed": _("随机种子"),
    "percent": _("抽取比例"),
    "outcome": _("回访结果"),
    "expires_at": _("有效期至"),
    "notes": _("登记的去向和理由条数"),
    "population": _("人口"),
    "stratum": _("分层"),
    "parent": _("上级片区"),
    "kind": _("抽样方式"),
    "strata": _("分层"),
    "finite": _("有限总体校正"),
    "lonely": _("只有一个抽样单位的层"),
    "smallest": _("最少人数"),
    "margins": _("总体边际"),
    "after_opening": _("开放之后"),
    "object": _("评价对象"),
    "objects": _("评价对象个数"),
    "indicator": _("指标编号"),
    "figures": _("填报内容"),
    "deadline": _("填报截止时间"),
    "sources": _("数据来源"),
    "origin": _("得分来源"),
    "scores": _("得分"),
    "bytes": _("字节数"),
    "files": _("文件个数"),
    "expires_on": _("有效期"),
    "reads_answers": _("可读单份答卷"),
}


def in_calendar(_form: FlaskForm, field: DateField) -> None:
    """Refuse a year that is a slip of the keyboard. Raises `ValidationError`."""
    first, last = publishing.FIRST_YEAR, publishing.LAST_YEAR
    if field.data is not None and not first <= field.data.year <= last:
        raise ValidationError(_("年份应在 %(first)s 到 %(last)s 之间。", first=first, last=last))


class AuditForm(FlaskForm):  # type: ignore[misc]
    """Which entries to show; it stands in the address and changes nothing, so it has no token."""

    class Meta:  # noqa: D106 - Flask-WTF's way to say so
        csrf = False

    action = SelectField(
        _("事项"),
        choices=[
            SelectChoice("", _("全部")),
            *(SelectChoice(action.value, name) for action, name in _ACTIONS.items()),
        ],
        default="",
    )
    actor = StringField(_("操作人"), [Length(max=64), plain_text])
    day = DateField(_("日期（北京时间）"), [Optional(), in_calendar])


@blueprint.get("/")
def home() -> ResponseReturnValue:
    """List the surveys of my area."""
    with reading() as session:
        found = publishing.load_surveys(session, current_staff().area)
    return render_template("desk/home.html", surveys=found)


@blueprint.get("/questionnaires/<name>")
def questionnaire(name: str) -> ResponseReturnValue:
    """Show a bundled questionnaire with its source and its measures."""
    if name not in bundled():
        raise NotFound
    return _questionnaire_page(bundled()[name])


@blueprint.get("/surveys/<id:survey_id>/questionnaire")
def survey_questionnaire(survey_id: int) -> ResponseReturnValue:
    """Show what a survey asks: the questionnaire as it was when the survey was made."""
    with reading() as session:
        found = _find(session, survey_id)
        asked = collecting.load_questionnaire(session, found.questionnaire.digest)
        return _questionnaire_page(asked, found)


def _questionnaire_page(asked: Questionnaire, survey: Survey | None = None) -> str:
    return render_template(
        "desk/questionnaire.html", questionnaire=asked, survey=survey, kinds=_KINDS
    )


@blueprint.get("/surveys/new")
def new_survey() -> ResponseReturnValue:
    """Show the form for a survey from a questionnaire of the library."""
    with reading() as session:
        return _new_survey_page(_survey_form(session))


@blueprint.post("/surveys/new")
def make_survey() -> ResponseReturnValue:
    """Make a survey in draft."""
    with transaction() as session:
        form = _survey_form(session)
        if not form.validate_on_submit():
            return _new_survey_page(form), 422
        try:
            made = _make_survey(session, form)
        except InvalidInput as refusal:
            show_faults(form, refusal)
            return _new_survey_page(form), 422
        record(session, audit.survey_made(current_staff().name, made))
    return redirect(url_for("desk.survey", survey_id=made.id), 303)


def _new_survey_page(form: SurveyForm) -> str:
    return render_template("desk/new_survey.html", form=form, library=bundled())


@blueprint.get("/surveys/<id:survey_id>")
def survey(survey_id: int) -> ResponseReturnValue:
    """Show a survey: its state, its links, its cards and what has come in."""
    with reading() as session:
        found = _find(session, survey_id)
        return render_template(
            "desk/survey.html",
            survey=found,
            posters=publishing.load_posters(session, found),
            ledger=_ledger(session, found),
            evidence=results.load_evidence(session, found),
            texts=results.count_texts(session, found),
            base_url=settings().base_url,
        )


@blueprint.post("/surveys/<id:survey_id>/state")
def move_survey(survey_id: int) -> ResponseReturnValue:
    """Open, pause or close a survey."""
    try:
        to = SurveyState(request.form.get("to", ""))
    except ValueError:
        raise Problem from None
    with transaction() as session:
        found = _find(session, survey_id)
        before = found.state
        publishing.move_survey(session, found, to)
        record(session, audit.survey_moved(current_staff().name, found, before))
    return redirect(url_for("desk.survey", survey_id=survey_id), 303)


@blueprint.get("/surveys/<id:survey_id>/notice")
def notice(survey_id: int) -> ResponseReturnValue:
    """Show what residents are told, to be corrected, and every version before."""
    with reading() as session:
        found = _find(session, survey_id)
        form = CorrectionForm(obj=found.notice, seen=str(found.notice_number))
        return _notice_page(session, found, form)


@blueprint.post("/surveys/<id:survey_id>/notice")
def correct_notice(survey_id: int) -> ResponseReturnValue:
    """Publish a corrected version of the notice."""
    with transaction() as session:
        found, form = _find(session, survey_id), CorrectionForm()
        if not form.validate_on_submit():
            return _notice_page(session, found, form), 422
        try:
            _correct_notice(session, found, form)
        except InvalidInput as refusal:
            show_faults(form, refusal)
            return _notice_page(session, found, form), 422
    return redirect(url_for("desk.survey", survey_id=survey_id), 303)


def _correct_notice(session: Session, survey: Survey, form: CorrectionForm) -> None:
    before, plan, reason = survey.notice, form.plan(), form.reason.data.strip()
    if publishing.is_same_notice(before, plan):
        return
    seen = form.seen.data if form.seen.data.isdecimal() else 0
    today = date_of(datetime.now(UTC))
    after = publishing.correct_notice(session, survey, plan, int(seen), reason, today)
    for act in audit.notice_corrected(current_staff().name, survey, before, after, reason):
        record(session, act)


def _notice_page(session: Session, survey: Survey, form: CorrectionForm) -> str:
    return render_template(
        "desk/notice.html",
        survey=survey,
        form=form,
        versions=publishing.load_notices(session, survey),
    )


@blueprint.get("/surveys/<id:survey_id>/posters/<id:poster_id>.png")
def poster_image(survey_id: int, poster_id: int) -> Response:
    """Draw the QR code of a poster link."""
    with reading() as session:
        posters = publishing.load_posters(session, _find(session, survey_id))
    slugs = [poster.slug for poster in posters if poster.id == poster_id]
    if not slugs:
        raise NotFound
    png = drawing.qr_png(f"{settings().base_url}/p/{slugs[0]}")
    return send_file(BytesIO(png), "image/png")


@blueprint.get("/surveys/<id:survey_id>/rates")
def rates(survey_id: int) -> ResponseReturnValue:
    """Show every measure with its counts and interval, overall and by town."""
    with reading() as session:
        evidence = results.load_evidence(session, _find(session, survey_id))
        offered = rubrics.offered(session, current_staff().area)
    return render_template(
        "desk/rates.html",
        evidence=evidence,
        survey=evidence.survey,
        results=results.measure_results(evidence),
        reviewed=[] if results.tells_few_apart(evidence) else results.reviewed_rates(evidence),
        rubrics=evaluating.rubrics_for(evidence, offered),
        doubts=results.doubts,
        method_name=results.method_name,
    )


@blueprint.get("/surveys/<id:survey_id>/tables")
def tables(survey_id: int) -> ResponseReturnValue:
    """Show the frequency tables in the report's layout, and what the report printed differently."""
    with reading() as session:
        evidence = results.load_evidence(session, _find(session, survey_id))
    return render_template(
        "desk/tables.html",
        evidence=evidence,
        survey=evidence.survey,
        tables=results.frequency_tables(evidence),
        comparisons=results.published_comparisons(evidence),
    )


@blueprint.get("/surveys/<id:survey_id>/scores/<rubric_id>")
def scores(survey_id: int, rubric_id: str) -> ResponseReturnValue:
    """Show the score sheet: every point with its working, beside what the report printed."""
    with reading() as session:
        evidence = results.load_evidence(session, _find(session, survey_id))
        rubric = rubrics.find_rubric(session, rubric_id, current_staff().area)
    sheet = evaluating.score_survey(evidence, rubric)
    return render_template(
        "desk/scores.html",
        evidence=evidence,
        survey=evidence.survey,
        sheet=sheet,
        annex=annex(sheet),
        left_open=uncertainty(sheet),
    )


@blueprint.get("/surveys/<id:survey_id>/scores/<rubric_id>/feed.json")
def feed(survey_id: int, rubric_id: str) -> Response:
    """Hand out the measurements as a feed that other systems can score by themselves."""
    with reading() as session:
        evidence = results.load_evidence(session, _find(session, survey_id))
        rubric = rubrics.find_rubric(session, rubric_id, current_staff().area)
    made = evaluating.make_feed(evidence, rubric, datetime.now(UTC))
    with transaction() as session:
        record(session, audit.feed_downloaded(current_staff().name, evidence.survey, rubric_id))
    return Response(feeds.dump(made), mimetype="application/json")


@blueprint.get("/audit")
def audit_log() -> ResponseReturnValue:
    """List what was done in my area, the newest first; nobody changes it, here or elsewhere."""
    form = AuditForm(request.args)
    if not form.validate():
        return render_template("desk/audit.html", form=form, entries=[], names=_ACTIONS), 422
    with reading() as session:
        found = audit.load_entries(session, current_staff().area, _entry_filter(form))
    entries = found[: audit.PAGE_LENGTH]
    chosen = {"action": form.action.data, "actor": form.actor.data, "day": form.day.data}
    kept = {name: str(value) for name, value in chosen.items() if value}
    older = None
    if len(found) > len(entries):
        older = url_for("desk.audit_log", before=entries[-1].number, **kept)  # type: ignore[arg-type]
    return render_template(
        "desk/audit.html",
        form=form,
        entries=entries,
        older=older,
        kept=kept,
        names=_ACTIONS,
        facts=_FACTS,
    )


@blueprint.get(f"/audit.<any({', '.join(FORMS)}):file_form>")
def export_audit(file_form: str) -> Response:
    """Hand out all entries that the page would list with the same filter, the newest first."""
    form = AuditForm(request.args)
    if not form.validate():
        raise Problem(_("筛选条件有误，请返回“操作记录”页修改。"))
    with reading() as session:
        entries = audit.load_every_entry(session, current_staff().area, _entry_filter(form))
    names = {action.value: str(name) for action, name in _ACTIONS.items()}
    sheet = exporting.audit_sheet(entries, names)
    made = attachment([sheet], file_form, str(sheet.title), "audit")
    with transaction() as session:
        act = audit.audit_exported(
            current_staff().name, current_staff().area, file_form, len(entries)
        )
        record(session, act)
    return made


def _entry_filter(form: "AuditForm") -> audit.EntryFilter:
    since = None
    if form.day.data is not None:
        since = datetime.combine(form.day.data, time(), BEIJING)
    return audit.EntryFilter(
        action=form.action.data,
        actor=form.actor.data,
        since=since,
        until=None if since is None else since + timedelta(days=1),
        before=request.args.get("before", type=_row_number),
    )


def _row_number(text: str) -> int:
    number = int(text)
    if not 1 <= number < 2**31:
        raise ValueError(text)
    return number


def _ledger(session: Session, survey: Survey) -> ledger.Ledger:
    today = date_of(datetime.now(UTC))
    return ledger.load_ledger(session, survey, current_staff().area, today)


def _find(session: Session, survey_id: int) -> Survey:
    return publishing.find_survey(session, survey_id, current_staff().area)


def _survey_form(session: Session) -> SurveyForm:
    today = datetime.now(BEIJING).replace(minute=0, second=0, microsecond=0, tzinfo=None)
    # What the system collects is known here, so that it need not be found out or forgotten.
    form = SurveyForm(
        opens_at=today,
        closes_at=today + timedelta(days=30),
        collected=str(
            _("您的选项和您写的文字、收到的时间（只到小时）、答题用时。不收集姓名、电话、住址。")
        ),
        erase_at=(today + timedelta(days=365)).date(),
    )
    form.questionnaire.choices = [
        SelectChoice(name, f"{found.title}（{name}）") for name, found in bundled().items()
    ]
    branch = areas.load_open(session, current_staff().area)
    form.area.choices = [SelectChoice(area.id, area.name) for area in branch]
    return form


def _make_survey(session: Session, form: SurveyForm) -> Survey:
    plan = publishing.SurveyPlan(
        title=form.title.data,
        opens_at=form.opens_at.data.replace(tzinfo=BEIJING),
        closes_at=form.closes_at.data.replace(tzinfo=BEIJING),
        notice=form.plan(),
    )
    place = areas.find_area(session, form.area.data, current_staff().area)
    return publishing.make_survey(session, bundled()[form.questionnaire.data], place, plan)
